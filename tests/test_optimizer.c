/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/cpu.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "optim/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char notice[1024]; /* the last line logged */

static void keep_notice(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    snprintf(notice, sizeof(notice), "%s", line);
}

/* A parameter of `count` floats, all 0 at first. */
static fv_param *add(fv_params *params, const char *name, int count, fv_role role)
{
    fv_param *p = NULL;
    const fv_init init = { FV_INIT_CONSTANT, 0.0f };
    assert_ok(fv_params_get(params, name, role, 1, &count, init, &p, &testing_err));
    return p;
}

static fv_params *new_params(void)
{
    fv_params *params = NULL;
    assert_ok(fv_params_create(&params, 1, &testing_err));
    return params;
}

static fv_status create(fv_optimizer **out, const char *text, fv_params *params)
{
    static fv_kernels kernels;
    fv_config *config = NULL;
    fv_kernels_init(&kernels, fv_cpu_detect());
    assert_ok(fv_config_parse(&config, "a.yaml", text, &testing_err));
    fv_config_node *map = fv_config_child(fv_config_root(config), "Optimizer");
    fv_status status = fv_optimizer_create(out, map, params, &kernels, &testing_err);
    if (status == FV_OK) status = fv_config_finish(config, &testing_err);
    fv_config_destroy(config); /* nothing of it is needed any more */
    return status;
}

/* ---- Golden values ---- */

/* The generator of the golden data: FNV-1a of the name, counted on through SplitMix64. */
static float golden(const char *name, uint64_t i)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *p = name; *p; p++) h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    uint64_t z = h + i + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (float)((double)(z >> 40) / 8388608.0 - 1.0);
}

enum { GOLDEN_COUNT = 8 };

typedef struct run {
    fv_params *params;
    fv_param *w;
    fv_optimizer *optimizer;
    double rate;
} run;

/* The map that the settings of an "opt" line are. */
static void make_map(char *text, size_t size, run *r, const char *settings)
{
    double momentum = 0, l2 = 0;
    int nesterov = 0;
    assert_int_equal(sscanf(settings, "lr=%lf momentum=%lf l2=%lf nesterov=%d", &r->rate, &momentum,
                            &l2, &nesterov),
                     4);
    if (momentum > 0)
        snprintf(text, size,
                 "Optimizer: {name: Momentum, momentum: %g, use_nesterov: %s, regularizer: "
                 "{name: L2, coeff: %g}}",
                 momentum, nesterov ? "True" : "False", l2);
    else
        snprintf(text, size, "Optimizer: {name: SGD, weight_decay: %g}", l2);
}

static void begin(run *r, const char *map)
{
    r->params = new_params();
    r->w = add(r->params, "w", GOLDEN_COUNT, FV_CONV_WEIGHT);
    for (int i = 0; i < GOLDEN_COUNT; i++) r->w->value[i] = golden("opt_w", (uint64_t)i);
    assert_ok(create(&r->optimizer, map, r->params));
}

static void end(run *r)
{
    fv_optimizer_destroy(r->optimizer);
    fv_params_destroy(r->params);
}

static void check_step(run *r, const char *id, int step, char *values)
{
    char name[32], *at = values;
    snprintf(name, sizeof(name), "opt_g%d", step - 1);
    assert_non_null(r->w);
    for (int i = 0; i < GOLDEN_COUNT; i++) r->w->grad[i] = golden(name, (uint64_t)i);
    fv_optimizer_step(r->optimizer, r->rate, 1);
    for (int i = 0; i < GOLDEN_COUNT; i++) {
        const double want = strtod(at, &at), got = (double)r->w->value[i];
        if (!(fabs(got - want) <= 1e-6))
            fail_msg("%s: step %d: w[%d] is %.9g instead of %.9g", id, step, i, got, want);
    }
}

/* A file of runs, "opt", and their steps, "opt_w". PyTorch's have a rate and the map itself. */
static void check_file(const char *path, bool torch, int count)
{
    char line[4096], map[512];
    run r = { 0 };
    int checked = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        char *rest, *kind = strtok_r(line, "\t", &rest), *id = strtok_r(NULL, "\t", &rest);
        if (strcmp(kind, "opt") == 0) {
            end(&r);
            if (torch) {
                r.rate = strtod(strtok_r(NULL, "\t", &rest), NULL);
                snprintf(map, sizeof(map), "Optimizer: %s", rest);
            } else {
                make_map(map, sizeof(map), &r, rest);
            }
            begin(&r, map);
        } else {
            assert_string_equal(kind, "opt_w");
            const char *step = strtok_r(NULL, "\t", &rest);
            check_step(&r, id, atoi(step), rest);
            checked++;
        }
    }
    end(&r);
    fclose(file);
    assert_int_equal(checked, count);
}

