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
#include "base/cpu.h"
#include "data/resize_impl.h"

#include <math.h>
#include <string.h>

enum {
    MAX_TAPS = 4,
    WEIGHT_ONE = 2048,
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

/* ---- Rows ---- */

static void row_bilinear(const axis *a, int count, const uint8_t *in, int16_t *out)
{
    const int *index = a->index;
    const int16_t *weights = a->weights;
    for (int x = 0; x < count; x++, out += 3, index += MAX_TAPS, weights += MAX_TAPS) {
        const uint8_t *p = in + index[0] * 3, *q = in + index[1] * 3;
        const int u = weights[0], v = weights[1];
        for (int c = 0; c < 3; c++) out[c] = (int16_t)((p[c] * u + q[c] * v) >> 4);
    }
}

static void row_bicubic(const axis *a, int count, const uint8_t *in, int32_t *out)
{
    const int *index = a->index;
    const int16_t *weights = a->weights;
    for (int x = 0; x < count; x++, out += 3, index += MAX_TAPS, weights += MAX_TAPS) {
        for (int c = 0; c < 3; c++) {
            out[c] = 0;
            for (int t = 0; t < MAX_TAPS; t++) out[c] += in[index[t] * 3 + c] * weights[t];
        }
    }
}

static uint8_t clamp(int v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

/* t >> 4 has been done: sums are at most 32640, so all fits 16 x 16 -> 32 bits. */
FV_INLINE void blend(const int16_t *s, const int16_t *t, int b0, int b1, uint8_t *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)((((b0 * s[i]) >> 16) + ((b1 * t[i]) >> 16) + 2) >> 2);
    }
}

typedef void blend_fn(const int16_t *s, const int16_t *t, int b0, int b1, uint8_t *out,
                      size_t bytes);

static void blend_plain(const int16_t *s, const int16_t *t, int b0, int b1, uint8_t *out,
                        size_t bytes)
{
    blend(s, t, b0, b1, out, bytes);
}

#if FV_RESIZE_AVX2
FV_TARGET_AVX2 static void blend_avx2(const int16_t *s, const int16_t *t, int b0, int b1,
                                      uint8_t *out, size_t bytes)
{
    blend(s, t, b0, b1, out, bytes);
}
#endif

static blend_fn *choose_blend(void)
{
#if FV_RESIZE_AVX2
    if (fv_cpu_detect() & FV_CPU_AVX2) return blend_avx2;
#endif
    return blend_plain;
}

/* Bytes before `in_float` are summed in float, in this order; none may become an FMA. */
static void finish_bicubic(const int32_t *const rows[MAX_TAPS], const int16_t weights[MAX_TAPS],
                           uint8_t *out, size_t bytes, size_t in_float)
{
    const float scale = 1.0f / ((float)WEIGHT_ONE * WEIGHT_ONE);
    float b[MAX_TAPS];
    for (int t = 0; t < MAX_TAPS; t++) b[t] = (float)weights[t] * scale;
    for (size_t i = 0; i < bytes; i++) {
        if (i < in_float) {
            const float last = (float)rows[3][i] * b[3];
            const float two = (float)rows[2][i] * b[2] + last;
            const float three = (float)rows[1][i] * b[1] + two;
            out[i] = clamp((int)lrintf((float)rows[0][i] * b[0] + three));
        } else {
            int sum = WEIGHT_ONE * WEIGHT_ONE / 2;
            for (int t = 0; t < MAX_TAPS; t++) sum += rows[t][i] * weights[t];
            out[i] = clamp(sum >> 22);
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
    const fv_rect window = job->window, rect = job->rect;
    axis_fill(&s->x, window.x, window.width, rect.width, job->width, job->filter, true);
    axis_fill(&s->y, window.y, window.height, rect.height, job->height, job->filter, false);
    return true;
}

static fv_status resize_smooth(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    scratch s;
    if (!make_scratch(r, job, &s)) return fv_fail(err, FV_ERR_NOMEM, "resize: out of memory");
    const bool cubic = job->filter == FV_BICUBIC;
    const int taps = cubic ? 4 : 2;
    const size_t bytes = (size_t)job->window.width * 3, skipped = (size_t)job->window.x * 3;
    const size_t vectors = (size_t)job->width * 3 / VECTOR * VECTOR; /* of the whole row */
    const size_t in_float = vectors > skipped ? vectors - skipped : 0;
    blend_fn *const blend_rows = choose_blend();

    for (int y = 0; y < job->window.height; y++) {
        const int *index = s.y.index + y * MAX_TAPS;
        const int16_t *weights = s.y.weights + y * MAX_TAPS;
        void *rows[MAX_TAPS];
        for (int t = 0; t < taps; t++) {
            int slot = cache_find(&s.rows, index[t]);
            if (slot < 0) {
                slot = cache_evict(&s.rows, index, taps);
                const uint8_t *in = fv_resize_row(job, index[t]);
                if (cubic) row_bicubic(&s.x, job->window.width, in, s.rows.row[slot]);
                if (!cubic) row_bilinear(&s.x, job->window.width, in, s.rows.row[slot]);
                s.rows.number[slot] = index[t];
            }
            rows[t] = s.rows.row[slot];
        }
        uint8_t *out = job->out->data + (size_t)y * bytes;
        if (cubic) {
            const int32_t *const four[MAX_TAPS] = { rows[0], rows[1], rows[2], rows[3] };
            finish_bicubic(four, weights, out, bytes, in_float);
        } else {
            blend_rows(rows[0], rows[1], weights[0], weights[1], out, bytes);
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
