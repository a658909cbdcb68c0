/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/plan.h"

#include "autograd/plan_impl.h"
#include "base/clock.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ---- Slab ----------------------------------------------------------------------- */

fv_status fv_slab_create(fv_slab **out, fv_error *err)
{
    fv_slab *s = fv_alloc(sizeof(*s));
    if (!s) return fv_fail(err, FV_ERR_NOMEM, "slab: out of memory");
    *out = s;
    return FV_OK;
}

void fv_slab_destroy(fv_slab *slab)
{
    if (!slab) return;
    fv_packs_destroy(&slab->packs);
    fv_free(slab->memory);
    fv_free(slab);
}

size_t fv_slab_bytes(const fv_slab *slab) { return slab->bytes; }

static fv_status grow(fv_slab *slab, size_t bytes, fv_error *err)
{
    if (bytes <= slab->bytes) return FV_OK;
    /* The old one is given back first: nothing in it survives, and both may not fit. */
    fv_free(slab->memory);
    slab->bytes = 0;
    slab->generation++;
    slab->memory = fv_alloc(bytes);
    if (!slab->memory)
        return fv_fail(err, FV_ERR_NOMEM,
                       "plan: %.1f MiB of memory for activations are not to be had; use a smaller "
                       "batch or picture",
                       (double)bytes / 0x1p20);
    slab->bytes = bytes;
    return FV_OK;
}

/* ---- Prune ------------------------------------------------------------------------ */

/* The plan's own copies of the nodes, in order. */
static fv_status copy_nodes(fv_plan *p, fv_error *err)
{
    for (int i = 0; i < p->graph->nodes.count; i++) {
        const fv_node *from = fv_graph_node(p->graph, i);
        fv_node *n = fv_arena_alloc(&p->arena, sizeof(*n));
        void *attr = fv_arena_alloc(&p->arena, from->op->attr_size);
        if (!n || !attr || !fv_list_append(&p->nodes, n))
            return fv_fail(err, FV_ERR_NOMEM, "plan: out of memory");
        *n = *from;
        if (from->op->attr_size) memcpy(attr, from->attr, from->op->attr_size);
        n->attr = attr;
    }
    return FV_OK;
}

/* Drops nodes whose result nobody needs; a tensor in memory is needed as a whole. */
static fv_status prune(fv_plan *p, fv_error *err)
{
    bool *needed = fv_alloc((size_t)p->graph->tensors.count);
    if (!needed) return fv_fail(err, FV_ERR_NOMEM, "plan: out of memory");
    for (int i = 0; i < p->kept.count; i++)
        needed[fv_tensor_root(p->kept.items[i], NULL)->id] = true;
    int first = p->nodes.count;
    for (int i = p->nodes.count; i-- > 0;) {
        fv_node *n = p->nodes.items[i];
        if (!needed[fv_tensor_root(n->out, NULL)->id]) continue;
        for (int j = 0; j < FV_MAX_INPUTS; j++)
            if (n->in[j]) needed[fv_tensor_root(n->in[j], NULL)->id] = true;
        p->nodes.items[--first] = n;
    }
    p->nodes.count -= first;
    memmove(p->nodes.items, p->nodes.items + first, (size_t)p->nodes.count * sizeof(void *));
    fv_free(needed);
    return FV_OK;
}

/* ---- Measure ---------------------------------------------------------------------- */

static fv_status make_steps(fv_plan *p, uint64_t seed, fv_error *err)
{
    p->steps_count = p->nodes.count;
    p->steps = fv_alloc((size_t)p->steps_count * sizeof(*p->steps));
    p->buffer_count = p->graph->tensors.count * FV_PER_TENSOR + p->steps_count * FV_PER_STEP;
    p->buffers = fv_alloc((size_t)p->buffer_count * sizeof(*p->buffers));
    p->fed = fv_alloc((size_t)p->graph->tensors.count * sizeof(*p->fed));
    if (!p->steps || !p->buffers || !p->fed) goto nomem;
    for (int i = 0; i < p->steps_count; i++) {
        fv_step *s = &p->steps[i];
        char label[64];
        s->node = p->nodes.items[i];
        fv_node_label(s->node, label, sizeof(label));
        s->label = fv_arena_join(&p->arena, "", "", label);
        if (!s->label) goto nomem;
        s->args = (fv_op_args){ .kernels = p->kernels,
                                .attr = s->node->attr,
                                .mode = p->graph->mode,
                                .seed = seed,
                                .node = (uint64_t)s->node->id };
        s->args.out.shape = s->node->out->shape;
        for (int j = 0; j < FV_MAX_INPUTS; j++) {
            if (!s->node->in[j]) continue;
            s->args.in[j].shape = s->node->in[j]->shape;
            s->args.params[j] = s->node->in[j]->param;
        }
    }
    return FV_OK;

nomem:
    return fv_fail(err, FV_ERR_NOMEM, "plan: out of memory");
}

