/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/scalar/conv_scalar.c - convolution as it is defined, in plain loops.
 *
 * Layouts of its own: forward weights [out][tap][in of its group], backward weights
 * [in][tap][out of its group], partial sums of the weight gradient as forward weights. So the
 * innermost loop always runs over neighbours. A tap is ky * kernel_w + kx.
 */
#include "base/compiler.h"
#include "kernels/variants.h"

#include <string.h>

static int taps(const fv_conv *c) { return c->window.kernel_h * c->window.kernel_w; }
static int group_in(const fv_conv *c) { return c->in_c / c->groups; }
static int group_out(const fv_conv *c) { return c->out_c / c->groups; }

static size_t weight_floats(const fv_conv *c)
{
    return (size_t)c->out_c * (size_t)group_in(c) * (size_t)taps(c);
}

static size_t scratch_bytes(const fv_conv *c)
{
    (void)c;
    return 0;
}

/* Where weight (o, i, tap) stands in the order of checkpoints; i counts inside the group. */
static size_t weight_at(const fv_conv *c, int o, int i, int tap)
{
    return ((size_t)o * (size_t)group_in(c) + (size_t)i) * (size_t)taps(c) + (size_t)tap;
}

/* The first float of row (channel, tap) of a packed array whose rows are `row` long. */
static size_t row_at(const fv_conv *c, int channel, int tap, int row)
{
    return ((size_t)channel * (size_t)taps(c) + (size_t)tap) * (size_t)row;
}

static void pack_forward(const fv_conv *c, const float *w, const float *scale, float *packed,
                         int out0, int out1)
{
    for (int o = out0; o < out1; o++)
        for (int tap = 0; tap < taps(c); tap++) {
            float *row = packed + row_at(c, o, tap, group_in(c));
            for (int i = 0; i < group_in(c); i++)
                row[i] = w[weight_at(c, o, i, tap)] * (scale ? scale[o] : 1.0f);
        }
}

static void pack_backward(const fv_conv *c, const float *w, float *packed, int in0, int in1)
{
    for (int i = in0; i < in1; i++) {
        const int group = i / group_in(c), inside = i % group_in(c);
        for (int tap = 0; tap < taps(c); tap++) {
            float *row = packed + row_at(c, i, tap, group_out(c));
            for (int o = 0; o < group_out(c); o++)
                row[o] = w[weight_at(c, group * group_out(c) + o, inside, tap)];
        }
    }
}

/* The input pixel that output pixel p sees through a tap, counted over the batch; -1 in padding. */
static ptrdiff_t pixel_seen(const fv_window *w, int p, int tap)
{
    const int n = p / (w->out_h * w->out_w), oy = p / w->out_w % w->out_h, ox = p % w->out_w;
    const int iy = oy * w->stride_h - w->pad_h + tap / w->kernel_w * w->dilation_h;
    const int ix = ox * w->stride_w - w->pad_w + tap % w->kernel_w * w->dilation_w;
    if (iy < 0 || iy >= w->in_h || ix < 0 || ix >= w->in_w) return -1;
    return ((ptrdiff_t)n * w->in_h + iy) * w->in_w + ix;
}

/* The output row or column that sees input `i` through tap `k`; -1 if there is none. */
static int output_seeing(int i, int k, int pad, int dilation, int stride, int outputs)
{
    const int o = i + pad - k * dilation;
    return o >= 0 && o % stride == 0 && o / stride < outputs ? o / stride : -1;
}

