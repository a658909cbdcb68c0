/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing by areas. Along a row a pixel is a block: three numbers, or floats, and one that is of
 * no use. */
#include "kernels/image_pixel.h"
#include "kernels/variants.h"
#include "kernels/x86/bytes.h"

/* ---- Whole blocks ---- */

enum { COLUMNS = 1024 /* numbers summed over rows before they are summed along them */ };

/* sums[i] of `bytes` columns of the rows from `in` on. */
FV_ALWAYS_INLINE void sum_rows(const fv_area_blocks *j, const uint8_t *in, int bytes, int32_t *sums)
{
    int i = 0;
    for (; i + 4 * FV_BLOCKS <= bytes; i += 4 * FV_BLOCKS) {
        fv_ivec sum = fv_ivec_zero();
        for (int v = 0; v < j->down; v++) {
            const uint8_t *p = in + v * j->in_stride + i;
#if defined(FV_ISA_AVX512)
            const __m128i row = _mm_loadu_si128((const __m128i *)(const void *)p);
#else
            const __m128i row = _mm_loadl_epi64((const __m128i *)(const void *)p);
#endif
            sum = fv_ivec_add(sum, fv_ivec_of_bytes(row));
        }
        fv_ivec_store(sums + i, sum);
    }
    for (; i < bytes; i++) {
        uint32_t sum = 0;
        for (int v = 0; v < j->down; v++) sum += in[v * j->in_stride + i];
        sums[i] = (int32_t)sum;
    }
}

FV_ALWAYS_INLINE void store_pixel(uint8_t *out, __m128i numbers)
{
    const __m128i words = _mm_packs_epi32(numbers, numbers);
    const int32_t pixel = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    memcpy(out, &pixel, FV_IMAGE_CHANNELS);
}

/* `count` outputs whose columns are summed up. One number behind the last is read. */
FV_ALWAYS_INLINE void sum_columns(const fv_area_blocks *j, const int32_t *sums, int count,
                                  uint8_t *out)
{
    const __m128 inverse = _mm_set1_ps(1.0f / (float)((int64_t)j->across * j->down));
    const bool fours = j->across == 2 && j->down == 2;
    for (int x = 0; x < count; x++, out += FV_IMAGE_CHANNELS) {
        __m128i sum = _mm_setzero_si128();
        for (int u = 0; u < j->across; u++, sums += FV_IMAGE_CHANNELS)
            sum = _mm_add_epi32(sum, _mm_loadu_si128((const __m128i *)(const void *)sums));
        if (fours)
            sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(2)), 2);
        else
            sum = _mm_cvtps_epi32(_mm_mul_ps(_mm_cvtepi32_ps(sum), inverse));
        store_pixel(out, sum);
    }
}

/* Of a block that is wider than the sums have room. */
static void one_block(const fv_area_blocks *j, int x)
{
    int32_t sums[COLUMNS + 1] = { 0 };
    uint32_t sum[FV_IMAGE_CHANNELS] = { 0 };
    const uint8_t *in = j->in + (ptrdiff_t)x * j->across * FV_IMAGE_CHANNELS;
    const int step = COLUMNS / FV_IMAGE_CHANNELS; /* pixels */
    for (int u = 0; u < j->across; u += step) {
        const int bytes = fv_min(step, j->across - u) * FV_IMAGE_CHANNELS;
        sum_rows(j, in + (ptrdiff_t)u * FV_IMAGE_CHANNELS, bytes, sums);
        for (int i = 0; i < bytes; i++) sum[i % FV_IMAGE_CHANNELS] += (uint32_t)sums[i];
    }
    for (int c = 0; c < FV_IMAGE_CHANNELS; c++)
        j->out[(ptrdiff_t)x * FV_IMAGE_CHANNELS + c] = fv_area_mean(j, sum[c]);
}

static void area_blocks(const fv_area_blocks *j)
{
    const int fit = COLUMNS / FV_IMAGE_CHANNELS / j->across; /* outputs */
    for (int x = 0; x < j->count && fit == 0; x++) one_block(j, x);
    for (int x = 0; x < j->count && fit > 0; x += fit) {
        int32_t sums[COLUMNS + 1];
        const int count = fv_min(fit, j->count - x), bytes = count * j->across * FV_IMAGE_CHANNELS;
        sum_rows(j, j->in + (ptrdiff_t)x * j->across * FV_IMAGE_CHANNELS, bytes, sums);
        sums[bytes] = 0;
        sum_columns(j, sums, count, j->out + (ptrdiff_t)x * FV_IMAGE_CHANNELS);
    }
}

/* ---- Shares ---- */

static void area_row(const fv_area_row *j)
{
    __m128 sum = _mm_setzero_ps();
    for (int k = 0; k < j->count; k++) {
        const fv_area_share s = j->shares[k];
        const uint8_t *in = j->in + (ptrdiff_t)s.in * FV_IMAGE_CHANNELS;
        int32_t pixel = 0;
        if (s.in + 1 < j->pixels)
            memcpy(&pixel, in, sizeof(pixel));
        else
            memcpy(&pixel, in, FV_IMAGE_CHANNELS);
        const __m128i numbers = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(pixel));
        const __m128 term = _mm_mul_ps(_mm_cvtepi32_ps(numbers), _mm_set1_ps(s.part));
        const bool first = k == 0 || j->shares[k - 1].out != s.out;
        const bool last = k + 1 == j->count || j->shares[k + 1].out != s.out;
        sum = first ? term : _mm_add_ps(sum, term);
        if (last) fv_store_12(j->out + (ptrdiff_t)s.out * FV_IMAGE_CHANNELS, _mm_castps_si128(sum));
    }
}

static void area_sum(const fv_area_sum *j)
{
    const fv_vec part = fv_vec_set1(j->part);
    size_t i = 0;
    for (; i + FV_LANES <= j->bytes; i += FV_LANES) {
        const fv_vec term = fv_vec_mul(fv_vec_load(j->line + i), part);
        const fv_vec sum = j->first ? term : fv_vec_add(fv_vec_load(j->sum + i), term);
        fv_vec_store(j->sum + i, sum);
        if (j->out) fv_store_bytes(j->out + i, sum);
    }
    for (; i < j->bytes; i++) fv_area_float(j, i);
}

void FV_VARIANT(fv_area)(fv_kernels *k)
{
    k->area_blocks = area_blocks;
    k->area_row = area_row;
    k->area_sum = area_sum;
}
