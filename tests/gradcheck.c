/* SPDX-License-Identifier: Apache-2.0 */
#include "gradcheck.h"

#include "autograd/plan_impl.h"
#include "base/cpu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Central differences are wrong by O(step^2) in f and by rounding / step: in float,
 * 1e-2 balances the two, and leaves about three digits. */
static const float STEP = 1e-2f;
static const double TOLERANCE = 4e-3;

enum { GAP = 3 }; /* channels before and after a tensor that is a view */

typedef struct run {
    const gradcheck *check;
    char name[96];
    bool as_views;
    fv_params *params;
    fv_graph *graph;
    fv_slab *slab;
    fv_plan *plan;
    fv_kernels kernels;
    fv_tensor *root[GRADCHECK_MAX], *in[GRADCHECK_MAX], *out, *loss;
    float *data[GRADCHECK_MAX]; /* of the roots */
    float *direction;
} run;

/* ---- A scalar: L = sum of direction * y ------------------------------------------- */

static fv_status probe_infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)in, (void)attr, (void)err;
    *out = (fv_shape){ 1, 1, 1, 1 };
    return FV_OK;
}

static void probe_forward(const fv_op_args *a) { (void)a; /* the checks add up in double */ }

static void probe_backward(const fv_op_args *a)
{
    const float *direction = *(float *const *)a->attr;
    const fv_view dy = a->grad_in[0];
    for (int p = 0; p < fv_shape_pixels(dy.shape); p++)
        for (int c = 0; c < dy.shape.c; c++) fv_pixel(dy, p)[c] = *direction++;
}

static const fv_op probe = { .name = "probe",
                             .attr_size = sizeof(float *),
                             .infer = probe_infer,
                             .forward = probe_forward,
                             .backward = probe_backward };

/* ---- Set-up ------------------------------------------------------------------------- */

static bool is_picture(fv_shape s) { return fv_shape_pixels(s) > 1; }

static void make_input(run *r, int i)
{
    fv_shape s = r->check->in[i];
    if (!s.c) return;
    const bool view = r->as_views && is_picture(s) && i == 0;
    if (view) s.c += 2 * GAP;
    r->root[i] = fv_input(r->graph, s);
    r->root[i]->needs_grad = !r->check->constant[i];
    r->in[i] = view ? fv_slice(r->graph, r->root[i], GAP, s.c - 2 * GAP) : r->root[i];
    r->data[i] = calloc(fv_shape_floats(s), sizeof(float));
    assert_non_null(r->data[i]);
}

/* In the views run the result is written into the middle of a concatenation. */
static void make_output(run *r)
{
    fv_tensor *y = r->check->build(r->graph, r->in, r->check->ctx);
    assert_ok(fv_graph_check(r->graph, &testing_err));
    const fv_shape s = fv_tensor_shape(y);
    if (r->as_views && is_picture(s)) {
        const fv_shape pad = { s.n, s.h, s.w, GAP };
        fv_tensor *left = fv_input(r->graph, pad), *right = fv_input(r->graph, pad);
        fv_tensor *all = fv_concat(r->graph, 3, (fv_tensor *[]){ left, y, right });
        y = fv_slice(r->graph, all, GAP, s.c);
    }
    r->out = y;
    r->direction = calloc(fv_shape_floats(s), sizeof(float));
    assert_non_null(r->direction);
    testing_fill("direction", r->direction, fv_shape_floats(s));
    r->loss = fv_graph_apply(r->graph, &probe, 1, &y, &r->direction);
}

static float away_from_kinks(const gradcheck *check, float x)
{
    for (int k = 0; k < check->kink_count; k++)
        if (fabsf(x - check->kinks[k]) < 2 * STEP) return check->kinks[k] + 3 * STEP;
    return x;
}

static void fill_inputs(run *r)
{
    const gradcheck *check = r->check;
    for (int i = 0; i < GRADCHECK_MAX; i++) {
        if (!r->root[i]) continue;
        const size_t count = fv_shape_floats(r->root[i]->shape);
        testing_fill(i ? "in1" : "in0", r->data[i], count);
        for (size_t k = 0; k < count; k++) {
            float *x = &r->data[i][k];
            if (check->spread) *x = 0.1f * (float)(k * 7919 % count) - 2.0f;
            if (check->kink_count) *x = away_from_kinks(check, 8.0f * *x);
            if (check->labels && i == 1) *x = (float)(k * 3 % (size_t)check->in[0].c);
        }
        fv_plan_feed(r->plan, r->root[i], r->data[i]);
    }
    for (int i = 0; i < fv_params_count(r->params); i++) {
        fv_param *p = fv_params_at(r->params, i);
        testing_fill(p->name, p->value, p->count);
        for (size_t k = 0; p->role == FV_BN_VAR && k < p->count; k++) p->value[k] += 2.0f;
    }
    fv_params_touch(r->params);
}

/* The sides of the concatenation in the views run. */
static void feed_rest(run *r, const float *zeros)
{
    for (int i = 0; i < r->graph->tensors.count; i++) {
        fv_tensor *t = fv_graph_tensor(r->graph, i);
        if (t->is_input && t != r->root[0] && t != r->root[1]) fv_plan_feed(r->plan, t, zeros);
    }
}

/* ---- Checks -------------------------------------------------------------------------- */

static double evaluate(run *r)
{
    fv_plan_forward(r->plan);
    const fv_view y = fv_plan_value(r->plan, r->out);
    double f = 0.0;
    const float *direction = r->direction;
    for (int p = 0; p < fv_shape_pixels(y.shape); p++)
        for (int c = 0; c < y.shape.c; c++) f += (double)*direction++ * (double)fv_pixel(y, p)[c];
    return f;
}

