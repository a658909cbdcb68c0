/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling, a vector of channels at a time. Backward gathers: each pixel of dx is written once, from
 * the outputs that it is under, so that nothing is cleared first or added to later. Forward,
 * while a pixel is computed, what the pixel below it will need is asked for: prefetchers do not
 * guess it. */
#include "kernels/variants.h"
#include "kernels/window.h"
#include "kernels/x86/lanes.h"

#include <string.h>

/* The taps of one output (forward) or input (backward) pixel, as places in memory. */
typedef struct patch {
    const float *x;     /* the pixel under the first tap */
    const uint8_t *tap; /* beside it, in max_pool_backward */
    int rows, columns;
    ptrdiff_t row, column; /* pixels from one tap to the next */
    int k, k_row, k_column;
    ptrdiff_t below;             /* floats of x to the taps of the pixel below */
    int seen_rows, seen_columns; /* of them, those that this pixel or the one beside it reads */
} patch;

/* The taps of a result pixel of image `image`, in images of `height` x `width`. */
static patch patch_of(const fv_pool *j, int image, int height, int width, fv_taps ty, fv_taps tx)
{
    const bool any = ty.count > 0 && tx.count > 0; /* if not, `at` is nowhere */
    const ptrdiff_t first = (ptrdiff_t)image * height * width;
    const ptrdiff_t pixel = any ? first + (ptrdiff_t)ty.at * width + tx.at : first;
    const int kernel_w = j->window->kernel_w;
    return (patch){ .x = j->x + pixel * j->x_stride,
                    .tap = j->tap ? j->tap + pixel * j->channels : NULL,
                    .rows = any ? ty.count : 0,
                    .columns = any ? tx.count : 0,
                    .row = (ptrdiff_t)ty.at_step * width,
                    .column = tx.at_step,
                    .k = ty.k * kernel_w + tx.k,
                    .k_row = ty.k_step * kernel_w,
                    .k_column = tx.k_step };
}

static patch patch_forward(const fv_pool *j, int row, fv_taps ty, fv_taps tx)
{
    const fv_window *w = j->window;
    patch p = patch_of(j, row / w->out_h, w->in_h, w->in_w, ty, tx);
    p.below = (ptrdiff_t)w->stride_h * w->in_w * j->x_stride;
    p.seen_rows = fv_max(ty.count - w->stride_h, 0);
    p.seen_columns = fv_max(tx.count - w->stride_w, 0);
    return p;
}

static patch patch_backward(const fv_pool *j, int row, fv_taps ty, fv_taps tx)
{
    const fv_window *w = j->window;
    return patch_of(j, row / w->in_h, w->out_h, w->out_w, ty, tx);
}

FV_ALWAYS_INLINE void fetch_below(const patch *p, ptrdiff_t x_stride, int c)
{
    for (int ky = p->seen_rows; ky < p->rows; ky++)
        for (int kx = p->seen_columns; kx < p->columns; kx++)
            fv_prefetch(p->x + p->below + (ky * p->row + kx * p->column) * x_stride + c);
}

/* ---- Maximum, forward ---- */

#if defined(FV_ISA_AVX512)
FV_ALWAYS_INLINE void store_taps(uint8_t *p, fv_lanes l, fv_vec taps)
{
    _mm512_mask_cvtepi32_storeu_epi8(p, l.mask, _mm512_cvtps_epi32(taps));
}
FV_ALWAYS_INLINE fv_mask taps_equal(const uint8_t *p, fv_lanes l, int k)
{
    const __m128i taps =
        l.full ? _mm_loadu_si128((const __m128i_u *)p) : _mm_maskz_loadu_epi8(l.mask, p);
    return _mm_cmpeq_epi8_mask(taps, _mm_set1_epi8((char)k));
}
FV_ALWAYS_INLINE bool all_lanes(fv_mask m) { return m == 0xffff; }
#else
FV_ALWAYS_INLINE void store_taps(uint8_t *p, fv_lanes l, fv_vec taps)
{
    const __m256i wide = _mm256_cvtps_epi32(taps);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    uint8_t bytes[16];
    _mm_storeu_si128((__m128i *)bytes, _mm_packus_epi16(words, words));
    memcpy(p, bytes, l.full ? FV_LANES : (size_t)l.count);
}
FV_ALWAYS_INLINE fv_mask taps_equal(const uint8_t *p, fv_lanes l, int k)
{
    uint8_t bytes[16] = { 0 };
    memcpy(bytes, p, l.full ? FV_LANES : (size_t)l.count);
    const __m256i taps = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes));
    return _mm256_cmpeq_epi32(taps, _mm256_set1_epi32(k));
}
FV_ALWAYS_INLINE bool all_lanes(fv_mask m)
{
    return _mm256_movemask_ps(_mm256_castsi256_ps(m)) == 0xff;
}
#endif

