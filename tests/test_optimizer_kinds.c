/* SPDX-License-Identifier: Apache-2.0 */
/* Every optimizer, its decay, its clipping and its groups, beside the definition written again here
 * in double. */
#include "testing.h"

#include "base/cpu.h"
#include "base/log.h"
#include "base/threads.h"
#include "optim/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Two matrices, of which one takes several tasks, and two vectors. */
enum { PARAMS = 4, STEPS = 6, LARGEST = 70001 };
static const struct {
    const char *name;
    int rank, count;
    fv_role role;
} shapes[PARAMS] = {
    { "conv1.weight", 2, LARGEST, FV_CONV_WEIGHT },
    { "conv1.bn.weight", 1, 33, FV_BN_WEIGHT },
    { "out.weight", 2, 700, FV_LINEAR_WEIGHT },
    { "out.bias", 1, 7, FV_BIAS },
};

static fv_params *new_params(void)
{
    fv_params *params = NULL;
    assert_ok(fv_params_create(&params, 1, &testing_err));
    for (int i = 0; i < PARAMS; i++) {
        fv_param *p = NULL;
        const int dims[2] = { shapes[i].count, 1 };
        const fv_init init = { FV_INIT_CONSTANT, 0.0f };
        assert_ok(fv_params_get(params, shapes[i].name, shapes[i].role, shapes[i].rank, dims, init,
                                &p, &testing_err));
        testing_fill(p->name, p->value, p->count);
    }
    return params;
}

static fv_status create(fv_optimizer **out, const char *text, fv_params *params)
{
    static fv_kernels kernels;
    fv_config *config = NULL;
    fv_kernels_init(&kernels, fv_cpu_detect());
    assert_ok(fv_config_parse(&config, "a.yaml", text, &testing_err));
    const fv_status status =
        fv_optimizer_create(out, fv_config_root(config), params, &kernels, &testing_err);
    fv_config_destroy(config);
    return status;
}

/* The sum over `batches` batches of the gradients of a step. */
static void fill_gradients(fv_params *params, int step, int batches)
{
    for (int i = 0; i < PARAMS; i++) {
        char name[64];
        fv_param *p = fv_params_at(params, i);
        snprintf(name, sizeof(name), "g%d %s", step, p->name);
        testing_fill(name, p->grad, p->count);
        for (size_t k = 0; k < p->count; k++) p->grad[k] *= (float)batches;
    }
}

/* ---- The definitions ---- */

typedef struct definition {
    const char *settings; /* the Optimizer map */
    double rate;
    int batches; /* gradients are sums over so many; 0: 1 */
    /* of one parameter: makes w from g, and what it keeps in a and b */
    void (*update)(double *w, const double *g, double *a, double *b, int count, int step,
                   double rate, double decay);
    double decays[PARAMS]; /* 1: as usual */
    double rates[PARAMS];
    void (*clip)(double *g[PARAMS]);
} definition;

static void define_momentum(double *w, const double *g, double *v, double *unused, int count,
                            int step, double rate, double decay)
{
    (void)unused, (void)step;
    for (int i = 0; i < count; i++) {
        v[i] = 0.9 * v[i] + g[i] + 0.1 * decay * w[i];
        w[i] -= rate * v[i];
    }
}

static void define_l1(double *w, const double *g, double *m, double *s, int count, int step,
                      double rate, double decay)
{
    for (int i = 0; i < count; i++) { /* Adam */
        const double d = g[i] + 0.01 * decay * (w[i] > 0 ? 1.0 : w[i] < 0 ? -1.0 : 0.0);
        m[i] = 0.9 * m[i] + (1 - 0.9) * d;
        s[i] = 0.999 * s[i] + (1 - 0.999) * d * d;
        w[i] -= rate * (m[i] / (1 - pow(0.9, step))) / (sqrt(s[i] / (1 - pow(0.999, step))) + 1e-8);
    }
}

static void define_adam(double *w, const double *g, double *m, double *s, int count, int step,
                        double rate, double decay)
{
    for (int i = 0; i < count; i++) {
        const double d = g[i] + 0.1 * decay * w[i];
        m[i] = 0.8 * m[i] + (1 - 0.8) * d;
        s[i] = 0.95 * s[i] + (1 - 0.95) * d * d;
        w[i] -= rate * (m[i] / (1 - pow(0.8, step))) / (sqrt(s[i] / (1 - pow(0.95, step))) + 1e-3);
    }
}