static void check_forward(run *r)
{
    if (!r->check->reference) return;
    fv_view in[GRADCHECK_MAX] = { { 0 } };
    for (int i = 0; i < GRADCHECK_MAX; i++)
        if (r->in[i]) in[i] = fv_plan_value(r->plan, r->in[i]);
    evaluate(r);
    const fv_view y = fv_plan_value(r->plan, r->out);
    fv_view expected = { .shape = y.shape, .pixel_stride = y.shape.c };
    expected.data = calloc(fv_shape_floats(y.shape), sizeof(float));
    assert_non_null(expected.data);
    r->check->reference(in, r->params, r->check->ctx, expected);
    for (int p = 0; p < fv_shape_pixels(y.shape); p++)
        for (int c = 0; c < y.shape.c; c++) {
            const float e = fv_pixel(expected, p)[c], got = fv_pixel(y, p)[c];
            if (!(fabsf(got - e) <= 1e-4f * fmaxf(1.0f, fabsf(e))))
                fail_msg("%s: pixel %d, channel %d is %g, expected %g", r->name, p, c, (double)got,
                         (double)e);
        }
    free(expected.data);
}

static void compare(run *r, const char *of, int index, float *x, double exact)
{
    const float saved = *x;
    *x = saved + STEP;
    fv_params_touch(r->params);
    const double above = evaluate(r);
    *x = saved - STEP;
    fv_params_touch(r->params);
    const double below = evaluate(r);
    *x = saved;
    const double numeric = (above - below) / (2.0 * (double)STEP);
    if (!(fabs(numeric - exact) <= TOLERANCE * fmax(1.0, fabs(numeric))))
        fail_msg("%s: d/d%s[%d] is %g, differences say %g", r->name, of, index, exact, numeric);
}

static void check_input(run *r, int i)
{
    const fv_view dx = fv_plan_gradient(r->plan, r->in[i]);
    const fv_view x = fv_plan_value(r->plan, r->in[i]);
    for (int p = 0; p < fv_shape_pixels(x.shape); p++)
        for (int c = 0; c < x.shape.c; c++)
            compare(r, i ? "in1" : "in0", p * x.shape.c + c, &fv_pixel(x, p)[c],
                    (double)fv_pixel(dx, p)[c]);
}

static void check_backward(run *r)
{
    evaluate(r);
    fv_plan_backward(r->plan, false);
    for (int i = 0; i < GRADCHECK_MAX; i++)
        if (r->in[i] && !r->check->constant[i]) check_input(r, i);
    for (int i = 0; i < fv_params_count(r->params); i++) {
        const fv_param *p = fv_params_at(r->params, i);
        for (size_t k = 0; p->trained && k < p->count; k++)
            compare(r, p->name, (int)k, &p->value[k], (double)p->grad[k]);
    }
}

/* A second backward with `accumulate` doubles every parameter's gradient. */
static void check_accumulation(run *r)
{
    for (int i = 0; i < fv_params_count(r->params); i++) {
        fv_param *p = fv_params_at(r->params, i);
        if (!p->trained) continue;
        evaluate(r);
        fv_plan_backward(r->plan, false);
        const float once = p->grad[0];
        evaluate(r);
        fv_plan_backward(r->plan, true);
        if (!(fabsf(p->grad[0] - 2.0f * once) <= 1e-4f * fmaxf(1.0f, fabsf(once))))
            fail_msg("%s: %s accumulates to %g from %g", r->name, p->name, (double)p->grad[0],
                     (double)once);
    }
}

static void check_once(const char *name, const gradcheck *check, unsigned cpu, bool as_views)
{
    static const float zeros[4096];
    run r = { .check = check, .as_views = as_views };
    snprintf(r.name, sizeof(r.name), "%s, %s, %s, %s", name, check->what, fv_cpu_name(cpu),
             as_views ? "views" : "dense");
    assert_ok(fv_params_create(&r.params, 1, &testing_err));
    assert_ok(fv_graph_create(&r.graph, r.params, FV_TRAIN, &testing_err));
    assert_ok(fv_slab_create(&r.slab, &testing_err));
    for (int i = 0; i < GRADCHECK_MAX; i++) make_input(&r, i);
    make_output(&r);
    fv_kernels_init(&r.kernels, cpu);
    const fv_plan_options options = {
        .loss = r.loss, .outputs = &r.out, .output_count = 1, .keep_memory = true
    };
    assert_ok(fv_plan_create(&r.plan, r.graph, &r.kernels, r.slab, &options, &testing_err));
    feed_rest(&r, zeros);
    fill_inputs(&r);

    check_forward(&r);
    check_backward(&r);
    check_accumulation(&r);

    for (int i = 0; i < GRADCHECK_MAX; i++) free(r.data[i]);
    free(r.direction);
    fv_plan_destroy(r.plan);
    fv_slab_destroy(r.slab);
    fv_graph_destroy(r.graph);
    fv_params_destroy(r.params);
}

void gradcheck_run(const char *name, const gradcheck *checks)
{
    const unsigned cpu = fv_cpu_detect();
    for (; checks->what; checks++)
        for (int views = 0; views < 2; views++) {
            check_once(name, checks, FV_CPU_SCALAR, views);
            if (cpu & FV_CPU_AVX2) check_once(name, checks, FV_CPU_AVX2, views);
            if (cpu & FV_CPU_AVX512) check_once(name, checks, FV_CPU_AVX2 | FV_CPU_AVX512, views);
        }
}
