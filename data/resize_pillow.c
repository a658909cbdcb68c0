/* SPDX-License-Identifier: Apache-2.0 */
/* Pillow's resampling, byte for byte: a horizontal pass, then a vertical one over its 8-bit result.
 * (This is the order of Pillow 9.4; 13.0 begins with the axis that makes less work.)
 *
 *   scale = in / out, stretch = max(scale, 1), centre c = (x + 0.5) * scale
 *   output x sees inputs i in [trunc(c - s + 0.5), trunc(c + s + 0.5)), s = support * stretch,
 *   with weights f((i - c + 0.5) / stretch), normalised to sum 1 in double, times 2^22, rounded
 *   half away from zero; result = clamp((2^21 + sum of weight * input) >> 22)
 *
 * A pass whose size does not change is skipped.
 */
#include "base/compiler.h"
#include "data/resize_impl.h"

#include <math.h>
#include <string.h>

enum { QUAD = 4 /* taps that vector code takes at a time */ };

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
    return sin(x) / x * ((double)0.54f + (double)0.46f * cos(x)); /* floats, as in Pillow */
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

/* Of the outputs [first, first + sums.count) of one axis. */
typedef struct axis {
    int in, out, first;    /* pixels; the first output */
    int held0, held1;      /* inputs that are at hand */
    fv_resample_axis sums; /* with the arrays below */
    int *begin, *taps;
    int16_t *high, *low;
    double *real; /* [sums.width], scratch */
} axis;

static axis describe(const kernel *k, int in, int out, int first, int count)
{
    const double scale = (double)in / out;
    const int taps = (int)ceil(k->support * fmax(scale, 1.0)) * 2 + 1;
    return (axis){ .in = in,
                   .out = out,
                   .first = first,
                   .sums = { .count = count, .width = (taps + QUAD - 1) / QUAD * QUAD } };
}

static size_t axis_bytes(const axis *a)
{
    const size_t n = (size_t)a->sums.count, width = (size_t)a->sums.width;
    return 2 * fv_resize_align(n * sizeof(int)) + 2 * fv_resize_align(n * width * sizeof(int16_t)) +
           fv_resize_align(width * sizeof(double));
}

static char *axis_place(axis *a, char *memory)
{
    const size_t n = (size_t)a->sums.count, width = (size_t)a->sums.width;
    a->sums.begin = a->begin = (int *)(void *)memory;
    memory += fv_resize_align(n * sizeof(int));
    a->sums.taps = a->taps = (int *)(void *)memory;
    memory += fv_resize_align(n * sizeof(int));
    a->sums.high = a->high = (int16_t *)(void *)memory;
    memory += fv_resize_align(n * width * sizeof(int16_t));
    a->sums.low = a->low = (int16_t *)(void *)memory;
    memory += fv_resize_align(n * width * sizeof(int16_t));
    a->real = (double *)(void *)memory;
    return memory + fv_resize_align(width * sizeof(double));
}

static void find_taps(axis *a, const kernel *k)
{
    const double scale = (double)a->in / a->out, support = k->support * fmax(scale, 1.0);
    for (int n = 0; n < a->sums.count; n++) {
        const double centre = (a->first + n + 0.5) * scale;
        a->begin[n] = fv_max(0, (int)(centre - support + 0.5));
        a->taps[n] = fv_min(a->in, (int)(centre + support + 0.5)) - a->begin[n];
    }
}

/* The weights of output n, whose sum may begin with inputs before `begin` that weigh 0. */
static void fill_weights(axis *a, const kernel *k, int n, int begin, int taps)
{
    const double scale = (double)a->in / a->out, centre = (a->first + n + 0.5) * scale;
    const double shrink = 1.0 / fmax(scale, 1.0);
    double sum = 0.0;
    for (int t = 0; t < taps; t++) {
        a->real[t] = k->weight((t + begin - centre + 0.5) * shrink);
        sum += a->real[t];
    }
    const size_t first = (size_t)n * (size_t)a->sums.width;
    const size_t room = (size_t)a->sums.width * sizeof(int16_t);
    int16_t *high = memset(a->high + first, 0, room), *low = memset(a->low + first, 0, room);
    for (int t = 0, to = begin - a->begin[n]; t < taps; t++, to++) {
        const double real = sum != 0.0 ? a->real[t] / sum : a->real[t];
        const double w = real * (1 << FV_RESAMPLE_BITS);
        const int32_t weight = (int32_t)(w < 0.0 ? w - 0.5 : w + 0.5);
        low[to] = (int16_t)(weight & ((1 << FV_RESAMPLE_LOW_BITS) - 1));
        high[to] = (int16_t)((weight - low[to]) / (1 << FV_RESAMPLE_LOW_BITS));
    }
}

