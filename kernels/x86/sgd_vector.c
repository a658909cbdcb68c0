/* SPDX-License-Identifier: Apache-2.0 */
/* Momentum SGD, a vector of parameters at a time. */
#include "kernels/variants.h"
#include "kernels/x86/lanes.h"

/* l1 * sign(w) */
FV_ALWAYS_INLINE fv_vec signed_l1(const fv_sgd_update *j, fv_vec w)
{
    const fv_vec zero = fv_vec_zero();
    const fv_vec below = fv_vec_select(fv_vec_lt(w, zero), fv_vec_set1(-j->l1), zero);
    return fv_vec_select(fv_vec_gt(w, zero), fv_vec_set1(j->l1), below);
}

FV_ALWAYS_INLINE void update(const fv_sgd_update *j, size_t i, fv_lanes l)
{
    const fv_vec w = fv_lanes_load(j->w + i, l), momentum = fv_vec_set1(j->momentum);
    fv_vec d = fv_vec_fma(fv_vec_set1(j->l2), w, fv_lanes_load(j->grad + i, l));
    if (j->l1 != 0.0f) d = fv_vec_add(d, signed_l1(j, w));
    const fv_vec v = fv_vec_fma(momentum, fv_lanes_load(j->v + i, l), d);
    fv_lanes_store(j->v + i, l, v);
    const fv_vec step = j->nesterov ? fv_vec_fma(momentum, v, d) : v;
    fv_lanes_store(j->w + i, l, fv_vec_fma(fv_vec_set1(-j->lr), step, w));
}

static void sgd(const fv_sgd_update *j)
{
    size_t i = 0;
    for (; i + FV_LANES <= j->count; i += FV_LANES) update(j, i, fv_lanes_all());
    if (i < j->count) update(j, i, fv_lanes_first((int)(j->count - i)));
}

void FV_VARIANT(fv_sgd)(fv_kernels *k) { k->sgd = sgd; }
