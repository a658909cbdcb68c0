/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients on the way to the update: averaged, clipped, measured. Clipping is Paddle's:
 *
 *     ClipGradByValue       g = min(max(g, min), max)
 *     ClipGradByNorm        g *= norm / max(norm, |g|), one parameter at a time
 *     ClipGradByGlobalNorm  the same with |g| over all parameters
 */
#include "optim/optimizer_impl.h"

#include "base/threads.h"

#include <math.h>

/* ---- Norms ---- */

/* In double: a parameter may have millions of numbers. */
static double sum_squares(const float *x, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}

static void measure_task(void *ctx, int task, int worker)
{
    (void)worker;
    const fv_optimizer *o = ctx;
    for (int i = task ? o->task_end[task - 1] : 0; i < o->task_end[task]; i++) {
        fv_segment *s = &o->segments[i];
        const fv_param *p = o->subjects[s->subject].param;
        s->grad_squares = sum_squares(p->grad + s->at, s->count);
        if (o->type->wants_norms) s->value_squares = sum_squares(p->value + s->at, s->count);
    }
}

static void measure(fv_optimizer *o)
{
    fv_parallel_for(o->task_count, measure_task, o);
    for (int i = 0; i < o->subject_count; i++) {
        fv_subject *s = &o->subjects[i];
        double values = 0.0, grads = 0.0;
        for (int k = s->first; k < s->end; k++) {
            values += o->segments[k].value_squares;
            grads += o->segments[k].grad_squares;
        }
        s->value_norm = sqrt(values);
        s->grad_norm = sqrt(grads);
    }
}

/* ---- Averaging and clipping ---- */

static double global_norm(const fv_optimizer *o)
{
    double squares = 0.0;
    for (int i = 0; i < o->subject_count; i++)
        if (!o->subjects[i].param->frozen)
            squares += o->subjects[i].grad_norm * o->subjects[i].grad_norm;
    return sqrt(squares);
}

/* What each parameter's gradient is multiplied by. */
static void set_factors(fv_optimizer *o, double average)
{
    const fv_clip *clip = &o->settings.clipping;
    const bool global = clip->kind == FV_CLIP_GLOBAL_NORM;
    if (global || clip->kind == FV_CLIP_NORM) measure(o);
    const double all = global ? global_norm(o) : 0.0;
    for (int i = 0; i < o->subject_count; i++) {
        fv_subject *s = &o->subjects[i];
        double factor = average;
        if (global || clip->kind == FV_CLIP_NORM)
            factor *= clip->norm / fmax(clip->norm, average * (global ? all : s->grad_norm));
        s->factor = (float)factor;
    }
}

static void apply_task(void *ctx, int task, int worker)
{
    (void)worker;
    const fv_optimizer *o = ctx;
    const fv_clip *clip = &o->settings.clipping;
    for (int i = task ? o->task_end[task - 1] : 0; i < o->task_end[task]; i++) {
        const fv_segment *s = &o->segments[i];
        const fv_subject *subject = &o->subjects[s->subject];
        const float factor = subject->factor;
        float *grad = subject->param->grad + s->at;
        for (size_t k = 0; k < s->count; k++) grad[k] *= factor;
        if (clip->kind != FV_CLIP_VALUE) continue;
        const float low = (float)clip->min, high = (float)clip->max;
        for (size_t k = 0; k < s->count; k++)
            grad[k] = grad[k] < low ? low : grad[k] > high ? high : grad[k];
    }
}

void fv_optimizer_prepare(fv_optimizer *o, int batches)
{
    if (batches > 1 || o->settings.clipping.kind != FV_CLIP_NONE) {
        set_factors(o, 1.0 / (double)batches);
        fv_parallel_for(o->task_count, apply_task, o);
    }
    if (o->type->wants_norms) measure(o);
}
