/* SPDX-License-Identifier: Apache-2.0 */
/* The pass of planning that says how gradients flow. */
#include "autograd/plan_impl.h"

/* Backward runs the steps from the last to the first. Per channel of every tensor in memory we note
 * whether its gradient has been written: the first writer overwrites, later ones add. A step whose
 * output's gradient nobody wrote does not go backward. Where views are involved a range may be
 * written in part: then the rest is cleared first. */

typedef struct flow {
    fv_plan *p;
    bool **written; /* per tensor id of a root: [channels] */
    bool *param_written;
} flow;

typedef enum coverage { NOTHING, SOME, ALL } coverage;

static coverage covered(const flow *f, const fv_tensor *root, int first, int count)
{
    int written = 0;
    for (int c = first; c < first + count; c++) written += f->written[root->id][c];
    return written == 0 ? NOTHING : written == count ? ALL : SOME;
}

static bool clear_rest(const flow *f, int step, fv_tensor *root, int first, int count)
{
    bool *written = f->written[root->id];
    for (int c = first; c < first + count; c++) {
        if (written[c]) continue;
        int end = c;
        while (end < first + count && !written[end]) written[end++] = true;
        fv_clear *clear = fv_arena_alloc(&f->p->arena, sizeof(*clear));
        if (!clear || !fv_list_append(&f->p->clears, clear)) return false;
        *clear = (fv_clear){ .step = step, .root = root, .first = c, .count = end - c };
        c = end;
    }
    return true;
}

/* Notes that step i writes the gradient of its input j, and whether it adds. */
static bool write_gradient(const flow *f, int i, int j)
{
    fv_step *s = &f->p->steps[i];
    int first;
    fv_tensor *t = s->node->in[j], *root = fv_tensor_root(t, &first);
    if (root->param) {
        s->first_of_param[j] = !f->param_written[root->id];
        s->args.accumulate[j] = f->param_written[root->id];
        f->param_written[root->id] = true;
        return true;
    }
    const coverage state = covered(f, root, first, t->shape.c);
    if (state == SOME && !clear_rest(f, i, root, first, t->shape.c)) return false;
    s->args.accumulate[j] = state != NOTHING;
    for (int c = first; c < first + t->shape.c; c++) f->written[root->id][c] = true;
    return true;
}

static bool flow_step(const flow *f, int i)
{
    fv_step *s = &f->p->steps[i];
    int first;
    fv_tensor *out = s->node->out, *root = fv_tensor_root(out, &first);
    const coverage state = covered(f, root, first, out->shape.c);
    s->args.differentiated = out->needs_grad && state != NOTHING;
    if (!s->args.differentiated) return true;
    if (state == SOME && !clear_rest(f, i, root, first, out->shape.c)) return false;
    for (int j = FV_MAX_INPUTS; j-- > 0;) {
        s->args.wants_grad[j] = s->node->in[j] && s->node->in[j]->needs_grad;
        if (s->args.wants_grad[j] && !write_gradient(f, i, j)) return false;
    }
    return true;
}

/* Two tensors of one graph may stand for the same parameter. */
static int param_tensor(const fv_graph *g, const fv_param *param)
{
    for (int i = 0; i < g->tensors.count; i++)
        if (fv_graph_tensor(g, i)->param == param) return i;
    return -1;
}

static bool note_unreached(const flow *f)
{
    fv_params *params = f->p->graph->params;
    for (int i = 0; i < fv_params_count(params); i++) {
        fv_param *param = fv_params_at(params, i);
        if (!param->trained || param->frozen) continue;
        const int t = param_tensor(f->p->graph, param);
        if (t >= 0 && f->param_written[t]) continue;
        if (!fv_list_append(&f->p->unreached, param)) return false;
    }
    return true;
}

static bool run_flow(flow *f)
{
    fv_plan *p = f->p;
    for (int i = 0; i < p->graph->tensors.count; i++) {
        const fv_tensor *t = fv_graph_tensor(p->graph, i);
        if (t->base || t->param) continue;
        f->written[i] = fv_arena_alloc(&p->arena, (size_t)t->shape.c);
        if (!f->written[i]) return false;
    }
    if (!p->loss) return true;
    f->written[fv_tensor_root(p->loss, NULL)->id][0] = true;
    for (int i = p->steps_count; i-- > 0;)
        if (!flow_step(f, i)) return false;
    return note_unreached(f);
}

fv_status fv_plan_flow(fv_plan *p, fv_error *err)
{
    const size_t tensors = (size_t)p->graph->tensors.count;
    flow f = { p, fv_alloc(tensors * sizeof(bool *)), fv_alloc(tensors * sizeof(bool)) };
    const bool done = f.written && f.param_written && run_flow(&f);
    fv_free(f.written);
    fv_free(f.param_written);
    return done ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "plan: out of memory");
}
