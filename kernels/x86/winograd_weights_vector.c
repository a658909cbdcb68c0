/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/winograd_weights_vector.c - the gradient of a 3x3 convolution's weights by Winograd's
 * way: for each of the 16 places the outer products of transformed inputs and transformed dy,
 * summed over the tiles. Partial sums lie as packed weights do: [place], then as in conv_panel.h.
 */
#include "kernels/variants.h"
#include "kernels/x86/conv_outer.h"
#include "kernels/x86/winograd_tiles.h"

#include <string.h>

typedef struct sums {
    const fv_winograd_weights *job;
    panel_shape panels;
    winograd_planes x, dy;
    float *zeros;
} sums;

static size_t partial_floats(const fv_conv *c)
{
    const panel_shape s = winograd_panels(c);
    return WINOGRAD_PLACES * panel_floats(&s);
}

/* Fits into winograd_scratch_bytes(). */
static void lay_out(sums *s, const fv_conv *c, void *scratch)
{
    const int tiles = winograd_block_tiles(c);
    float *at = scratch;
    s->x = winograd_planes_at(at, tiles, c->in_c);
    at += winograd_planes_floats(tiles, c->in_c);
    s->dy = winograd_planes_at(at, tiles, c->out_c);
    s->zeros = at + winograd_planes_floats(tiles, c->out_c);
}

/* ---- A dy A' ------------------------------------------------------------------------ */

FV_ALWAYS_INLINE void spread(fv_vec a, fv_vec b, fv_vec out[WINOGRAD_SIDE])
{
    out[0] = a;
    out[1] = fv_vec_add(a, b);
    out[2] = fv_vec_sub(a, b);
    out[3] = fv_vec_sub(fv_vec_zero(), b);
}

FV_ALWAYS_INLINE void gradient_lanes(const winograd_line line[2], int x0, int width,
                                     const winograd_run *run, int c, fv_lanes l,
                                     const winograd_planes *to)
{
    float *out = to->at + run->tile * to->tile + c;
    for (int i = 0; i < run->count; i++, out += to->tile) {
        fv_vec column[2][WINOGRAD_SIDE];
        FV_UNROLL
        for (int k = 0; k < 2; k++) {
            const int x = x0 + 2 * i + k;
            fv_vec d[2];
            FV_UNROLL
            for (int r = 0; r < 2; r++)
                d[r] =
                    x < width ? fv_lanes_load(line[r].at + x * line[r].step + c, l) : fv_vec_zero();
            spread(d[0], d[1], column[k]);
        }
        FV_UNROLL
        for (int r = 0; r < WINOGRAD_SIDE; r++) {
            fv_vec row[WINOGRAD_SIDE];
            spread(column[0][r], column[1][r], row);
            FV_UNROLL
            for (int k = 0; k < WINOGRAD_SIDE; k++)
                fv_vec_store(out + (WINOGRAD_SIDE * r + k) * to->plane, row[k]);
        }
    }
}

static void transform_gradient(const winograd_source *s, const winograd_run *run,
                               const winograd_planes *to)
{
    const winograd_line line[2] = { winograd_line_at(s, run->n, 2 * run->y),
                                    winograd_line_at(s, run->n, 2 * run->y + 1) };
    int c = 0;
    for (; c + FV_LANES <= s->channels; c += FV_LANES)
        gradient_lanes(line, 2 * run->x, s->w, run, c, fv_lanes_all(), to);
    if (c < s->channels)
        gradient_lanes(line, 2 * run->x, s->w, run, c, fv_lanes_first(s->channels - c), to);
}

/* ---- Sums --------------------------------------------------------------------------- */

/* partial (+)= the outer products of a block. */
static void multiply(const sums *s, int count, bool add)
{
    const fv_winograd_weights *j = s->job;
    const size_t plane = panel_floats(&s->panels);
    const int channels = j->in1 - j->in0;
    const int tiles = (channels + OUTER_CHANNELS - 1) / OUTER_CHANNELS;
    const outer_run run = { 0, 0, count };
    outer_job job = {
        .x_step = s->x.tile, .dy_step = s->dy.tile, .run = &run, .runs = 1, .add = add
    };
    for (int p = 0; p < WINOGRAD_PLACES; p++)
        for (int t = j->out0; t < j->out1; t += BLOCK_LANES) {
            const int lanes = panel_lanes(&s->panels, t);
            float *at = j->partial + (size_t)p * plane + panel_at(&s->panels, 0, t);
            job.dy = s->dy.at + p * s->dy.plane + (t - j->out0);
            for (int i = 0; i < tiles; i++) {
                const int first = channels * i / tiles, last = channels * (i + 1) / tiles;
                job.x = s->x.at + p * s->x.plane + first;
                job.sums = at + (ptrdiff_t)(j->in0 + first) * lanes;
                outer_functions[lanes > FV_LANES][last - first - 1](&job);
            }
        }
}

