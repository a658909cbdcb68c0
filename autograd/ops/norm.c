/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/ops/norm.h"

#include <math.h>

enum { CHANNELS_PER_TASK = 64 };

/* Whole cache lines, so that vectors do not share one. */
static size_t padded(int channels) { return ((size_t)channels + 15) / 16 * 16; }

size_t fv_norm_state_bytes(int channels) { return 4 * padded(channels) * sizeof(float); }

fv_norm_state fv_norm_state_at(void *memory, int channels)
{
    float *p = memory;
    const size_t step = padded(channels);
    return (fv_norm_state){ p, p + step, p + 2 * step, p + 3 * step };
}

size_t fv_moments_bytes(int chunks, int channels)
{
    return (size_t)chunks * (2 * (size_t)channels * sizeof(float) + sizeof(int));
}

fv_moments fv_moments_at(void *memory, int chunks, int channels)
{
    float *partials = memory;
    void *end = partials + (size_t)chunks * 2 * (size_t)channels;
    return (fv_moments){ partials, end, chunks, channels };
}

static float *mean_of(const fv_moments *m, int chunk)
{
    return m->partials + (size_t)chunk * 2 * (size_t)m->channels;
}

void fv_moments_take(const fv_moments *m, const fv_kernels *k, int chunk, fv_view y, int first,
                     int count, int channel0, int channel1)
{
    if (!m->partials) return;
    float *mean = mean_of(m, chunk) + channel0;
    k->moments(count, channel1 - channel0, fv_pixel(y, first) + channel0, y.pixel_stride, mean,
               mean + m->channels);
    if (channel0 == 0) m->pixels[chunk] = count;
}

bool fv_norm_is_fixed(const fv_op_args *a)
{
    return a->mode == FV_EVAL || a->params[FV_IN_MEAN]->frozen;
}

/* ---- Statistics --------------------------------------------------------------- */

typedef struct statistics {
    const fv_op_args *a;
    const fv_norm_attr *attr;
    const fv_moments *moments;
    fv_norm_state state;
} statistics;

static void set_affine(const statistics *s, int c, double mean, double variance)
{
    const double inverse = 1.0 / sqrt(variance + (double)s->attr->bn.epsilon);
    const double scale = (double)s->a->in[FV_IN_SCALE].data[c] * inverse;
    s->state.mean[c] = (float)mean;
    s->state.inverse[c] = (float)inverse;
    s->state.scale[c] = (float)scale;
    s->state.shift[c] = (float)((double)s->a->in[FV_IN_SHIFT].data[c] - scale * mean);
}

/* Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample
 * variances, 1979; chunks are added in their order. */
static void combine(const statistics *s, int c)
{
    const fv_moments *m = s->moments;
    double mean = 0.0, m2 = 0.0, count = 0.0;
    for (int i = 0; i < m->chunks; i++) {
        const float *chunk = mean_of(m, i);
        const double n = (double)m->pixels[i];
        const double delta = (double)chunk[c] - mean, total = count + n;
        mean += delta * n / total;
        m2 += (double)chunk[m->channels + c] + delta * delta * count * n / total;
        count = total;
    }
    set_affine(s, c, mean, m2 / count);

    const double keep = (double)s->attr->bn.momentum;
    const double unbiased = m2 / (count > 1.0 ? count - 1.0 : 1.0);
    float *running_mean = &s->a->in[FV_IN_MEAN].data[c];
    float *running_var = &s->a->in[FV_IN_VAR].data[c];
    *running_mean = (float)(keep * (double)*running_mean + (1.0 - keep) * mean);
    *running_var = (float)(keep * (double)*running_var + (1.0 - keep) * unbiased);
}

static void combine_channels(void *ctx, int task, int worker)
{
    (void)worker;
    const statistics *s = ctx;
    const int end = fv_min((task + 1) * CHANNELS_PER_TASK, s->moments->channels);
    for (int c = task * CHANNELS_PER_TASK; c < end; c++) combine(s, c);
}

void fv_norm_batch_state(const fv_op_args *a, const fv_norm_attr *attr, const fv_moments *m,
                         fv_norm_state state)
{
    statistics s = { a, attr, m, state };
    fv_parallel_for(fv_ceil_div(m->channels, CHANNELS_PER_TASK), combine_channels, &s);
}

void fv_norm_fixed_state(const fv_op_args *a, const fv_norm_attr *attr, fv_norm_state state)
{
    const statistics s = { a, attr, NULL, state };
    for (int c = 0; c < a->out.shape.c; c++)
        set_affine(&s, c, (double)a->in[FV_IN_MEAN].data[c], (double)a->in[FV_IN_VAR].data[c]);
}