static fv_status note_pack(fv_plan *p, fv_pack *pack, fv_error *err)
{
    for (int i = 0; i < p->packs.count; i++)
        if (p->packs.items[i] == pack) return FV_OK;
    return fv_list_append(&p->packs, pack) ? FV_OK
                                           : fv_fail(err, FV_ERR_NOMEM, "plan: out of memory");
}

static fv_status measure(fv_plan *p, fv_error *err)
{
    for (int i = 0; i < p->steps_count; i++) {
        fv_step *s = &p->steps[i];
        if (!s->node->op->measure) continue;
        s->node->op->measure(&s->args, &s->needs);
        for (int k = 0; k < s->needs.pack_count; k++) {
            fv_pack *pack;
            FV_TRY(fv_pack_find(&p->slab->packs, p->kernels, &s->needs.packs[k], &pack, err));
            FV_TRY(note_pack(p, pack, err));
            s->args.packs[k] = pack;
        }
    }
    return FV_OK;
}

/* ---- Resolve ---------------------------------------------------------------------- */

fv_view fv_plan_resolve(const fv_plan *p, fv_tensor *t, int kind)
{
    int channel;
    fv_tensor *root = fv_tensor_root(t, &channel);
    fv_view v = { .shape = t->shape, .pixel_stride = root->shape.c };
    const fv_buffer *b = fv_tensor_buffer(p, root, kind);
    if (root->param && kind != FV_AGAIN)
        v.data = kind == FV_VALUE ? root->param->value : root->param->grad;
    else if (root->is_input && kind == FV_VALUE)
        v.data = (float *)(uintptr_t)p->fed[root->id]; /* read only, as all inputs are */
    else if (b->bytes)
        v.data = (float *)(void *)(p->slab->memory + b->offset);
    if (v.data) v.data += channel;
    return v;
}

void *fv_plan_buffer(const fv_plan *p, int step, int kind)
{
    return p->slab->memory + fv_step_buffer(p, step, kind)->offset;
}

/* The channels of the step's raw output that are tensor t. */
static fv_raw raw_part(const fv_step *writer, fv_tensor *t)
{
    int first, start;
    (void)fv_tensor_root(t, &first);
    (void)fv_tensor_root(writer->node->out, &start);
    fv_raw raw = writer->node->op->raw(&writer->args);
    raw.y.data += first - start;
    raw.y.shape.c = t->shape.c;
    raw.scale += first - start;
    raw.shift += first - start;
    return raw;
}

/* What backward reads instead of inputs that are not kept. */
static void resolve_again(fv_plan *p)
{
    for (int i = 0; i < p->steps_count; i++) {
        fv_step *s = &p->steps[i];
        s->args.raw = s->raw;
        for (int j = 0; j < FV_MAX_INPUTS; j++) {
            fv_tensor *t = s->node->in[j];
            if (!t) continue;
            s->again[j] = fv_plan_resolve(p, t, FV_AGAIN);
            if (s->raw_from[j]) s->raw[j] = raw_part(&p->steps[s->raw_from[j] - 1], t);
        }
    }
}

static void resolve(fv_plan *p)
{
    for (int i = 0; i < p->steps_count; i++) {
        fv_step *s = &p->steps[i];
        fv_op_args *a = &s->args;
        a->out = fv_plan_resolve(p, s->node->out, FV_VALUE);
        a->saved = fv_plan_buffer(p, i, FV_SAVED);
        if (a->differentiated) a->grad_out = fv_plan_resolve(p, s->node->out, FV_GRAD);
        for (int j = 0; j < FV_MAX_INPUTS; j++) {
            if (!s->node->in[j]) continue;
            a->in[j] = fv_plan_resolve(p, s->node->in[j], FV_VALUE);
            if (a->wants_grad[j]) a->grad_in[j] = fv_plan_resolve(p, s->node->in[j], FV_GRAD);
        }
    }
    resolve_again(p);
    for (int i = 0; i < p->clears.count; i++) {
        fv_clear *c = p->clears.items[i];
        c->view = fv_plan_resolve(p, c->root, FV_GRAD);
        c->view.data += c->first;
        c->view.shape.c = c->count;
    }
    p->slab_generation = p->slab->generation;
}

/* ---- Life ------------------------------------------------------------------------- */

static fv_status keep(fv_plan *p, const fv_plan_options *o, fv_error *err)
{
    bool ok = !o->loss || fv_list_append(&p->kept, o->loss);
    for (int i = 0; ok && i < o->output_count; i++) ok = fv_list_append(&p->kept, o->outputs[i]);
    return ok ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "plan: out of memory");
}