/* Where a window holds NaN, of which the first one wins, or infinity. */
static void max_lanes_scalar(const patch *p, ptrdiff_t x_stride, int c, int count, float *y,
                             uint8_t *tap)
{
    for (int i = c; i < c + count; i++) {
        float best = -INFINITY;
        int k = p->k;
        for (int t = 0; t < p->rows * p->columns; t++) {
            const int ky = t / p->columns, kx = t % p->columns;
            const float x = p->x[(ky * p->row + kx * p->column) * x_stride + i];
            if (!(x > best || (isnan(x) && !isnan(best)))) continue;
            best = x;
            k = p->k + ky * p->k_row + kx * p->k_column;
        }
        y[i] = best;
        if (tap) tap[i] = (uint8_t)k;
    }
}

/* `rows` x `columns` are the patch's, told apart so that they can be constants. */
FV_ALWAYS_INLINE void max_lanes(const patch *p, int rows, int columns, ptrdiff_t x_stride, int c,
                                float *y, uint8_t *tap, fv_lanes l)
{
    const fv_vec zero = fv_vec_zero();
    fv_vec best = fv_lanes_load(p->x + c, l), where = fv_vec_set1((float)p->k);
    fv_vec suspect = fv_vec_fma(best, zero, zero); /* NaN once an input is, or is infinite */
    for (int ky = 0; ky < rows; ky++)
        for (int kx = ky ? 0 : 1; kx < columns; kx++) {
            const fv_vec x = fv_lanes_load(p->x + (ky * p->row + kx * p->column) * x_stride + c, l);
            suspect = fv_vec_fma(x, zero, suspect);
            if (tap) {
                const int k = p->k + ky * p->k_row + kx * p->k_column;
                where = fv_vec_select(fv_vec_gt(x, best), fv_vec_set1((float)k), where);
            }
            best = fv_vec_max(x, best);
        }
    fetch_below(p, x_stride, c);
    if (!all_lanes(fv_vec_eq(suspect, suspect))) {
        max_lanes_scalar(p, x_stride, c, l.count, y, tap);
        return;
    }
    fv_lanes_store(y + c, l, best);
    if (tap) store_taps(tap + c, l, where);
}

FV_ALWAYS_INLINE void max_pixel(const fv_pool *j, const patch *p, int rows, int columns, float *y,
                                uint8_t *tap)
{
    int c = 0;
    for (; c + FV_LANES <= j->channels; c += FV_LANES)
        max_lanes(p, rows, columns, j->x_stride, c, y, tap, fv_lanes_all());
    if (c < j->channels)
        max_lanes(p, rows, columns, j->x_stride, c, y, tap, fv_lanes_first(j->channels - c));
}

static void max_forward(const fv_pool *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);

    for (int row = j->row0; row < j->row1; row++) {
        const fv_taps ty = fv_taps_forward(&rows, row % w->out_h);
        for (int ox = 0; ox < w->out_w; ox++) {
            const patch p = patch_forward(j, row, ty, fv_taps_forward(&columns, ox));
            const ptrdiff_t pixel = (ptrdiff_t)row * w->out_w + ox;
            float *y = j->y + pixel * j->y_stride;
            uint8_t *tap = j->tap ? j->tap + pixel * j->channels : NULL;
            if (p.rows == 3 && p.columns == 3)
                max_pixel(j, &p, 3, 3, y, tap);
            else
                max_pixel(j, &p, p.rows, p.columns, y, tap);
        }
    }
}

/* ---- Maximum, backward ---- */

FV_ALWAYS_INLINE void put(float *y, bool accumulate, fv_vec value, fv_lanes l)
{
    fv_lanes_store(y, l, accumulate ? fv_vec_add(fv_lanes_load(y, l), value) : value);
}

/* From the last tap to the first, which is from the first output to the last. */
FV_ALWAYS_INLINE void chosen_lanes(const fv_pool *j, const patch *p, int c, float *dx, fv_lanes l)
{
    fv_vec sum = fv_vec_zero();
    for (int ky = p->rows - 1; ky >= 0; ky--)
        for (int kx = p->columns - 1; kx >= 0; kx--) {
            const ptrdiff_t pixel = ky * p->row + kx * p->column;
            const fv_mask m = taps_equal(p->tap + pixel * j->channels + c, l,
                                         p->k + ky * p->k_row + kx * p->k_column);
            const fv_vec dy = fv_vec_loaded(fv_lanes_load(p->x + pixel * j->x_stride + c, l));
            sum = fv_vec_add(sum, fv_vec_select(m, dy, fv_vec_zero()));
        }
    put(dx + c, j->accumulate, sum, l);
}

static void max_backward(const fv_pool *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);
    const int period_h = fv_axis_period(&rows), period_w = fv_axis_period(&columns);

    for (int row = j->row0 * w->in_h; row < j->row1 * w->in_h; row++) {
        const fv_taps ty = fv_taps_backward(&rows, period_h, row % w->in_h);
        for (int ix = 0; ix < w->in_w; ix++) {
            const patch p = patch_backward(j, row, ty, fv_taps_backward(&columns, period_w, ix));
            float *dx = j->y + ((ptrdiff_t)row * w->in_w + ix) * j->y_stride;
            int c = 0;
            for (; c + FV_LANES <= j->channels; c += FV_LANES)
                chosen_lanes(j, &p, c, dx, fv_lanes_all());
            if (c < j->channels) chosen_lanes(j, &p, c, dx, fv_lanes_first(j->channels - c));
        }
    }
}

