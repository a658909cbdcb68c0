/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/log.h"
#include "base/memory.h"
#include "optim/schedule_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GOLDEN_VALUES = 40 };

static char notice[1024]; /* the last line logged */

static void keep_notice(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    snprintf(notice, sizeof(notice), "%s", line);
}

static int listen(void **state)
{
    (void)state;
    notice[0] = '\0';
    fv_log_sink(keep_notice, NULL);
    return 0;
}

/* ---- Golden values ---- */

static void read_list(fv_floats *list, char *text)
{
    for (char *rest, *item = strtok_r(text, ",", &rest); item; item = strtok_r(NULL, ",", &rest))
        list->values[list->count++] = atof(item);
}

/* One "key=value" of the golden file. */
static void read_setting(fv_schedule_settings *s, int *epochs, int *steps, char *item)
{
    char *value = strchr(item, '=');
    assert_non_null(value);
    *value++ = '\0';
    if (strcmp(item, "epochs") == 0)
        *epochs = atoi(value);
    else if (strcmp(item, "step_each_epoch") == 0)
        *steps = atoi(value);
    else if (strcmp(item, "learning_rate") == 0)
        s->learning_rate = atof(value);
    else if (strcmp(item, "warmup_epoch") == 0)
        s->warmup_epoch = atof(value);
    else if (strcmp(item, "warmup_start_lr") == 0)
        s->warmup_start_lr = atof(value);
    else if (strcmp(item, "eta_min") == 0)
        s->eta_min = atof(value);
    else if (strcmp(item, "end_lr") == 0)
        s->end_lr = atof(value);
    else if (strcmp(item, "power") == 0)
        s->power = atof(value);
    else if (strcmp(item, "cycle") == 0)
        s->cycle = atoi(value) != 0;
    else if (strcmp(item, "step_size") == 0)
        s->step_size = atof(value);
    else if (strcmp(item, "gamma") == 0)
        s->gamma = atof(value);
    else if (strcmp(item, "decay_epochs") == 0)
        read_list(&s->decay_epochs, value);
    else if (strcmp(item, "values") == 0)
        read_list(&s->values, value);
    else if (strcmp(item, "milestones") == 0)
        read_list(&s->milestones, value);
    else
        fail_msg("the golden file has a key that the test does not know: %s", item);
}

/* Fields of a line, in place; the count. */
static int split(char *line, const char *separators, char **fields, int most)
{
    int count = 0;
    for (char *rest, *f = strtok_r(line, separators, &rest); f && count < most;
         f = strtok_r(NULL, separators, &rest))
        fields[count++] = f;
    return count;
}

static fv_schedule *create_golden(char **fields, int *steps)
{
    fv_schedule *out = NULL;
    fv_schedule_settings s = { .name = fields[2], .learning_rate = -1, .power = 1 };
    s.by_epoch = strcmp(fields[3], "epoch") == 0;
    int epochs = 0;
    char *items[16];
    const int count = split(fields[4], " ", items, 16);
    for (int i = 0; i < count; i++) read_setting(&s, &epochs, steps, items[i]);
    assert_ok(fv_schedule_create_from(&out, &s, epochs, *steps, &testing_err));
    assert_string_equal(fv_schedule_name(out), fields[2]);
    return out;
}

static void check_golden(const fv_schedule *s, const char *id, bool by_epoch, int steps,
                         char *values)
{
    char *numbers[GOLDEN_VALUES];
    assert_int_equal(split(values, " \n", numbers, GOLDEN_VALUES), GOLDEN_VALUES);
    for (int k = 0; k < GOLDEN_VALUES; k++) {
        const double want = atof(numbers[k]);
        for (int j = 0; j < (by_epoch ? steps : 1); j++) {
            const double got = fv_schedule_rate(s, by_epoch ? k * steps + j : k);
            if (!(fabs(got - want) <= 1e-9))
                fail_msg("%s: rate of %d: %.12g instead of %.12g", id, k, got, want);
        }
    }
}

static void test_golden(void **state)
{
    (void)state;
    char line[8192], id[64] = "";
    fv_schedule *s = NULL;
    int steps = 0, checked = 0;
    bool by_epoch = false;
    FILE *file = fopen("golden/schedules.tsv", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        char *fields[5];
        line[strcspn(line, "\n")] = '\0';
        const int count = split(line, "\t", fields, 5);
        assert_true(count >= 3);
        if (strcmp(fields[0], "sched") == 0) {
            assert_int_equal(count, 5);
            fv_schedule_destroy(s);
            snprintf(id, sizeof(id), "%s", fields[1]);
            by_epoch = strcmp(fields[3], "epoch") == 0;
            s = create_golden(fields, &steps);
        } else {
            assert_string_equal(fields[0], "lrs");
            assert_string_equal(fields[1], id);
            check_golden(s, id, by_epoch, steps, fields[2]);
            checked++;
        }
    }
    fv_schedule_destroy(s);
    fclose(file);
    assert_int_equal(checked, 27);
}

