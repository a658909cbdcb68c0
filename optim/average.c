/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/average.h"

#include "base/memory.h"
#include "base/threads.h"

#include <string.h>

struct fv_average {
    fv_params *params;
    float rest; /* 1 - decay */
    int count;  /* parameters */
    float **of; /* of each parameter, in `floats` */
    float *floats;
};

fv_status fv_average_create(fv_average **out, fv_params *params, double decay, fv_error *err)
{
    const int count = fv_params_count(params);
    size_t floats = 0;
    for (int i = 0; i < count; i++) floats += fv_params_at(params, i)->count;
    fv_average *a = fv_alloc(sizeof(*a));
    if (!a) goto nomem;
    *a = (fv_average){ .params = params, .rest = (float)(1.0 - decay), .count = count };
    if (!(a->of = fv_alloc((size_t)count * sizeof(*a->of)))) goto nomem;
    if (!(a->floats = fv_alloc(floats * sizeof(float)))) goto nomem;
    float *at = a->floats;
    for (int i = 0; i < count; i++) {
        a->of[i] = at;
        at += fv_params_at(params, i)->count;
    }
    fv_average_restart(a);
    *out = a;
    return FV_OK;

nomem:
    fv_average_destroy(a);
    return fv_fail(err, FV_ERR_NOMEM, "EMA: out of memory for %zu floats", floats);
}

void fv_average_destroy(fv_average *average)
{
    if (!average) return;
    fv_free(average->floats);
    fv_free(average->of);
    fv_free(average);
}

void fv_average_restart(fv_average *a)
{
    for (int i = 0; i < a->count; i++) {
        const fv_param *p = fv_params_at(a->params, i);
        memcpy(a->of[i], p->value, p->count * sizeof(float));
    }
}

static void update_task(void *ctx, int task, int worker)
{
    (void)worker;
    const fv_average *a = ctx;
    const fv_param *p = fv_params_at(a->params, task);
    float *average = a->of[task];
    for (size_t i = 0; i < p->count; i++) average[i] += a->rest * (p->value[i] - average[i]);
}

void fv_average_update(fv_average *average)
{
    fv_parallel_for(average->count, update_task, average);
}

static void swap_task(void *ctx, int task, int worker)
{
    (void)worker;
    const fv_average *a = ctx;
    const fv_param *p = fv_params_at(a->params, task);
    float *average = a->of[task];
    for (size_t i = 0; i < p->count; i++) {
        const float value = p->value[i];
        p->value[i] = average[i];
        average[i] = value;
    }
}

void fv_average_swap(fv_average *average)
{
    fv_parallel_for(average->count, swap_task, average);
    fv_params_touch(average->params);
}

float *fv_average_at(const fv_average *average, int i) { return average->of[i]; }