/* With `even`, all sums get the same number of inputs if so many are held: vector code needs it. */
static void axis_fill(axis *a, const kernel *k, bool even)
{
    int most = 0;
    for (int n = 0; n < a->sums.count; n++) most = fv_max(most, a->taps[n]);
    const int same = (most + QUAD - 1) / QUAD * QUAD;
    a->sums.same = even && same <= a->held1 - a->held0 ? same : 0;
    for (int n = 0; n < a->sums.count; n++) {
        const int begin = a->begin[n], taps = a->taps[n];
        if (a->sums.same) {
            a->begin[n] = fv_min(begin, a->held1 - same);
            a->taps[n] = same;
        }
        fill_weights(a, k, n, begin, taps);
    }
}

/* ---- Passes ---- */

typedef struct plan {
    axis x, y;
    bool wide, high; /* which passes there are */
    int row0, rows;  /* of the rect, that the vertical pass sees */
    size_t stride;   /* bytes of a row between the passes */
    uint8_t *middle; /* [rows][stride] */
} plan;

/* Fills the middle. */
static void pass_horizontal(const fv_kernels *k, const fv_resize_job *job, const plan *p)
{
    const int first = p->wide ? p->x.held0 : job->window.x;
    const uint8_t *in = fv_resize_pixel(job, first, p->row0);
    const ptrdiff_t stride = (ptrdiff_t)job->in->width * FV_IMAGE_CHANNELS;
    if (p->wide) {
        const fv_resample sums = { .axis = &p->x.sums,
                                   .in = in,
                                   .in_stride = stride,
                                   .origin = first,
                                   .out = p->middle,
                                   .out_stride = (ptrdiff_t)p->stride,
                                   .rows = p->rows };
        k->resample_rows(&sums);
        return;
    }
    for (int row = 0; row < p->rows; row++)
        memcpy(p->middle + (size_t)row * p->stride, in + row * stride, p->stride);
}

static void pass_vertical(const fv_kernels *k, const fv_resize_job *job, const plan *p)
{
    if (!p->high) {
        memcpy(job->out->data, p->middle, p->stride * (size_t)job->window.height);
        return;
    }
    const fv_resample sums = { .axis = &p->y.sums,
                               .in = p->middle,
                               .in_stride = (ptrdiff_t)p->stride,
                               .origin = p->row0,
                               .out = job->out->data,
                               .out_stride = (ptrdiff_t)p->stride,
                               .bytes = p->stride };
    k->resample_columns(&sums);
}

/* The rows of the rect that the vertical pass sees. */
static void find_rows(plan *p, fv_rect window)
{
    const int last = window.height - 1;
    p->row0 = p->high ? p->y.begin[0] : window.y;
    p->rows = p->high ? p->y.begin[last] + p->y.taps[last] - p->row0 : window.height;
}

/* Takes scratch for weights and the pixels between the passes. False: out of memory. */
static bool make_plan(fv_resizer *r, const fv_resize_job *job, plan *p)
{
    const kernel *k = &kernels[job->filter];
    const fv_rect w = job->window, held = fv_resize_held(job);
    *p = (plan){ .x = describe(k, job->rect.width, job->width, w.x, w.width),
                 .y = describe(k, job->rect.height, job->height, w.y, w.height),
                 .wide = job->width != job->rect.width,
                 .high = job->height != job->rect.height,
                 .stride = (size_t)w.width * FV_IMAGE_CHANNELS };
    p->x.held0 = held.x;
    p->x.held1 = held.x + held.width;
    const size_t weights = axis_bytes(&p->x) + axis_bytes(&p->y);
    char *memory = fv_resizer_reserve(r, weights + p->stride * (size_t)held.height);
    if (!memory) return false;

    memory = axis_place(&p->x, memory);
    memory = axis_place(&p->y, memory);
    p->middle = (uint8_t *)memory;
    find_taps(&p->x, k);
    find_taps(&p->y, k);
    find_rows(p, w);
    axis_fill(&p->x, k, true);
    axis_fill(&p->y, k, false);
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
    pass_horizontal(&r->kernels, job, &p);
    pass_vertical(&r->kernels, job, &p);
    return FV_OK;
}
