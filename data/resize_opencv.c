/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCV's resizing without antialiasing, byte for byte (version 4 on x86-64).
 *
 *   scale = 1 / (out / in) in double; f = (float)((x + 0.5) * scale - 0.5); i = floor(f), f -= i
 *
 * nearest:  input min(floor(x * scale), in - 1).
 * bilinear: weights 2048 * (1 - f) and 2048 * f, rounded half to even. Columns: f = 0 where i < 0
 *   or i >= in - 1; rows keep f; indices are clamped. With sums t over columns, result
 *   = (((b0 * (t0 >> 4)) >> 16) + ((b1 * (t1 >> 4)) >> 16) + 2) >> 2. If both sizes halve exactly,
 *   the mean of each 2 x 2 block instead.
 * bicubic:  four taps from i - 1 with a = -0.75, weights as above; over rows the sum is taken in
 *   float but for the last few bytes of a row, that do not fill a vector: those are integer.
 */
#include "base/compiler.h"
#include "data/resize_impl.h"

#include <math.h>
#include <string.h>

enum {
    MAX_TAPS = FV_STENCIL_TAPS,
    WEIGHT_ONE = 1 << FV_STENCIL_BITS,
    VECTOR = 8 /* 16-bit lanes of OpenCV's vectors where a row is finished */
};

/* Of the outputs [first, first + count) of one axis. */
typedef struct axis {
    int *index;       /* [count][MAX_TAPS]: input pixels, clamped */
    int16_t *weights; /* [count][MAX_TAPS] */
} axis;

/* ---- Weights ---- */

static void cubic_weights(float f, float out[MAX_TAPS])
{
    const float a = -0.75f;
    const float g = 1.0f - f, e = f + 1.0f;
    out[0] = ((a * e - 5.0f * a) * e + 8.0f * a) * e - 4.0f * a;
    out[1] = ((a + 2.0f) * f - (a + 3.0f)) * f * f + 1.0f;
    out[2] = ((a + 2.0f) * g - (a + 3.0f)) * g * g + 1.0f;
    out[3] = 1.0f - out[0] - out[1] - out[2];
}

/* INTER_AREA where an axis does not shrink; see resize_area.c. */
static int area_position(int x, double scale, double inverse, float *f)
{
    const int i = (int)floor(x * scale);
    const float part = (float)((x + 1) - (i + 1) * inverse);
    *f = part <= 0.0f ? 0.0f : part - floorf(part);
    return i;
}

static void axis_fill(axis *a, int first, int count, int in, int out, fv_filter filter,
                      bool columns)
{
    const double inverse = (double)out / in, scale = 1.0 / inverse;
    const int taps = filter == FV_BICUBIC ? 4 : 2;
    for (int n = 0; n < count; n++) {
        float f = (float)((first + n + 0.5) * scale - 0.5), weights[MAX_TAPS];
        int i = (int)floorf(f);
        f -= (float)i;
        if (filter == FV_AREA) i = area_position(first + n, scale, inverse, &f);
        if (filter == FV_BICUBIC) {
            cubic_weights(f, weights);
            i--;
        } else {
            if (columns && (i < 0 || i >= in - 1)) f = 0.0f;
            weights[0] = 1.0f - f;
            weights[1] = f;
        }
        for (int t = 0; t < taps; t++) {
            a->index[n * MAX_TAPS + t] = fv_max(0, fv_min(in - 1, i + t));
            a->weights[n * MAX_TAPS + t] = (int16_t)lrintf(weights[t] * WEIGHT_ONE);
        }
    }
}

/* ---- Pictures ---- */

/* Rows already summed over columns, found again by their number. */
typedef struct cache {
    int number[MAX_TAPS]; /* of the row in the rect, -1: none */
    void *row[MAX_TAPS];
} cache;

/* The slot that holds row number `wanted`, or -1. */
static int cache_find(const cache *c, int wanted)
{
    for (int k = 0; k < MAX_TAPS; k++) {
        if (c->number[k] == wanted) return k;
    }
    return -1;
}

/* A slot whose row is none of those that the output at hand needs. */
static int cache_evict(const cache *c, const int keep[MAX_TAPS], int taps)
{
    for (int k = 0; k < MAX_TAPS; k++) {
        bool needed = false;
        for (int t = 0; t < taps; t++) needed = needed || c->number[k] == keep[t];
        if (!needed) return k;
    }
    return 0; /* never: at most MAX_TAPS rows are needed */
}

typedef struct scratch {
    axis x, y;
    cache rows;
} scratch;