static void define_adamw(double *w, const double *g, double *m, double *s, int count, int step,
                         double rate, double decay)
{
    for (int i = 0; i < count; i++) {
        w[i] *= 1 - rate * 0.1 * decay;
        m[i] = 0.9 * m[i] + (1 - 0.9) * g[i];
        s[i] = 0.999 * s[i] + (1 - 0.999) * g[i] * g[i];
        w[i] -= rate * (m[i] / (1 - pow(0.9, step))) / (sqrt(s[i] / (1 - pow(0.999, step))) + 1e-8);
    }
}

static void define_rms_prop(double *w, const double *g, double *s, double *v, int count, int step,
                            double rate, double decay)
{
    (void)step;
    for (int i = 0; i < count; i++) {
        const double d = g[i] + 0.1 * decay * w[i];
        s[i] = 0.95 * s[i] + 0.05 * d * d;
        v[i] = 0.5 * v[i] + rate * d / sqrt(s[i] + 1e-2);
        w[i] -= v[i];
    }
}

static double norm(const double *x, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

static void define_lars(double *w, const double *g, double *v, double *unused, int count, int step,
                        double rate, double decay)
{
    (void)unused, (void)step;
    const double l2 = 0.1 * decay, nw = norm(w, count), ng = norm(g, count);
    if (decay > 0) rate *= 0.02 * nw / (ng + l2 * nw + 1e-3);
    for (int i = 0; i < count; i++) {
        v[i] = 0.9 * v[i] + rate * (g[i] + l2 * w[i]);
        w[i] -= v[i];
    }
}

static void clip_value(double *g[PARAMS])
{
    for (int p = 0; p < PARAMS; p++)
        for (int i = 0; i < shapes[p].count; i++) g[p][i] = fmin(fmax(g[p][i], -0.25), 0.5);
}

static void clip_norm(double *g[PARAMS])
{
    for (int p = 0; p < PARAMS; p++) {
        const double n = norm(g[p], shapes[p].count);
        for (int i = 0; n > 3.0 && i < shapes[p].count; i++) g[p][i] *= 3.0 / n;
    }
}

static void clip_global(double *g[PARAMS])
{
    double all = 0;
    for (int p = 0; p < PARAMS; p++) all = hypot(all, norm(g[p], shapes[p].count));
    for (int p = 0; p < PARAMS; p++)
        for (int i = 0; i < shapes[p].count; i++) g[p][i] *= all > 2.0 ? 2.0 / all : 1.0;
}

#define ALL \
    { \
        1, 1, 1, 1 \
    }

static const definition definitions[] = {
    { "{name: Momentum, weight_decay: 0.1}", 0.05, 0, define_momentum, ALL, ALL, NULL },
    { "{name: Momentum, weight_decay: 0.1}", 0.05, 4, define_momentum, ALL, ALL, NULL },
    { "{name: Momentum, regularizer: {name: L2, coeff: 0.1}, no_weight_decay_name: .bn\t  out}",
      0.05,
      0,
      define_momentum,
      { 1, 0, 0, 0 },
      ALL,
      NULL },
    { "{name: Momentum, weight_decay: 0.1, one_dim_param_no_weight_decay: True}",
      0.05,
      0,
      define_momentum,
      { 1, 0, 1, 0 },
      ALL,
      NULL },
    { "{name: Momentum, weight_decay: 0.1, param_groups: [{params: 'out.*', lr_mult: 10}, {params: "
      "[conv1.w*, '*.bn.*'], lr_mult: 0.5, decay_mult: 0.25}]}",
      0.005,
      0,
      define_momentum,
      { 0.25, 0.25, 1, 1 },
      { 0.5, 0.5, 10, 10 },
      NULL },
    { "{name: Momentum, weight_decay: 0.1, clip: {name: ClipGradByValue, min: -0.25, max: 0.5}}",
      0.05, 0, define_momentum, ALL, ALL, clip_value },
    { "{name: Momentum, weight_decay: 0.1, clip_norm: 3}", 0.05, 3, define_momentum, ALL, ALL,
      clip_norm },
    { "{name: Momentum, weight_decay: 0.1, clip: {name: ClipGradByGlobalNorm, clip_norm: 2}}", 0.05,
      2, define_momentum, ALL, ALL, clip_global },
    { "{name: Adam, regularizer: {name: L1, coeff: 0.01}}", 0.01, 0, define_l1, ALL, ALL, NULL },
    { "{name: Adam, beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weight_decay: 0.1}", 0.01, 0,
      define_adam, ALL, ALL, NULL },
    { "{name: AdamW, weight_decay: 0.1, one_dim_param_no_weight_decay: True}",
      0.01,
      0,
      define_adamw,
      { 1, 0, 1, 0 },
      ALL,
      NULL },
    { "{name: AdamW, weight_decay: 0.1, clip_norm: 3, param_groups: [{params: '*.bias', lr_mult: "
      "2}]}",
      0.01,
      2,
      define_adamw,
      ALL,
      { 1, 1, 1, 2 },
      clip_norm },
    { "{name: RMSProp, momentum: 0.5, epsilon: 1e-2, weight_decay: 0.1}", 0.01, 0, define_rms_prop,
      ALL, ALL, NULL },
    { "{name: LARS, lars_coeff: 0.02, epsilon: 1e-3, weight_decay: 0.1}", 5.0, 0, define_lars, ALL,
      ALL, NULL },
    { "{name: LARS, lars_coeff: 0.02, epsilon: 1e-3, weight_decay: 0.1, clip_norm: 3, "
      "one_dim_param_no_weight_decay: True}",
      0.5,
      2,
      define_lars,
      { 1, 0, 1, 0 },
      ALL,
      clip_norm },
};

static void check_values(const definition *d, fv_params *params, double (*w)[LARGEST])
{
    for (int p = 0; p < PARAMS; p++)
        for (int i = 0; i < shapes[p].count; i++) {
            const double got = (double)fv_params_at(params, p)->value[i], want = w[p][i];
            if (!(fabs(got - want) <= 3e-6 * fmax(1.0, fabs(want))))
                fail_msg("%s: %s[%d] is %.9g instead of %.9g", d->settings, shapes[p].name, i, got,
                         want);
        }
}

static void check_definition(const definition *d)
{
    static double w[PARAMS][LARGEST], a[PARAMS][LARGEST], b[PARAMS][LARGEST], g[PARAMS][LARGEST];
    double *gradients[PARAMS] = { g[0], g[1], g[2], g[3] };
    const int batches = d->batches ? d->batches : 1;
    fv_params *params = new_params();
    fv_optimizer *o = NULL;
    assert_ok(create(&o, d->settings, params));
    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));
    for (int p = 0; p < PARAMS; p++)
        for (int i = 0; i < shapes[p].count; i++)
            w[p][i] = (double)fv_params_at(params, p)->value[i];

    for (int step = 1; step <= STEPS; step++) {
        fill_gradients(params, step, batches);
        for (int p = 0; p < PARAMS; p++)
            for (int i = 0; i < shapes[p].count; i++)
                g[p][i] = (double)fv_params_at(params, p)->grad[i] / batches;
        if (d->clip) d->clip(gradients);
        for (int p = 0; p < PARAMS; p++)
            d->update(w[p], g[p], a[p], b[p], shapes[p].count, step, d->rate * d->rates[p],
                      d->decays[p]);
        fv_optimizer_step(o, d->rate, batches);
    }
    check_values(d, params, w);
    fv_optimizer_destroy(o);
    fv_params_destroy(params);
}

