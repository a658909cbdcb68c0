/* SPDX-License-Identifier: Apache-2.0 */
/* Adam (Kingma, Ba, ICLR 2015, arXiv:1412.6980), AdamW (Loshchilov, Hutter, ICLR 2019,
 * arXiv:1711.05101), RMSProp. */
#include "optim/optimizer_impl.h"

#include <math.h>

static float signed_l1(float l1, float w) { return w > 0.0f ? l1 : w < 0.0f ? -l1 : 0.0f; }

/* The gradient with the decay that is a part of it. */
static float decayed(const fv_optimizer_piece *p, size_t i)
{
    const float w = p->value[i];
    return p->grad[i] + p->l2 * w + signed_l1(p->l1, w);
}

/* The corrections of both moments, made once a piece, in double: at first 1 - beta2^t is 0.001. */
typedef struct adam {
    float beta1, rest1, beta2, rest2; /* rest = 1 - beta */
    float rate;                       /* lr / (1 - beta1^t) */
    float scale;                      /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
} adam;

static adam prepare(const fv_optimizer_settings *s, const fv_optimizer_piece *p)
{
    return (adam){ .beta1 = (float)s->beta1,
                   .rest1 = (float)(1.0 - s->beta1),
                   .beta2 = (float)s->beta2,
                   .rest2 = (float)(1.0 - s->beta2),
                   .rate = (float)((double)p->rate / (1.0 - pow(s->beta1, p->step))),
                   .scale = (float)(1.0 / sqrt(1.0 - pow(s->beta2, p->step))),
                   .epsilon = (float)s->epsilon };
}

static float move(const adam *a, float *moment1, float *moment2, float d)
{
    *moment1 = a->beta1 * *moment1 + a->rest1 * d;
    *moment2 = a->beta2 * *moment2 + a->rest2 * d * d;
    return a->rate * *moment1 / (sqrtf(*moment2) * a->scale + a->epsilon);
}

static void update_adam(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                        const fv_optimizer_piece *p)
{
    (void)kernels;
    const adam a = prepare(settings, p);
    for (size_t i = 0; i < p->count; i++)
        p->value[i] -= move(&a, &p->state[0][i], &p->state[1][i], decayed(p, i));
}

static void update_adamw(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                         const fv_optimizer_piece *p)
{
    (void)kernels;
    const adam a = prepare(settings, p);
    const float keep = 1.0f - p->rate * p->l2;
    for (size_t i = 0; i < p->count; i++)
        p->value[i] = p->value[i] * keep - move(&a, &p->state[0][i], &p->state[1][i], p->grad[i]);
}

/* Paddle's, and TensorFlow's: epsilon under the root, the rate inside the velocity. PyTorch's has
 * both outside. */
static void update_rms_prop(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                            const fv_optimizer_piece *p)
{
    (void)kernels;
    const float rho = (float)settings->rho, rest = (float)(1.0 - settings->rho);
    const float momentum = (float)settings->momentum, epsilon = (float)settings->epsilon;
    float *mean_square = p->state[0], *velocity = p->state[1];
    for (size_t i = 0; i < p->count; i++) {
        const float d = decayed(p, i);
        mean_square[i] = rho * mean_square[i] + rest * d * d;
        velocity[i] = momentum * velocity[i] + p->rate * d / sqrtf(mean_square[i] + epsilon);
        p->value[i] -= velocity[i];
    }
}

static const fv_field adam_fields[] = {
    FV_OPTIMIZER_COMMON_FIELDS,
    FV_FIELD_DOUBLE(fv_optimizer_settings, beta1, 0.9, 0, 0.999999),
    FV_FIELD_DOUBLE(fv_optimizer_settings, beta2, 0.999, 0, 0.999999),
    FV_FIELD_DOUBLE(fv_optimizer_settings, epsilon, 1e-8, 1e-30, 1),
    FV_FIELD_IGNORED("lazy_mode", "all gradients are dense"),
    FV_FIELD_END,
};

static const fv_field rms_prop_fields[] = {
    FV_OPTIMIZER_COMMON_FIELDS,
    FV_FIELD_DOUBLE(fv_optimizer_settings, momentum, 0, 0, 1),
    FV_FIELD_DOUBLE(fv_optimizer_settings, rho, 0.95, 0, 0.999999),
    FV_FIELD_DOUBLE(fv_optimizer_settings, epsilon, 1e-6, 1e-30, 1),
    FV_FIELD_END,
};

const fv_optimizer_type fv_optimizer_adam = { .name = "Adam",
                                              .fields = adam_fields,
                                              .states = { "moment1", "moment2" },
                                              .counts_steps = true,
                                              .knows_l1 = true,
                                              .update = update_adam };
const fv_optimizer_type fv_optimizer_adamw = { .name = "AdamW",
                                               .fields = adam_fields,
                                               .states = { "moment1", "moment2" },
                                               .counts_steps = true,
                                               .knows_weight_decay_only = true,
                                               .update = update_adamw };
const fv_optimizer_type fv_optimizer_rms_prop = { .name = "RMSProp",
                                                  .fields = rms_prop_fields,
                                                  .states = { "mean_square", "velocity" },
                                                  .knows_l1 = true,
                                                  .update = update_rms_prop };
