/* SPDX-License-Identifier: Apache-2.0 */
/* A plan for one picture, run for many: each thread takes the next picture and runs the whole plan
 * for it, alone, in memory of its own. No thread waits for another before the end, and what a step
 * leaves in the cache the next one finds there. */
#include "autograd/plan_impl.h"
#include "base/clock.h"
#include "base/memory.h"

#include <string.h>

static size_t align(size_t bytes)
{
    return (bytes + FV_ALIGNMENT - 1) / FV_ALIGNMENT * FV_ALIGNMENT;
}

/* Of one picture, in the order of p->kept. */
static size_t output_bytes(const fv_plan *p, int i)
{
    const fv_tensor *t = p->kept.items[i];
    return fv_shape_floats(t->shape) * sizeof(float);
}

fv_status fv_plan_replicate(fv_plan *p, int images, fv_error *err)
{
    p->images = images;
    p->replica_bytes = align(p->bytes);
    p->outputs_at = (size_t)p->threads * p->replica_bytes;
    p->bytes = p->outputs_at;
    for (int i = 0; i < p->kept.count; i++) p->bytes += align((size_t)images * output_bytes(p, i));
    p->seconds = fv_alloc((size_t)p->threads * (size_t)p->steps_count * sizeof(double));
    return p->seconds ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "plan: out of memory");
}

fv_view fv_plan_images_value(const fv_plan *p, fv_tensor *t)
{
    size_t at = p->outputs_at;
    for (int i = 0; i < p->kept.count; i++) {
        if (p->kept.items[i] == t) {
            fv_view v = { (float *)(void *)(p->slab->memory + at), t->shape, t->shape.c };
            v.shape.n *= p->images;
            return v;
        }
        at += align((size_t)p->images * output_bytes(p, i));
    }
    return (fv_view){ .data = NULL };
}

/* Moves what the first picture finds in the memory of the first thread. */
static fv_view moved(const fv_plan *p, fv_tensor *t, fv_view v, int image, int worker)
{
    const fv_tensor *root = fv_tensor_root(t, NULL);
    if (!v.data || root->param) return v;
    if (root->is_input)
        v.data += (size_t)image * fv_shape_floats(root->shape);
    else
        v.data += (size_t)worker * (p->replica_bytes / sizeof(float));
    return v;
}

static void run_step(const fv_plan *p, int i, int image, int worker)
{
    const fv_step *s = &p->steps[i];
    const size_t offset = (size_t)worker * p->replica_bytes;
    const double start = fv_clock_seconds();
    fv_op_args a = s->args;
    a.out = moved(p, s->node->out, a.out, image, worker);
    for (int j = 0; j < FV_MAX_INPUTS; j++)
        if (s->node->in[j]) a.in[j] = moved(p, s->node->in[j], a.in[j], image, worker);
    a.saved = (char *)a.saved + offset;
    a.scratch = (char *)fv_plan_buffer(p, i, FV_SCRATCH_FORWARD) + offset;
    s->node->op->forward(&a);
    p->seconds[worker * p->steps_count + i] += fv_clock_seconds() - start;
}

static void run_image(void *ctx, int image, int worker)
{
    const fv_plan *p = ctx;
    fv_threads_alone(true);
    for (int i = 0; i < p->steps_count; i++) run_step(p, i, image, worker);
    for (int i = 0; i < p->kept.count; i++) {
        fv_tensor *t = p->kept.items[i];
        const fv_view from = moved(p, t, fv_plan_resolve(p, t, FV_VALUE), image, worker);
        const fv_view all = fv_plan_images_value(p, t);
        const int pixels = fv_shape_pixels(t->shape);
        for (int k = 0; k < pixels; k++)
            memcpy(fv_pixel(all, image * pixels + k), fv_pixel(from, k),
                   (size_t)t->shape.c * sizeof(float));
    }
    fv_threads_alone(false);
}

void fv_plan_run_images(fv_plan *p) { fv_parallel_for(p->images, run_image, p); }
