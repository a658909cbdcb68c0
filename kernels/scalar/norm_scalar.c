/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation of a range of pixels: the definition. */
#include "kernels/variants.h"

/* The slope of the activation, seen from its input or (the same) from its result. */
static float slope(fv_activation act, float x)
{
    if (act == FV_LINEAR) return 1.0f;
    return x > 0.0f && (act == FV_RELU || x < 6.0f) ? 1.0f : 0.0f;
}

static float activation(fv_activation act, float x)
{
    if (act == FV_LINEAR) return x;
    if (x < 0.0f) return 0.0f; /* in this order NaN stays NaN */
    return act == FV_RELU6 && x > 6.0f ? 6.0f : x;
}

static void moments(int pixels, int channels, const float *x, ptrdiff_t x_stride, float *mean,
                    float *m2)
{
    for (int c = 0; c < channels; c++) {
        const float origin = pixels > 0 ? x[c] : 0.0f;
        double sum = 0.0, squares = 0.0;
        for (int p = 1; p < pixels; p++) {
            const double d = (double)(x[p * x_stride + c] - origin);
            sum += d;
            squares += d * d;
        }
        const double shift = pixels > 0 ? sum / (double)pixels : 0.0;
        const double rest = squares - shift * sum;
        mean[c] = (float)((double)origin + shift);
        m2[c] = rest < 0.0 ? 0.0f : (float)rest; /* rounding must not make it negative */
    }
}

static void apply(const fv_norm *j)
{
    for (int p = 0; p < j->pixels; p++)
        for (int c = 0; c < j->channels; c++) {
            float z = j->scale[c] * j->y[p * j->y_stride + c] + j->shift[c];
            if (j->residual) z += j->residual[p * j->residual_stride + c];
            j->out[p * j->out_stride + c] = activation(j->act, z);
        }
}

/* The gradient before the activation, at pixel p. */
static float gradient(const fv_norm *j, int p, int c)
{
    const float u =
        j->z ? j->z[p * j->z_stride + c] : j->scale[c] * j->y[p * j->y_stride + c] + j->shift[c];
    return slope(j->act, u) > 0.0f ? j->dz[p * j->dz_stride + c] : 0.0f;
}

static void backward_reduce(const fv_norm *j)
{
    for (int c = 0; c < j->channels; c++) {
        double sum_g = 0.0, sum_gy = 0.0;
        for (int p = 0; p < j->pixels; p++) {
            const double g = (double)gradient(j, p, c);
            sum_g += g;
            sum_gy += g * (double)(j->y[p * j->y_stride + c] - j->mean[c]);
        }
        j->sum_g[c] = (float)sum_g;
        j->sum_gy[c] = (float)sum_gy;
    }
}

static void backward_apply(const fv_norm *j)
{
    for (int p = 0; p < j->pixels; p++)
        for (int c = 0; c < j->channels; c++) {
            const float g = gradient(j, p, c);
            const float y = j->y[p * j->y_stride + c] - j->mean[c];
            j->out[p * j->out_stride + c] = j->a[c] * g + j->b[c] * y + j->c[c];
            if (j->residual_grad) {
                float *r = j->residual_grad + p * j->residual_grad_stride + c;
                *r = j->residual_accumulate ? *r + g : g;
            }
        }
}

void fv_norm_scalar(fv_kernels *k)
{
    k->moments = moments;
    k->norm_apply = apply;
    k->norm_backward_reduce = backward_reduce;
    k->norm_backward_apply = backward_apply;
}