static void test_definitions(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(definitions); i++) check_definition(&definitions[i]);
}

/* ---- Threads, and going on ---- */

static const char *const kinds[] = {
    "{name: Adam, weight_decay: 0.1, clip: {name: ClipGradByGlobalNorm, clip_norm: 1}}",
    "{name: AdamW, weight_decay: 0.1, clip_norm: 1}",
    "{name: RMSProp, momentum: 0.9}",
    "{name: LARS, weight_decay: 0.1}",
    "{name: Momentum, clip: {name: ClipGradByValue, max: 0.1}}",
};

static void train(fv_params *params, fv_optimizer *o, int first, int last)
{
    for (int step = first; step <= last; step++) {
        fill_gradients(params, step, 2);
        fv_optimizer_step(o, 0.01, 2);
    }
}

static void assert_same(fv_params *a, fv_params *b)
{
    for (int i = 0; i < PARAMS; i++)
        assert_memory_equal(fv_params_at(a, i)->value, fv_params_at(b, i)->value,
                            fv_params_at(a, i)->count * sizeof(float));
}

/* Values and slots, copied in the middle, go on to the same bits with other threads. */
static void test_going_on(void **state)
{
    (void)state;
    for (size_t k = 0; k < FV_ARRAY_LEN(kinds); k++) {
        fv_params *a = new_params(), *b = new_params();
        fv_optimizer *x = NULL, *y = NULL;
        assert_ok(create(&x, kinds[k], a));
        assert_ok(create(&y, kinds[k], b));
        train(a, x, 1, 3);
        for (int i = 0; i < PARAMS; i++)
            memcpy(fv_params_at(b, i)->value, fv_params_at(a, i)->value,
                   fv_params_at(a, i)->count * sizeof(float));
        assert_int_equal(fv_optimizer_slot_count(x), fv_optimizer_slot_count(y));
        for (int i = 0; i < fv_optimizer_slot_count(x); i++) {
            const fv_optimizer_slot from = fv_optimizer_slot_at(x, i);
            memcpy(fv_optimizer_slot_at(y, i).data, from.data, from.count * sizeof(float));
        }
        train(a, x, 4, 6);
        fv_threads_set(3);
        train(b, y, 4, 6);
        fv_threads_set(1);
        assert_same(a, b);
        fv_optimizer_destroy(x);
        fv_optimizer_destroy(y);
        fv_params_destroy(a);
        fv_params_destroy(b);
    }
}

