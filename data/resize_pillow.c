/* SPDX-License-Identifier: Apache-2.0 */
/* Pillow's resampling, byte for byte: a horizontal pass, then a vertical one over its 8-bit result.
 * (This is the order of Pillow 9.4; 13.0 begins with the axis that makes less work.)
 *
 *   scale = in / out, stretch = max(scale, 1), centre c = (x + 0.5) * scale
 *   output x sees inputs i in [trunc(c - s + 0.5), trunc(c + s + 0.5)), s = support * stretch,
 *   with weights f((i - c + 0.5) / stretch), normalised to sum 1 in double, times 2^22, rounded
 *   half away from zero; result = clamp((2^21 + sum of weight * input) >> 22)
 *
 * A pass whose size does not change is skipped. Sums are exact integers, so their order is free:
 * the horizontal pass goes over ROWS rows at a time, transposed, so that the rows fill a vector.
 */
#include "base/compiler.h"
#include "base/cpu.h"
#include "data/resize_impl.h"

#include <math.h>
#include <string.h>

enum {
    PRECISION = 22, /* bits behind the point of a weight */
    ROWS = 16,      /* of a strip in the horizontal pass */
    COLUMNS = 32    /* bytes at a time in the vertical pass */
};

/* ---- Filters ---- */

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x)
{
    x = fabs(x);
    if (x == 0.0) return 1.0;
    if (x >= 1.0) return 0.0;
    x = x * M_PI;
    return sin(x) / x * (0.54 + 0.46 * cos(x));
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static double sinc(double x)
{
    if (x == 0.0) return 1.0;
    x = x * M_PI;
    return sin(x) / x;
}

static double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

typedef struct kernel {
    double (*weight)(double x);
    double support; /* input pixels at scale 1 */
} kernel;

static const kernel kernels[] = {
    [FV_BILINEAR] = { triangle, 1.0 }, [FV_BICUBIC] = { cubic, 2.0 },   [FV_BOX] = { box, 0.5 },
    [FV_HAMMING] = { hamming, 1.0 },   [FV_LANCZOS] = { lanczos, 3.0 },
};

/* ---- Weights ---- */

/* Of the outputs [first, first + count) of one axis. */
typedef struct axis {
    int in, out, first, count; /* pixels */
    int width;                 /* room for the weights of one output */
    int *begin, *taps;         /* [count]: first input and how many */
    int32_t *weights;          /* [count][width] */
    double *real;              /* [width], scratch */
} axis;

static axis describe(const kernel *k, int in, int out, int first, int count)
{
    const double scale = (double)in / out;
    return (axis){ .in = in,
                   .out = out,
                   .first = first,
                   .count = count,
                   .width = (int)ceil(k->support * fmax(scale, 1.0)) * 2 + 1 };
}

static size_t axis_bytes(const axis *a)
{
    const size_t n = (size_t)a->count, width = (size_t)a->width;
    return 2 * fv_resize_align(n * sizeof(int)) + fv_resize_align(n * width * sizeof(int32_t)) +
           fv_resize_align(width * sizeof(double));
}

static char *axis_place(axis *a, char *memory)
{
    const size_t n = (size_t)a->count, width = (size_t)a->width;
    a->begin = (int *)(void *)memory;
    memory += fv_resize_align(n * sizeof(int));
    a->taps = (int *)(void *)memory;
    memory += fv_resize_align(n * sizeof(int));
    a->weights = (int32_t *)(void *)memory;
    memory += fv_resize_align(n * width * sizeof(int32_t));
    a->real = (double *)(void *)memory;
    return memory + fv_resize_align(width * sizeof(double));
}

static void axis_fill(axis *a, const kernel *k)
{
    const double scale = (double)a->in / a->out, stretch = fmax(scale, 1.0);
    const double support = k->support * stretch, shrink = 1.0 / stretch;
    for (int n = 0; n < a->count; n++) {
        const double centre = (a->first + n + 0.5) * scale;
        const int begin = fv_max(0, (int)(centre - support + 0.5));
        const int taps = fv_min(a->in, (int)(centre + support + 0.5)) - begin;
        double sum = 0.0;
        for (int t = 0; t < taps; t++) {
            a->real[t] = k->weight((t + begin - centre + 0.5) * shrink);
            sum += a->real[t];
        }
        int32_t *weights = a->weights + (size_t)n * (size_t)a->width;
        for (int t = 0; t < taps; t++) {
            const double w = (sum != 0.0 ? a->real[t] / sum : a->real[t]) * (1 << PRECISION);
            weights[t] = (int32_t)(w < 0.0 ? w - 0.5 : w + 0.5);
        }
        a->begin[n] = begin;
        a->taps[n] = taps;
    }
}

/* ---- Passes ---- */

FV_INLINE uint8_t clamp(int32_t sum)
{
    const int32_t v = sum >> PRECISION;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* in [pixels][3][ROWS] -> out [a->count][3][ROWS]; `origin` is the pixel at in[0]. */
FV_INLINE void horizontal(const axis *a, const uint8_t *in, int origin, uint8_t *out)
{
    for (int x = 0; x < a->count; x++, out += 3 * ROWS) {
        const int32_t *weights = a->weights + (size_t)x * (size_t)a->width;
        const uint8_t *p = in + (size_t)(a->begin[x] - origin) * 3 * ROWS;
        int32_t sum[3 * ROWS];
        for (int i = 0; i < 3 * ROWS; i++) sum[i] = 1 << (PRECISION - 1);
        for (int t = 0; t < a->taps[x]; t++, p += 3 * ROWS) {
            const int32_t w = weights[t];
            for (int i = 0; i < 3 * ROWS; i++) sum[i] += w * p[i];
        }
        for (int i = 0; i < 3 * ROWS; i++) out[i] = clamp(sum[i]);
    }
}

/* COLUMNS bytes of one output row from `taps` rows that lie `stride` bytes apart. */
FV_INLINE void vertical_block(const uint8_t *in, size_t stride, const int32_t *weights, int taps,
                              uint8_t *out)
{
    int32_t sum[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) sum[i] = 1 << (PRECISION - 1);
    for (int t = 0; t < taps; t++) {
        const int32_t w = weights[t];
        const uint8_t *p = in + (size_t)t * stride;
        for (int i = 0; i < COLUMNS; i++) sum[i] += w * p[i];
    }
    for (int i = 0; i < COLUMNS; i++) out[i] = clamp(sum[i]);
}

/* Rows of `in` are padded to whole blocks. */
FV_INLINE void vertical(const axis *a, const uint8_t *in, size_t stride, int origin, uint8_t *out,
                        size_t bytes)
{
    const size_t whole = bytes / COLUMNS * COLUMNS;
    for (int y = 0; y < a->count; y++, out += bytes) {
        const int32_t *weights = a->weights + (size_t)y * (size_t)a->width;
        const uint8_t *p = in + (size_t)(a->begin[y] - origin) * stride;
        for (size_t x = 0; x < whole; x += COLUMNS) {
            vertical_block(p + x, stride, weights, a->taps[y], out + x);
        }
        if (whole < bytes) {
            uint8_t last[COLUMNS];
            vertical_block(p + whole, stride, weights, a->taps[y], last);
            memcpy(out + whole, last, bytes - whole);
        }
    }
}

typedef void horizontal_fn(const axis *a, const uint8_t *in, int origin, uint8_t *out);
typedef void vertical_fn(const axis *a, const uint8_t *in, size_t stride, int origin, uint8_t *out,
                         size_t bytes);

static void horizontal_plain(const axis *a, const uint8_t *in, int origin, uint8_t *out)
{
    horizontal(a, in, origin, out);
}

static void vertical_plain(const axis *a, const uint8_t *in, size_t stride, int origin,
                           uint8_t *out, size_t bytes)
{
    vertical(a, in, stride, origin, out, bytes);
}

#if FV_RESIZE_AVX2
FV_TARGET_AVX2 static void horizontal_avx2(const axis *a, const uint8_t *in, int origin,
                                           uint8_t *out)
{
    horizontal(a, in, origin, out);
}

FV_TARGET_AVX2 static void vertical_avx2(const axis *a, const uint8_t *in, size_t stride,
                                         int origin, uint8_t *out, size_t bytes)
{
    vertical(a, in, stride, origin, out, bytes);
}
#endif

/* ---- Both ---- */

typedef struct plan {
    axis x, y;
    bool wide, high;      /* which passes there are */
    int row0, rows;       /* of the rect, that the vertical pass sees */
    int column0, columns; /* of the rect, that the horizontal pass sees */
    size_t stride;        /* bytes of a row between the passes, whole blocks */
    uint8_t *middle;      /* [rows][stride] */
    uint8_t *strip_in;    /* [columns][3][ROWS] */
    uint8_t *strip_out;   /* [x.count][3][ROWS] */
    horizontal_fn *horizontal;
    vertical_fn *vertical;
} plan;

static void transpose_in(const fv_resize_job *job, const plan *p, int row, int rows)
{
    const size_t bytes = (size_t)p->columns * 3;
    for (int r = 0; r < ROWS; r++) {
        const int y = p->row0 + row + fv_min(r, rows - 1);
        const uint8_t *in = fv_resize_row(job, y) + (size_t)p->column0 * 3;
        uint8_t *out = p->strip_in + r;
        for (size_t i = 0; i < bytes; i++) out[i * ROWS] = in[i];
    }
}

static void transpose_out(const plan *p, int row, int rows)
{
    const size_t bytes = (size_t)p->x.count * 3;
    for (int r = 0; r < rows; r++) {
        const uint8_t *in = p->strip_out + r;
        uint8_t *out = p->middle + (size_t)(row + r) * p->stride;
        for (size_t i = 0; i < bytes; i++) out[i] = in[i * ROWS];
    }
}

/* Fills the middle. */
static void pass_horizontal(const fv_resize_job *job, const plan *p)
{
    for (int row = 0; row < p->rows && p->wide; row += ROWS) {
        const int rows = fv_min(ROWS, p->rows - row);
        transpose_in(job, p, row, rows);
        p->horizontal(&p->x, p->strip_in, p->column0, p->strip_out);
        transpose_out(p, row, rows);
    }
    for (int row = 0; row < p->rows && !p->wide; row++) {
        memcpy(p->middle + (size_t)row * p->stride,
               fv_resize_row(job, p->row0 + row) + (size_t)job->window.x * 3,
               (size_t)job->window.width * 3);
    }
}

static void pass_vertical(const fv_resize_job *job, const plan *p)
{
    const size_t bytes = (size_t)job->window.width * 3;
    if (p->high) {
        p->vertical(&p->y, p->middle, p->stride, p->row0, job->out->data, bytes);
        return;
    }
    for (int y = 0; y < job->window.height; y++) {
        memcpy(job->out->data + (size_t)y * bytes, p->middle + (size_t)y * p->stride, bytes);
    }
}

/* The inputs that the outputs of an axis see: the first, and how many. */
static void find_extent(const axis *a, int *first, int *count)
{
    const int last = a->count - 1;
    *first = a->begin[0];
    *count = a->begin[last] + a->taps[last] - a->begin[0];
}

static void choose_passes(plan *p)
{
    p->horizontal = horizontal_plain;
    p->vertical = vertical_plain;
#if FV_RESIZE_AVX2
    if (fv_cpu_detect() & FV_CPU_AVX2) {
        p->horizontal = horizontal_avx2;
        p->vertical = vertical_avx2;
    }
#endif
}

/* Takes scratch for weights, strips and the pixels between the passes. False: out of memory. */
static bool make_plan(fv_resizer *r, const fv_resize_job *job, plan *p)
{
    const kernel *k = &kernels[job->filter];
    const fv_rect w = job->window;
    *p = (plan){ .x = describe(k, job->rect.width, job->width, w.x, w.width),
                 .y = describe(k, job->rect.height, job->height, w.y, w.height),
                 .wide = job->width != job->rect.width,
                 .high = job->height != job->rect.height };
    const size_t weights = axis_bytes(&p->x) + axis_bytes(&p->y);
    p->stride = ((size_t)w.width * 3 + COLUMNS - 1) / COLUMNS * COLUMNS;
    /* Upper bounds, so that one block of scratch serves for all. */
    const size_t strip_in = fv_resize_align((size_t)job->rect.width * 3 * ROWS);
    const size_t strip_out = fv_resize_align((size_t)w.width * 3 * ROWS);
    char *memory = fv_resizer_reserve(r, weights + strip_in + strip_out +
                                             p->stride * (size_t)job->rect.height);
    if (!memory) return false;

    memory = axis_place(&p->x, memory);
    memory = axis_place(&p->y, memory);
    p->strip_in = (uint8_t *)memory;
    p->strip_out = p->strip_in + strip_in;
    p->middle = p->strip_out + strip_out;
    axis_fill(&p->x, k);
    axis_fill(&p->y, k);
    find_extent(&p->x, &p->column0, &p->columns);
    find_extent(&p->y, &p->row0, &p->rows);
    if (!p->high) {
        p->row0 = w.y;
        p->rows = w.height;
    }
    choose_passes(p);
    return true;
}

/* Positions are summed up, as Pillow does: their rounding is part of the result. */
static void nearest_positions(int *out, int first, int count, int in, int size)
{
    const double step = (double)in / size;
    double at = step * 0.5;
    for (int i = 0; i < first + count; i++, at += step) {
        if (i >= first) out[i - first] = fv_min((int)at, in - 1);
    }
}

static fv_status resize_nearest(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    const fv_rect w = job->window;
    int *columns = fv_resizer_reserve(r, ((size_t)w.width + (size_t)w.height) * sizeof(int));
    if (!columns) return fv_fail(err, FV_ERR_NOMEM, "resize: out of memory");
    int *rows = columns + w.width;
    nearest_positions(columns, w.x, w.width, job->rect.width, job->width);
    nearest_positions(rows, w.y, w.height, job->rect.height, job->height);
    fv_resize_pick(job, columns, rows);
    return FV_OK;
}

fv_status fv_resize_pillow(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    if (job->filter == FV_NEAREST) return resize_nearest(r, job, err);
    plan p;
    if (!make_plan(r, job, &p)) return fv_fail(err, FV_ERR_NOMEM, "resize: out of memory");
    pass_horizontal(job, &p);
    pass_vertical(job, &p);
    return FV_OK;
}
