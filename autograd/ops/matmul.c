/* SPDX-License-Identifier: Apache-2.0 */
/* A fully connected layer, by OpenBLAS in one thread per task.
 *
 *   forward    y[n,o]   = sum_i x[n,i] * w[i,o] + b[o]          columns o are cut into tasks
 *   backward   dw[i,o] += sum_n x[n,i] * dy[n,o]                rows i
 *              dx[n,i] += sum_o dy[n,o] * w[i,o]                rows i of w
 *              db[o]   += sum_n dy[n,o]
 *
 * The elements of an image are numbered (c, h, w), as PaddlePaddle flattens; those of a picture
 * larger than one pixel are gathered first.
 */
#include "autograd/op.h"
#include "kernels/blas.h"

#include <string.h>

enum { X, WEIGHT, BIAS };
enum {
    PER_TASK = 64, /* rows or columns of w */
    /* Of forward, the last ones filled up with zeros: OpenBLAS adds in an order that depends on the
     * size, and an image's logits must not depend on its batch. */
    IMAGES_PER_CALL = 4
};

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    const fv_shape x = in[X].shape;
    const fv_param *w = in[WEIGHT].param;
    if (!w || w->rank != 2 || w->dims[0] != x.h * x.w * x.c)
        return fv_fail(err, FV_ERR_SHAPE, "weight %dx%d for %d inputs", w ? w->dims[0] : 0,
                       w ? w->dims[1] : 0, x.h * x.w * x.c);
    if (in[BIAS].shape.c && in[BIAS].shape.c != w->dims[1])
        return fv_fail(err, FV_ERR_SHAPE, "%d biases for %d outputs", in[BIAS].shape.c, w->dims[1]);
    *out = (fv_shape){ x.n, 1, 1, w->dims[1] };
    return fv_blas_open(err);
}

static bool is_flat(fv_shape x) { return x.h * x.w == 1; }

/* Images that do not fill a call. */
static int images_left(fv_shape x) { return x.n % IMAGES_PER_CALL; }

/* Saved: x flattened; backward's scratch: dx flattened; forward's: the last images' x and y,
 * filled up. */
static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    const size_t bytes =
        is_flat(a->in[X].shape) ? 0 : fv_shape_floats(a->in[X].shape) * sizeof(float);
    needs->saved = bytes;
    if (images_left(a->in[X].shape))
        needs->forward_scratch = (size_t)IMAGES_PER_CALL * sizeof(float) *
                                 (size_t)(a->params[WEIGHT]->dims[0] + a->params[WEIGHT]->dims[1]);
    needs->backward_scratch = bytes;
    needs->backward_reads = FV_READS_IN(WEIGHT) | (bytes ? 0 : FV_READS_IN(X));
}

/* Between [h, w, c] with a pixel stride and [c, h, w] dense, image by image. */
static void flatten(fv_view picture, float *flat)
{
    const int area = picture.shape.h * picture.shape.w;
    for (int n = 0; n < picture.shape.n; n++)
        for (int p = 0; p < area; p++)
            for (int c = 0; c < picture.shape.c; c++)
                flat[((size_t)n * (size_t)picture.shape.c + (size_t)c) * (size_t)area + (size_t)p] =
                    fv_pixel(picture, n * area + p)[c];
}

static void unflatten(const float *flat, fv_view picture, bool accumulate)
{
    const int area = picture.shape.h * picture.shape.w;
    for (int n = 0; n < picture.shape.n; n++)
        for (int p = 0; p < area; p++)
            for (int c = 0; c < picture.shape.c; c++) {
                const float v =
                    flat[((size_t)n * (size_t)picture.shape.c + (size_t)c) * (size_t)area +
                         (size_t)p];
                float *y = &fv_pixel(picture, n * area + p)[c];
                *y = accumulate ? *y + v : v;
            }
}

/* The operands as matrices. */
typedef struct product {
    const fv_op_args *a;
    const float *x;
    float *dx;
    int x_ld, dx_ld;
    int images, inputs, outputs;
    bool accumulate_dx;
} product;

static product product_of(const fv_op_args *a)
{
    const fv_param *w = a->params[WEIGHT];
    product p = { .a = a, .images = a->out.shape.n, .inputs = w->dims[0], .outputs = w->dims[1] };
    p.x = a->in[X].data;
    p.x_ld = (int)a->in[X].pixel_stride;
    if (!is_flat(a->in[X].shape)) {
        p.x = a->saved;
        p.x_ld = p.inputs;
    }
    return p;
}

/* Rows [0, IMAGES_PER_CALL) of x times columns [o0, o0 + count) of w. */
static void multiply(const product *p, int o0, int count, const float *x, int x_ld, float *y,
                     int y_ld)
{
    fv_blas_sgemm(false, false, IMAGES_PER_CALL, count, p->inputs, 1.0f, x, x_ld,
                  p->a->in[WEIGHT].data + o0, p->outputs, 0.0f, y, y_ld);
}