static void backward_weights(const fv_winograd_weights *j)
{
    const fv_conv *c = j->conv;
    const fv_window *w = &c->window;
    sums s = { .job = j, .panels = winograd_panels(c) };
    lay_out(&s, c, j->scratch);
    memset(s.zeros, 0, (size_t)panel_round(fv_max(c->in_c, c->out_c)) * sizeof(float));
    const winograd_source x = { j->x + j->in0, j->x_stride,     w->in_h,
                                w->in_w,       j->in1 - j->in0, s.zeros };
    const winograd_source dy = { j->dy + j->out0, j->dy_stride,      w->out_h,
                                 w->out_w,        j->out1 - j->out0, s.zeros };
    const int all = (j->row1 - j->row0) * winograd_width(w), most = winograd_block_tiles(c);
    int done = 0;
    do { /* once, even without tiles: to write zeros */
        const int count = fv_min(most, all - done);
        for (int i = 0; i < count;) {
            const winograd_run run = winograd_run_at(w, j->row0, done + i, count - i, i);
            winograd_input(&x, w, &run, &s.x);
            transform_gradient(&dy, &run, &s.dy);
            i += run.count;
        }
        multiply(&s, count, done > 0);
        done += count;
    } while (done < all);
}

/* ---- Reduction ---------------------------------------------------------------------- */

/* G' u G of one vector: [3 * row + column]. */
FV_ALWAYS_INLINE void untransform_weights(fv_vec u[WINOGRAD_PLACES], fv_vec g[9])
{
    const fv_vec half = fv_vec_set1(0.5f);
    fv_vec rows[3][WINOGRAD_SIDE];
    FV_UNROLL
    for (int x = 0; x < WINOGRAD_SIDE; x++) {
        const fv_vec sum = fv_vec_mul(half, fv_vec_add(u[4 + x], u[8 + x]));
        rows[0][x] = fv_vec_add(u[x], sum);
        rows[1][x] = fv_vec_mul(half, fv_vec_sub(u[4 + x], u[8 + x]));
        rows[2][x] = fv_vec_add(sum, u[12 + x]);
    }
    FV_UNROLL
    for (int r = 0; r < 3; r++) {
        const fv_vec sum = fv_vec_mul(half, fv_vec_add(rows[r][1], rows[r][2]));
        g[3 * r] = fv_vec_add(rows[r][0], sum);
        g[3 * r + 1] = fv_vec_mul(half, fv_vec_sub(rows[r][1], rows[r][2]));
        g[3 * r + 2] = fv_vec_add(sum, rows[r][3]);
    }
}

/* Output channels [t, t + used) of one vector, input channel i. */
static void reduce_vector(const fv_conv_reduce *j, const float *from, size_t plane, int t, int used,
                          int i)
{
    fv_vec u[WINOGRAD_PLACES], g[9];
    float lanes[9][FV_LANES];
    for (int p = 0; p < WINOGRAD_PLACES; p++) {
        u[p] = fv_vec_load(from + (size_t)p * plane);
        for (int k = 1; k < j->count; k++)
            u[p] = fv_vec_add(
                u[p], fv_vec_load(from + (size_t)p * plane + (size_t)k * j->partial_stride));
    }
    untransform_weights(u, g);
    for (int k = 0; k < 9; k++) fv_vec_store(lanes[k], g[k]);
    for (int v = 0; v < used; v++) {
        float *to = j->dw + ((size_t)(t + v) * (size_t)j->conv->in_c + (size_t)i) * 9;
        for (int k = 0; k < 9; k++) to[k] = j->accumulate ? to[k] + lanes[k][v] : lanes[k][v];
    }
}

static void reduce(const fv_conv_reduce *j)
{
    const panel_shape s = winograd_panels(j->conv);
    const size_t plane = panel_floats(&s);
    for (int t = j->out0; t < j->out1; t += FV_LANES) {
        const int first = t / BLOCK_LANES * BLOCK_LANES, lanes = panel_lanes(&s, first);
        const float *from = j->partials + panel_at(&s, 0, first) + (t - first);
        for (int i = 0; i < s.sources; i++)
            reduce_vector(j, from + (ptrdiff_t)i * lanes, plane, t, fv_min(FV_LANES, j->out1 - t),
                          i);
    }
}

void FV_VARIANT(fv_winograd_weights)(fv_kernels *k)
{
    k->winograd_partial_floats = partial_floats;
    k->winograd_backward_weights = backward_weights;
    k->winograd_reduce = reduce;
}
