/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution, a vector of channels at a time.
 *
 * Forward and backward to the data are one and the same: a weighted sum over taps, which hit the
 * pixels of the operand in an arithmetic progression (kernels/window.h). Neighbouring pixels of a
 * row, `tile`, are computed together: then a loaded pixel serves all the sums it belongs to, and
 * the latency of one sum hides behind the others. Going backward through a stride, the pixels
 * between which the taps repeat are neighbours: a phase. Taps outside the image are cut off, so
 * that pixels near the sides come one by one; the order of the terms is the same everywhere.
 *
 * A tile jumps between rows and pixels in a way that no prefetcher follows. So it asks for what the
 * tile below it will need: that doubles the speed once the data is larger than the cache. */
#include "kernels/variants.h"
#include "kernels/window.h"
#include "kernels/x86/lanes.h"

#include <string.h>

typedef struct tile {
    const float *x;              /* under the first tap of the first pixel */
    ptrdiff_t row, column, next; /* floats: between tap rows, tap columns, and pixels */
    const float *w;
    ptrdiff_t w_row, w_column; /* floats */
    int rows, columns;         /* taps */
    float *y;
    ptrdiff_t y_next; /* floats between pixels */
    const float *bias, *residual;
    ptrdiff_t residual_next;
    fv_activation act;
    ptrdiff_t x_below, y_below; /* floats to what the tile in the next row needs */
    int seen;                   /* tap rows of it that this tile reads, too */
} tile;

/* How the tap columns of neighbouring pixels lie to each other. */
typedef enum sharing {
    ONE_APART, /* next = column: pixel p + 1 begins where the second tap of pixel p is */
    TWO_APART, /* next = 2 column */
    ANYHOW
} sharing;

/* Asks for the pixels that a row of taps begins with, at x. */
FV_ALWAYS_INLINE void fetch(const float *x, ptrdiff_t column, ptrdiff_t next, int pixels, sharing s)
{
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++) {
        fv_prefetch(x + p * next);
        if (s == TWO_APART) fv_prefetch(x + p * next + column);
    }
}

/* sums[p] += the taps of one row, where columns of taps are shared between pixels: the outer loop
 * goes over the pixels loaded, the inner over the sums they belong to. */
FV_ALWAYS_INLINE void add_shared(const float *x, const float *w, const tile *t, int pixels,
                                 int columns, int apart, fv_lanes l, fv_vec *sums)
{
    fv_vec weights[3];
    for (int k = 0; k < columns; k++) weights[k] = fv_lanes_load(w + k * t->w_column, l);
#pragma GCC unroll 32
    for (int i = 0; i < (pixels - 1) * apart + columns; i++) {
        const fv_vec v = fv_lanes_load(x + i * t->column, l);
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++) {
            const int k = i - p * apart;
            if (k >= 0 && k < columns) sums[p] = fv_vec_fma(v, weights[k], sums[p]);
        }
    }
}

FV_ALWAYS_INLINE void add_unshared(const float *x, const float *w, const tile *t, int pixels,
                                   fv_lanes l, fv_vec *sums)
{
    for (int k = 0; k < t->columns; k++) {
        const fv_vec weight = fv_lanes_load(w + k * t->w_column, l);
        const float *column = x + k * t->column;
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++)
            sums[p] = fv_vec_fma(fv_lanes_load(column + p * t->next, l), weight, sums[p]);
    }
}

FV_ALWAYS_INLINE void tile_lanes(const tile *t, int c, int pixels, int columns, sharing s,
                                 fv_lanes l)
{
    fv_vec sums[8];
    const fv_vec start = t->bias ? fv_lanes_load(t->bias + c, l) : fv_vec_zero();
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++) sums[p] = start;
    for (int r = 0; r < t->rows; r++) {
        const float *x = t->x + r * t->row + c, *w = t->w + r * t->w_row + c;
        if (r >= t->seen) fetch(x + t->x_below, t->column, t->next, pixels, s);
        if (s == ANYHOW)
            add_unshared(x, w, t, pixels, l, sums);
        else
            add_shared(x, w, t, pixels, columns, s == ONE_APART ? 1 : 2, l, sums);
    }
    const fv_bounds bounds = fv_bounds_of(t->act);
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++) {
        if (t->residual)
            sums[p] = fv_vec_add(sums[p], fv_lanes_load(t->residual + p * t->residual_next + c, l));
        float *y = t->y + p * t->y_next + c;
        if (s != TWO_APART) fv_prefetch(y + t->y_below); /* else it is little, and in the way */
        fv_lanes_store(y, l, fv_vec_clamp(bounds, sums[p]));
    }
}