static void test_golden(void **state)
{
    (void)state;
    check_file("golden/optimizers.tsv", false, 25);
    check_file("golden/optimizers_torch.tsv", true, 35);
}

/* ---- What is updated, and how ---- */

static void test_l1(void **state)
{
    (void)state;
    fv_params *params = new_params();
    fv_param *w = add(params, "w", 3, FV_CONV_WEIGHT);
    fv_optimizer *o = NULL;
    assert_ok(create(&o, "Optimizer: {name: SGD, regularizer: {name: L1, coeff: 0.5}}", params));
    memcpy(w->value, (float[]){ 2.0f, -2.0f, 0.0f }, 3 * sizeof(float));
    memcpy(w->grad, (float[]){ 1.0f, 1.0f, 1.0f }, 3 * sizeof(float));
    fv_optimizer_step(o, 0.5, 1);
    assert_true(w->value[0] == 1.25f);
    assert_true(w->value[1] == -2.25f);
    assert_true(w->value[2] == -0.5f);
    fv_optimizer_destroy(o);
    fv_params_destroy(params);
}

static void test_only_trained(void **state)
{
    (void)state;
    fv_params *params = new_params();
    fv_param *w = add(params, "a.w", 5, FV_CONV_WEIGHT), *frozen = add(params, "b.w", 5, FV_BIAS);
    fv_param *mean = add(params, "a.mean", 5, FV_BN_MEAN);
    assert_int_equal(fv_params_freeze(params, "b.*", false, true), 1);
    fv_optimizer *o = NULL;
    assert_ok(create(&o, "Optimizer: {name: Momentum}", params));
    assert_string_equal(fv_optimizer_name(o), "Momentum");
    assert_int_equal(fv_optimizer_slot_count(o), 1);
    const fv_optimizer_slot slot = fv_optimizer_slot_at(o, 0);
    assert_string_equal(slot.name, "velocity/a.w");
    assert_int_equal(slot.count, 5);

    for (int i = 0; i < 5; i++) w->grad[i] = frozen->grad[i] = 1.0f;
    const uint64_t version = fv_params_version(params);
    fv_optimizer_step(o, 0.25, 1);
    assert_true(fv_params_version(params) != version);
    for (int i = 0; i < 5; i++) {
        assert_true(w->value[i] == -0.25f && slot.data[i] == 1.0f);
        assert_true(frozen->value[i] == 0.0f && mean->value[i] == 0.0f);
    }
    fv_params_freeze(params, "a.*", false, true);
    fv_optimizer_step(o, 0.25, 1);
    assert_true(w->value[0] == -0.25f);
    fv_optimizer_destroy(o);
    fv_params_destroy(params);
}

static void test_plain_sgd_keeps_nothing(void **state)
{
    (void)state;
    fv_params *params = new_params();
    fv_param *w = add(params, "w", 5000, FV_CONV_WEIGHT); /* several pieces of scratch */
    fv_optimizer *o = NULL;
    assert_ok(create(&o, "Optimizer: {name: SGD}", params));
    assert_int_equal(fv_optimizer_slot_count(o), 0);
    for (int i = 0; i < 5000; i++) w->grad[i] = (float)i;
    const size_t allocations = fv_alloc_count();
    for (int step = 0; step < 3; step++) fv_optimizer_step(o, 0.5, 1);
    assert_int_equal(fv_alloc_count(), allocations);
    for (int i = 0; i < 5000; i++) assert_true(w->value[i] == -1.5f * (float)i);
    fv_optimizer_destroy(o);
    fv_params_destroy(params);
}

/* Some small parameters, one of several tasks, and three steps on them; the values in the end. */
static void train(int threads, float *out, size_t floats)
{
    static const int counts[] = { 7, 100003, 1, 32768, 32769, 20000, 20000, 5 };
    fv_params *params = new_params();
    fv_optimizer *o = NULL;
    fv_threads_set(threads);
    for (size_t i = 0; i < FV_ARRAY_LEN(counts); i++) {
        char name[16];
        snprintf(name, sizeof(name), "w%zu", i);
        fv_param *p = add(params, name, counts[i], FV_CONV_WEIGHT);
        testing_fill(name, p->value, p->count);
    }
    assert_ok(create(
        &o, "Optimizer: {name: Momentum, momentum: 0.9, use_nesterov: true, weight_decay: 1e-4}",
        params));
    for (int step = 0; step < 3; step++) {
        for (int i = 0; i < fv_params_count(params); i++) {
            const fv_param *p = fv_params_at(params, i);
            testing_fill(p->name, p->grad, p->count);
        }
        fv_optimizer_step(o, 0.1, 1);
    }
    size_t at = 0;
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        memcpy(out + at, p->value, p->count * sizeof(float));
        at += p->count;
    }
    assert_int_equal(at, floats);
    fv_optimizer_destroy(o);
    fv_params_destroy(params);
    fv_threads_set(1);
}

