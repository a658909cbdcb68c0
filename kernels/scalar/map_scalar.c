/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element: the definition. */
#include "kernels/variants.h"

static void store(const fv_map *j, float *y, float value)
{
    *y = j->accumulate ? *y + value : value;
}

static void activate(const fv_map *j)
{
    for (int p = 0; p < j->pixels; p++)
        for (int c = 0; c < j->channels; c++) {
            float x = j->x[p * j->x_stride + c];
            if (j->act != FV_LINEAR && x < 0.0f) x = 0.0f; /* in this order NaN stays NaN */
            if (j->act == FV_RELU6 && x > 6.0f) x = 6.0f;
            store(j, j->y + p * j->y_stride + c, x);
        }
}

static void activate_backward(const fv_map *j)
{
    for (int p = 0; p < j->pixels; p++)
        for (int c = 0; c < j->channels; c++) {
            const float z = j->act == FV_LINEAR ? 1.0f : j->z[p * j->z_stride + c];
            const bool open = z > 0.0f && (j->act != FV_RELU6 || z < 6.0f);
            store(j, j->y + p * j->y_stride + c, open ? j->x[p * j->x_stride + c] : 0.0f);
        }
}

static void add(const fv_map *j)
{
    for (int p = 0; p < j->pixels; p++)
        for (int c = 0; c < j->channels; c++) {
            const float x = j->x[p * j->x_stride + c];
            const float z = j->z ? j->z[p * j->z_stride + c] : 0.0f;
            store(j, j->y + p * j->y_stride + c, j->factor * (x + z));
        }
}

static void channel_sums(const fv_map *j)
{
    for (int c = 0; c < j->channels; c++) {
        double sum = 0.0;
        for (int p = 0; p < j->pixels; p++) sum += (double)j->x[p * j->x_stride + c];
        store(j, j->y + c, j->factor * (float)sum);
    }
}

void fv_map_scalar(fv_kernels *k)
{
    k->activate = activate;
    k->activate_backward = activate_backward;
    k->add = add;
    k->channel_sums = channel_sums;
}