static fv_status prepare(fv_plan *p, const fv_plan_options *o, fv_error *err)
{
    FV_TRY(keep(p, o, err));
    FV_TRY(copy_nodes(p, err));
    FV_TRY(prune(p, err));
    if (!o->keep_operators)
        FV_TRY(fv_graph_fuse(p->graph, &p->nodes, (fv_tensor *const *)p->kept.items, p->kept.count,
                             err));
    FV_TRY(make_steps(p, o->seed, err));
    FV_TRY(fv_plan_flow(p, err));
    fv_threads_alone(o->images > 1);
    const fv_status measured = measure(p, err);
    fv_threads_alone(false);
    FV_TRY(measured);
    FV_TRY(fv_plan_live(p, o->keep_memory, err));
    FV_TRY(fv_layout(p->buffers, p->buffer_count, &p->bytes, err));
    if (o->images > 1) FV_TRY(fv_plan_replicate(p, o->images, err));
    FV_TRY(grow(p->slab, p->bytes, err));
    resolve(p);
    return FV_OK;
}

fv_status fv_plan_create(fv_plan **out, fv_graph *graph, const fv_kernels *kernels, fv_slab *slab,
                         const fv_plan_options *options, fv_error *err)
{
    FV_TRY(fv_graph_check(graph, err));
    fv_plan *p = fv_alloc(sizeof(*p));
    if (!p) return fv_fail(err, FV_ERR_NOMEM, "plan: out of memory");
    p->graph = graph;
    p->kernels = kernels;
    p->slab = slab;
    p->loss = options->loss;
    p->threads = fv_threads_count();
    fv_arena_init(&p->arena);
    const fv_status status = prepare(p, options, err);
    if (status != FV_OK) {
        fv_plan_destroy(p);
        return status;
    }
    *out = p;
    return FV_OK;
}

void fv_plan_destroy(fv_plan *p)
{
    if (!p) return;
    fv_list_deinit(&p->nodes);
    fv_list_deinit(&p->clears);
    fv_list_deinit(&p->remakes);
    fv_list_deinit(&p->unreached);
    fv_list_deinit(&p->packs);
    fv_list_deinit(&p->kept);
    fv_free(p->steps);
    fv_free(p->buffers);
    fv_free(p->fed);
    fv_free(p->seconds);
    fv_arena_deinit(&p->arena);
    fv_free(p);
}

/* ---- Replay ----------------------------------------------------------------------- */

void fv_plan_feed(fv_plan *plan, fv_tensor *input, const float *data)
{
    plan->fed[input->id] = data;
    for (int i = 0; i < plan->steps_count; i++) {
        fv_step *s = &plan->steps[i];
        for (int j = 0; j < FV_MAX_INPUTS; j++)
            if (s->node->in[j] && fv_tensor_root(s->node->in[j], NULL) == input)
                s->args.in[j] = fv_plan_resolve(plan, s->node->in[j], FV_VALUE);
    }
}

void fv_plan_set_step(fv_plan *plan, uint64_t step)
{
    for (int i = 0; i < plan->steps_count; i++) plan->steps[i].args.step = step;
}

static void begin(fv_plan *p)
{
    assert(fv_threads_count() <= p->threads);
    if (p->slab_generation != p->slab->generation) resolve(p);
    const uint64_t version = fv_params_version(p->graph->params);
    for (int i = 0; i < p->packs.count; i++)
        fv_pack_refresh(p->packs.items[i], p->kernels, version);
}

static void step_forward(fv_plan *p, int i)
{
    fv_step *s = &p->steps[i];
    const double start = fv_clock_seconds();
    s->args.scratch = fv_plan_buffer(p, i, FV_SCRATCH_FORWARD);
    s->node->op->forward(&s->args);
    s->forward_seconds += fv_clock_seconds() - start;
}

void fv_plan_forward(fv_plan *p)
{
    begin(p);
    if (p->images) {
        fv_plan_run_images(p);
        return;
    }
    for (int i = 0; i < p->steps_count; i++) step_forward(p, i);
}

static void clear_view(fv_view v)
{
    for (int i = 0; i < fv_shape_pixels(v.shape); i++)
        memset(fv_pixel(v, i), 0, (size_t)v.shape.c * sizeof(float));
}

typedef struct making {
    const fv_plan *p;
    fv_raw raw;
    fv_view out;
    int per_task;
} making;

static void make_task(void *ctx, int task, int worker)
{
    (void)worker;
    const making *m = ctx;
    const int first = task * m->per_task, pixels = fv_shape_pixels(m->out.shape);
    const fv_norm job = { .pixels = fv_min(m->per_task, pixels - first),
                          .channels = m->out.shape.c,
                          .y = fv_pixel(m->raw.y, first),
                          .y_stride = m->raw.y.pixel_stride,
                          .scale = m->raw.scale,
                          .shift = m->raw.shift,
                          .act = m->raw.act,
                          .out = fv_pixel(m->out, first),
                          .out_stride = m->out.pixel_stride };
    m->p->kernels->norm_apply(&job);
}

