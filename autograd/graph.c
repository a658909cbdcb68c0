/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/graph.h"

#include "autograd/graph_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool failed(const fv_graph *g) { return g->error.status != FV_OK; }

/* Records the first error, with the scope in front. Always returns NULL. */
FV_PRINTF(3, 4)
static void *sticky(fv_graph *g, fv_status status, const char *format, ...)
{
    if (failed(g)) return NULL;
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fv_fail(&g->error, status, "%s%s%s", g->scope, *g->scope ? ": " : "", text);
    return NULL;
}

fv_status fv_graph_create(fv_graph **out, fv_params *params, fv_mode mode, fv_error *err)
{
    fv_graph *g = fv_alloc(sizeof(*g));
    if (!g) return fv_fail(err, FV_ERR_NOMEM, "graph: out of memory");
    fv_arena_init(&g->arena);
    g->params = params;
    g->mode = mode;
    g->scope = "";
    *out = g;
    return FV_OK;
}

void fv_graph_destroy(fv_graph *g)
{
    if (!g) return;
    fv_list_deinit(&g->nodes);
    fv_list_deinit(&g->tensors);
    fv_arena_deinit(&g->arena);
    fv_free(g);
}

fv_status fv_graph_check(const fv_graph *g, fv_error *err)
{
    if (failed(g) && err) *err = g->error;
    return g->error.status;
}

void fv_graph_skip_dropout(fv_graph *g) { g->skip_dropout = true; }

fv_mode fv_graph_mode(const fv_graph *g) { return g->mode; }
fv_params *fv_graph_params(fv_graph *g) { return g->params; }
fv_shape fv_tensor_shape(const fv_tensor *t) { return t ? t->shape : (fv_shape){ 0 }; }

fv_tensor *fv_graph_fail(fv_graph *g, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return sticky(g, FV_ERR_SHAPE, "%s", text);
}

/* ---- Summaries --------------------------------------------------------------- */

void fv_node_inputs(const fv_node *n, fv_op_input in[FV_MAX_INPUTS])
{
    for (int i = 0; i < FV_MAX_INPUTS; i++)
        in[i] = n->in[i] ? (fv_op_input){ n->in[i]->shape, n->in[i]->param } : (fv_op_input){ 0 };
}

fv_node_info fv_node_describe(const fv_node *n)
{
    fv_op_input in[FV_MAX_INPUTS];
    fv_node_inputs(n, in);
    fv_node_info info = { .scope = n->scope, .op = n->op->name, .out = n->out->shape };
    info.in = in[0].shape;
    for (int i = 0; i < FV_MAX_INPUTS; i++)
        if (in[i].param && in[i].param->trained) info.params += in[i].param->count;
    if (n->op->macs) info.macs = n->op->macs(in, n->attr, n->out->shape);
    return info;
}

int fv_graph_node_count(const fv_graph *g) { return g->nodes.count; }
fv_node_info fv_graph_node_info(const fv_graph *g, int i)
{
    return fv_node_describe(fv_graph_node(g, i));
}

/* ---- Scopes ------------------------------------------------------------------ */

void fv_scope_push(fv_graph *g, const char *name)
{
    assert(g->depth < (int)FV_ARRAY_LEN(g->scope_stack));
    g->scope_stack[g->depth++] = g->scope;
    const char *joined = fv_arena_join(&g->arena, g->scope, ".", name);
    if (joined)
        g->scope = joined;
    else
        sticky(g, FV_ERR_NOMEM, "out of memory");
}

void fv_scope_pushf(fv_graph *g, const char *format, ...)
{
    char name[64];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    fv_scope_push(g, name);
}

void fv_scope_pop(fv_graph *g)
{
    assert(g->depth > 0);
    g->scope = g->scope_stack[--g->depth];
}

/* ---- Tensors and nodes ------------------------------------------------------- */

static fv_tensor *new_tensor(fv_graph *g, fv_shape shape)
{
    fv_tensor *t = fv_arena_alloc(&g->arena, sizeof(*t));
    if (!t || !fv_list_append(&g->tensors, t)) return sticky(g, FV_ERR_NOMEM, "out of memory");
    t->id = g->tensors.count - 1;
    t->shape = shape;
    return t;
}

fv_tensor *fv_input(fv_graph *g, fv_shape shape)
{
    if (failed(g)) return NULL;
    fv_tensor *t = new_tensor(g, shape);
    if (t) t->is_input = true;
    return t;
}

