/* SPDX-License-Identifier: Apache-2.0 */
/* What the nodes of a plan have to do: the numerators of GFLOP/s and GB/s. */
#include "autograd/ops/conv2d.h"
#include "autograd/plan_impl.h"

#include <stdio.h>

static uint64_t bytes_of(fv_shape s) { return fv_shape_floats(s) * sizeof(float); }

static uint64_t images_of(const fv_plan *p) { return p->images ? (uint64_t)p->images : 1; }

/* ---- Kind ------------------------------------------------------------------------ */

static const char *way_of(const fv_step *s, const int *dims)
{
    const fv_pack_kind pack = s->needs.packs[0].kind;
    if (pack == FV_PACK_WINOGRAD) return "winograd";
    if (pack == FV_PACK_DEPTHWISE) return "depthwise";
    return dims[1] < s->args.in[FV_IN_X].shape.c ? "grouped" : "conv";
}

static void name_kind(const fv_step *s, fv_node_work *out)
{
    if (s->node->op != &fv_op_conv2d) {
        snprintf(out->kind, sizeof(out->kind), "%s", s->node->op->name);
        return;
    }
    const int *dims = s->args.params[FV_IN_WEIGHT]->dims;
    snprintf(out->kind, sizeof(out->kind), "%s %dx%d", way_of(s, dims), dims[2], dims[3]);
}

/* ---- Bytes ----------------------------------------------------------------------- */

/* The bytes of input j, of all images; a parameter's are the same for all. */
static uint64_t input_bytes(const fv_plan *p, const fv_step *s, int j)
{
    const fv_tensor *t = s->node->in[j];
    return t ? bytes_of(t->shape) * (t->param ? 1 : images_of(p)) : 0;
}

static uint64_t forward_bytes(const fv_plan *p, const fv_step *s)
{
    uint64_t bytes = images_of(p) * (bytes_of(s->node->out->shape) + s->needs.saved);
    for (int j = 0; j < FV_MAX_INPUTS; j++) bytes += input_bytes(p, s, j);
    return bytes;
}

/* A gradient that is added to is read, too. */
static uint64_t backward_bytes(const fv_plan *p, const fv_step *s)
{
    const uint64_t out = bytes_of(s->node->out->shape);
    uint64_t bytes = out + s->needs.saved;
    if (s->needs.backward_reads & FV_READS_OUT) bytes += out;
    for (int j = 0; j < FV_MAX_INPUTS; j++) {
        const uint64_t one = input_bytes(p, s, j);
        if (s->needs.backward_reads & FV_READS_IN(j)) bytes += one;
        if (s->args.wants_grad[j]) bytes += s->args.accumulate[j] ? 2 * one : one;
    }
    return bytes;
}

/* Making the output once more, from what was saved. */
static uint64_t remake_bytes(const fv_plan *p, int i)
{
    const fv_step *s = &p->steps[i];
    uint64_t bytes = 0;
    for (int k = 0; k < p->remakes.count; k++)
        if (((const fv_remake *)p->remakes.items[k])->writer == i)
            bytes += bytes_of(s->node->out->shape) + s->needs.saved;
    return bytes;
}

/* ---- Both ------------------------------------------------------------------------ */

fv_node_work fv_plan_node_work(const fv_plan *plan, int i)
{
    const fv_step *s = &plan->steps[i];
    const uint64_t macs = fv_node_describe(s->node).macs;
    fv_node_work w = { .out = s->node->out->shape };
    name_kind(s, &w);
    w.out.n *= (int)images_of(plan);
    w.forward = (fv_pass_work){ images_of(plan) * macs, forward_bytes(plan, s) };
    if (!s->args.differentiated) return w;
    /* What counts multiply-adds has the input first, then the weights; the gradient of either is a
     * product as large as forward's. */
    const uint64_t products = (uint64_t)s->args.wants_grad[0] + (uint64_t)s->args.wants_grad[1];
    w.backward.macs = products * macs;
    w.backward.bytes = backward_bytes(plan, s) + remake_bytes(plan, i);
    return w;
}
