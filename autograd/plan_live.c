/* SPDX-License-Identifier: Apache-2.0 */
/* The pass of planning that says how long buffers live.
 *
 * A tensor that only backward reads after its last use in forward, and whose writers all keep its
 * raw form anyway, is not kept between. If its readers can do with the raw form, that is all;
 * otherwise it is made once more, and has a second life in a buffer of its own from the first step
 * that reads it in backward. */
#include "autograd/plan_impl.h"
#include "base/memory.h"

static bool reads(const fv_step *s, int input)
{
    return s->node->in[input] && s->args.differentiated &&
           (s->needs.backward_reads & FV_READS_IN(input));
}

/* ---- What is made once more ------------------------------------------------------ */

typedef struct again {
    fv_plan *p;
    bool *written, *kept; /* per tensor id of a root */
} again;

static fv_tensor *root_of_out(const fv_step *s) { return fv_tensor_root(s->node->out, NULL); }

static void find_kept(const again *a)
{
    const fv_plan *p = a->p;
    for (int i = 0; i < p->kept.count; i++)
        a->kept[fv_tensor_root(p->kept.items[i], NULL)->id] = true;
    for (int i = 0; i < p->steps_count; i++) {
        const fv_step *s = &p->steps[i];
        const int id = root_of_out(s)->id;
        a->written[id] = true;
        if (!s->needs.keeps_raw || !s->args.differentiated) a->kept[id] = true;
    }
}

/* All writers of `root`, before step `reader` goes backward. */
static bool remake(const again *a, const fv_tensor *root, int reader)
{
    for (int i = reader; i-- > 0;) {
        if (root_of_out(&a->p->steps[i]) != root) continue;
        fv_remake *r = fv_arena_alloc(&a->p->arena, sizeof(*r));
        if (!r || !fv_list_append(&a->p->remakes, r)) return false;
        *r = (fv_remake){ reader, i };
    }
    return true;
}

/* The last step of forward that reads `root`. */
static int last_reader(const fv_plan *p, const fv_tensor *root)
{
    for (int i = p->steps_count; i-- > 0;)
        for (int j = 0; j < FV_MAX_INPUTS; j++)
            if (p->steps[i].node->in[j] && fv_tensor_root(p->steps[i].node->in[j], NULL) == root)
                return i;
    return -1;
}

/* The step that writes all of tensor t, or -1. */
static int writer_of(const fv_plan *p, fv_tensor *t)
{
    int first, start;
    const fv_tensor *root = fv_tensor_root(t, &first);
    for (int i = 0; i < p->steps_count; i++) {
        fv_tensor *out = p->steps[i].node->out;
        if (fv_tensor_root(out, &start) != root) continue;
        if (start <= first && first + t->shape.c <= start + out->shape.c) return i;
    }
    return -1;
}

/* Whether every step that reads `root` in backward can have its raw form; if `give`, it does. */
static bool have_raw(const again *a, const fv_tensor *root, bool give)
{
    for (int i = 0; i < a->p->steps_count; i++) {
        fv_step *s = &a->p->steps[i];
        for (int j = 0; j < FV_MAX_INPUTS; j++) {
            if (!reads(s, j) || fv_tensor_root(s->node->in[j], NULL) != root) continue;
            const int writer = writer_of(a->p, s->node->in[j]);
            if (!(s->needs.makes_inputs & FV_READS_IN(j)) || writer < 0) return false;
            if (give) s->raw_from[j] = writer + 1;
        }
    }
    return true;
}

static bool find_remakes(const again *a)
{
    fv_plan *p = a->p;
    for (int i = p->steps_count; i-- > 0;)
        for (int j = 0; j < FV_MAX_INPUTS; j++) {
            if (!reads(&p->steps[i], j)) continue;
            fv_tensor *root = fv_tensor_root(p->steps[i].node->in[j], NULL);
            if (!a->written[root->id] || a->kept[root->id]) continue;
            a->kept[root->id] = true; /* seen */
            /* Nothing would come between: it may as well stay. */
            if (last_reader(p, root) >= p->steps_count - 2) continue;
            if (have_raw(a, root, false))
                (void)have_raw(a, root, true);
            else if (!remake(a, root, i))
                return false;
        }
    return true;
}