fv_tensor *fv_param_tensor(fv_graph *g, const char *name, fv_role role, int rank, const int *dims,
                           fv_init init)
{
    if (failed(g)) return NULL;
    const char *full = fv_arena_join(&g->arena, g->scope, ".", name);
    fv_tensor *t = new_tensor(g, (fv_shape){ 1, 1, 1, 0 });
    if (!full || !t) return sticky(g, FV_ERR_NOMEM, "out of memory");

    if (fv_params_get(g->params, full, role, rank, dims, init, &t->param, &g->error) != FV_OK)
        return NULL;
    t->shape.c = (int)t->param->count;
    t->needs_grad = t->param->trained && !t->param->frozen && g->mode == FV_TRAIN;
    return t;
}

fv_tensor *fv_graph_apply(fv_graph *g, const fv_op *op, int count, fv_tensor *const in[],
                          const void *attr)
{
    if (failed(g)) return NULL;
    fv_node *node = fv_arena_alloc(&g->arena, sizeof(*node));
    void *copy = fv_arena_alloc(&g->arena, op->attr_size);
    if (!node || !copy) return sticky(g, FV_ERR_NOMEM, "out of memory");
    if (op->attr_size) memcpy(copy, attr, op->attr_size);
    *node = (fv_node){ .op = op, .attr = copy, .scope = g->scope, .id = g->nodes.count };

    bool needs_grad = false;
    for (int i = 0; i < count; i++) {
        node->in[i] = in[i];
        needs_grad |= in[i] && in[i]->needs_grad;
    }
    fv_op_input inputs[FV_MAX_INPUTS];
    fv_node_inputs(node, inputs);

    fv_error why;
    fv_shape shape;
    const fv_status status = op->infer(inputs, attr, &shape, &why);
    if (status != FV_OK) return sticky(g, status, "%s: %s", op->name, why.message);

    node->out = new_tensor(g, shape);
    if (!node->out || !fv_list_append(&g->nodes, node))
        return sticky(g, FV_ERR_NOMEM, "out of memory");
    node->out->needs_grad = needs_grad && op->backward;
    return node->out;
}

/* ---- Views ------------------------------------------------------------------- */

fv_tensor *fv_tensor_root(fv_tensor *t, int *channel)
{
    int first = 0;
    for (; t->base; t = t->base) first += t->channel;
    if (channel) *channel = first;
    return t;
}

static void make_view(fv_tensor *t, fv_tensor *base, int channel)
{
    t->base = base;
    t->channel = channel;
    base->is_viewed = true;
}

fv_tensor *fv_slice(fv_graph *g, fv_tensor *x, int first, int count)
{
    if (failed(g)) return NULL;
    if (first < 0 || count < 1 || first + count > x->shape.c)
        return sticky(g, FV_ERR_SHAPE, "slice: channels [%d, %d) of %d", first, first + count,
                      x->shape.c);

    fv_tensor *t = new_tensor(g, x->shape);
    if (!t) return NULL;
    t->shape.c = count;
    t->needs_grad = x->needs_grad;
    make_view(t, x, first);
    return t;
}

fv_tensor *fv_detach(fv_graph *g, fv_tensor *x)
{
    fv_tensor *t = fv_slice(g, x, 0, fv_tensor_shape(x).c);
    if (t) t->needs_grad = false;
    return t;
}

fv_tensor *fv_concat(fv_graph *g, int count, fv_tensor *const parts[])
{
    if (failed(g)) return NULL;
    assert(count > 0);
    fv_shape shape = parts[0]->shape;
    shape.c = 0;
    for (int i = 0; i < count; i++) {
        const fv_shape s = parts[i]->shape;
        if (s.n != shape.n || s.h != shape.h || s.w != shape.w)
            return sticky(g, FV_ERR_SHAPE, "concat: part %d is %dx%dx%d, part 0 is %dx%dx%d", i,
                          s.n, s.h, s.w, shape.n, shape.h, shape.w);
        shape.c += s.c;
    }

    fv_tensor *out = new_tensor(g, shape);
    for (int i = 0, channel = 0; out && i < count; i++) {
        fv_tensor *part = parts[i];
        if (part->base || part->param || part->is_input) part = fv_copy(g, part);
        if (!part) return NULL;
        make_view(part, out, channel);
        channel += part->shape.c;
        out->needs_grad |= part->needs_grad;
    }
    return out;
}
