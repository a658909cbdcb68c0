/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing: the definition. */
#include "kernels/image_pixel.h"
#include "kernels/variants.h"

/* ---- Any number of pixels ---- */

static void resample_rows(const fv_resample *j)
{
    for (int row = 0; row < j->rows; row++)
        for (int x = 0; x < j->axis->count; x++) fv_resample_pixel(j, row, x);
}

enum { BLOCK = 64 /* bytes that are summed at a time, for compilers that see vectors in it */ };

static void resample_columns(const fv_resample *j)
{
    for (int y = 0; y < j->axis->count; y++) {
        const uint8_t *in = j->in + (j->axis->begin[y] - j->origin) * j->in_stride;
        uint8_t *out = j->out + y * j->out_stride;
        for (size_t i = 0; i < j->bytes; i += BLOCK) {
            const int bytes = (int)(j->bytes - i < BLOCK ? j->bytes - i : BLOCK);
            uint32_t sums[BLOCK] = { 0 };
            for (int t = 0; t < j->axis->taps[y]; t++) {
                const uint8_t *p = in + t * j->in_stride + i;
                const uint32_t weight = fv_resample_weight(j->axis, y, t);
                for (int k = 0; k < bytes; k++) sums[k] += weight * p[k];
            }
            for (int k = 0; k < bytes; k++) out[i + (size_t)k] = fv_resample_result(sums[k]);
        }
    }
}

/* ---- Two or four pixels ---- */

static void linear_row(const fv_stencil *s, int16_t *out)
{
    for (int x = 0; x < s->count; x++) fv_linear_pixel(s, x, out);
}

static void linear_blend(const fv_linear_blend *j)
{
    for (size_t i = 0; i < j->bytes; i++) j->out[i] = fv_linear_byte(j, i);
}

static void cubic_row(const fv_stencil *s, int32_t *out)
{
    for (int x = 0; x < s->count; x++) fv_cubic_pixel(s, x, out);
}

static void cubic_blend(const fv_cubic_blend *j)
{
    for (size_t i = 0; i < j->bytes; i++) j->out[i] = fv_cubic_byte(j, i);
}

/* ---- Areas ---- */

static void area_blocks(const fv_area_blocks *j)
{
    for (int x = 0; x < j->count; x++)
        for (int c = 0; c < FV_IMAGE_CHANNELS; c++) {
            uint32_t sum = 0;
            for (int v = 0; v < j->down; v++) {
                const uint8_t *in = j->in + v * j->in_stride + c;
                for (int u = 0; u < j->across; u++)
                    sum += in[((ptrdiff_t)x * j->across + u) * FV_IMAGE_CHANNELS];
            }
            j->out[x * FV_IMAGE_CHANNELS + c] = fv_area_mean(j, sum);
        }
}

static void area_row(const fv_area_row *j)
{
    for (int k = 0; k < j->count; k++) {
        const fv_area_share s = j->shares[k];
        const bool first = k == 0 || j->shares[k - 1].out != s.out;
        for (int c = 0; c < FV_IMAGE_CHANNELS; c++) {
            float *sum = j->out + (ptrdiff_t)s.out * FV_IMAGE_CHANNELS + c;
            const float term = (float)j->in[(ptrdiff_t)s.in * FV_IMAGE_CHANNELS + c] * s.part;
            *sum = first ? term : *sum + term;
        }
    }
}

static void area_sum(const fv_area_sum *j)
{
    for (size_t i = 0; i < j->bytes; i++) fv_area_float(j, i);
}

void fv_resize_scalar(fv_kernels *k)
{
    k->resample_rows = resample_rows;
    k->resample_columns = resample_columns;
    k->linear_row = linear_row;
    k->linear_blend = linear_blend;
    k->cubic_row = cubic_row;
    k->cubic_blend = cubic_blend;
    k->area_blocks = area_blocks;
    k->area_row = area_row;
    k->area_sum = area_sum;
}
