/* SPDX-License-Identifier: Apache-2.0 */
/* Momentum SGD: the definition. */
#include "kernels/variants.h"

static float sign(float x) { return (float)((x > 0.0f) - (x < 0.0f)); }

static void sgd(const fv_sgd_update *j)
{
    for (size_t i = 0; i < j->count; i++) {
        const float w = j->w[i];
        const float d = j->grad[i] + j->l2 * w + j->l1 * sign(w);
        const float v = j->momentum * j->v[i] + d;
        j->v[i] = v;
        j->w[i] = w - j->lr * (j->nesterov ? d + j->momentum * v : v);
    }
}

void fv_sgd_scalar(fv_kernels *k) { k->sgd = sgd; }
