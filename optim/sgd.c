/* SPDX-License-Identifier: Apache-2.0 */
/* SGD, Momentum, LARS. The decay is coupled: part of the gradient, and so of the velocity. */
#include "optim/optimizer_impl.h"

static void update(const fv_kernels *kernels, const fv_optimizer_piece *piece, float momentum,
                   bool nesterov)
{
    kernels->sgd(&(fv_sgd_update){ .count = piece->count,
                                   .w = piece->value,
                                   .v = piece->state[0],
                                   .grad = piece->grad,
                                   .lr = piece->rate,
                                   .momentum = momentum,
                                   .l2 = piece->l2,
                                   .l1 = piece->l1,
                                   .nesterov = nesterov });
}

/* Without momentum the velocity is scratch: nothing of it lasts to the next step. */
static void update_sgd(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                       const fv_optimizer_piece *piece)
{
    enum { SCRATCH = 1024 };
    (void)settings;
    fv_optimizer_piece part = *piece;
    for (size_t done = 0; done < piece->count; done += SCRATCH) {
        float velocity[SCRATCH] = { 0 };
        const size_t left = piece->count - done;
        part.count = left < SCRATCH ? left : SCRATCH;
        part.value = piece->value + done;
        part.grad = piece->grad + done;
        part.state[0] = velocity;
        update(kernels, &part, 0.0f, false);
    }
}

static void update_momentum(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                            const fv_optimizer_piece *piece)
{
    update(kernels, piece, (float)settings->momentum, settings->use_nesterov);
}

/* The rate is inside the velocity here, as in the paper: it may differ much from step to step. */
static void update_lars(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                        const fv_optimizer_piece *piece)
{
    (void)kernels;
    const float momentum = (float)settings->momentum, l2 = piece->l2;
    const double w = piece->value_norm, g = piece->grad_norm;
    double rate = (double)piece->rate;
    if (l2 > 0.0f && w > 0.0 && g > 0.0)
        rate *= settings->lars_coeff * w / (g + (double)l2 * w + settings->epsilon);
    const float local = (float)rate;
    float *value = piece->value, *velocity = piece->state[0];
    for (size_t i = 0; i < piece->count; i++) {
        velocity[i] = momentum * velocity[i] + local * (piece->grad[i] + l2 * value[i]);
        value[i] -= velocity[i];
    }
}

static const fv_field sgd_fields[] = { FV_OPTIMIZER_COMMON_FIELDS, FV_FIELD_END };

static const fv_field momentum_fields[] = {
    FV_OPTIMIZER_COMMON_FIELDS,
    FV_FIELD_DOUBLE(fv_optimizer_settings, momentum, 0.9, 0, 1),
    FV_FIELD_BOOL(fv_optimizer_settings, use_nesterov, false),
    FV_FIELD_END,
};

static const fv_field lars_fields[] = {
    FV_OPTIMIZER_COMMON_FIELDS,
    FV_FIELD_DOUBLE(fv_optimizer_settings, momentum, 0.9, 0, 1),
    FV_FIELD_DOUBLE(fv_optimizer_settings, lars_coeff, 0.001, 0, 1000),
    FV_FIELD_DOUBLE(fv_optimizer_settings, epsilon, 0, 0, 1),
    FV_FIELD_END,
};

const fv_optimizer_type fv_optimizer_sgd = {
    .name = "SGD", .fields = sgd_fields, .knows_l1 = true, .update = update_sgd
};
const fv_optimizer_type fv_optimizer_momentum = { .name = "Momentum",
                                                  .fields = momentum_fields,
                                                  .states = { "velocity" },
                                                  .knows_l1 = true,
                                                  .update = update_momentum };
const fv_optimizer_type fv_optimizer_lars = { .name = "LARS",
                                              .fields = lars_fields,
                                              .states = { "velocity" },
                                              .wants_norms = true,
                                              .update = update_lars };
