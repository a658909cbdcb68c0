/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/image_pixel.h - one pixel or byte of each job of image.h: the definition, which vector
 * code needs for what does not fill a vector. */
#ifndef FV_KERNELS_IMAGE_PIXEL_H
#define FV_KERNELS_IMAGE_PIXEL_H

#include "base/compiler.h"
#include "kernels/kernels.h"

#include <math.h>

static inline uint8_t fv_byte_clamp(int v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

static inline uint8_t fv_byte_round(float v) { return fv_byte_clamp((int)lrintf(v)); }

/* Weight t of output i, in one piece; sums of products with it have no sign, for what flows over on
 * the way does not matter. */
static inline uint32_t fv_resample_weight(const fv_resample_axis *a, int i, int t)
{
    const ptrdiff_t at = (ptrdiff_t)i * a->width + t;
    return (uint32_t)(a->high[at] * (1 << FV_RESAMPLE_LOW_BITS) + a->low[at]);
}

static inline uint8_t fv_resample_result(uint32_t sum)
{
    return fv_byte_clamp((int32_t)(sum + (1u << (FV_RESAMPLE_BITS - 1))) >> FV_RESAMPLE_BITS);
}

/* Output i of the axis; in[0] and then every `step` bytes are its inputs. */
static inline uint8_t fv_resample_byte(const fv_resample_axis *a, int i, const uint8_t *in,
                                       ptrdiff_t step)
{
    uint32_t sum = 0;
    for (int t = 0; t < a->taps[i]; t++) sum += fv_resample_weight(a, i, t) * in[t * step];
    return fv_resample_result(sum);
}

static inline void fv_resample_pixel(const fv_resample *j, int row, int x)
{
    const uint8_t *in =
        j->in + row * j->in_stride + (ptrdiff_t)(j->axis->begin[x] - j->origin) * FV_IMAGE_CHANNELS;
    uint8_t *out = j->out + row * j->out_stride + (ptrdiff_t)x * FV_IMAGE_CHANNELS;
    uint32_t sum[FV_IMAGE_CHANNELS] = { 0 };
    for (int t = 0; t < j->axis->taps[x]; t++, in += FV_IMAGE_CHANNELS) {
        const uint32_t weight = fv_resample_weight(j->axis, x, t);
        for (int c = 0; c < FV_IMAGE_CHANNELS; c++) sum[c] += weight * in[c];
    }
    for (int c = 0; c < FV_IMAGE_CHANNELS; c++) out[c] = fv_resample_result(sum[c]);
}

static inline int fv_stencil_sum(const fv_stencil *s, int x, int c, int taps)
{
    const int *index = s->index + (ptrdiff_t)x * FV_STENCIL_TAPS;
    const int16_t *weights = s->weights + (ptrdiff_t)x * FV_STENCIL_TAPS;
    int sum = 0;
    for (int t = 0; t < taps; t++)
        sum += s->in[(ptrdiff_t)index[t] * FV_IMAGE_CHANNELS + c] * weights[t];
    return sum;
}

static inline void fv_linear_pixel(const fv_stencil *s, int x, int16_t *out)
{
    for (int c = 0; c < FV_IMAGE_CHANNELS; c++)
        out[x * FV_IMAGE_CHANNELS + c] = (int16_t)(fv_stencil_sum(s, x, c, 2) >> 4);
}

static inline void fv_cubic_pixel(const fv_stencil *s, int x, int32_t *out)
{
    for (int c = 0; c < FV_IMAGE_CHANNELS; c++)
        out[x * FV_IMAGE_CHANNELS + c] = fv_stencil_sum(s, x, c, 4);
}

static inline uint8_t fv_linear_byte(const fv_linear_blend *j, size_t i)
{
    return (uint8_t)(((j->b0 * j->top[i] >> 16) + (j->b1 * j->bottom[i] >> 16) + 2) >> 2);
}

static inline float fv_cubic_weight(const fv_cubic_blend *j, int t)
{
    return (float)j->weights[t] * (1.0f / (1 << 2 * FV_STENCIL_BITS));
}

static inline uint8_t fv_cubic_byte(const fv_cubic_blend *j, size_t i)
{
    if (i < j->in_float) {
        float sum = (float)j->rows[3][i] * fv_cubic_weight(j, 3);
        for (int t = 2; t >= 0; t--) sum = (float)j->rows[t][i] * fv_cubic_weight(j, t) + sum;
        return fv_byte_round(sum);
    }
    int sum = 1 << (2 * FV_STENCIL_BITS - 1);
    for (int t = 0; t < FV_STENCIL_TAPS; t++) sum += j->rows[t][i] * j->weights[t];
    return fv_byte_clamp(sum >> 2 * FV_STENCIL_BITS);
}

/* The mean of a block whose bytes sum up to `sum`. */
static inline uint8_t fv_area_mean(const fv_area_blocks *j, uint32_t sum)
{
    if (j->across == 2 && j->down == 2) return (uint8_t)((sum + 2) >> 2);
    return fv_byte_round((float)(int32_t)sum * (1.0f / (float)((int64_t)j->across * j->down)));
}

static inline void fv_area_float(const fv_area_sum *j, size_t i)
{
    const float term = j->line[i] * j->part;
    j->sum[i] = j->first ? term : j->sum[i] + term;
    if (j->out) j->out[i] = fv_byte_round(j->sum[i]);
}

static inline float fv_normalize_value(const fv_normalize *j, int c, int byte)
{
    return ((float)byte * j->factor - j->mean[c]) / j->std[c];
}

static inline void fv_normalize_pixel(const fv_normalize *j, int y, int x)
{
    const int from = j->mirror ? j->width - 1 - x : x;
    const uint8_t *in = j->in + y * j->in_stride + (ptrdiff_t)from * FV_IMAGE_CHANNELS;
    float *out = j->out + ((ptrdiff_t)y * j->width + x) * FV_IMAGE_CHANNELS;
    for (int c = 0; c < FV_IMAGE_CHANNELS; c++)
        out[c] = fv_normalize_value(j, c, in[j->swap ? 2 - c : c]);
}

#endif /* FV_KERNELS_IMAGE_PIXEL_H */