/* ---- Average ---- */

/* The sum over the taps, times `factor`. */
FV_ALWAYS_INLINE void average_lanes(const fv_pool *j, const patch *p, int rows, int columns, int c,
                                    float factor, bool accumulate, float *y, fv_lanes l)
{
    fv_vec sum = fv_vec_zero();
    for (int ky = 0; ky < rows; ky++) {
        const float *x = p->x + ky * p->row * j->x_stride + c;
        for (int kx = 0; kx < columns; kx++, x += p->column * j->x_stride)
            sum = fv_vec_add(sum, fv_lanes_load(x, l));
    }
    put(y + c, accumulate, fv_vec_mul(sum, fv_vec_set1(factor)), l);
}

FV_ALWAYS_INLINE void average_as(const fv_pool *j, const patch *p, int rows, int columns,
                                 bool forward, float factor, bool accumulate, float *y)
{
    int c = 0;
    for (; c + FV_LANES <= j->channels; c += FV_LANES) {
        if (forward) fetch_below(p, j->x_stride, c);
        average_lanes(j, p, rows, columns, c, factor, accumulate, y, fv_lanes_all());
    }
    if (c < j->channels)
        average_lanes(j, p, rows, columns, c, factor, accumulate, y,
                      fv_lanes_first(j->channels - c));
}

static void average_forward(const fv_pool *j, const patch *p, float factor, float *y)
{
    if (p->rows == 3 && p->columns == 3)
        average_as(j, p, 3, 3, true, factor, false, y);
    else
        average_as(j, p, p->rows, p->columns, true, factor, false, y);
}

static void average_backward(const fv_pool *j, const patch *p, float factor, bool accumulate,
                             float *dx)
{
    if (p->rows == 3 && p->columns == 3)
        average_as(j, p, 3, 3, false, factor, accumulate, dx);
    else
        average_as(j, p, p->rows, p->columns, false, factor, accumulate, dx);
}

static void avg_forward(const fv_pool *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);

    for (int row = j->row0; row < j->row1; row++) {
        const int oy = row % w->out_h;
        const fv_taps ty = fv_taps_forward(&rows, oy);
        for (int ox = 0; ox < w->out_w; ox++) {
            const fv_taps tx = fv_taps_forward(&columns, ox);
            const patch p = patch_forward(j, row, ty, tx);
            average_forward(j, &p, fv_window_share(w, oy, ox, j->count_padding),
                            j->y + ((ptrdiff_t)row * w->out_w + ox) * j->y_stride);
        }
    }
}

/* Whether the windows of all outputs among the taps divide by the same number along this axis. */
static bool alike(const fv_axis *a, fv_taps t, bool count_padding)
{
    const int first = fv_taps_inside(a, t.at, count_padding);
    for (int i = 1; i < t.count; i++)
        if (fv_taps_inside(a, t.at + i * t.at_step, count_padding) != first) return false;
    return true;
}

/* Where the shares of the outputs differ: one output after another. */
static void avg_backward_mixed(const fv_pool *j, int row, fv_taps ty, fv_taps tx, float *dx)
{
    const fv_window *w = j->window;
    bool accumulate = j->accumulate;
    for (int ky = 0; ky < ty.count; ky++)
        for (int kx = 0; kx < tx.count; kx++) {
            const fv_taps y1 = { .count = 1, .at = ty.at + ky * ty.at_step };
            const fv_taps x1 = { .count = 1, .at = tx.at + kx * tx.at_step };
            const patch p = patch_backward(j, row, y1, x1);
            average_backward(j, &p, fv_window_share(w, y1.at, x1.at, j->count_padding), accumulate,
                             dx);
            accumulate = true;
        }
}

static void avg_backward(const fv_pool *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);
    const int period_h = fv_axis_period(&rows), period_w = fv_axis_period(&columns);

    for (int row = j->row0 * w->in_h; row < j->row1 * w->in_h; row++) {
        const fv_taps ty = fv_taps_backward(&rows, period_h, row % w->in_h);
        const bool alike_h = ty.count == 0 || alike(&rows, ty, j->count_padding);
        for (int ix = 0; ix < w->in_w; ix++) {
            const fv_taps tx = fv_taps_backward(&columns, period_w, ix);
            float *dx = j->y + ((ptrdiff_t)row * w->in_w + ix) * j->y_stride;
            const bool any = ty.count > 0 && tx.count > 0;
            if (any && !(alike_h && alike(&columns, tx, j->count_padding))) {
                avg_backward_mixed(j, row, ty, tx, dx);
                continue;
            }
            const patch p = patch_backward(j, row, ty, tx);
            const float share = any ? fv_window_share(w, ty.at, tx.at, j->count_padding) : 0.0f;
            average_backward(j, &p, share, j->accumulate, dx);
        }
    }
}

void FV_VARIANT(fv_pool)(fv_kernels *k)
{
    k->max_pool_forward = max_forward;
    k->max_pool_backward = max_backward;
    k->avg_pool_forward = avg_forward;
    k->avg_pool_backward = avg_backward;
}