FV_ALWAYS_INLINE void tile_channels(const tile *t, int channels, int pixels, int columns, sharing s)
{
    int c = 0;
    for (; c + FV_LANES <= channels; c += FV_LANES)
        tile_lanes(t, c, pixels, columns, s, fv_lanes_all());
    if (c < channels) tile_lanes(t, c, pixels, columns, s, fv_lanes_first(channels - c));
}

/* Computes a tile of at most `pixels` pixels; returns how many. */
#define TILE_FUNCTION(name, columns, s) \
    static int name(const tile *t, int channels, int pixels) \
    { \
        if (pixels >= 8) return tile_channels(t, channels, 8, columns, s), 8; \
        if (pixels >= 4) return tile_channels(t, channels, 4, columns, s), 4; \
        if (pixels >= 2) return tile_channels(t, channels, 2, columns, s), 2; \
        return tile_channels(t, channels, 1, columns, ANYHOW), 1; \
    }
TILE_FUNCTION(tile_3_one_apart, 3, ONE_APART)
TILE_FUNCTION(tile_3_two_apart, 3, TWO_APART)
TILE_FUNCTION(tile_2_one_apart, 2, ONE_APART)
TILE_FUNCTION(tile_anyhow, 0, ANYHOW)

static int tile_compute(const tile *t, int channels, int pixels)
{
    if (t->columns == 3 && t->next == t->column) return tile_3_one_apart(t, channels, pixels);
    if (t->columns == 3 && t->next == 2 * t->column) return tile_3_two_apart(t, channels, pixels);
    if (t->columns == 2 && t->next == t->column) return tile_2_one_apart(t, channels, pixels);
    return tile_anyhow(t, channels, pixels);
}

/* ---- One pass, forward or backward to the data ---- */

/* Positions [from, to) along an axis. */
typedef struct span {
    int from, to;
} span;

typedef struct pass {
    const fv_depthwise *j;
    bool backward;
    fv_axis rows, columns;
    int period_h, period_w; /* of the axes, for backward */
    int x_h, x_w, y_h, y_w; /* of the operand and of the result */
    int phases, x_next;     /* pixels to the next of a phase, in y and in x */
    int x_rows;             /* rows of x from one row of y to the next */
    fv_epilogue epilogue;
} pass;

/* The taps of result position `o`, in ascending order of what they hit. */
static fv_taps taps_at(const pass *s, const fv_axis *a, int period, int o)
{
    if (!s->backward) return fv_taps_forward(a, o);
    const fv_taps t = fv_taps_backward(a, period, o);
    const int last = t.count - 1;
    if (last < 0) return t;
    return (fv_taps){ .count = t.count,
                      .k = t.k + last * t.k_step,
                      .k_step = -t.k_step,
                      .at = t.at + last * t.at_step,
                      .at_step = -t.at_step };
}

static int divide_up(int a, int b) { return a <= 0 ? 0 : (a + b - 1) / b; }

/* The columns of a phase none of whose taps are outside the image. */
static span inner_columns(const pass *s, int phase)
{
    const fv_axis *a = &s->columns;
    span inner = { 0, 0 };
    if (!s->backward) {
        const int room = a->in - 1 + a->pad - (a->kernel - 1) * a->dilation;
        inner = (span){ divide_up(a->pad, a->stride), room < 0 ? 0 : room / a->stride + 1 };
    } else {
        const fv_taps t = fv_taps_backward_all(a, s->period_w, phase);
        const int last = t.k + (t.count - 1) * t.k_step;
        inner.from = phase + divide_up(last * a->dilation - a->pad - phase, s->phases) * s->phases;
        inner.to = (a->out - 1) * a->stride - a->pad + t.k * a->dilation + 1;
    }
    inner.to = fv_min(inner.to, s->y_w);
    return inner;
}

/* The tile that begins at column `o` of the result row `row`. */
static tile tile_at(const pass *s, int row, fv_taps ty, int o)
{
    const fv_depthwise *j = s->j;
    const fv_epilogue *e = &s->epilogue;
    const fv_taps tx = taps_at(s, &s->columns, s->period_w, o);
    const bool any = ty.count > 0 && tx.count > 0; /* if not, `at` is nowhere */
    const ptrdiff_t image = (ptrdiff_t)(row / s->y_h) * s->x_h * s->x_w;
    const ptrdiff_t x = any ? image + (ptrdiff_t)ty.at * s->x_w + tx.at : image;
    const ptrdiff_t k = any ? (ptrdiff_t)ty.k * s->columns.kernel + tx.k : 0;
    const ptrdiff_t y = (ptrdiff_t)row * s->y_w + o;
    return (tile){ .x = j->x + x * j->x_stride,
                   .row = (ptrdiff_t)ty.at_step * s->x_w * j->x_stride,
                   .column = tx.at_step * j->x_stride,
                   .next = s->x_next * j->x_stride,
                   .w = j->w + k * j->channels,
                   .w_row = (ptrdiff_t)ty.k_step * s->columns.kernel * j->channels,
                   .w_column = (ptrdiff_t)tx.k_step * j->channels,
                   .rows = any ? ty.count : 0,
                   .columns = tx.count,
                   .y = j->y + y * j->y_stride,
                   .y_next = s->phases * j->y_stride,
                   .bias = e->bias,
                   .residual = e->residual ? e->residual + y * e->residual_stride : NULL,
                   .residual_next = s->phases * e->residual_stride,
                   .act = e->act,
                   .x_below = (ptrdiff_t)s->x_rows * s->x_w * j->x_stride,
                   .y_below = s->y_w * j->y_stride,
                   .seen = ty.count - s->x_rows };
}