/* ---- From YAML ---- */

static fv_status create(fv_schedule **out, fv_config **config, const char *text, int epochs)
{
    assert_ok(fv_config_parse(config, "a.yaml", text, &testing_err));
    fv_config_node *lr = fv_config_child(fv_config_root(*config), "lr");
    const fv_status status = fv_schedule_create(out, lr, epochs, 10, 96, &testing_err);
    return status == FV_OK ? fv_config_finish(*config, &testing_err) : status;
}

/* The rates of some steps of a schedule in YAML; -1 ends the list of steps. */
static void check_rates(const char *text, int epochs, const int *steps, const double *rates)
{
    fv_config *config = NULL;
    fv_schedule *s = NULL;
    assert_ok(create(&s, &config, text, epochs));
    for (int i = 0; steps[i] >= 0; i++)
        if (!(fabs(fv_schedule_rate(s, steps[i]) - rates[i]) <= 1e-12))
            fail_msg("%s: step %d: %.15g instead of %.15g", text, steps[i],
                     fv_schedule_rate(s, steps[i]), rates[i]);
    fv_schedule_destroy(s);
    fv_config_destroy(config);
}

static void test_keys(void **state)
{
    (void)state;
    check_rates("lr: {name: Cosine, learning_rate: 0.4, eta_min: 0.2}", 4, (int[]){ 0, 20, 40, -1 },
                (double[]){ 0.4, 0.3, 0.2 });
    check_rates("lr: {name: Cosine, learning_rate: 0.4, by_epoch: True, warmup_epoch: 2, "
                "warmup_start_lr: 1e-1, last_epoch: -1}",
                4, (int[]){ 9, 19, 20, 39, -1 }, (double[]){ 0.1, 0.25, 0.4, 0.2 });
    check_rates("lr: {learning_rate: 0.25}", 4, (int[]){ 0, 1000, -1 }, (double[]){ 0.25, 0.25 });
    check_rates("lr: {name: ConstLR, learning_rate: 1.0/4}", 4, (int[]){ 7, -1 },
                (double[]){ 0.25 });
    check_rates("lr: {name: Polynomial, learning_rate: 0.4, power: 2, end_lr: 0, cycle: False}", 4,
                (int[]){ 0, 20, 40, 50, -1 }, (double[]){ 0.4, 0.1, 0, 0 });
    check_rates("lr: {name: Step, learning_rate: 0.4, step_size: 2, gamma: 0.5}", 4,
                (int[]){ 19, 20, 40, -1 }, (double[]){ 0.4, 0.2, 0.1 });
    check_rates("lr: {name: MultiStepDecay, learning_rate: 0.4, milestones: [1, 3], gamma: 0.5}", 4,
                (int[]){ 9, 10, 30, -1 }, (double[]){ 0.4, 0.2, 0.1 });
    check_rates("lr: {name: Piecewise, decay_epochs: [1, 3], values: [3, 2, 1]}", 4,
                (int[]){ 9, 10, 29, 30, -1 }, (double[]){ 3, 2, 2, 1 });
    assert_string_equal(notice, "");
}

static void test_notices(void **state)
{
    (void)state;
    check_rates("lr: {name: Piecewise, learning_rate: 0.1, decay_epochs: [3], values: [1, 2]}", 60,
                (int[]){ 0, 299, 300, 599, 900, -1 }, (double[]){ 0.1, 0.1, 0.01, 0.01, 0.01 });
    assert_string_equal(notice,
                        "a.yaml:1:23: lr.learning_rate: given, so decay_epochs and values do not "
                        "count: the rate is 0.1, divided by 10 every 30 epochs; remove "
                        "learning_rate to use the lists");
    check_rates("lr: {name: Constant, learning_rate: 0.1, epochs: 7}", 4, (int[]){ 5, -1 },
                (double[]){ 0.1 });
    assert_string_equal(notice, "a.yaml:1:42: lr.epochs: ignored, Global.epochs counts");
    check_rates("lr: {name: Cosine, learning_rate: 1, warmup_epoch: 5}", 4, (int[]){ 20, 40, -1 },
                (double[]){ 0.5, 1 });
    assert_string_equal(notice, "a.yaml:1:38: lr.warmup_epoch: 5 is more than the 4 epochs of the "
                                "run: 4 is used");
}

/* Settings are read once to be checked and once to be used. */
static void test_told_once(void **state)
{
    (void)state;
    fv_config *config = NULL;
    fv_schedule *first = NULL, *second = NULL;
    assert_ok(create(&first, &config, "lr: {learning_rate: 1, warmup_epoch: 5}", 4));
    assert_string_not_equal(notice, "");
    notice[0] = '\0';
    fv_config_node *lr = fv_config_child(fv_config_root(config), "lr");
    assert_ok(fv_schedule_create(&second, lr, 4, 20, 0, &testing_err));
    assert_string_equal(notice, "");
    fv_schedule_destroy(first);
    fv_schedule_destroy(second);
    fv_config_destroy(config);
}

