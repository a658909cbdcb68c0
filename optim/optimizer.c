/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/optimizer_impl.h"

#include "base/memory.h"
#include "base/threads.h"

#include <stdio.h>
#include <string.h>

/* Floats per task: some 10 microseconds of work, much more than it costs to start a task. */
enum { TASK_FLOATS = 32 * 1024 };

/* A part of one parameter, at most TASK_FLOATS long. */
typedef struct segment {
    const fv_param *param;
    fv_optimizer_piece piece;
} segment;

typedef struct slot {
    const fv_param *param;
    float *velocity;
} slot;

struct fv_optimizer {
    const fv_optimizer_type *type;
    fv_optimizer_settings settings;
    fv_params *params;
    const fv_kernels *kernels;
    float *velocity; /* of all slots, one after the other */
    slot *slots;
    int slot_count;
    segment *segments;
    int *task_end; /* task t has the segments [task_end[t - 1], task_end[t]) */
    int task_count;
};

static const fv_optimizer_type *const types[] = { &fv_optimizer_sgd, &fv_optimizer_momentum };
static const char KNOWN_NAMES[] = "SGD, Momentum";

static const fv_optimizer_type *find_type(const char *name)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(types); i++)
        if (strcmp(types[i]->name, name) == 0) return types[i];
    return NULL;
}

/* ---- Creation ---- */

static bool is_updated(const fv_param *p) { return p->trained && !p->frozen; }

typedef struct needs {
    size_t floats;
    int params, segments;
} needs;

static needs count_needs(const fv_params *params)
{
    needs n = { 0 };
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        if (!is_updated(p)) continue;
        n.params++;
        n.floats += p->count;
        n.segments += (int)((p->count + TASK_FLOATS - 1) / TASK_FLOATS);
    }
    return n;
}

/* Cuts the parameters into segments, and gathers these into tasks of TASK_FLOATS: neither depends
 * on the number of threads. */
static void cut(fv_optimizer *o)
{
    int segments = 0;
    size_t in_task = 0;
    float *velocity = o->velocity;
    for (int i = 0; i < fv_params_count(o->params); i++) {
        const fv_param *p = fv_params_at(o->params, i);
        if (!is_updated(p)) continue;
        if (velocity) o->slots[o->slot_count++] = (slot){ p, velocity };
        for (size_t at = 0; at < p->count; at += TASK_FLOATS) {
            const size_t left = p->count - at, count = left < TASK_FLOATS ? left : TASK_FLOATS;
            if (segments && in_task + count > TASK_FLOATS) {
                o->task_end[o->task_count++] = segments;
                in_task = 0;
            }
            in_task += count;
            o->segments[segments++] = (segment){
                p, { count, p->value + at, p->grad + at, velocity ? velocity + at : NULL }
            };
        }
        if (velocity) velocity += p->count;
    }
    if (segments) o->task_end[o->task_count++] = segments;
}

fv_status fv_optimizer_create_from(fv_optimizer **out, const fv_optimizer_type *type,
                                   const fv_optimizer_settings *settings, fv_params *params,
                                   const fv_kernels *kernels, fv_error *err)
{
    const needs n = count_needs(params);
    fv_optimizer *o = fv_alloc(sizeof(*o));
    if (!o) goto nomem;
    o->type = type;
    o->settings = *settings;
    o->params = params;
    o->kernels = kernels;
    if (!(o->segments = fv_alloc((size_t)n.segments * sizeof(*o->segments)))) goto nomem;
    if (!(o->task_end = fv_alloc((size_t)n.segments * sizeof(*o->task_end)))) goto nomem;
    if (type->keeps_velocity) {
        if (!(o->slots = fv_alloc((size_t)n.params * sizeof(*o->slots)))) goto nomem;
        if (!(o->velocity = fv_alloc(n.floats * sizeof(float)))) goto nomem;
    }
    cut(o);
    *out = o;
    return FV_OK;

nomem:
    fv_optimizer_destroy(o);
    return fv_fail(err, FV_ERR_NOMEM, "optimizer: out of memory for %zu floats of state", n.floats);
}