static bool is_remade(const fv_plan *p, const fv_tensor *root)
{
    for (int i = 0; i < p->remakes.count; i++) {
        const fv_remake *r = p->remakes.items[i];
        if (root_of_out(&p->steps[r->writer]) == root) return true;
    }
    return false;
}

static fv_status choose_remakes(fv_plan *p, fv_error *err)
{
    const size_t tensors = (size_t)p->graph->tensors.count;
    again a = { p, fv_alloc(tensors * sizeof(bool)), fv_alloc(tensors * sizeof(bool)) };
    bool ok = a.written && a.kept;
    if (ok) {
        find_kept(&a);
        ok = find_remakes(&a);
    }
    fv_free(a.written);
    fv_free(a.kept);
    return ok ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "plan: out of memory");
}

/* ---- Live ---------------------------------------------------------------------- */

static void touch(fv_buffer *b, size_t bytes, int time)
{
    if (!bytes) return;
    if (!b->bytes) *b = (fv_buffer){ .bytes = bytes, .first = time, .last = time };
    if (time < b->first) b->first = time;
    if (time > b->last) b->last = time;
}

static void touch_tensor(const fv_plan *p, fv_tensor *t, int kind, int time)
{
    const fv_tensor *root = fv_tensor_root(t, NULL);
    if (root->param || (root->is_input && kind == FV_VALUE)) return;
    touch(fv_tensor_buffer(p, root, kind), fv_shape_floats(root->shape) * sizeof(float), time);
}

static void live_forward(const fv_plan *p, int i)
{
    const fv_step *s = &p->steps[i];
    for (int j = 0; j < FV_MAX_INPUTS; j++)
        if (s->node->in[j]) touch_tensor(p, s->node->in[j], FV_VALUE, i);
    touch_tensor(p, s->node->out, FV_VALUE, i);
    touch(fv_step_buffer(p, i, FV_SAVED), s->needs.saved, i);
    touch(fv_step_buffer(p, i, FV_SCRATCH_FORWARD), s->needs.forward_scratch, i);
}

static void live_backward(const fv_plan *p, int i)
{
    const fv_step *s = &p->steps[i];
    const int time = 2 * p->steps_count - 1 - i;
    if (!s->args.differentiated) return;
    for (int j = 0; j < FV_MAX_INPUTS; j++) {
        if (!s->node->in[j]) continue;
        if (reads(s, j) && !s->raw_from[j])
            touch_tensor(p, s->node->in[j],
                         is_remade(p, fv_tensor_root(s->node->in[j], NULL)) ? FV_AGAIN : FV_VALUE,
                         time);
        if (s->args.wants_grad[j]) touch_tensor(p, s->node->in[j], FV_GRAD, time);
    }
    if (s->needs.backward_reads & FV_READS_OUT) touch_tensor(p, s->node->out, FV_VALUE, time);
    touch_tensor(p, s->node->out, FV_GRAD, time);
    touch(fv_step_buffer(p, i, FV_SAVED), s->needs.saved, time);
    touch(fv_step_buffer(p, i, FV_SCRATCH_BACKWARD), s->needs.backward_scratch, time);
}

fv_status fv_plan_live(fv_plan *p, bool keep_memory, fv_error *err)
{
    const int end = 2 * p->steps_count;
    FV_TRY(choose_remakes(p, err));
    for (int i = 0; i < p->steps_count; i++) live_forward(p, i);
    for (int i = p->steps_count; i-- > 0;) live_backward(p, i);
    for (int i = 0; i < p->kept.count; i++) touch_tensor(p, p->kept.items[i], FV_VALUE, end);
    if (p->loss) touch_tensor(p, p->loss, FV_GRAD, p->steps_count);

    for (int i = 0; keep_memory && i < p->buffer_count; i++) {
        p->buffers[i].first = 0;
        p->buffers[i].last = end;
    }
    return FV_OK;
}