/* For batches of 64 a rate is written that a step of 96 pictures takes half again as large. */
static void test_scaled_by_the_batch(void **state)
{
    (void)state;
    static const int steps[] = { 0, 5, 10, 15, -1 };
    check_rates("lr: {name: Linear, learning_rate: 0.5, end_lr: 0.25, warmup_epoch: 1, "
                "warmup_start_lr: 0.125, base_batch_size: 64}",
                3, steps, (double[]){ 0.1875, 0.46875, 0.75, 0.65625 });
    assert_string_equal(notice,
                        "a.yaml:1:95: lr.base_batch_size: the rates are for batches of 64 pictures "
                        "and a step has 96: all are multiplied by 1.5, 0.5 becomes 0.75");
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "lr:", "Optimizer.lr: missing: give name and learning_rate" },
        { "lr: 0.1", "a.yaml:1:1: lr: a map with name and learning_rate is expected" },
        { "lr: {name: Cosin, learning_rate: 1}",
          "a.yaml:1:6: lr.name: unknown schedule \"Cosin\", did you mean \"Cosine\"?" },
        { "lr: {name: Sawtooth, learning_rate: 1}",
          "a.yaml:1:6: lr.name: unknown schedule \"Sawtooth\", known are Constant, ConstLR, "
          "Cosine, "
          "Linear, Polynomial, Step, Piecewise, MultiStepDecay" },
        { "lr: {name: [1], learning_rate: 1}",
          "a.yaml:1:6: lr.name: unknown schedule \"\", known are Constant, ConstLR, Cosine, "
          "Linear, Polynomial, Step, Piecewise, MultiStepDecay" },
        { "lr: {name: Cosine}", "a.yaml:1:1: lr: learning_rate: missing: Cosine needs it" },
        { "lr: {name: Cosine, learning_rate: -1}",
          "a.yaml:1:20: lr.learning_rate: -1 is outside [0, 1000]" },
        { "lr: {name: Cosine, learning_rate: 1, etamin: 0}",
          "a.yaml:1:38: lr.etamin: unknown key, did you mean \"eta_min\"?" },
        { "lr: {name: Cosine, learning_rate: 1, last_epoch: 3}",
          "a.yaml:1:38: lr.last_epoch: 3 is outside [-1, -1]" },
        { "lr: {name: Step, learning_rate: 1}",
          "a.yaml:1:1: lr: step_size: missing: give the epochs between decays" },
        { "lr: {name: Step, learning_rate: 1, step_size: 0.01}",
          "a.yaml:1:1: lr: step_size: 0.01 epochs of 10 steps are less than one step: make it "
          "larger" },
        { "lr: {name: MultiStepDecay, learning_rate: 1}",
          "a.yaml:1:1: lr: milestones: missing: give the epochs of the decays" },
        { "lr: {name: MultiStepDecay, learning_rate: 1, milestones: [3, 2]}",
          "a.yaml:1:1: lr: milestones: 2 after 3: give the epochs in ascending order" },
        { "lr: {name: Piecewise, decay_epochs: [1, 2], values: [1, 2]}",
          "a.yaml:1:1: lr: values: 2 rates for 2 decay_epochs: give one rate more than epochs" },
        { "lr: {name: Constant, learning_rate: 1, warmup_epoch: 1, warmup_start_lr: 2}",
          "a.yaml:1:1: lr: warmup_start_lr: 2 is above 1, where the warm-up ends: start lower" },
    };
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        fv_config *config = NULL;
        fv_schedule *s = NULL;
        assert_int_equal(create(&s, &config, cases[i].text, 4), FV_ERR_CONFIG);
        assert_string_equal(testing_err.message, cases[i].message);
        assert_null(s);
        fv_config_destroy(config);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    fv_schedule *s = NULL;
    const fv_schedule_settings settings = { .name = "Constant", .learning_rate = 1 };
    fv_alloc_fail_at(1);
    assert_int_equal(fv_schedule_create_from(&s, &settings, 1, 1, &testing_err), FV_ERR_NOMEM);
    assert_string_equal(testing_err.message, "learning rate: out of memory");
    assert_null(s);
    fv_schedule_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_golden, listen),
        cmocka_unit_test_setup(test_keys, listen),
        cmocka_unit_test_setup(test_notices, listen),
        cmocka_unit_test_setup(test_told_once, listen),
        cmocka_unit_test_setup(test_scaled_by_the_batch, listen),
        cmocka_unit_test_setup(test_mistakes, listen),
        cmocka_unit_test_setup(test_no_memory, listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
