/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures to floats: groups of 16 pixels, 48 bytes in three blocks. Where pixels or channels are
 * turned round, four blocks of four pixels are loaded, turned, and joined. */
#include "kernels/image_pixel.h"
#include "kernels/variants.h"
#include "kernels/x86/bytes.h"

enum {
    GROUP = 16, /* pixels */
    GROUP_BLOCKS = 3,
    GROUP_VECTORS = GROUP * FV_IMAGE_CHANNELS / FV_LANES,
    CYCLE = 3 /* vectors after which the channels begin anew */
};

typedef struct constants {
    fv_vec factor, mean[CYCLE], std[CYCLE];
    __m128i order; /* of the twelve bytes of four pixels */
} constants;

static constants constants_of(const fv_normalize *j)
{
    constants k = { .factor = fv_vec_set1(j->factor) };
    for (int v = 0; v < CYCLE; v++) {
        float mean[FV_LANES], std[FV_LANES];
        for (int i = 0; i < FV_LANES; i++) {
            const int c = (v * FV_LANES + i) % FV_IMAGE_CHANNELS;
            mean[i] = j->mean[c];
            std[i] = j->std[c];
        }
        k.mean[v] = fv_vec_load(mean);
        k.std[v] = fv_vec_load(std);
    }
    int8_t order[16] = { [12] = -1, -1, -1, -1 };
    for (int i = 0; i < 12; i++) {
        const int pixel = j->mirror ? 3 - i / 3 : i / 3, c = j->swap ? 2 - i % 3 : i % 3;
        order[i] = (int8_t)(pixel * 3 + c);
    }
    k.order = _mm_loadu_si128((const __m128i *)(const void *)order);
    return k;
}

FV_ALWAYS_INLINE __m128i load_16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* The bytes of a group in the order of the output. */
FV_ALWAYS_INLINE void load_turned(const uint8_t *in, const constants *k, bool mirror,
                                  __m128i out[GROUP_BLOCKS])
{
    __m128i four[4];
    FV_UNROLL
    for (int i = 0; i < 4; i++)
        four[i] = _mm_shuffle_epi8(fv_load_12(in + 12 * (mirror ? 3 - i : i)), k->order);
    out[0] = _mm_or_si128(four[0], _mm_slli_si128(four[1], 12));
    out[1] = _mm_or_si128(_mm_srli_si128(four[1], 4), _mm_slli_si128(four[2], 8));
    out[2] = _mm_or_si128(_mm_srli_si128(four[2], 8), _mm_slli_si128(four[3], 4));
}

FV_ALWAYS_INLINE void write_group(const __m128i in[GROUP_BLOCKS], const constants *k, float *out)
{
    FV_UNROLL
    for (int v = 0; v < GROUP_VECTORS; v++) {
        const int at = v * FV_LANES;
        const __m128i block = at % 16 ? _mm_srli_si128(in[at / 16], 8) : in[at / 16];
        const fv_vec x = fv_vec_mul(fv_ivec_to_float(fv_ivec_of_bytes(block)), k->factor);
        fv_vec_store(out + at, fv_vec_div(fv_vec_sub(x, k->mean[v % CYCLE]), k->std[v % CYCLE]));
    }
}

FV_ALWAYS_INLINE void normalize_as(const fv_normalize *j, bool turned)
{
    const constants k = constants_of(j);
    for (int y = 0; y < j->height; y++) {
        const uint8_t *in = j->in + y * j->in_stride;
        float *out = j->out + (ptrdiff_t)y * j->width * FV_IMAGE_CHANNELS;
        int x = 0;
        for (; x + GROUP <= j->width; x += GROUP) {
            const int from = j->mirror ? j->width - GROUP - x : x;
            const uint8_t *p = in + (ptrdiff_t)from * FV_IMAGE_CHANNELS;
            __m128i block[GROUP_BLOCKS];
            if (turned)
                load_turned(p, &k, j->mirror, block);
            else
                for (int i = 0; i < GROUP_BLOCKS; i++) block[i] = load_16(p + 16 * i);
            write_group(block, &k, out + (ptrdiff_t)x * FV_IMAGE_CHANNELS);
        }
        for (; x < j->width; x++) fv_normalize_pixel(j, y, x);
    }
}

static void normalize(const fv_normalize *j)
{
    if (j->mirror || j->swap)
        normalize_as(j, true);
    else
        normalize_as(j, false);
}

void FV_VARIANT(fv_image)(fv_kernels *k) { k->normalize = normalize; }
