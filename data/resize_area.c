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

static double ratio(int in, int out) { return 1.0 / ((double)out / in); }

static bool is_whole(double scale) { return fabs(scale - rint(scale)) < DBL_EPSILON; }

static void reduce_blocks(const fv_kernels *k, const fv_resize_job *job, int across, int down)
{
    const fv_rect w = job->window;
    for (int y = 0; y < w.height; y++) {
        const fv_area_blocks row = { .count = w.width,
                                     .across = across,
                                     .down = down,
                                     .in = fv_resize_pixel(job, w.x * across, (w.y + y) * down),
                                     .in_stride = (ptrdiff_t)job->in->width * 3,
                                     .out = job->out->data + (size_t)y * (size_t)w.width * 3 };
        k->area_blocks(&row);
    }
}

/* ---- Any ratio ---- */

/* Of the outputs [first, first + count); their `out` counts from `first`. Returns how many. */
static int find_shares(fv_area_share *s, int first, int count, int in, double scale)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        const double begin = (first + i) * scale, end = begin + scale;
        const double cell = fmin(scale, in - begin);
        const int last = fv_min((int)floor(end), in - 1);
        const int inner = fv_min((int)ceil(begin), last);
        if (inner - begin > 1e-3) {
            s[n++] = (fv_area_share){ i, inner - 1, (float)((inner - begin) / cell) };
        }
        for (int k = inner; k < last; k++) s[n++] = (fv_area_share){ i, k, (float)(1.0 / cell) };
        if (end - last > 1e-3) {
            s[n++] = (fv_area_share){ i, last, (float)(fmin(fmin(end - last, 1.0), cell) / cell) };
        }
    }
    return n;
}

static void sum_rows(const fv_kernels *k, const fv_resize_job *job, const fv_area_share *rows,
                     int down, fv_area_row *columns, float *sum)
{
    const size_t bytes = (size_t)job->window.width * 3;
    const int left = fv_resize_held(job).x;
    for (int i = 0; i < down; i++) {
        const bool last = i + 1 == down || rows[i + 1].out != rows[i].out;
        columns->in = fv_resize_pixel(job, left, rows[i].in);
        k->area_row(columns);
        const fv_area_sum add = { .line = columns->out,
                                  .part = rows[i].part,
                                  .first = i == 0 || rows[i - 1].out != rows[i].out,
                                  .sum = sum,
                                  .out = last ? job->out->data + (size_t)rows[i].out * bytes : NULL,
                                  .bytes = bytes };
        k->area_sum(&add);
    }
}

static fv_status reduce_shares(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    const fv_rect w = job->window, held = fv_resize_held(job);
    const double sx = ratio(job->rect.width, job->width), sy = ratio(job->rect.height, job->height);
    const size_t row = fv_resize_align((size_t)w.width * 3 * sizeof(float));
    const size_t room_x =
        fv_resize_align((size_t)w.width * ((size_t)sx + 3) * sizeof(fv_area_share));
    const size_t room_y =
        fv_resize_align((size_t)w.height * ((size_t)sy + 3) * sizeof(fv_area_share));
    char *memory = fv_resizer_reserve(r, room_x + room_y + 2 * row);
    if (!memory) return fv_fail(err, FV_ERR_NOMEM, "resize: out of memory");
    fv_area_share *shares = (fv_area_share *)(void *)memory;
    fv_area_share *rows = (fv_area_share *)(void *)(memory + room_x);
    fv_area_row columns = { .shares = shares,
                            .count = find_shares(shares, w.x, w.width, job->rect.width, sx),
                            .pixels = held.width,
                            .out = (float *)(void *)(memory + room_x + room_y) };
    for (int i = 0; i < columns.count; i++) shares[i].in -= held.x;
    const int down = find_shares(rows, w.y, w.height, job->rect.height, sy);
    sum_rows(&r->kernels, job, rows, down, &columns,
             (float *)(void *)(memory + room_x + room_y + row));
    return FV_OK;
}

fv_status fv_resize_opencv_area(fv_resizer *r, const fv_resize_job *job, fv_error *err)
{
    const double sx = ratio(job->rect.width, job->width), sy = ratio(job->rect.height, job->height);
    if (sx < 1.0 || sy < 1.0) return fv_resize_opencv(r, job, err);
    if (is_whole(sx) && is_whole(sy)) {
        reduce_blocks(&r->kernels, job, (int)rint(sx), (int)rint(sy));
        return FV_OK;
    }
    return reduce_shares(r, job, err);
}
