/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/memory.h"
#include "base/threads.h"
#include "optim/average.h"

#include <math.h>
#include <stdio.h>

enum { PARAMS = 3, LARGEST = 1000 };
static const int counts[PARAMS] = { LARGEST, 1, 17 };
static const fv_role roles[PARAMS] = { FV_CONV_WEIGHT, FV_BIAS, FV_BN_MEAN };
static const double DECAY = 0.9;

static fv_params *new_params(void)
{
    fv_params *params = NULL;
    assert_ok(fv_params_create(&params, 1, &testing_err));
    for (int i = 0; i < PARAMS; i++) {
        char name[8];
        fv_param *p = NULL;
        const fv_init init = { FV_INIT_NORMAL, 1.0f };
        snprintf(name, sizeof(name), "p%d", i);
        assert_ok(fv_params_get(params, name, roles[i], 1, &counts[i], init, &p, &testing_err));
    }
    return params;
}

/* Other values, but for the one parameter that is frozen. */
static void move(fv_params *params, int step)
{
    for (int i = 0; i < PARAMS; i++) {
        char name[32];
        fv_param *p = fv_params_at(params, i);
        snprintf(name, sizeof(name), "%s at %d", p->name, step);
        if (i != 1) testing_fill(name, p->value, p->count);
    }
}

static void test_definition(void **state)
{
    (void)state;
    double want[PARAMS][LARGEST];
    fv_params *params = new_params();
    fv_average *average = NULL;
    assert_ok(fv_average_create(&average, params, DECAY, &testing_err));
    for (int i = 0; i < PARAMS; i++)
        for (int k = 0; k < counts[i]; k++) want[i][k] = (double)fv_params_at(params, i)->value[k];
    const float still = fv_params_at(params, 1)->value[0];
    const size_t allocations = fv_alloc_count();
    for (int step = 0; step < 20; step++) {
        move(params, step);
        fv_threads_set(1 + step % 3);
        fv_average_update(average);
        for (int i = 0; i < PARAMS; i++)
            for (int k = 0; k < counts[i]; k++)
                want[i][k] =
                    DECAY * want[i][k] + (1 - DECAY) * (double)fv_params_at(params, i)->value[k];
    }
    fv_threads_set(1);
    assert_int_equal(fv_alloc_count(), allocations);
    for (int i = 0; i < PARAMS; i++)
        for (int k = 0; k < counts[i]; k++)
            assert_true(fabs((double)fv_average_at(average, i)[k] - want[i][k]) < 1e-6);
    assert_true(fv_average_at(average, 1)[0] == still); /* to the bit */
    fv_average_destroy(average);
    fv_params_destroy(params);
}

static void test_swap(void **state)
{
    (void)state;
    float weights[LARGEST], averages[LARGEST];
    fv_params *params = new_params();
    fv_average *average = NULL;
    assert_ok(fv_average_create(&average, params, DECAY, &testing_err));
    move(params, 1);
    fv_average_update(average);
    memcpy(weights, fv_params_at(params, 0)->value, sizeof(weights));
    memcpy(averages, fv_average_at(average, 0), sizeof(averages));
    assert_memory_not_equal(weights, averages, sizeof(weights));
    const uint64_t version = fv_params_version(params);
    fv_average_swap(average);
    assert_true(fv_params_version(params) != version);
    assert_memory_equal(fv_params_at(params, 0)->value, averages, sizeof(averages));
    fv_average_swap(average);
    assert_memory_equal(fv_params_at(params, 0)->value, weights, sizeof(weights));
    assert_memory_equal(fv_average_at(average, 0), averages, sizeof(averages));
    fv_average_restart(average);
    assert_memory_equal(fv_average_at(average, 0), weights, sizeof(weights));
    fv_average_destroy(average);
    fv_params_destroy(params);
}

static void test_no_memory(void **state)
{
    (void)state;
    fv_params *params = new_params();
    for (size_t n = 1; n <= 3; n++) {
        fv_average *average = NULL;
        fv_alloc_fail_at(n);
        assert_int_equal(fv_average_create(&average, params, DECAY, &testing_err), FV_ERR_NOMEM);
        fv_alloc_fail_at(0);
        assert_string_equal(testing_err.message, "EMA: out of memory for 1018 floats");
        assert_null(average);
    }
    fv_params_destroy(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_swap),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
