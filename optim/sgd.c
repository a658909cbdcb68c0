/* SPDX-License-Identifier: Apache-2.0 */
/* SGD and Momentum. The decay is coupled: it is part of the gradient, and so of the velocity. */
#include "optim/optimizer_impl.h"

static void update(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                   const fv_optimizer_piece *piece, float rate, float momentum)
{
    kernels->sgd(&(fv_sgd_update){ .count = piece->count,
                                   .w = piece->value,
                                   .v = piece->velocity,
                                   .grad = piece->grad,
                                   .lr = rate,
                                   .momentum = momentum,
                                   .l2 = settings->l2,
                                   .l1 = settings->l1,
                                   .nesterov = settings->use_nesterov });
}

/* Without momentum the velocity is scratch: nothing of it lasts to the next step. */
static void update_sgd(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                       const fv_optimizer_piece *piece, float rate)
{
    enum { SCRATCH = 1024 };
    for (size_t done = 0; done < piece->count; done += SCRATCH) {
        float velocity[SCRATCH] = { 0 };
        const size_t left = piece->count - done;
        const fv_optimizer_piece part = { .count = left < SCRATCH ? left : SCRATCH,
                                          .value = piece->value + done,
                                          .grad = piece->grad + done,
                                          .velocity = velocity };
        update(settings, kernels, &part, rate, 0.0f);
    }
}

static void update_momentum(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                            const fv_optimizer_piece *piece, float rate)
{
    update(settings, kernels, piece, rate, (float)settings->momentum);
}

static const fv_field sgd_fields[] = { FV_OPTIMIZER_COMMON_FIELDS, FV_FIELD_END };

static const fv_field momentum_fields[] = {
    FV_OPTIMIZER_COMMON_FIELDS,
    FV_FIELD_DOUBLE(fv_optimizer_settings, momentum, 0.9, 0, 1),
    FV_FIELD_BOOL(fv_optimizer_settings, use_nesterov, false),
    FV_FIELD_END,
};

const fv_optimizer_type fv_optimizer_sgd = { "SGD", sgd_fields, false, update_sgd };
const fv_optimizer_type fv_optimizer_momentum = { "Momentum", momentum_fields, true,
                                                  update_momentum };