static void forward_columns(void *ctx, int task, int worker)
{
    (void)worker;
    const product *p = ctx;
    const fv_view y = p->a->out;
    const int o0 = task * PER_TASK, count = fv_min(PER_TASK, p->outputs - o0);
    const int left = images_left(y.shape), full = p->images - left;
    const float *bias = p->a->in[BIAS].data;
    for (int n = 0; n < full; n += IMAGES_PER_CALL)
        multiply(p, o0, count, p->x + (ptrdiff_t)n * p->x_ld, p->x_ld, fv_pixel(y, n) + o0,
                 (int)y.pixel_stride);
    if (left) {
        const float *last_x = p->a->scratch;
        float *last_y = (float *)p->a->scratch + IMAGES_PER_CALL * p->inputs + o0;
        multiply(p, o0, count, last_x, p->inputs, last_y, p->outputs);
        for (int n = 0; n < left; n++)
            memcpy(fv_pixel(y, full + n) + o0, last_y + (ptrdiff_t)n * p->outputs,
                   (size_t)count * sizeof(float));
    }
    for (int n = 0; bias && n < p->images; n++)
        for (int o = o0; o < o0 + count; o++) fv_pixel(y, n)[o] += bias[o];
}

static void forward(const fv_op_args *a)
{
    if (!is_flat(a->in[X].shape)) flatten(a->in[X], a->saved);
    product p = product_of(a);
    const int left = images_left(a->in[X].shape), full = p.images - left;
    float *last = a->scratch;
    for (int n = 0; left && n < IMAGES_PER_CALL; n++, last += p.inputs) {
        if (n < left)
            memcpy(last, p.x + (ptrdiff_t)(full + n) * p.x_ld, (size_t)p.inputs * sizeof(float));
        else
            memset(last, 0, (size_t)p.inputs * sizeof(float));
    }
    fv_parallel_for(fv_ceil_div(p.outputs, PER_TASK), forward_columns, &p);
}

static void weight_rows(void *ctx, int task, int worker)
{
    (void)worker;
    const product *p = ctx;
    const fv_view dy = p->a->grad_out;
    const int i0 = task * PER_TASK, count = fv_min(PER_TASK, p->inputs - i0);
    fv_blas_sgemm(true, false, count, p->outputs, p->images, 1.0f, p->x + i0, p->x_ld, dy.data,
                  (int)dy.pixel_stride, p->a->accumulate[WEIGHT] ? 1.0f : 0.0f,
                  p->a->grad_in[WEIGHT].data + (size_t)i0 * (size_t)p->outputs, p->outputs);
}

static void input_columns(void *ctx, int task, int worker)
{
    (void)worker;
    const product *p = ctx;
    const fv_view dy = p->a->grad_out;
    const int i0 = task * PER_TASK, count = fv_min(PER_TASK, p->inputs - i0);
    fv_blas_sgemm(false, true, p->images, count, p->outputs, 1.0f, dy.data, (int)dy.pixel_stride,
                  p->a->in[WEIGHT].data + (size_t)i0 * (size_t)p->outputs, p->outputs,
                  p->accumulate_dx ? 1.0f : 0.0f, p->dx + i0, p->dx_ld);
}

static void backward_bias(const fv_op_args *a)
{
    const fv_view dy = a->grad_out;
    const fv_map sums = { .pixels = dy.shape.n,
                          .channels = dy.shape.c,
                          .factor = 1.0f,
                          .x = dy.data,
                          .x_stride = dy.pixel_stride,
                          .y = a->grad_in[BIAS].data,
                          .y_stride = dy.shape.c,
                          .accumulate = a->accumulate[BIAS] };
    a->kernels->channel_sums(&sums);
}

static void backward(const fv_op_args *a)
{
    product p = product_of(a);
    const fv_view dx = a->grad_in[X];
    const int tasks = fv_ceil_div(p.inputs, PER_TASK);
    if (a->grad_in[BIAS].data) backward_bias(a);
    if (a->grad_in[WEIGHT].data) fv_parallel_for(tasks, weight_rows, &p);
    if (!dx.data) return;
    const bool flat = is_flat(dx.shape);
    p.dx = flat ? dx.data : a->scratch;
    p.dx_ld = flat ? (int)dx.pixel_stride : p.inputs;
    p.accumulate_dx = flat && a->accumulate[X];
    fv_parallel_for(tasks, input_columns, &p);
    if (!flat) unflatten(a->scratch, dx, a->accumulate[X]);
}

static uint64_t macs(const fv_op_input *in, const void *attr, fv_shape out)
{
    (void)attr;
    return (uint64_t)fv_shape_floats(out) * (uint64_t)in[WEIGHT].param->dims[0];
}

const fv_op fv_op_matmul = {
    .name = "matmul",
    .infer = infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
    .macs = macs,
};

fv_tensor *fv_matmul(fv_graph *g, fv_tensor *x, fv_tensor *weight, fv_tensor *bias)
{
    return fv_graph_apply(g, &fv_op_matmul, 3, (fv_tensor *[]){ x, weight, bias }, NULL);
}