static void test_slots(void **state)
{
    static const char *const names[] = { "moment1/conv1.weight",
                                         "moment2/conv1.weight",
                                         "moment1/conv1.bn.weight",
                                         "moment2/conv1.bn.weight",
                                         "moment1/out.bias",
                                         "moment2/out.bias",
                                         "steps" };
    (void)state;
    fv_params *params = new_params();
    fv_optimizer *o = NULL;
    assert_int_equal(fv_params_freeze(params, "out.weight", false, true), 1);
    assert_ok(create(&o, "{name: AdamW}", params));
    assert_int_equal(fv_optimizer_slot_count(o), FV_ARRAY_LEN(names));
    for (int i = 0; i < (int)FV_ARRAY_LEN(names); i++)
        assert_string_equal(fv_optimizer_slot_at(o, i).name, names[i]);
    assert_int_equal(fv_optimizer_slot_at(o, 3).count, 33);
    train(params, o, 1, 2);
    assert_true(fv_optimizer_slot_at(o, 6).data[0] == 2.0f);
    assert_int_equal(fv_optimizer_slot_at(o, 6).count, 1);
    fv_optimizer_destroy(o);
    fv_params_destroy(params);
}

/* What is frozen has no part in the norm of all gradients. */
static void test_frozen_are_not_clipped(void **state)
{
    (void)state;
    fv_params *params = new_params();
    fv_optimizer *o = NULL;
    assert_int_equal(fv_params_freeze(params, "[co]*.weight", false, true), 3);
    assert_ok(create(&o, "{name: SGD, clip: {name: ClipGradByGlobalNorm, clip_norm: 1}}", params));
    fill_gradients(params, 1, 1);
    fv_param *bias = fv_params_find(params, "out.bias");
    for (int i = 0; i < 7; i++) bias->grad[i] = i == 3 ? 2.0f : 0.0f;
    const float before = bias->value[3];
    fv_optimizer_step(o, 1.0, 1);
    assert_true(fabsf(bias->value[3] - (before - 1.0f)) < 1e-6f);
    fv_optimizer_destroy(o);
    fv_params_destroy(params);
}

/* ---- Keys ---- */

static char notice[1024]; /* the last line logged */

static void keep_notice(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    snprintf(notice, sizeof(notice), "%s", line);
}