/* ---- Forward ------------------------------------------------------------------ */

typedef struct sweep {
    fv_norm norm;
    void (*kernel)(const fv_norm *j);
    int per_task;
    float *partials; /* of the reduction: [tasks][2][channels] */
} sweep;

static const float *row(const float *p, ptrdiff_t stride, int pixel)
{
    return p ? p + pixel * stride : NULL;
}
static float *row_mut(float *p, ptrdiff_t stride, int pixel)
{
    return p ? p + pixel * stride : NULL;
}

fv_norm fv_norm_part(const fv_norm *job, int first, int count)
{
    fv_norm n = *job;
    n.pixels = count;
    n.y = row(n.y, n.y_stride, first);
    n.residual = row(n.residual, n.residual_stride, first);
    n.out = row_mut(n.out, n.out_stride, first);
    n.dz = row(n.dz, n.dz_stride, first);
    n.z = row(n.z, n.z_stride, first);
    n.residual_grad = row_mut(n.residual_grad, n.residual_grad_stride, first);
    return n;
}

static void sweep_task(void *ctx, int task, int worker)
{
    (void)worker;
    const sweep *s = ctx;
    const int first = task * s->per_task;
    fv_norm n = fv_norm_part(&s->norm, first, fv_min(s->per_task, s->norm.pixels - first));
    if (s->partials) {
        n.sum_g = s->partials + (size_t)task * 2 * (size_t)n.channels;
        n.sum_gy = n.sum_g + n.channels;
    }
    s->kernel(&n);
}

static void run_sweep(sweep *s)
{
    fv_parallel_for(fv_ceil_div(s->norm.pixels, s->per_task), sweep_task, s);
}

static int pixels_per_task(fv_shape s)
{
    return fv_rows_per_task(fv_shape_pixels(s), 2 * (size_t)s.c);
}

void fv_norm_forward(const fv_op_args *a, const fv_norm_attr *attr, fv_view y, fv_norm_state state)
{
    const fv_view r = a->in[FV_IN_RESIDUAL], z = a->out;
    sweep s = { .kernel = a->kernels->norm_apply, .per_task = pixels_per_task(z.shape) };
    s.norm = (fv_norm){ .pixels = fv_shape_pixels(z.shape),
                        .channels = z.shape.c,
                        .y = y.data,
                        .y_stride = y.pixel_stride,
                        .scale = state.scale,
                        .shift = state.shift,
                        .residual = r.data,
                        .residual_stride = r.pixel_stride,
                        .act = attr->act,
                        .out = z.data,
                        .out_stride = z.pixel_stride };
    run_sweep(&s);
}

void fv_raw_make(const fv_kernels *k, const fv_raw *raw, int first, int count, float *out)
{
    const fv_norm job = { .pixels = count,
                          .channels = raw->y.shape.c,
                          .y = fv_pixel(raw->y, first),
                          .y_stride = raw->y.pixel_stride,
                          .scale = raw->scale,
                          .shift = raw->shift,
                          .act = raw->act,
                          .out = out,
                          .out_stride = raw->y.shape.c };
    k->norm_apply(&job);
}

/* ---- Backward ----------------------------------------------------------------- */

/* Scratch: the coefficients a, b, c, then the partial sums. */
size_t fv_norm_backward_bytes(fv_shape y)
{
    const int tasks = fv_ceil_div(fv_shape_pixels(y), pixels_per_task(y));
    return (3 * padded(y.c) + (size_t)tasks * 2 * (size_t)y.c) * sizeof(float);
}

unsigned fv_norm_reads(const fv_op_args *a, const fv_norm_attr *attr)
{
    const bool from_result = a->in[FV_IN_RESIDUAL].shape.c && attr->act != FV_LINEAR;
    return FV_READS_IN(FV_IN_SCALE) | (from_result ? FV_READS_OUT : 0);
}

static void put(const fv_op_args *a, int input, int c, double value)
{
    float *grad = a->grad_in[input].data;
    if (!grad) return;
    grad[c] = a->accumulate[input] ? (float)((double)grad[c] + value) : (float)value;
}

typedef struct coefficients {
    const fv_op_args *a;
    const sweep *sums;
    fv_norm_state state;
    float *ca, *cb, *cc;
    bool fixed;
} coefficients;

