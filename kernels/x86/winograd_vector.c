/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/winograd_vector.c - 3x3 convolution by Winograd's way, forward and to the input.
 *
 * A block of tiles is transformed, multiplied place by place with the tile functions of direct
 * convolution (a place is a 1x1 convolution whose pixels are the tiles), and transformed back on
 * its way to memory.
 */
#include "kernels/variants.h"
#include "kernels/x86/conv_tile.h"
#include "kernels/x86/scratch.h"
#include "kernels/x86/winograd_tiles.h"

#include <math.h>

/* ---- Which ------------------------------------------------------------------------- */

/* Costs are vector operations: two multiply-adds, two additions or one store in a cycle. */
static bool fits(const fv_conv *c)
{
    const fv_window *w = &c->window;
    if (w->kernel_h != 3 || w->kernel_w != 3 || w->stride_h != 1 || w->stride_w != 1 ||
        w->dilation_h != 1 || w->dilation_w != 1 || c->groups != 1 || w->pad_h > 2 || w->pad_w > 2)
        return false;
    if (c->in_c < FV_LANES || c->out_c < FV_LANES) return false;
    const double pixels = (double)w->out_h * (double)w->out_w;
    const double tiles = (double)((w->out_h + 1) / 2) * (double)((w->out_w + 1) / 2);
    const double in = (double)panel_round(c->in_c) / FV_LANES;
    const double out = (double)panel_round(c->out_c) / FV_LANES;
    const double products = out * (double)c->in_c;
    const double direct = 9.0 * pixels * products;
    const double transforms = tiles * 72.0 * (in + out);
    return 1.1 * (WINOGRAD_PLACES * tiles * products + transforms) < direct;
}

/* ---- Packing ----------------------------------------------------------------------- */

static size_t packed_floats(const fv_conv *c)
{
    const panel_shape s = winograd_panels(c), m = { 1, 1, c->out_c, c->in_c };
    const size_t one = panel_floats(&s), other = panel_floats(&m);
    return WINOGRAD_PLACES * (one > other ? one : other);
}

/* G g G' of one vector of target channels. */
static void transform_weights(float g[9][FV_LANES], float u[WINOGRAD_PLACES][FV_LANES])
{
    const fv_vec half = fv_vec_set1(0.5f);
    fv_vec rows[WINOGRAD_SIDE][3];
    for (int x = 0; x < 3; x++) {
        const fv_vec g0 = fv_vec_load(g[x]), g1 = fv_vec_load(g[3 + x]);
        const fv_vec g2 = fv_vec_load(g[6 + x]), ends = fv_vec_add(g0, g2);
        rows[0][x] = g0;
        rows[1][x] = fv_vec_mul(half, fv_vec_add(ends, g1));
        rows[2][x] = fv_vec_mul(half, fv_vec_sub(ends, g1));
        rows[3][x] = g2;
    }
    for (int r = 0; r < WINOGRAD_SIDE; r++) {
        const fv_vec ends = fv_vec_add(rows[r][0], rows[r][2]), middle = rows[r][1];
        fv_vec_store(u[4 * r], rows[r][0]);
        fv_vec_store(u[4 * r + 1], fv_vec_mul(half, fv_vec_add(ends, middle)));
        fv_vec_store(u[4 * r + 2], fv_vec_mul(half, fv_vec_sub(ends, middle)));
        fv_vec_store(u[4 * r + 3], rows[r][2]);
    }
}

/* G g G' of targets [t, t + used) and source i; zeros for a source that does not exist. */
static void transform_source(const fv_conv *c, const float *w, const float *scale, bool mirrored,
                             int t, int used, int i, float u[WINOGRAD_PLACES][FV_LANES])
{
    const ptrdiff_t row = (ptrdiff_t)9 * c->in_c;
    const ptrdiff_t target = mirrored ? 9 : row, source = mirrored ? row : 9;
    float g[9][FV_LANES] = { { 0 } };
    for (int v = 0; v < used && i < (mirrored ? c->out_c : c->in_c); v++) {
        const float *from = w + (t + v) * target + i * source;
        const float factor = scale ? scale[t + v] : 1.0f;
        for (int k = 0; k < 9; k++) g[k][v] = factor * from[mirrored ? 8 - k : k];
    }
    transform_weights(g, u);
}

/* Stores the places of one source in the panels; `step` lanes apart. */
static void store_places(float u[WINOGRAD_PLACES][FV_LANES], float *to, size_t plane, int step)
{
    for (int p = 0; p < WINOGRAD_PLACES; p++, to += plane) {
        if (step == 1)
            fv_vec_store(to, fv_vec_load(u[p]));
        else
            for (int v = 0; v < FV_LANES; v++) to[v * step] = u[p][v];
    }
}

