/* SPDX-License-Identifier: Apache-2.0 */
/* Operator fusion: rewrites of the captured list.
 *
 *   conv2d      -> batch_norm           conv2d with batch norm
 *   conv2d      -> activate             conv2d with the activation; batch_norm alike
 *   conv2d + r  (add)                   conv2d with a residual, if it has no activation yet and r
 *                                       exists before it; then a following activate as above
 *
 * A value that somebody else reads stays a value: a producer is merged into its consumer only where
 * that is its one use. The nodes are the plan's own copies: the graph still tells what was
 * captured. */
#include "autograd/graph_impl.h"
#include "autograd/ops/conv2d.h"

#include <stdio.h>

typedef struct fusion {
    fv_list *nodes;
    int *uses;          /* per tensor */
    fv_node **producer; /* per tensor; NULL: input, parameter, or view */
    int *made_at;       /* per tensor: place of the producer in the list; -1: none */
} fusion;

/* The node that makes t, if t is a value of its own that only one node reads. */
static fv_node *sole_producer(const fusion *f, const fv_tensor *t)
{
    if (!t || t->base || t->is_viewed || f->uses[t->id] != 1) return NULL;
    return f->producer[t->id];
}

/* Makes `node` yield what `consumer` did, in its own place of the list. */
static void replace_output(const fusion *f, fv_node *node, const fv_node *consumer)
{
    const int at = f->made_at[node->out->id];
    f->producer[node->out->id] = NULL;
    node->out = consumer->out;
    f->producer[node->out->id] = node;
    f->made_at[node->out->id] = at;
}

static fv_norm_attr *norm_of(fv_node *n)
{
    if (n->op == &fv_op_conv2d) return &((fv_conv2d_attr *)n->attr)->norm;
    return n->op == &fv_op_batch_norm ? n->attr : NULL;
}

static bool absorb_batch_norm(const fusion *f, const fv_node *bn)
{
    fv_node *conv = sole_producer(f, bn->in[FV_IN_X]);
    if (bn->op != &fv_op_batch_norm || !conv || conv->op != &fv_op_conv2d) return false;
    fv_norm_attr *norm = norm_of(conv);
    if (norm->act != FV_LINEAR || conv->in[FV_IN_SCALE] || conv->in[FV_IN_RESIDUAL]) return false;
    norm->bn = ((const fv_norm_attr *)bn->attr)->bn;
    for (int i = FV_IN_SCALE; i <= FV_IN_VAR; i++) conv->in[i] = bn->in[i];
    replace_output(f, conv, bn);
    return true;
}

static bool absorb_activation(const fusion *f, const fv_node *act)
{
    fv_node *n = sole_producer(f, act->in[0]);
    if (act->op != &fv_op_activate || !n || !norm_of(n) || norm_of(n)->act != FV_LINEAR)
        return false;
    norm_of(n)->act = *(const fv_activation *)act->attr;
    replace_output(f, n, act);
    return true;
}

/* Is t there before list place `at`? What it is a view of counts; a concatenation has no single
 * producer and is not taken. */
static bool made_before(const fusion *f, const fv_tensor *t, int at)
{
    for (; !f->producer[t->id]; t = t->base)
        if (!t->base) return t->is_input;
    return f->made_at[t->id] < at;
}

static bool absorb_add(const fusion *f, const fv_node *add, int side)
{
    fv_node *n = sole_producer(f, add->in[side]);
    fv_tensor *residual = add->in[1 - side];
    if (!n || !norm_of(n) || norm_of(n)->act != FV_LINEAR || n->in[FV_IN_RESIDUAL]) return false;
    if (!made_before(f, residual, f->made_at[n->out->id])) return false;
    n->in[FV_IN_RESIDUAL] = residual;
    replace_output(f, n, add);
    return true;
}

static bool absorb(const fusion *f, const fv_node *n)
{
    if (n->op == &fv_op_add && n->in[0] != n->in[1])
        return absorb_add(f, n, 1) || absorb_add(f, n, 0);
    return absorb_batch_norm(f, n) || absorb_activation(f, n);
}

static fv_status open_fusion(fusion *f, const fv_graph *g, fv_list *nodes, fv_tensor *const *kept,
                             int kept_count, fv_error *err)
{
    const size_t tensors = (size_t)g->tensors.count;
    *f = (fusion){ .nodes = nodes,
                   .uses = fv_alloc(tensors * sizeof(int)),
                   .producer = fv_alloc(tensors * sizeof(fv_node *)),
                   .made_at = fv_alloc(tensors * sizeof(int)) };
    if (!f->uses || !f->producer || !f->made_at)
        return fv_fail(err, FV_ERR_NOMEM, "fusion: out of memory");
    for (int i = 0; i < g->tensors.count; i++) f->made_at[i] = -1;
    for (int i = 0; i < nodes->count; i++) {
        fv_node *n = nodes->items[i];
        for (int j = 0; j < FV_MAX_INPUTS; j++)
            if (n->in[j]) f->uses[n->in[j]->id]++;
        f->producer[n->out->id] = n;
        f->made_at[n->out->id] = i;
    }
    for (int i = 0; i < kept_count; i++) f->uses[kept[i]->id] += 2;
    return FV_OK;
}

fv_status fv_graph_fuse(const fv_graph *g, fv_list *nodes, fv_tensor *const *kept, int kept_count,
                        fv_error *err)
{
    fusion f;
    const fv_status status = open_fusion(&f, g, nodes, kept, kept_count, err);
    if (status == FV_OK) {
        int left = 0;
        for (int i = 0; i < nodes->count; i++) {
            fv_node *n = nodes->items[i];
            if (!absorb(&f, n)) nodes->items[left++] = n;
        }
        nodes->count = left;
    }
    fv_free(f.uses);
    fv_free(f.producer);
    fv_free(f.made_at);
    return status;
}

void fv_node_label(const fv_node *n, char *label, size_t size)
{
    static const char *const activations[] = {
        [FV_LINEAR] = "", [FV_RELU] = "+relu", [FV_RELU6] = "+relu6"
    };
    const bool conv = n->op == &fv_op_conv2d, bn = n->op == &fv_op_batch_norm;
    if (!conv && !bn) {
        snprintf(label, size, "%s", n->op->name);
        return;
    }
    const fv_norm_attr *norm = conv ? &((const fv_conv2d_attr *)n->attr)->norm : n->attr;
    snprintf(label, size, "%s%s%s%s", n->op->name, conv && n->in[FV_IN_SCALE] ? "+bn" : "",
             n->in[FV_IN_RESIDUAL] ? "+add" : "", activations[norm->act]);
}