/* The output of step i once more. */
static void remake(fv_plan *p, int i)
{
    fv_step *s = &p->steps[i];
    const double start = fv_clock_seconds();
    making m = { p, s->node->op->raw(&s->args), fv_plan_resolve(p, s->node->out, FV_AGAIN), 0 };
    const int pixels = fv_shape_pixels(m.out.shape);
    m.per_task = fv_rows_per_task(pixels, 2 * (size_t)m.out.shape.c);
    fv_parallel_for(fv_ceil_div(pixels, m.per_task), make_task, &m);
    s->backward_seconds += fv_clock_seconds() - start;
}

static void step_backward(fv_plan *p, int i, bool accumulate)
{
    fv_step *s = &p->steps[i];
    const double start = fv_clock_seconds();
    fv_op_args a = s->args;
    for (int j = 0; j < FV_MAX_INPUTS; j++) {
        if (s->first_of_param[j]) a.accumulate[j] = accumulate;
        if (s->again[j].data) a.in[j] = s->again[j];
    }
    a.scratch = fv_plan_buffer(p, i, FV_SCRATCH_BACKWARD);
    s->node->op->backward(&a);
    s->backward_seconds += fv_clock_seconds() - start;
}

void fv_plan_backward(fv_plan *p, bool accumulate)
{
    assert(p->loss);
    fv_plan_resolve(p, p->loss, FV_GRAD).data[0] = 1.0f;
    for (int i = 0; !accumulate && i < p->unreached.count; i++) {
        const fv_param *param = p->unreached.items[i];
        memset(param->grad, 0, param->count * sizeof(float));
    }
    int clear = 0, again = 0;
    for (int i = p->steps_count; i-- > 0;) {
        for (; again < p->remakes.count && ((fv_remake *)p->remakes.items[again])->reader == i;
             again++)
            remake(p, ((fv_remake *)p->remakes.items[again])->writer);
        for (; clear < p->clears.count && ((fv_clear *)p->clears.items[clear])->step == i; clear++)
            clear_view(((fv_clear *)p->clears.items[clear])->view);
        if (p->steps[i].args.differentiated) step_backward(p, i, accumulate);
    }
}

static bool is_finite(fv_view v)
{
    for (int i = 0; i < fv_shape_pixels(v.shape); i++)
        for (int c = 0; c < v.shape.c; c++)
            if (!isfinite(fv_pixel(v, i)[c])) return false;
    return true;
}

const char *fv_plan_find_nonfinite(fv_plan *p)
{
    begin(p);
    for (int i = 0; i < p->steps_count; i++) {
        step_forward(p, i);
        if (!is_finite(p->steps[i].args.out)) return p->steps[i].node->scope;
    }
    return NULL;
}

/* ---- Questions ---------------------------------------------------------------------- */

fv_view fv_plan_value(const fv_plan *plan, fv_tensor *t)
{
    return plan->images ? fv_plan_images_value(plan, t) : fv_plan_resolve(plan, t, FV_VALUE);
}

fv_view fv_plan_gradient(const fv_plan *p, fv_tensor *t) { return fv_plan_resolve(p, t, FV_GRAD); }

int fv_plan_node_count(const fv_plan *plan) { return plan->steps_count; }

fv_node_info fv_plan_node_info(const fv_plan *plan, int i)
{
    fv_node_info info = fv_node_describe(plan->steps[i].node);
    info.op = plan->steps[i].label;
    return info;
}

void fv_plan_node_seconds(const fv_plan *plan, int i, double *forward, double *backward)
{
    *forward = plan->steps[i].forward_seconds;
    *backward = plan->steps[i].backward_seconds;
    for (int t = 0; plan->images && t < plan->threads; t++)
        *forward += plan->seconds[t * plan->steps_count + i] / plan->threads;
}

size_t fv_plan_bytes(const fv_plan *plan) { return plan->bytes; }

size_t fv_plan_bytes_apart(const fv_plan *plan)
{
    size_t total = 0;
    for (int i = 0; i < plan->buffer_count; i++) total += plan->buffers[i].bytes;
    return total;
}

size_t fv_plan_bytes_copied(const fv_plan *plan)
{
    size_t total = 0;
    for (int i = 0; i < plan->steps_count; i++)
        if (strcmp(plan->steps[i].label, "copy") == 0)
            total += fv_shape_floats(plan->steps[i].node->out->shape) * sizeof(float);
    return total;
}