static void pass_run(const pass *s)
{
    for (int row = s->j->row0; row < s->j->row1; row++) {
        const fv_taps ty = taps_at(s, &s->rows, s->period_h, row % s->y_h);
        for (int phase = 0; phase < fv_min(s->phases, s->y_w); phase++) {
            const span inner = inner_columns(s, phase);
            for (int o = phase; o < s->y_w;) {
                const bool inside = o >= inner.from && o < inner.to;
                const int pixels = inside ? divide_up(inner.to - o, s->phases) : 1;
                const tile t = tile_at(s, row, ty, o);
                o += tile_compute(&t, s->j->channels, pixels) * s->phases;
            }
        }
    }
}

static void forward(const fv_depthwise *j)
{
    const fv_window *w = j->window;
    pass_run(&(pass){ .j = j,
                      .rows = fv_window_rows(w),
                      .columns = fv_window_columns(w),
                      .x_h = w->in_h,
                      .x_w = w->in_w,
                      .y_h = w->out_h,
                      .y_w = w->out_w,
                      .phases = 1,
                      .x_next = w->stride_w,
                      .x_rows = w->stride_h,
                      .epilogue = j->epilogue });
}

/* To add to the result is to have it as the residual. */
static void backward_data(const fv_depthwise *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);
    pass_run(&(pass){
        .j = j,
        .backward = true,
        .rows = rows,
        .columns = columns,
        .period_h = fv_axis_period(&rows),
        .period_w = fv_axis_period(&columns),
        .x_h = w->out_h,
        .x_w = w->out_w,
        .y_h = w->in_h,
        .y_w = w->in_w,
        .phases = w->stride_w,
        .x_next = 1,
        .x_rows = 1,
        .epilogue = { .residual = j->accumulate ? j->y : NULL, .residual_stride = j->y_stride } });
}

/* ---- Backward to the weights ---- */

/* Neighbouring output pixels, with the same taps. */
typedef struct strip {
    const float *x;              /* under the first tap of the first pixel */
    ptrdiff_t row, column, next; /* floats: between tap rows, tap columns, and pixels */
    const float *dy;
    ptrdiff_t dy_next;
    float *partial; /* of the first tap */
    ptrdiff_t partial_row, partial_column;
    int rows, columns;
    ptrdiff_t x_below, dy_below; /* floats to what the strip in the next row needs */
    int seen;                    /* tap rows of it that this strip reads, too */
} strip;

/* Adds the pixels to the taps of one row, where columns are shared. */
FV_ALWAYS_INLINE void collect_shared(const float *x, const strip *t, int pixels, int apart,
                                     const fv_vec *dy, float *partial, fv_lanes l)
{
    fv_vec sums[3];
    for (int k = 0; k < 3; k++) sums[k] = fv_lanes_load(partial + k * t->partial_column, l);
#pragma GCC unroll 32
    for (int i = 0; i < (pixels - 1) * apart + 3; i++) {
        const fv_vec v = fv_lanes_load(x + i * t->column, l);
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++) {
            const int k = i - p * apart;
            if (k >= 0 && k < 3) sums[k] = fv_vec_fma(v, dy[p], sums[k]);
        }
    }
    for (int k = 0; k < 3; k++) fv_lanes_store(partial + k * t->partial_column, l, sums[k]);
}

FV_ALWAYS_INLINE void collect_unshared(const float *x, const strip *t, int pixels, const fv_vec *dy,
                                       float *partial, fv_lanes l)
{
    for (int k = 0; k < t->columns; k++) {
        fv_vec sum = fv_lanes_load(partial + k * t->partial_column, l);
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++)
            sum = fv_vec_fma(fv_lanes_load(x + k * t->column + p * t->next, l), dy[p], sum);
        fv_lanes_store(partial + k * t->partial_column, l, sum);
    }
}