static double dot(const float *a, const float *b, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* NaN stays NaN. */
static float activated(float v, fv_activation act)
{
    if (act != FV_LINEAR && v < 0.0f) v = 0.0f;
    if (act == FV_RELU6 && v > 6.0f) v = 6.0f;
    return v;
}

static void forward(const fv_conv_forward *j)
{
    const fv_conv *c = j->conv;
    const fv_epilogue *e = &j->epilogue;
    for (int p = j->pixel0; p < j->pixel1; p++)
        for (int o = j->channel0; o < j->channel1; o++) {
            const int in0 = o / group_out(c) * group_in(c);
            double sum = 0.0;
            for (int tap = 0; tap < taps(c); tap++) {
                const ptrdiff_t pixel = pixel_seen(&c->window, p, tap);
                if (pixel < 0) continue;
                sum += dot(j->x + pixel * j->x_stride + in0,
                           j->packed + row_at(c, o, tap, group_in(c)), group_in(c));
            }
            if (e->bias) sum += (double)e->bias[o];
            if (e->residual) sum += (double)e->residual[p * e->residual_stride + o];
            j->y[p * j->y_stride + o] = activated((float)sum, e->act);
        }
}

/* dx of one input channel of pixel (n, iy, ix). */
static float input_gradient(const fv_conv_backward_data *j, int n, int iy, int ix, int channel)
{
    const fv_conv *c = j->conv;
    const fv_window *w = &c->window;
    const int out0 = channel / group_in(c) * group_out(c);
    double sum = 0.0;
    for (int tap = 0; tap < taps(c); tap++) {
        const int oy =
            output_seeing(iy, tap / w->kernel_w, w->pad_h, w->dilation_h, w->stride_h, w->out_h);
        const int ox =
            output_seeing(ix, tap % w->kernel_w, w->pad_w, w->dilation_w, w->stride_w, w->out_w);
        if (oy < 0 || ox < 0) continue;
        const ptrdiff_t pixel = ((ptrdiff_t)n * w->out_h + oy) * w->out_w + ox;
        sum += dot(j->dy + pixel * j->dy_stride + out0,
                   j->packed + row_at(c, channel, tap, group_out(c)), group_out(c));
    }
    return (float)sum;
}

static void backward_data(const fv_conv_backward_data *j)
{
    const fv_window *w = &j->conv->window;
    for (int row = j->row0; row < j->row1; row++)
        for (int ix = 0; ix < w->in_w; ix++) {
            float *dx = j->dx + ((ptrdiff_t)row * w->in_w + ix) * j->dx_stride;
            for (int channel = j->channel0; channel < j->channel1; channel++) {
                const float sum = input_gradient(j, row / w->in_h, row % w->in_h, ix, channel);
                dx[channel] = j->accumulate ? dx[channel] + sum : sum;
            }
        }
}

/* dw of one output channel, one tap, input channels [in0, in1) of the group. */
static void weight_gradient(const fv_conv_backward_weights *j, int o, int tap, int in0, int in1)
{
    const fv_conv *c = j->conv;
    const int first = o / group_out(c) * group_in(c);
    float *sum = j->partial + row_at(c, o, tap, group_in(c));
    if (!j->accumulate) memset(sum + in0, 0, (size_t)(in1 - in0) * sizeof(float));
    for (int p = j->pixel0; p < j->pixel1; p++) {
        const ptrdiff_t pixel = pixel_seen(&c->window, p, tap);
        if (pixel < 0) continue;
        const float *x = j->x + pixel * j->x_stride + first;
        const float dy = j->dy[p * j->dy_stride + o];
        for (int i = in0; i < in1; i++) sum[i] += dy * x[i];
    }
}

static void backward_weights(const fv_conv_backward_weights *j)
{
    const fv_conv *c = j->conv;
    const int in0 = c->groups == 1 ? j->in0 : 0, in1 = c->groups == 1 ? j->in1 : group_in(c);
    for (int o = j->out0; o < j->out1; o++)
        for (int tap = 0; tap < taps(c); tap++) weight_gradient(j, o, tap, in0, in1);
}

static void reduce(const fv_conv_reduce *j)
{
    const fv_conv *c = j->conv;
    for (int o = j->out0; o < j->out1; o++)
        for (int i = 0; i < group_in(c); i++)
            for (int tap = 0; tap < taps(c); tap++) {
                float *dw = j->dw + weight_at(c, o, i, tap);
                float sum = j->accumulate ? *dw : 0.0f;
                for (int part = 0; part < j->count; part++)
                    sum += j->partials[(size_t)part * j->partial_stride +
                                       row_at(c, o, tap, group_in(c)) + (size_t)i];
                *dw = sum;
            }
}

static bool winograd_fits(const fv_conv *c)
{
    (void)c;
    return false;
}

void fv_conv_scalar(fv_kernels *k)
{
    k->winograd_fits = winograd_fits;
    k->conv_scratch_bytes = scratch_bytes;
    k->conv_packed_forward_floats = weight_floats;
    k->conv_packed_backward_floats = weight_floats;
    k->conv_partial_floats = weight_floats;
    k->conv_pack_forward = pack_forward;
    k->conv_pack_backward = pack_backward;
    k->conv_forward = forward;
    k->conv_backward_data = backward_data;
    k->conv_backward_weights = backward_weights;
    k->conv_reduce = reduce;
}