static void pack(const fv_conv *c, const float *w, const float *scale, bool mirrored, float *packed,
                 int t0, int t1)
{
    const panel_shape s = mirrored ? (panel_shape){ 1, 1, c->out_c, c->in_c } : winograd_panels(c);
    const size_t plane = panel_floats(&s);
    for (int t = t0; t < t1; t += FV_LANES) {
        const int first = t / BLOCK_LANES * BLOCK_LANES, used = fv_min(FV_LANES, t1 - t);
        const int step = panel_lanes(&s, first) == BLOCK_LANES ? 1 : 2; /* 2: pairs of sources */
        float *panel = packed + panel_at(&s, 0, first) + step * (t - first);
        for (int i = 0; i < s.sources || i % step; i++) {
            float u[WINOGRAD_PLACES][FV_LANES];
            transform_source(c, w, scale, mirrored, t, used, i, u);
            store_places(u, panel + (size_t)(i / step) * BLOCK_LANES + (size_t)(i % step), plane,
                         step);
        }
    }
}

/* ---- Sweep ------------------------------------------------------------------------- */

typedef struct sweep {
    const fv_winograd_sweep *job;
    panel_shape panels;
    winograd_planes in, out;
    tile *tiles;
    float *zeros;
} sweep;

static size_t lay_out(sweep *s, const fv_conv *c, void *scratch)
{
    const int tiles = winograd_block_tiles(c);
    size_t used = 0;
    s->in = winograd_planes_at(
        scratch_cut(scratch, &used, winograd_planes_floats(tiles, c->in_c) * sizeof(float)), tiles,
        c->in_c);
    s->out = winograd_planes_at(
        scratch_cut(scratch, &used, winograd_planes_floats(tiles, c->out_c) * sizeof(float)), tiles,
        c->out_c);
    s->zeros =
        scratch_cut(scratch, &used, (size_t)panel_round(fv_max(c->in_c, c->out_c)) * sizeof(float));
    s->tiles = scratch_cut(scratch, &used, (size_t)(tiles / TILE_PIXELS + 1) * sizeof(tile));
    return used;
}

static size_t scratch_bytes(const fv_conv *c)
{
    sweep s;
    return lay_out(&s, c, NULL);
}

static const tile_tap only_tap = { 0, ~0u, 0 };

/* Cuts a block into register tiles, as evenly as can be. */
static int list_tiles(const sweep *s, int count)
{
    const int tiles = (count + TILE_PIXELS - 1) / TILE_PIXELS;
    tile_ramp ramp;
    tile_set_ramp(&ramp, 1, s->in.tile);
    for (int i = 0, at = 0; i < tiles; i++) {
        tile *t = &s->tiles[i];
        t->pixels = count * (i + 1) / tiles - count * i / tiles;
        t->tap = &only_tap;
        t->taps = 1;
        tile_fill(t, 0, at, at * s->in.tile, &ramp);
        at += t->pixels;
    }
    return tiles;
}

/* All places of a block: out = in x packed. */
static void multiply(const sweep *s, int tiles)
{
    const fv_winograd_sweep *j = s->job;
    const size_t plane = panel_floats(&s->panels);
    const ptrdiff_t ahead = panel_ahead(&s->panels);
    tile_job job = { .zeros = s->zeros,
                     .channels = s->panels.sources,
                     .together = 1,
                     .target_stride = s->out.tile,
                     .plain = true };
    for (int p = 0; p < WINOGRAD_PLACES; p++) {
        job.source = s->in.at + p * s->in.plane;
        for (int t = j->channel0; t < j->channel1; t += BLOCK_LANES) {
            job.panel = j->packed + (size_t)p * plane + panel_at(&s->panels, 0, t);
            job.lanes = panel_lanes(&s->panels, t);
            job.target = s->out.at + p * s->out.plane + (t - j->channel0);
            tile_fn *const *functions = tile_functions[job.lanes == BLOCK_LANES];
            job.ahead = ahead;
            for (int i = 0; i < tiles; i++) {
                functions[s->tiles[i].pixels - 1](&job, &s->tiles[i]);
                job.ahead = 0;
            }
        }
    }
}