void fv_optimizer_destroy(fv_optimizer *optimizer)
{
    if (!optimizer) return;
    fv_free(optimizer->velocity);
    fv_free(optimizer->slots);
    fv_free(optimizer->segments);
    fv_free(optimizer->task_end);
    fv_free(optimizer);
}

/* ---- The keys ---- */

typedef struct regularizer_settings {
    int name;
    double coeff;
} regularizer_settings;

static fv_status read_regularizer(fv_optimizer_settings *settings, fv_error *err)
{
    enum { L1, L2 };
    static const char *const names[] = { "L1", "L2", NULL };
    static const fv_field fields[] = {
        FV_FIELD_ENUM(regularizer_settings, name, FV_REQUIRED, names),
        FV_FIELD_DOUBLE(regularizer_settings, coeff, 0, 0, 10),
        FV_FIELD_END,
    };
    settings->l2 = (float)settings->weight_decay;
    if (!settings->regularizer) return FV_OK;

    regularizer_settings regularizer;
    FV_TRY(fv_config_read(settings->regularizer, fields, &regularizer, err));
    if (settings->weight_decay != 0)
        fv_config_tell(settings->regularizer,
                       "both regularizer and weight_decay are given: the regularizer counts, "
                       "weight_decay %g is ignored",
                       settings->weight_decay);
    settings->l1 = regularizer.name == L1 ? (float)regularizer.coeff : 0.0f;
    settings->l2 = regularizer.name == L2 ? (float)regularizer.coeff : 0.0f;
    return FV_OK;
}

fv_status fv_optimizer_create(fv_optimizer **out, fv_config_node *map, fv_params *params,
                              const fv_kernels *kernels, fv_error *err)
{
    if (!map) return fv_fail(err, FV_ERR_CONFIG, "Optimizer: missing: give name and lr");
    if (fv_config_node_type(map) != FV_CONFIG_MAP)
        return fv_config_fail(map, err,
                              "one map with name and lr is expected, not a list or a value");
    fv_config_node *name = fv_config_child(map, "name");
    const char *text = name ? fv_config_node_text(name) : NULL;
    const fv_optimizer_type *type = find_type(text ? text : "");
    if (!name) return fv_config_fail(map, err, "name is missing, known are %s", KNOWN_NAMES);
    if (!type)
        return fv_config_fail(name, err, "unknown optimizer \"%.60s\", known are %s",
                              text ? text : "", KNOWN_NAMES);

    fv_optimizer_settings settings = { 0 };
    FV_TRY(fv_config_read(map, type->fields, &settings, err));
    FV_TRY(read_regularizer(&settings, err));
    return fv_optimizer_create_from(out, type, &settings, params, kernels, err);
}

/* ---- The step ---- */

typedef struct step {
    const fv_optimizer *optimizer;
    float rate;
} step;

static void run_task(void *ctx, int task, int worker)
{
    (void)worker;
    const step *s = ctx;
    const fv_optimizer *o = s->optimizer;
    for (int i = task ? o->task_end[task - 1] : 0; i < o->task_end[task]; i++)
        if (!o->segments[i].param->frozen)
            o->type->update(&o->settings, o->kernels, &o->segments[i].piece, s->rate);
}

void fv_optimizer_step(fv_optimizer *optimizer, double rate)
{
    step s = { optimizer, (float)rate };
    fv_parallel_for(optimizer->task_count, run_task, &s);
    fv_params_touch(optimizer->params);
}

/* ---- The state ---- */

int fv_optimizer_slot_count(const fv_optimizer *optimizer) { return optimizer->slot_count; }

fv_optimizer_slot fv_optimizer_slot_at(const fv_optimizer *optimizer, int i)
{
    const slot *s = &optimizer->slots[i];
    fv_optimizer_slot out = { .count = s->param->count, .data = s->velocity };
    snprintf(out.name, sizeof(out.name), "velocity/%s", s->param->name);
    return out;
}

const char *fv_optimizer_name(const fv_optimizer *optimizer) { return optimizer->type->name; }