FV_ALWAYS_INLINE void strip_lanes(const strip *t, int c, int pixels, sharing s, fv_lanes l)
{
    fv_vec dy[8];
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++) {
        dy[p] = fv_lanes_load(t->dy + p * t->dy_next + c, l);
        fv_prefetch(t->dy + p * t->dy_next + c + t->dy_below);
    }
    for (int r = 0; r < t->rows; r++) {
        const float *x = t->x + r * t->row + c;
        float *partial = t->partial + r * t->partial_row + c;
        if (r >= t->seen) fetch(x + t->x_below, t->column, t->next, pixels, s);
        if (s == ANYHOW)
            collect_unshared(x, t, pixels, dy, partial, l);
        else
            collect_shared(x, t, pixels, s == ONE_APART ? 1 : 2, dy, partial, l);
    }
}

FV_ALWAYS_INLINE void strip_channels(const strip *t, int channels, int pixels, sharing s)
{
    int c = 0;
    for (; c + FV_LANES <= channels; c += FV_LANES) strip_lanes(t, c, pixels, s, fv_lanes_all());
    if (c < channels) strip_lanes(t, c, pixels, s, fv_lanes_first(channels - c));
}

/* Adds a strip of at most `pixels` pixels; returns how many. */
#define STRIP_FUNCTION(name, s) \
    static int name(const strip *t, int channels, int pixels) \
    { \
        if (pixels >= 8) return strip_channels(t, channels, 8, s), 8; \
        if (pixels >= 4) return strip_channels(t, channels, 4, s), 4; \
        if (pixels >= 2) return strip_channels(t, channels, 2, s), 2; \
        return strip_channels(t, channels, 1, ANYHOW), 1; \
    }
STRIP_FUNCTION(strip_3_one_apart, ONE_APART)
STRIP_FUNCTION(strip_3_two_apart, TWO_APART)
STRIP_FUNCTION(strip_anyhow, ANYHOW)

static int strip_add(const strip *t, int channels, int pixels)
{
    if (t->columns == 3 && t->next == t->column) return strip_3_one_apart(t, channels, pixels);
    if (t->columns == 3 && t->next == 2 * t->column) return strip_3_two_apart(t, channels, pixels);
    return strip_anyhow(t, channels, pixels);
}

static strip strip_at(const fv_depthwise *j, const fv_axis *columns, int row, fv_taps ty, int ox)
{
    const fv_window *w = j->window;
    const fv_taps tx = fv_taps_forward(columns, ox);
    const bool any = ty.count > 0 && tx.count > 0; /* if not, `at` is nowhere */
    const ptrdiff_t image = (ptrdiff_t)(row / w->out_h) * w->in_h * w->in_w;
    const ptrdiff_t x = any ? image + (ptrdiff_t)ty.at * w->in_w + tx.at : image;
    const ptrdiff_t k = any ? (ptrdiff_t)ty.k * w->kernel_w + tx.k : 0;
    return (strip){ .x = j->x + x * j->x_stride,
                    .row = (ptrdiff_t)ty.at_step * w->in_w * j->x_stride,
                    .column = tx.at_step * j->x_stride,
                    .next = w->stride_w * j->x_stride,
                    .dy = j->w + ((ptrdiff_t)row * w->out_w + ox) * j->w_stride,
                    .dy_next = j->w_stride,
                    .partial = j->y + k * j->channels,
                    .partial_row = (ptrdiff_t)w->kernel_w * j->channels,
                    .partial_column = j->channels,
                    .rows = any ? ty.count : 0,
                    .columns = tx.count,
                    .x_below = (ptrdiff_t)w->stride_h * w->in_w * j->x_stride,
                    .dy_below = w->out_w * j->w_stride,
                    .seen = ty.count - w->stride_h };
}

static void backward_weights(const fv_depthwise *j)
{
    const fv_window *w = j->window;
    const fv_axis rows = fv_window_rows(w), columns = fv_window_columns(w);
    const span inner = inner_columns(&(pass){ .columns = columns, .y_w = w->out_w }, 0);

    if (!j->accumulate)
        memset(j->y, 0,
               sizeof(float) * (size_t)w->kernel_h * (size_t)w->kernel_w * (size_t)j->channels);
    for (int row = j->row0; row < j->row1; row++) {
        const fv_taps ty = fv_taps_forward(&rows, row % w->out_h);
        for (int ox = 0; ox < w->out_w;) {
            const bool inside = ox >= inner.from && ox < inner.to;
            const strip t = strip_at(j, &columns, row, ty, ox);
            ox += strip_add(&t, j->channels, inside ? inner.to - ox : 1);
        }
    }
}

void FV_VARIANT(fv_depthwise)(fv_kernels *k)
{
    k->depthwise_forward = forward;
    k->depthwise_backward_data = backward_data;
    k->depthwise_backward_weights = backward_weights;
}
