/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCV's INTER_AREA, byte for byte: the mean over the part of the input that an output pixel
 * covers.
 *
 * If both sizes shrink by whole numbers: the integer sum over the block, times 1 / area in float,
 * rounded half to even; 2 x 2 blocks are (a + b + c + d + 2) >> 2. If both shrink by any ratio:
 * input pixels weighted by the covered share, summed in float over columns, then rows. If one
 * does not shrink: bilinear, with i = floor(x * scale) and f = (x + 1) - (i + 1) / scale,
 * less its whole part, or 0 where it is negative.
 */
#include "base/compiler.h"
#include "data/resize_impl.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct share {
    int out, in; /* pixels of the axis */
    float part;  /* of the output pixel that this input makes up */
} share;

static double ratio(int in, int out) { return 1.0 / ((double)out / in); }

static bool is_whole(double scale) { return fabs(scale - rint(scale)) < DBL_EPSILON; }

static uint8_t round_clamp(float v)
{
    const long i = lrintf(v);
    return (uint8_t)(i < 0 ? 0 : i > 255 ? 255 : i);
}

/* ---- Whole blocks ---- */

static void reduce_blocks(const fv_resize_job *job, int across, int down)
{
    const float inverse = 1.0f / (float)(across * down);
    uint8_t *out = job->out->data;
    for (int y = 0; y < job->window.height; y++) {
        for (int x = 0; x < job->window.width; x++, out += 3) {
            int sum[3] = { 0, 0, 0 };
            for (int v = 0; v < down; v++) {
                const uint8_t *in = fv_resize_row(job, (job->window.y + y) * down + v) +
                                    (size_t)(job->window.x + x) * (size_t)across * 3;
                for (int u = 0; u < across; u++, in += 3) {
                    for (int c = 0; c < 3; c++) sum[c] += in[c];
                }
            }
            for (int c = 0; c < 3; c++) {
                out[c] = across == 2 && down == 2 ? (uint8_t)((sum[c] + 2) >> 2)
                                                  : round_clamp((float)sum[c] * inverse);
            }
        }
    }
}

/* ---- Any ratio ---- */

/* Of the outputs [first, first + count); their `out` counts from `first`. Returns how many. */
static int find_shares(share *s, int first, int count, int in, double scale)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        const double begin = (first + i) * scale, end = begin + scale;
        const double cell = fmin(scale, in - begin);
        const int last = fv_min((int)floor(end), in - 1);
        const int inner = fv_min((int)ceil(begin), last);
        if (inner - begin > 1e-3) {
            s[n++] = (share){ i, inner - 1, (float)((inner - begin) / cell) };
        }
        for (int k = inner; k < last; k++) s[n++] = (share){ i, k, (float)(1.0 / cell) };
        if (end - last > 1e-3) {
            s[n++] = (share){ i, last, (float)(fmin(fmin(end - last, 1.0), cell) / cell) };
        }
    }
    return n;
}

static void sum_columns(const share *shares, int count, const uint8_t *in, float *out)
{
    for (int k = 0; k < count; k++) {
        const uint8_t *p = in + shares[k].in * 3;
        float *q = out + shares[k].out * 3;
        for (int c = 0; c < 3; c++) q[c] += (float)p[c] * shares[k].part;
    }
}

static fv_status reduce_shares(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    const fv_rect w = job->window;
    const double sx = ratio(job->rect.width, job->width), sy = ratio(job->rect.height, job->height);
    const size_t bytes = (size_t)w.width * 3, row = fv_resize_align(bytes * sizeof(float));
    const size_t room_x = fv_resize_align((size_t)w.width * ((size_t)sx + 3) * sizeof(share));
    const size_t room_y = fv_resize_align((size_t)w.height * ((size_t)sy + 3) * sizeof(share));
    char *memory = fv_resizer_reserve(r, room_x + room_y + 2 * row);
    if (!memory) return fv_fail(err, FV_ERR_NOMEM, "resize: out of memory");
    share *columns = (share *)(void *)memory, *rows = (share *)(void *)(memory + room_x);
    float *line = (float *)(void *)(memory + room_x + room_y);
    float *sum = (float *)(void *)(memory + room_x + room_y + row);

    const int across = find_shares(columns, w.x, w.width, job->rect.width, sx);
    const int down = find_shares(rows, w.y, w.height, job->rect.height, sy);
    for (int k = 0; k < down; k++) {
        const share s = rows[k];
        memset(line, 0, row);
        sum_columns(columns, across, fv_resize_row(job, s.in), line);
        const bool first = k == 0 || rows[k - 1].out != s.out;
        for (size_t i = 0; i < bytes; i++) {
            sum[i] = first ? line[i] * s.part : sum[i] + line[i] * s.part;
        }
        if (k + 1 < down && rows[k + 1].out == s.out) continue;
        uint8_t *out = job->out->data + (size_t)s.out * bytes;
        for (size_t i = 0; i < bytes; i++) out[i] = round_clamp(sum[i]);
    }
    return FV_OK;
}

fv_status fv_resize_opencv_area(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    const double sx = ratio(job->rect.width, job->width), sy = ratio(job->rect.height, job->height);
    if (sx < 1.0 || sy < 1.0) return fv_resize_opencv(r, job, err);
    if (is_whole(sx) && is_whole(sy)) {
        reduce_blocks(job, (int)rint(sx), (int)rint(sy));
        return FV_OK;
    }
    return reduce_shares(r, job, err);
}