static void test_threads_do_not_matter(void **state)
{
    (void)state;
    enum { FLOATS = 7 + 100003 + 1 + 32768 + 32769 + 20000 + 20000 + 5 };
    static float one[FLOATS], three[FLOATS], first[7];
    train(1, one, FLOATS);
    train(3, three, FLOATS);
    assert_memory_equal(one, three, sizeof(one));

    testing_fill("w0", first, 7);
    for (int i = 0; i < 7; i++) { /* the formula, in double */
        double w = (double)first[i], v = 0;
        for (int step = 0; step < 3; step++) {
            const double d = (double)first[i] + 1e-4 * w;
            v = 0.9 * v + d;
            w -= 0.1 * (d + 0.9 * v);
        }
        assert_true(fabs((double)one[i] - w) < 1e-6);
    }
}

/* ---- Keys ---- */

static void test_keys(void **state)
{
    (void)state;
    fv_params *params = new_params();
    fv_param *w = add(params, "w", 1, FV_CONV_WEIGHT);
    fv_optimizer *o = NULL;
    fv_log_sink(keep_notice, NULL);
    assert_ok(create(&o,
                     "Optimizer:\n  name: SGD\n  lr: {name: Constant}\n  weight_decay: 0.25\n"
                     "  regularizer: {name: 'L2', coeff: 0.5}\n",
                     params));
    assert_string_equal(notice,
                        "a.yaml:5:3: Optimizer.regularizer: both regularizer and weight_decay are "
                        "given: the regularizer counts, weight_decay 0.25 is ignored");
    w->value[0] = 1.0f;
    fv_optimizer_step(o, 1.0, 1);
    assert_true(w->value[0] == 0.5f);
    fv_optimizer_destroy(o);
    fv_params_destroy(params);
    fv_log_sink(NULL, NULL);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "Optimizer:", "Optimizer: missing: give name and lr" },
        { "Optimizer: [1]",
          "a.yaml:1:1: Optimizer: one map with name and lr is expected, not a list or a value" },
        { "Optimizer: {momentum: 0.9}",
          "a.yaml:1:1: Optimizer: name is missing, known are SGD, Momentum, Adam, AdamW, "
          "RMSProp, LARS" },
        { "Optimizer: {name: AdamWDL}", "a.yaml:1:13: Optimizer.name: unknown optimizer "
                                        "\"AdamWDL\", known are SGD, Momentum, Adam, AdamW, "
                                        "RMSProp, LARS" },
        { "Optimizer: {name: Momentum, momentun: 0.9}",
          "a.yaml:1:29: Optimizer.momentun: unknown key, did you mean \"momentum\"?" },
        { "Optimizer: {name: Momentum, momentum: 1.5}",
          "a.yaml:1:29: Optimizer.momentum: 1.5 is outside [0, 1]" },
        { "Optimizer: {name: SGD, regularizer: {name: L3, coeff: 1}}",
          "a.yaml:1:38: Optimizer.regularizer.name: expected one of L1, L2, got \"L3\", did you "
          "mean "
          "\"L1\"?" },
        { "Optimizer: {name: SGD, regularizer: {coeff: 1}}",
          "a.yaml:1:24: Optimizer.regularizer.name: must be given" },
    };
    (void)state;
    fv_params *params = new_params();
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        fv_optimizer *o = NULL;
        assert_int_equal(create(&o, cases[i].text, params), FV_ERR_CONFIG);
        assert_string_equal(testing_err.message, cases[i].message);
        assert_null(o);
    }
    fv_params_destroy(params);
}

static void test_no_memory(void **state)
{
    (void)state;
    fv_params *params = new_params();
    add(params, "w", 3, FV_CONV_WEIGHT);
    fv_config *config = NULL;
    fv_kernels kernels;
    fv_kernels_init(&kernels, FV_CPU_SCALAR);
    assert_ok(fv_config_parse(&config, "a.yaml", "{name: Momentum}", &testing_err));
    fv_status status = FV_ERR_NOMEM;
    int failures = 0;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_optimizer *o = NULL;
        fv_alloc_fail_at(n);
        status = fv_optimizer_create(&o, fv_config_root(config), params, &kernels, &testing_err);
        fv_alloc_fail_at(0);
        if (status != FV_OK) {
            failures++;
            assert_int_equal(status, FV_ERR_NOMEM);
            assert_string_equal(testing_err.message,
                                "optimizer: out of memory for 3 floats of state");
            assert_null(o);
        }
        fv_optimizer_destroy(o);
    }
    assert_int_equal(failures, 5);
    fv_config_destroy(config);
    fv_params_destroy(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_l1),
        cmocka_unit_test(test_only_trained),
        cmocka_unit_test(test_plain_sgd_keeps_nothing),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