static void test_words(void **state)
{
    (void)state;
    char text[400];
    fv_params *params = new_params();
    fv_optimizer *o = NULL;
    fv_log_sink(keep_notice, NULL);
    assert_ok(create(&o, "{name: SGD, no_weight_decay_name: 'bn  nothing '}", params));
    assert_string_equal(notice, "Optimizer.no_weight_decay_name: no trained parameter has "
                                "\"nothing\" in its name");
    fv_log_sink(NULL, NULL);
    fv_optimizer_destroy(o);
    snprintf(text, sizeof(text), "{name: SGD, no_weight_decay_name: %0300d}", 1);
    assert_int_equal(create(&o, text, params), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, "Optimizer.no_weight_decay_name: a word of 300 "
                                             "letters, above 255: blanks part the words");
    fv_params_destroy(params);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "{name: AdamW, regularizer: {name: L2, coeff: 0.1}}",
          "a.yaml:1:15: regularizer: AdamW decays weights apart from their gradients: give "
          "weight_decay" },
        { "{name: LARS, regularizer: {name: L1, coeff: 0.1}}",
          "a.yaml:1:14: regularizer: LARS knows only L2" },
        { "{name: Adam, momentum: 0.9}", "a.yaml:1:14: momentum: unknown key" },
        { "{name: SGD, clip_norm: 1, clip: {name: ClipGradByNorm, clip_norm: 1}}",
          "a.yaml:1:27: clip: clip_norm is given too: it means ClipGradByNorm, keep one of them" },
        { "{name: SGD, clip: {name: ClipGradByNorm}}", "a.yaml:1:13: clip: clip_norm is missing" },
        { "{name: SGD, clip: {name: ClipGradByValue}}",
          "a.yaml:1:13: clip: ClipGradByValue needs max" },
        { "{name: SGD, clip: {name: ClipGradByValue, max: -1}}",
          "a.yaml:1:43: clip.max: -1 is below 0: give min too" },
        { "{name: SGD, clip: {name: ClipGradByValue, max: 1, min: 2}}",
          "a.yaml:1:51: clip.min: 2 is above max, 1" },
        { "{name: SGD, clip: {name: ClipGradByValue, max: 1, clip_norm: 2}}",
          "a.yaml:1:51: clip.clip_norm: ClipGradByValue takes min and max" },
        { "{name: SGD, clip: {name: ClipGradByGlobalNorm, clip_norm: 1, max: 1}}",
          "a.yaml:1:62: clip.max: is for ClipGradByValue alone" },
        { "{name: SGD, clip: {name: ClipGradByGlobalNorm, clip_norm: -1}}",
          "a.yaml:1:48: clip.clip_norm: -1 is outside [1e-12, 1e+12]" },
        { "{name: SGD, param_groups: {params: out.*}}",
          "a.yaml:1:13: param_groups: must be a list, e.g. [{params: \"out.*\", lr_mult: 10}]" },
        { "{name: SGD, param_groups: [out.*]}",
          "a.yaml:1:28: param_groups.0: must be a map, e.g. {params: \"out.*\", lr_mult: 10}" },
        { "{name: SGD, param_groups: [{lr_mult: 2}]}",
          "a.yaml:1:28: param_groups.0.params: must be given" },
        { "{name: SGD, param_groups: [{params: [], lr_mult: 2}]}",
          "a.yaml:1:29: param_groups.0.params: must be a pattern of names or a list of them" },
        { "{name: SGD, param_groups: [{params: [[a]], lr_mult: 2}]}",
          "a.yaml:1:38: param_groups.0.params.0: must be a pattern of names" },
        { "{name: SGD, param_groups: [{params: nothing}]}",
          "a.yaml:1:29: param_groups.0.params: no trained parameter matches \"nothing\": \"fovea "
          "info MODEL\" lists them" },
        { "{name: SGD, param_groups: [{params: 'out.*'}, {params: ['conv1.w*', '*.bias']}]}",
          "a.yaml:1:47: param_groups.1: out.bias is named by a.yaml:1:28: param_groups.0 too" },
        { "{name: SGD, param_groups: [{params: conv1.bn.weight}]}",
          "a.yaml:1:29: param_groups.0.params: what matches \"conv1.bn.weight\" is frozen by "
          "Global.freeze" },
    };
    (void)state;
    fv_params *params = new_params();
    fv_params_freeze(params, "conv1.bn.*", false, true);
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        fv_optimizer *o = NULL;
        assert_int_equal(create(&o, cases[i].text, params), FV_ERR_CONFIG);
        assert_string_equal(testing_err.message, cases[i].message);
        assert_null(o);
    }
    fv_params_destroy(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definitions), cmocka_unit_test(test_going_on),
        cmocka_unit_test(test_slots),       cmocka_unit_test(test_frozen_are_not_clipped),
        cmocka_unit_test(test_words),       cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