static void finish_sums(void *ctx, int task, int worker)
{
    (void)worker;
    const coefficients *k = ctx;
    const fv_norm *n = &k->sums->norm;
    const int tasks = fv_ceil_div(n->pixels, k->sums->per_task);
    const int end = fv_min((task + 1) * CHANNELS_PER_TASK, n->channels);
    for (int c = task * CHANNELS_PER_TASK; c < end; c++) {
        double g = 0.0, gy = 0.0;
        for (int i = 0; i < tasks; i++) {
            const float *sums = k->sums->partials + (size_t)i * 2 * (size_t)n->channels;
            g += (double)sums[c];
            gy += (double)sums[n->channels + c];
        }
        const double s = (double)k->state.inverse[c], scale = (double)k->state.scale[c];
        put(k->a, FV_IN_SHIFT, c, g);
        put(k->a, FV_IN_SCALE, c, s * gy);
        k->ca[c] = (float)scale;
        k->cb[c] = k->fixed ? 0.0f : (float)(-scale * s * s * gy / (double)n->pixels);
        k->cc[c] = k->fixed ? 0.0f : (float)(-scale * g / (double)n->pixels);
    }
}

void fv_norm_backward_sums(const fv_op_args *a, const fv_norm_attr *attr, fv_view y,
                           fv_norm_state state, void *scratch, fv_norm *second)
{
    const fv_view dz = a->grad_out, r = a->grad_in[FV_IN_RESIDUAL];
    const bool from_result = fv_norm_reads(a, attr) & FV_READS_OUT;
    float *coefficient = scratch;
    const size_t step = padded(dz.shape.c);
    sweep s = { .kernel = a->kernels->norm_backward_reduce, .per_task = pixels_per_task(dz.shape) };
    s.partials = coefficient + 3 * step;
    s.norm = (fv_norm){ .pixels = fv_shape_pixels(dz.shape),
                        .channels = dz.shape.c,
                        .y = y.data,
                        .y_stride = y.pixel_stride,
                        .mean = state.mean,
                        .scale = state.scale,
                        .shift = state.shift,
                        .act = attr->act,
                        .dz = dz.data,
                        .dz_stride = dz.pixel_stride,
                        .z = from_result ? a->out.data : NULL,
                        .z_stride = a->out.pixel_stride };
    run_sweep(&s);

    coefficients k = {
        a, &s, state, coefficient, coefficient + step, coefficient + 2 * step, fv_norm_is_fixed(a)
    };
    fv_parallel_for(fv_ceil_div(dz.shape.c, CHANNELS_PER_TASK), finish_sums, &k);

    *second = s.norm;
    second->a = k.ca;
    second->b = k.cb;
    second->c = k.cc;
    second->out = dz.data;
    second->out_stride = dz.pixel_stride;
    second->residual_grad = r.data;
    second->residual_grad_stride = r.pixel_stride;
    second->residual_accumulate = a->accumulate[FV_IN_RESIDUAL];
}

void fv_norm_backward_apply(const fv_op_args *a, const fv_norm *second)
{
    sweep s = { .norm = *second, .kernel = a->kernels->norm_backward_apply };
    s.per_task = pixels_per_task(a->out.shape);
    run_sweep(&s);
}

/* ---- An activation alone ------------------------------------------------------- */

typedef struct mapping {
    fv_map map;
    void (*kernel)(const fv_map *j);
    int per_task;
} mapping;

static void map_task(void *ctx, int task, int worker)
{
    (void)worker;
    const mapping *m = ctx;
    fv_map j = m->map;
    const int first = task * m->per_task;
    j.pixels = fv_min(m->per_task, m->map.pixels - first);
    j.x += first * j.x_stride;
    if (j.z) j.z += first * j.z_stride;
    j.y += first * j.y_stride;
    m->kernel(&j);
}

void fv_map_run(void (*kernel)(const fv_map *j), fv_map map)
{
    mapping m = { map, kernel, fv_rows_per_task(map.pixels, 2 * (size_t)map.channels) };
    fv_parallel_for(fv_ceil_div(map.pixels, m.per_task), map_task, &m);
}

void fv_act_backward(const fv_op_args *a, fv_activation act)
{
    const fv_view dz = a->grad_out, r = a->grad_in[FV_IN_RESIDUAL];
    fv_map map = { .pixels = fv_shape_pixels(dz.shape),
                   .channels = dz.shape.c,
                   .act = act,
                   .factor = 1.0f,
                   .x = dz.data,
                   .x_stride = dz.pixel_stride,
                   .y = dz.data,
                   .y_stride = dz.pixel_stride };
    if (act != FV_LINEAR) {
        map.z = a->out.data;
        map.z_stride = a->out.pixel_stride;
        fv_map_run(a->kernels->activate_backward, map);
    }
    if (!r.data) return;
    map.z = NULL;
    map.y = r.data;
    map.y_stride = r.pixel_stride;
    map.accumulate = a->accumulate[FV_IN_RESIDUAL];
    fv_map_run(a->kernels->add, map);
}