/* A' m A: y[2 * row + column]. */
FV_ALWAYS_INLINE void untransform(const float *m, ptrdiff_t plane, fv_vec y[4])
{
    fv_vec top[WINOGRAD_SIDE], bottom[WINOGRAD_SIDE];
    FV_UNROLL
    for (int x = 0; x < WINOGRAD_SIDE; x++) {
        const fv_vec m1 = fv_vec_load(m + (4 + x) * plane), m2 = fv_vec_load(m + (8 + x) * plane);
        top[x] = fv_vec_add(fv_vec_load(m + x * plane), fv_vec_add(m1, m2));
        bottom[x] = fv_vec_sub(fv_vec_sub(m1, m2), fv_vec_load(m + (12 + x) * plane));
    }
    y[0] = fv_vec_add(top[0], fv_vec_add(top[1], top[2]));
    y[1] = fv_vec_sub(fv_vec_sub(top[1], top[2]), top[3]);
    y[2] = fv_vec_add(bottom[0], fv_vec_add(bottom[1], bottom[2]));
    y[3] = fv_vec_sub(fv_vec_sub(bottom[1], bottom[2]), bottom[3]);
}

typedef struct target {
    bool inside[4];
    ptrdiff_t pixel[4];
} target;

/* One vector of channels, c counted from the job's first, of one tile. */
FV_ALWAYS_INLINE void put_lanes(const fv_winograd_sweep *j, const target *t, const float *m,
                                ptrdiff_t plane, int c, fv_lanes l)
{
    const fv_epilogue *e = &j->epilogue;
    const fv_bounds bounds = fv_bounds_of(e->act);
    const fv_vec bias = e->bias ? fv_lanes_load(e->bias + c, l) : fv_vec_zero();
    fv_vec y[4];
    untransform(m, plane, y);
    FV_UNROLL
    for (int i = 0; i < 4; i++) {
        if (!t->inside[i]) continue;
        fv_vec value = fv_vec_add(y[i], bias);
        if (e->residual) {
            const float *r = e->residual + t->pixel[i] * e->residual_stride + c;
            value = fv_vec_add(value, fv_lanes_load(r, l));
        }
        fv_lanes_store(j->y + t->pixel[i] * j->y_stride + c, l, fv_vec_clamp(bounds, value));
    }
}

static void put_run(const sweep *s, const winograd_run *run)
{
    const fv_winograd_sweep *j = s->job;
    const fv_window *w = &j->conv->window;
    const float *m = s->out.at + run->tile * s->out.tile - j->channel0;
    for (int i = 0; i < run->count; i++, m += s->out.tile) {
        target t;
        for (int k = 0; k < 4; k++) {
            const int y = 2 * run->y + k / 2, x = 2 * (run->x + i) + k % 2;
            t.inside[k] = y < w->out_h && x < w->out_w;
            t.pixel[k] = ((ptrdiff_t)run->n * w->out_h + y) * w->out_w + x;
        }
        int c = j->channel0;
        for (; c + FV_LANES <= j->channel1; c += FV_LANES)
            put_lanes(j, &t, m + c, s->out.plane, c, fv_lanes_all());
        if (c < j->channel1)
            put_lanes(j, &t, m + c, s->out.plane, c, fv_lanes_first(j->channel1 - c));
    }
}

static void run_sweep(const fv_winograd_sweep *j)
{
    const fv_conv *c = j->conv;
    const fv_window *w = &c->window;
    sweep s = { .job = j, .panels = winograd_panels(c) };
    lay_out(&s, c, j->scratch);
    memset(s.zeros, 0, (size_t)panel_round(fv_max(c->in_c, c->out_c)) * sizeof(float));
    const winograd_source source = { j->x, j->x_stride, w->in_h, w->in_w, c->in_c, s.zeros };
    const int all = (j->row1 - j->row0) * winograd_width(w), most = winograd_block_tiles(c);
    for (int done = 0; done < all; done += most) {
        const int count = fv_min(most, all - done);
        for (int i = 0; i < count;) {
            const winograd_run run = winograd_run_at(w, j->row0, done + i, count - i, i);
            winograd_input(&source, w, &run, &s.in);
            i += run.count;
        }
        multiply(&s, list_tiles(&s, count));
        for (int i = 0; i < count;) {
            const winograd_run run = winograd_run_at(w, j->row0, done + i, count - i, i);
            put_run(&s, &run);
            i += run.count;
        }
    }
}

void FV_VARIANT(fv_winograd)(fv_kernels *k)
{
    k->winograd_fits = fits;
    k->winograd_scratch_bytes = scratch_bytes;
    k->winograd_packed_floats = packed_floats;
    k->winograd_pack = pack;
    k->winograd_sweep = run_sweep;
}
