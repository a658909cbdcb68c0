/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/optimizer_impl.h"

#include "base/memory.h"
#include "base/threads.h"

#include <stdio.h>

/* Floats per task: some 10 microseconds of work, much more than it costs to start a task. */
enum { TASK_FLOATS = 32 * 1024 };

/* ---- Creation ---- */

static bool is_updated(const fv_param *p) { return p->trained && !p->frozen; }

static int count_states(const fv_optimizer_type *type)
{
    int count = 0;
    while (count < FV_OPTIMIZER_STATES && type->states[count]) count++;
    return count;
}

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

static void add_subjects(fv_optimizer *o)
{
    const int states = count_states(o->type);
    float *state = o->states;
    for (int i = 0; i < fv_params_count(o->params); i++) {
        const fv_param *p = fv_params_at(o->params, i);
        if (!is_updated(p)) continue;
        fv_subject *s = &o->subjects[o->subject_count++];
        *s = (fv_subject){ .param = p, .rate = 1.0f, .decay = 1.0f };
        for (int k = 0; k < states; k++, state += p->count) s->state[k] = state;
    }
}

/* Cuts the parameters into segments, and gathers these into tasks of TASK_FLOATS: neither depends
 * on the number of threads. */
static void cut(fv_optimizer *o)
{
    int segments = 0;
    size_t in_task = 0;
    for (int i = 0; i < o->subject_count; i++) {
        fv_subject *s = &o->subjects[i];
        s->first = segments;
        for (size_t at = 0; at < s->param->count; at += TASK_FLOATS) {
            const size_t left = s->param->count - at;
            const size_t count = left < TASK_FLOATS ? left : TASK_FLOATS;
            if (segments && in_task + count > TASK_FLOATS) {
                o->task_end[o->task_count++] = segments;
                in_task = 0;
            }
            in_task += count;
            o->segments[segments++] = (fv_segment){ .subject = i, .at = at, .count = count };
        }
        s->end = segments;
    }
    if (segments) o->task_end[o->task_count++] = segments;
}

fv_status fv_optimizer_create_from(fv_optimizer **out, const fv_optimizer_type *type,
                                   const fv_optimizer_settings *settings, fv_params *params,
                                   const fv_kernels *kernels, fv_error *err)
{
    const needs n = count_needs(params);
    const size_t floats = n.floats * (size_t)count_states(type);
    fv_optimizer *o = fv_alloc(sizeof(*o));
    if (!o) goto nomem;
    o->type = type;
    o->settings = *settings;
    o->params = params;
    o->kernels = kernels;
    if (!(o->subjects = fv_alloc((size_t)n.params * sizeof(*o->subjects)))) goto nomem;
    if (!(o->segments = fv_alloc((size_t)n.segments * sizeof(*o->segments)))) goto nomem;
    if (!(o->task_end = fv_alloc((size_t)n.segments * sizeof(*o->task_end)))) goto nomem;
    if (!(o->states = fv_alloc((floats + 1) * sizeof(float)))) goto nomem;
    o->steps = o->states + floats;
    add_subjects(o);
    cut(o);
    *out = o;
    return FV_OK;

nomem:
    fv_optimizer_destroy(o);
    return fv_fail(err, FV_ERR_NOMEM, "optimizer: out of memory for %zu floats of state", floats);
}

void fv_optimizer_destroy(fv_optimizer *optimizer)
{
    if (!optimizer) return;
    fv_free(optimizer->states);
    fv_free(optimizer->subjects);
    fv_free(optimizer->segments);
    fv_free(optimizer->task_end);
    fv_free(optimizer);
}

/* ---- The step ---- */

typedef struct step {
    const fv_optimizer *optimizer;
    double rate, number;
} step;

static void update(const step *s, const fv_segment *segment)
{
    const fv_optimizer *o = s->optimizer;
    const fv_subject *subject = &o->subjects[segment->subject];
    const fv_param *p = subject->param;
    if (p->frozen) return;
    fv_optimizer_piece piece = { .count = segment->count,
                                 .value = p->value + segment->at,
                                 .grad = p->grad + segment->at,
                                 .rate = (float)(s->rate * (double)subject->rate),
                                 .l1 = o->settings.l1 * subject->decay,
                                 .l2 = o->settings.l2 * subject->decay,
                                 .value_norm = subject->value_norm,
                                 .grad_norm = subject->grad_norm,
                                 .step = s->number };
    for (int k = 0; k < FV_OPTIMIZER_STATES && subject->state[k]; k++)
        piece.state[k] = subject->state[k] + segment->at;
    o->type->update(&o->settings, o->kernels, &piece);
}

static void run_task(void *ctx, int task, int worker)
{
    (void)worker;
    const step *s = ctx;
    const fv_optimizer *o = s->optimizer;
    for (int i = task ? o->task_end[task - 1] : 0; i < o->task_end[task]; i++)
        update(s, &o->segments[i]);
}

void fv_optimizer_step(fv_optimizer *optimizer, double rate, int batches)
{
    fv_optimizer_prepare(optimizer, batches);
    *optimizer->steps += 1.0f;
    step s = { optimizer, rate, (double)*optimizer->steps };
    fv_parallel_for(optimizer->task_count, run_task, &s);
    fv_params_touch(optimizer->params);
}

/* ---- The state ---- */

int fv_optimizer_slot_count(const fv_optimizer *o)
{
    return count_states(o->type) * o->subject_count + o->type->counts_steps;
}

fv_optimizer_slot fv_optimizer_slot_at(const fv_optimizer *o, int i)
{
    const int states = count_states(o->type);
    if (i == states * o->subject_count) return (fv_optimizer_slot){ "steps", 1, o->steps };
    const fv_subject *s = &o->subjects[i / states];
    fv_optimizer_slot out = { .count = s->param->count, .data = s->state[i % states] };
    snprintf(out.name, sizeof(out.name), "%s/%s", o->type->states[i % states], s->param->name);
    return out;
}

const char *fv_optimizer_name(const fv_optimizer *optimizer) { return optimizer->type->name; }