/* False: out of memory. */
static bool make_scratch(fv_resizer *r, const fv_resize_job *job, scratch *s)
{
    const size_t w = (size_t)job->window.width, h = (size_t)job->window.height;
    const size_t index_x = fv_resize_align(w * MAX_TAPS * sizeof(int));
    const size_t index_y = fv_resize_align(h * MAX_TAPS * sizeof(int));
    const size_t weight_x = fv_resize_align(w * MAX_TAPS * sizeof(int16_t));
    const size_t weight_y = fv_resize_align(h * MAX_TAPS * sizeof(int16_t));
    const size_t row = fv_resize_align(w * 3 * sizeof(int32_t));
    char *p = fv_resizer_reserve(r, index_x + index_y + weight_x + weight_y + row * MAX_TAPS);
    if (!p) return false;
    s->x.index = (int *)(void *)p;
    s->y.index = (int *)(void *)(p + index_x);
    p += index_x + index_y;
    s->x.weights = (int16_t *)(void *)p;
    s->y.weights = (int16_t *)(void *)(p + weight_x);
    p += weight_x + weight_y;
    for (int k = 0; k < MAX_TAPS; k++) {
        s->rows.number[k] = -1;
        s->rows.row[k] = p + (size_t)k * row;
    }
    const fv_rect window = job->window, rect = job->rect, held = fv_resize_held(job);
    axis_fill(&s->x, window.x, window.width, rect.width, job->width, job->filter, true);
    axis_fill(&s->y, window.y, window.height, rect.height, job->height, job->filter, false);
    for (size_t i = 0; i < w * MAX_TAPS; i++) s->x.index[i] -= held.x;
    return true;
}

/* The rows that output y needs, summed over columns. */
static void find_rows(const fv_kernels *k, const fv_resize_job *job, scratch *s, int y,
                      void *rows[MAX_TAPS])
{
    const bool cubic = job->filter == FV_BICUBIC;
    const int taps = cubic ? 4 : 2, *index = s->y.index + (ptrdiff_t)y * MAX_TAPS;
    const fv_rect held = fv_resize_held(job);
    fv_stencil sums = { .count = job->window.width,
                        .pixels = held.width,
                        .index = s->x.index,
                        .weights = s->x.weights };
    for (int t = 0; t < taps; t++) {
        int slot = cache_find(&s->rows, index[t]);
        if (slot < 0) {
            slot = cache_evict(&s->rows, index, taps);
            sums.in = fv_resize_pixel(job, held.x, index[t]);
            if (cubic) k->cubic_row(&sums, s->rows.row[slot]);
            if (!cubic) k->linear_row(&sums, s->rows.row[slot]);
            s->rows.number[slot] = index[t];
        }
        rows[t] = s->rows.row[slot];
    }
}

static fv_status resize_smooth(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    scratch s;
    if (!make_scratch(r, job, &s)) return fv_fail(err, FV_ERR_NOMEM, "resize: out of memory");
    const size_t bytes = (size_t)job->window.width * 3, skipped = (size_t)job->window.x * 3;
    const size_t vectors = (size_t)job->width * 3 / VECTOR * VECTOR; /* of the whole row */
    for (int y = 0; y < job->window.height; y++) {
        const int16_t *weights = s.y.weights + (ptrdiff_t)y * MAX_TAPS;
        uint8_t *out = job->out->data + (size_t)y * bytes;
        void *rows[MAX_TAPS];
        find_rows(&r->kernels, job, &s, y, rows);
        if (job->filter == FV_BICUBIC) {
            const fv_cubic_blend blend = { .rows = { rows[0], rows[1], rows[2], rows[3] },
                                           .weights = weights,
                                           .out = out,
                                           .bytes = bytes,
                                           .in_float = vectors > skipped ? vectors - skipped : 0 };
            r->kernels.cubic_blend(&blend);
        } else {
            const fv_linear_blend blend = { .top = rows[0],
                                            .bottom = rows[1],
                                            .b0 = weights[0],
                                            .b1 = weights[1],
                                            .out = out,
                                            .bytes = bytes };
            r->kernels.linear_blend(&blend);
        }
    }
    return FV_OK;
}

static void nearest_positions(int *out, int first, int count, int in, int size)
{
    const double scale = 1.0 / ((double)size / in);
    for (int i = 0; i < count; i++) out[i] = fv_min((int)floor((first + i) * scale), in - 1);
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

fv_status fv_resize_opencv(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    if (job->filter == FV_NEAREST) return resize_nearest(r, job, err);
    const bool halves = job->rect.width == 2 * job->width && job->rect.height == 2 * job->height;
    if (job->filter == FV_BILINEAR && halves) return fv_resize_opencv_area(r, job, err);
    return resize_smooth(r, job, err);
}
