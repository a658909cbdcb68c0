/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element. Pixels without gaps between them are taken as one long one. */
#include "kernels/variants.h"
#include "kernels/x86/lanes.h"

/* Of channel_sums: so many pixels are summed in registers, unless there are so many channels that
 * this would leave the order of memory. */
enum { GROUP = 4, NARROW = 32 };

typedef struct rows {
    int count;
    ptrdiff_t floats; /* of each */
} rows;

static rows rows_of(const fv_map *j)
{
    const ptrdiff_t c = j->channels;
    const bool dense = j->x_stride == c && j->y_stride == c && (!j->z || j->z_stride == c);
    return dense ? (rows){ 1, j->pixels * c } : (rows){ j->pixels, c };
}

FV_ALWAYS_INLINE void put(float *y, bool accumulate, fv_vec value, fv_lanes l)
{
    fv_lanes_store(y, l, accumulate ? fv_vec_add(fv_lanes_load(y, l), value) : value);
}

/* ---- activate ---- */

static void activate(const fv_map *j)
{
    const fv_bounds bounds = fv_bounds_of(j->act);
    const rows r = rows_of(j);
    for (int p = 0; p < r.count; p++) {
        const float *x = j->x + p * j->x_stride;
        float *y = j->y + p * j->y_stride;
        ptrdiff_t i = 0;
        for (; i + FV_LANES <= r.floats; i += FV_LANES)
            put(y + i, j->accumulate, fv_vec_clamp(bounds, fv_vec_load(x + i)), fv_lanes_all());
        if (i == r.floats) continue;
        const fv_lanes rest = fv_lanes_first((int)(r.floats - i));
        put(y + i, j->accumulate, fv_vec_clamp(bounds, fv_lanes_load(x + i, rest)), rest);
    }
}

/* ---- activate_backward ---- */

FV_ALWAYS_INLINE fv_vec slope_times(fv_activation act, const float *x, const float *z, fv_lanes l)
{
    const fv_vec g = fv_vec_loaded(fv_lanes_load(x, l));
    if (act == FV_LINEAR) return g;
    const fv_vec result = fv_lanes_load(z, l);
    const fv_bounds bounds = fv_bounds_of(act);
    const fv_mask open =
        act == FV_RELU ? fv_vec_gt(result, bounds.low) : fv_vec_open(bounds, result);
    return fv_vec_select(open, g, fv_vec_zero());
}

FV_ALWAYS_INLINE void activate_backward_as(const fv_map *j, fv_activation act)
{
    const rows r = rows_of(j);
    for (int p = 0; p < r.count; p++) {
        const float *x = j->x + p * j->x_stride;
        const float *z = act == FV_LINEAR ? x : j->z + p * j->z_stride;
        float *y = j->y + p * j->y_stride;
        ptrdiff_t i = 0;
        for (; i + FV_LANES <= r.floats; i += FV_LANES)
            put(y + i, j->accumulate, slope_times(act, x + i, z + i, fv_lanes_all()),
                fv_lanes_all());
        if (i == r.floats) continue;
        const fv_lanes rest = fv_lanes_first((int)(r.floats - i));
        put(y + i, j->accumulate, slope_times(act, x + i, z + i, rest), rest);
    }
}

static void activate_backward(const fv_map *j)
{
    if (j->act == FV_LINEAR)
        activate_backward_as(j, FV_LINEAR);
    else if (j->act == FV_RELU)
        activate_backward_as(j, FV_RELU);
    else
        activate_backward_as(j, FV_RELU6);
}

/* ---- add ---- */

FV_ALWAYS_INLINE fv_vec sum_of(const float *x, const float *z, fv_vec factor, fv_lanes l)
{
    fv_vec sum = fv_lanes_load(x, l);
    if (z) sum = fv_vec_add(sum, fv_lanes_load(z, l));
    return fv_vec_mul(factor, sum);
}

FV_ALWAYS_INLINE void add_as(const fv_map *j, bool two)
{
    const fv_vec factor = fv_vec_set1(j->factor);
    const rows r = rows_of(j);
    for (int p = 0; p < r.count; p++) {
        const float *x = j->x + p * j->x_stride;
        const float *z = two ? j->z + p * j->z_stride : NULL;
        float *y = j->y + p * j->y_stride;
        ptrdiff_t i = 0;
        for (; i + FV_LANES <= r.floats; i += FV_LANES)
            put(y + i, j->accumulate, sum_of(x + i, two ? z + i : NULL, factor, fv_lanes_all()),
                fv_lanes_all());
        if (i == r.floats) continue;
        const fv_lanes rest = fv_lanes_first((int)(r.floats - i));
        put(y + i, j->accumulate, sum_of(x + i, two ? z + i : NULL, factor, rest), rest);
    }
}

static void add(const fv_map *j)
{
    if (j->z)
        add_as(j, true);
    else
        add_as(j, false);
}

/* ---- channel_sums ---- */

FV_ALWAYS_INLINE void sums_lanes(const fv_map *j, const float *x, int pixels, int c, fv_lanes l)
{
    fv_vec sum = fv_vec_zero();
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++) {
        const float *pixel = x + p * j->x_stride + c;
        fv_prefetch(pixel + FV_PREFETCH_AHEAD);
        sum = fv_vec_add(sum, fv_lanes_load(pixel, l));
    }
    fv_lanes_store(j->y + c, l,
                   fv_vec_fma(fv_vec_set1(j->factor), sum, fv_lanes_load(j->y + c, l)));
}

FV_ALWAYS_INLINE void sums_group(const fv_map *j, int p, int pixels)
{
    const float *x = j->x + p * j->x_stride;
    int c = 0;
    for (; c + FV_LANES <= j->channels; c += FV_LANES) sums_lanes(j, x, pixels, c, fv_lanes_all());
    if (c < j->channels) sums_lanes(j, x, pixels, c, fv_lanes_first(j->channels - c));
}

static void channel_sums(const fv_map *j)
{
    int p = 0;
    for (int c = 0; !j->accumulate && c < j->channels; c++) j->y[c] = 0.0f;
    for (; j->channels <= NARROW && p + GROUP <= j->pixels; p += GROUP) sums_group(j, p, GROUP);
    for (; p < j->pixels; p++) sums_group(j, p, 1);
}

void FV_VARIANT(fv_map)(fv_kernels *k)
{
    k->activate = activate;
    k->activate_backward = activate_backward;
    k->add = add;
    k->channel_sums = channel_sums;
}
