/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing by sums over neighbouring pixels. A block of 16 bytes is four pixels of a row, of which
 * 12 bytes are loaded; it is spread to pairs of words R0 R1 G0 G1 B0 B1, that are multiplied by a
 * pair of weights and added up in one instruction. */
#include "kernels/image_pixel.h"
#include "kernels/variants.h"
#include "kernels/x86/bytes.h"

/* Pixels 0 and 1, 2 and 3 of a block to pairs of words; -1: 0. */
FV_ALWAYS_INLINE fv_ivec order_of_first(void)
{
    return fv_ivec_repeat(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
}

FV_ALWAYS_INLINE fv_ivec order_of_last(void)
{
    return fv_ivec_repeat(
        _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
}

/* ---- Any number of pixels: rows ----
 *
 * The blocks of a vector belong to as many rows, so that all have the same weights. */

enum { QUAD = 4 /* pixels or taps */ };

/* The results of one output pixel, as numbers. `in` has its first pixel in every row. */
FV_ALWAYS_INLINE fv_ivec resample_one(const uint8_t *const in[FV_BLOCKS], ptrdiff_t at,
                                      const int16_t *high, const int16_t *low, int taps)
{
    fv_ivec sum = fv_ivec_zero(), rest = fv_ivec_set1(1 << (FV_RESAMPLE_BITS - 1));
    for (int t = 0; t < taps; t += QUAD) {
        __m128i block[FV_BLOCKS];
        FV_UNROLL
        for (int b = 0; b < FV_BLOCKS; b++)
            block[b] = fv_load_12(in[b] + at + (ptrdiff_t)t * FV_IMAGE_CHANNELS);
        const fv_ivec quad = fv_ivec_join(block);
        const fv_ivec first = fv_ivec_shuffle(quad, order_of_first());
        const fv_ivec last = fv_ivec_shuffle(quad, order_of_last());
        sum = fv_ivec_add(sum, fv_ivec_madd(first, fv_ivec_set1_pair(high + t)));
        rest = fv_ivec_add(rest, fv_ivec_madd(first, fv_ivec_set1_pair(low + t)));
        sum = fv_ivec_add(sum, fv_ivec_madd(last, fv_ivec_set1_pair(high + t + 2)));
        rest = fv_ivec_add(rest, fv_ivec_madd(last, fv_ivec_set1_pair(low + t + 2)));
    }
    const fv_ivec all = fv_ivec_add(fv_ivec_shift_left(sum, FV_RESAMPLE_LOW_BITS), rest);
    return fv_ivec_shift_right(all, FV_RESAMPLE_BITS);
}

FV_ALWAYS_INLINE void resample_quad(const fv_resample *j, const uint8_t *const in[FV_BLOCKS],
                                    uint8_t *const out[FV_BLOCKS], int x, int taps)
{
    const fv_resample_axis *a = j->axis;
    fv_ivec pixel[QUAD];
    for (int i = 0; i < QUAD; i++) {
        const ptrdiff_t at = (ptrdiff_t)(a->begin[x + i] - j->origin) * FV_IMAGE_CHANNELS;
        const ptrdiff_t first = (ptrdiff_t)(x + i) * a->width;
        pixel[i] = resample_one(in, at, a->high + first, a->low + first, taps);
    }
    const fv_ivec dense =
        fv_ivec_repeat(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    const fv_ivec bytes =
        fv_ivec_pack_words(fv_ivec_pack(pixel[0], pixel[1]), fv_ivec_pack(pixel[2], pixel[3]));
    __m128i block[FV_BLOCKS];
    fv_ivec_split(fv_ivec_shuffle(bytes, dense), block);
    FV_UNROLL
    for (int b = 0; b < FV_BLOCKS; b++)
        fv_store_12(out[b] + (ptrdiff_t)x * FV_IMAGE_CHANNELS, block[b]);
}

/* With `taps` known the loop over them is written out. Quads at the ends of rows overlap. */
FV_ALWAYS_INLINE void resample_all_rows(const fv_resample *j, int taps)
{
    for (int row = 0; row < j->rows; row += FV_BLOCKS) {
        const uint8_t *in[FV_BLOCKS];
        uint8_t *out[FV_BLOCKS];
        for (int b = 0; b < FV_BLOCKS; b++) {
            const int r = fv_min(row + b, j->rows - 1); /* the last row perhaps several times */
            in[b] = j->in + r * j->in_stride;
            out[b] = j->out + r * j->out_stride;
        }
        for (int x = 0; x < j->axis->count; x += QUAD)
            resample_quad(j, in, out, fv_min(x, j->axis->count - QUAD), taps);
    }
}

static void resample_rows(const fv_resample *j)
{
    const int taps = j->axis->same;
    if (taps == 0 || j->axis->count < QUAD) {
        for (int row = 0; row < j->rows; row++)
            for (int x = 0; x < j->axis->count; x++) fv_resample_pixel(j, row, x);
    } else if (taps == QUAD) {
        resample_all_rows(j, QUAD);
    } else {
        resample_all_rows(j, taps);
    }
}

/* ---- Any number of pixels: columns ---- */

/* A vector of bytes of the output, from rows that lie `stride` apart. */
FV_ALWAYS_INLINE fv_ivec resample_bytes(const uint8_t *in, ptrdiff_t stride, const int16_t *high,
                                        const int16_t *low, int taps)
{
    enum { PARTS = 4 };
    fv_ivec sum[PARTS], rest[PARTS];
    FV_UNROLL
    for (int k = 0; k < PARTS; k++) {
        sum[k] = fv_ivec_zero();
        rest[k] = fv_ivec_set1(1 << (FV_RESAMPLE_BITS - 1));
    }
    for (int t = 0; t < taps; t += 2, in += 2 * stride) {
        const fv_ivec a = fv_ivec_load(in), none = fv_ivec_zero();
        const fv_ivec b = t + 1 < taps ? fv_ivec_load(in + stride) : none;
        const fv_ivec near = fv_ivec_zip_low(a, b), far = fv_ivec_zip_high(a, b);
        const fv_ivec pairs[PARTS] = { fv_ivec_zip_low(near, none), fv_ivec_zip_high(near, none),
                                       fv_ivec_zip_low(far, none), fv_ivec_zip_high(far, none) };
        const fv_ivec h = fv_ivec_set1_pair(high + t), l = fv_ivec_set1_pair(low + t);
        FV_UNROLL
        for (int k = 0; k < PARTS; k++) {
            sum[k] = fv_ivec_add(sum[k], fv_ivec_madd(pairs[k], h));
            rest[k] = fv_ivec_add(rest[k], fv_ivec_madd(pairs[k], l));
        }
    }
    FV_UNROLL
    for (int k = 0; k < PARTS; k++) {
        const fv_ivec all = fv_ivec_add(fv_ivec_shift_left(sum[k], FV_RESAMPLE_LOW_BITS), rest[k]);
        sum[k] = fv_ivec_shift_right(all, FV_RESAMPLE_BITS);
    }
    return fv_ivec_pack_words(fv_ivec_pack(sum[0], sum[1]), fv_ivec_pack(sum[2], sum[3]));
}

static void resample_columns(const fv_resample *j)
{
    const fv_resample_axis *a = j->axis;
    const size_t vector = FV_VECTOR_BYTES;
    for (int y = 0; y < a->count; y++) {
        const uint8_t *in = j->in + (a->begin[y] - j->origin) * j->in_stride;
        const int16_t *high = a->high + (ptrdiff_t)y * a->width;
        const int16_t *low = a->low + (ptrdiff_t)y * a->width;
        uint8_t *out = j->out + y * j->out_stride;
        for (size_t i = 0; i < j->bytes && j->bytes >= vector; i += vector) {
            const size_t at = i + vector <= j->bytes ? i : j->bytes - vector;
            fv_ivec_store(out + at, resample_bytes(in + at, j->in_stride, high, low, a->taps[y]));
        }
        for (size_t i = 0; i < j->bytes && j->bytes < vector; i++)
            out[i] = fv_resample_byte(a, y, in + i, j->in_stride);
    }
}

/* ---- Two or four pixels ----
 *
 * The blocks of a vector belong to as many outputs. Those whose pixels are not one after the other,
 * at the ends of a row, are done one by one, and so are those where a load would leave the row. */

typedef struct span {
    int begin, end;
} span;

/* The outputs whose `taps` pixels can be loaded at once, as `bytes` bytes. */
static span find_inner(const fv_stencil *s, int taps, int bytes)
{
    const int *index = s->index;
    const int last = s->pixels - (bytes + FV_IMAGE_CHANNELS - 1) / FV_IMAGE_CHANNELS;
    span inner = { 0, s->count };
    while (inner.begin < inner.end) {
        const int *i = index + (ptrdiff_t)inner.begin * FV_STENCIL_TAPS;
        if (i[taps - 1] - i[0] == taps - 1) break;
        inner.begin++;
    }
    while (inner.end > inner.begin) {
        const int *i = index + (ptrdiff_t)(inner.end - 1) * FV_STENCIL_TAPS;
        if (i[taps - 1] - i[0] == taps - 1 && i[0] <= last) break;
        inner.end--;
    }
    return inner;
}

/* Every second output, from x on, a block each, to sums. */
FV_ALWAYS_INLINE fv_ivec linear_half(const fv_stencil *s, int x, fv_ivec weights)
{
    __m128i block[FV_BLOCKS];
    FV_UNROLL
    for (int b = 0; b < FV_BLOCKS; b++) {
        const int *index = s->index + (ptrdiff_t)(x + 2 * b) * FV_STENCIL_TAPS;
        const uint8_t *p = s->in + (ptrdiff_t)index[0] * FV_IMAGE_CHANNELS;
        block[b] = _mm_loadl_epi64((const __m128i *)(const void *)p);
    }
    const fv_ivec pairs = fv_ivec_shuffle(fv_ivec_join(block), order_of_first());
    return fv_ivec_shift_right(fv_ivec_madd(pairs, weights), 4);
}

FV_ALWAYS_INLINE void linear_group(const fv_stencil *s, int x, fv_ivec even, fv_ivec odd,
                                   int16_t *out)
{
    const fv_ivec weights = fv_ivec_load(s->weights + (ptrdiff_t)x * FV_STENCIL_TAPS);
    const fv_ivec a = linear_half(s, x, fv_ivec_permute(weights, even));
    const fv_ivec b = linear_half(s, x + 1, fv_ivec_permute(weights, odd));
    const fv_ivec dense =
        fv_ivec_repeat(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1));
    __m128i block[FV_BLOCKS];
    fv_ivec_split(fv_ivec_shuffle(fv_ivec_pack(a, b), dense), block);
    FV_UNROLL
    for (int i = 0; i < FV_BLOCKS; i++)
        fv_store_12(out + (ptrdiff_t)(x + 2 * i) * FV_IMAGE_CHANNELS, block[i]);
}

/* Numbers first, first + step, ... of a vector, each for a whole block. */
FV_ALWAYS_INLINE fv_ivec order_of_weights(int first, int step)
{
    int32_t order[4 * FV_BLOCKS];
    for (int i = 0; i < 4 * FV_BLOCKS; i++) order[i] = first + i / 4 * step;
    return fv_ivec_load(order);
}

static void linear_row(const fv_stencil *s, int16_t *out)
{
    enum { GROUP = 2 * FV_BLOCKS };
    const span inner = find_inner(s, 2, 8);
    const fv_ivec even = order_of_weights(0, 4), odd = order_of_weights(2, 4);
    const bool some = inner.end - inner.begin >= GROUP;
    for (int x = inner.begin; x < inner.end && some; x += GROUP)
        linear_group(s, fv_min(x, inner.end - GROUP), even, odd, out);
    for (int x = 0; x < (some ? inner.begin : s->count); x++) fv_linear_pixel(s, x, out);
    for (int x = inner.end; x < s->count && some; x++) fv_linear_pixel(s, x, out);
}

static void linear_blend(const fv_linear_blend *j)
{
    enum { WORDS = FV_VECTOR_BYTES / 2 };
    const fv_ivec b0 = fv_ivec_set1_word(j->b0), b1 = fv_ivec_set1_word(j->b1);
    const fv_ivec two = fv_ivec_set1_word(2);
    size_t i = 0;
    for (; i + WORDS <= j->bytes; i += WORDS) {
        const fv_ivec top = fv_ivec_mul_high(fv_ivec_load(j->top + i), b0);
        const fv_ivec bottom = fv_ivec_mul_high(fv_ivec_load(j->bottom + i), b1);
        const fv_ivec sum = fv_ivec_add_words(fv_ivec_add_words(top, bottom), two);
        __m128i block[FV_BLOCKS];
        fv_ivec_split(fv_ivec_pack_words(fv_ivec_shift_right_words(sum, 2), fv_ivec_zero()), block);
        FV_UNROLL
        for (int b = 0; b < FV_BLOCKS; b++)
            _mm_storel_epi64((__m128i *)(void *)(j->out + i + (size_t)8 * b), block[b]);
    }
    for (; i < j->bytes; i++) j->out[i] = fv_linear_byte(j, i);
}

FV_ALWAYS_INLINE void cubic_group(const fv_stencil *s, int x, fv_ivec first, fv_ivec last,
                                  int32_t *out)
{
    __m128i block[FV_BLOCKS], both[FV_BLOCKS];
    FV_UNROLL
    for (int b = 0; b < FV_BLOCKS; b++) {
        const ptrdiff_t at = (ptrdiff_t)(x + b) * FV_STENCIL_TAPS;
        block[b] = fv_load_12(s->in + (ptrdiff_t)s->index[at] * FV_IMAGE_CHANNELS);
        both[b] = _mm_loadl_epi64((const __m128i *)(const void *)(s->weights + at));
    }
    const fv_ivec quad = fv_ivec_join(block), weights = fv_ivec_join(both);
    const fv_ivec a =
        fv_ivec_madd(fv_ivec_shuffle(quad, order_of_first()), fv_ivec_permute(weights, first));
    const fv_ivec b =
        fv_ivec_madd(fv_ivec_shuffle(quad, order_of_last()), fv_ivec_permute(weights, last));
    fv_ivec_split(fv_ivec_add(a, b), block);
    FV_UNROLL
    for (int i = 0; i < FV_BLOCKS; i++)
        fv_store_12(out + (ptrdiff_t)(x + i) * FV_IMAGE_CHANNELS, block[i]);
}

static void cubic_row(const fv_stencil *s, int32_t *out)
{
    const span inner = find_inner(s, 4, 12);
    const fv_ivec first = order_of_weights(0, 4), last = order_of_weights(1, 4);
    const bool some = inner.end - inner.begin >= FV_BLOCKS;
    for (int x = inner.begin; x < inner.end && some; x += FV_BLOCKS)
        cubic_group(s, fv_min(x, inner.end - FV_BLOCKS), first, last, out);
    for (int x = 0; x < (some ? inner.begin : s->count); x++) fv_cubic_pixel(s, x, out);
    for (int x = inner.end; x < s->count && some; x++) fv_cubic_pixel(s, x, out);
}

static void cubic_blend(const fv_cubic_blend *j)
{
    const size_t in_float = j->in_float < j->bytes ? j->in_float : j->bytes;
    fv_vec weights[FV_STENCIL_TAPS];
    for (int t = 0; t < FV_STENCIL_TAPS; t++) weights[t] = fv_vec_set1(fv_cubic_weight(j, t));
    size_t i = 0;
    for (; i + FV_LANES <= in_float; i += FV_LANES) {
        fv_vec term[FV_STENCIL_TAPS];
        FV_UNROLL
        for (int t = 0; t < FV_STENCIL_TAPS; t++)
            term[t] = fv_vec_mul(fv_ivec_to_float(fv_ivec_load(j->rows[t] + i)), weights[t]);
        const fv_vec two = fv_vec_add(term[2], term[3]);
        fv_store_bytes(j->out + i, fv_vec_add(term[0], fv_vec_add(term[1], two)));
    }
    for (; i < j->bytes; i++) j->out[i] = fv_cubic_byte(j, i);
}

void FV_VARIANT(fv_resize)(fv_kernels *k)
{
    k->resample_rows = resample_rows;
    k->resample_columns = resample_columns;
    k->linear_row = linear_row;
    k->linear_blend = linear_blend;
    k->cubic_row = cubic_row;
    k->cubic_blend = cubic_blend;
}
