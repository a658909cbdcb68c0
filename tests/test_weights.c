/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "<folder of this test>/name", valid until the call after next. */
static const char *in_folder(const char *name)
{
    static char paths[2][256];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", testing_folder(), name);
    return paths[turn];
}

static void add(fv_params *params, const char *name, fv_role role, int rank, const int *dims)
{
    fv_param *p = NULL;
    const fv_init init = { FV_INIT_UNIFORM, 0.9f };
    assert_ok(fv_params_get(params, name, role, rank, dims, init, &p, &testing_err));
}

/* A small network of `classes` classes. */
static fv_params *network(int classes)
{
    fv_params *params = NULL;
    assert_ok(fv_params_create(&params, 7, &testing_err));
    add(params, "conv1.weight", FV_CONV_WEIGHT, 4, (int[]){ 4, 3, 3, 3 });
    add(params, "bn.mean", FV_BN_MEAN, 1, (int[]){ 4 });
    add(params, "out.weight", FV_LINEAR_WEIGHT, 2, (int[]){ 4, classes });
    add(params, "out.bias", FV_BIAS, 1, (int[]){ classes });
    return params;
}

static void fill(fv_params *params)
{
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        testing_fill(p->name, p->value, p->count);
        p->value[0] = i % 2 ? -0.0f : NAN; /* bits, not values, are kept */
    }
}

static void assert_same(const fv_params *a, const fv_params *b)
{
    assert_int_equal(fv_params_count(a), fv_params_count(b));
    for (int i = 0; i < fv_params_count(a); i++) {
        const fv_param *p = fv_params_at(a, i), *q = fv_params_find(b, p->name);
        assert_non_null(q);
        assert_int_equal(p->count, q->count);
        assert_memory_equal(p->value, q->value, p->count * sizeof(float));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const names[] = { "a.h5", "a.safetensors", "a.pdparams" };
    fv_params *saved = network(5);
    fill(saved);
    for (size_t i = 0; i < FV_ARRAY_LEN(names); i++) {
        fv_params *loaded = network(5);
        fv_load_report report;
        const uint64_t version = fv_params_version(loaded);
        assert_ok(fv_weights_save(in_folder(names[i]), saved, &testing_err));
        assert_ok(fv_weights_load(in_folder(names[i]), loaded, NULL, &report, &testing_err));
        assert_same(saved, loaded);
        assert_true(fv_params_version(loaded) != version);
        assert_int_equal(report.matched, 4);
        assert_int_equal(report.missing + report.unexpected + report.reshaped, 0);
        fv_params_destroy(loaded);
    }
    assert_int_equal(fv_weights_save("a.pth", saved, &testing_err), FV_ERR_FORMAT);
    assert_string_equal(
        testing_err.message,
        "a.pth: cannot write: the extension gives the format, .h5, .safetensors or .pdparams");
    fv_params_destroy(saved);
}

static void check_misfit(const char *path, fv_params *params, const fv_load_options *options,
                         const char *message)
{
    char expected[700];
    fv_params *before = network(5);
    const uint64_t version = fv_params_version(params);
    snprintf(expected, sizeof(expected), "%s: the weights do not fit the model: %s", path, message);
    assert_int_equal(fv_weights_load(path, params, options, NULL, &testing_err), FV_ERR_SHAPE);
    assert_string_equal(testing_err.message, expected);
    assert_int_equal(fv_params_version(params), version);
    if (fv_params_count(params) == fv_params_count(before)) assert_same(params, before);
    fv_params_destroy(before);
}

static const char *const heads[] = { "out.", NULL };

static void test_strict(void **state)
{
    (void)state;
    char path[256];
    fv_params *saved = network(3), *params = network(5);
    snprintf(path, sizeof(path), "%s", in_folder("s.h5"));
    add(saved, "extra.weight", FV_BIAS, 1, (int[]){ 1 });
    assert_ok(fv_weights_save(path, saved, &testing_err));
    check_misfit(path, params, NULL,
                 "2 matched, 1 unexpected (first extra.weight), 2 of another shape (first "
                 "out.weight: 4x3 in "
                 "the file, 4x5 in the model)");
    check_misfit(
        path, params, &(fv_load_options){ .partial = true },
        "2 matched, 2 of another shape (first out.weight: 4x3 in the file, 4x5 in the model)");
    check_misfit(path, params, &(fv_load_options){ .heads = heads },
                 "2 matched, 1 unexpected (first extra.weight)");
    add(params, "late.weight", FV_BIAS, 1, (int[]){ 1 });
    add(params, "later.weight", FV_BIAS, 1, (int[]){ 1 });
    check_misfit(path, params, &(fv_load_options){ .heads = heads },
                 "2 matched, 2 missing (first late.weight), 1 unexpected (first extra.weight)");
    fv_params_destroy(saved);
    fv_params_destroy(params);
}

static void test_partial(void **state)
{
    (void)state;
    const char *path = in_folder("p.safetensors");
    fv_params *saved = network(5), *params = network(5), *fresh = network(5);
    fv_load_report report;
    fill(saved);
    add(saved, "extra", FV_BIAS, 1, (int[]){ 1 });
    add(params, "late", FV_BIAS, 1, (int[]){ 2 });
    add(fresh, "late", FV_BIAS, 1, (int[]){ 2 });
    assert_ok(fv_weights_save(path, saved, &testing_err));
    assert_ok(fv_weights_load(path, params, &(fv_load_options){ .partial = true }, &report,
                              &testing_err));
    assert_int_equal(report.matched, 4);
    assert_int_equal(report.missing, 1);
    assert_int_equal(report.unexpected, 1);
    assert_int_equal(report.reshaped, 0);
    assert_string_equal(report.first_missing, "late");
    assert_string_equal(report.first_unexpected, "extra");
    const fv_param *late = fv_params_find(params, "late"), *same = fv_params_find(fresh, "late");
    assert_memory_equal(late->value, same->value, 2 * sizeof(float));
    fv_params_destroy(saved);
    fv_params_destroy(params);
    fv_params_destroy(fresh);
}

static void test_new_head(void **state)
{
    (void)state;
    const char *path = in_folder("head.h5");
    fv_params *saved = network(3), *params = network(5), *fresh = network(5);
    fv_load_report report;
    fill(saved);
    fill(params);
    assert_ok(fv_weights_save(path, saved, &testing_err));
    assert_ok(
        fv_weights_load(path, params, &(fv_load_options){ .heads = heads }, &report, &testing_err));
    assert_int_equal(report.matched, 2);
    assert_int_equal(report.reshaped, 2);
    assert_string_equal(report.first_reshaped, "out.weight");
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        if (strcmp(p->name, "out.weight") == 0) { /* 4 inputs: within 1/2, not the model's 0.9 */
            const fv_param *model = fv_params_find(fresh, p->name);
            for (size_t k = 0; k < p->count; k++)
                assert_float_equal(p->value[k], model->value[k] * (0.5f / 0.9f), 1e-6f);
            continue;
        }
        const fv_params *from = strncmp(p->name, "out.", 4) == 0 ? fresh : saved;
        assert_memory_equal(p->value, fv_params_find(from, p->name)->value,
                            p->count * sizeof(float));
    }
    fv_params_destroy(saved);
    fv_params_destroy(params);
    fv_params_destroy(fresh);
}

/* A file that breaks off while it is read must not leave half of it in the parameters. */
static void test_damage_changes_nothing(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t count = 0;
    const char *path = in_folder("d.h5");
    fv_params *saved = network(5), *params = network(5);
    fill(saved);
    assert_ok(fv_weights_save(path, saved, &testing_err));
    assert_ok(fv_file_read(path, 1 << 20, &bytes, &count, &testing_err));
    const float *bias = fv_params_find(saved, "out.bias")->value; /* the last to be read */
    char *at = memmem(bytes, count, bias, 5 * sizeof(float));
    assert_non_null(at);
    at[3] = (char)(at[3] ^ 1);
    assert_ok(fv_file_write(path, bytes, count, &testing_err));
    fv_free(bytes);
    assert_int_equal(fv_weights_load(path, params, NULL, NULL, &testing_err), FV_ERR_FORMAT);
    char expected[400];
    snprintf(expected, sizeof(expected),
             "%s: model/out.bias: damaged: use another copy of the file", path);
    assert_string_equal(testing_err.message, expected);
    fv_params *fresh = network(5);
    assert_same(params, fresh);
    fv_params_destroy(fresh);
    fv_params_destroy(saved);
    fv_params_destroy(params);
}

static void test_no_memory(void **state)
{
    (void)state;
    static const char *const names[] = { "m.h5", "m.safetensors", "m.pdparams" };
    fv_params *saved = network(5);
    fill(saved);
    for (size_t i = 0; i < FV_ARRAY_LEN(names); i++) {
        const char *path = in_folder(names[i]);
        fv_status status = FV_ERR_NOMEM;
        for (size_t n = 1; status != FV_OK; n++) {
            fv_alloc_fail_at(n);
            status = fv_weights_save(path, saved, &testing_err);
            fv_alloc_fail_at(0);
            if (status != FV_OK) assert_int_equal(status, FV_ERR_NOMEM);
        }
        fv_params *params = network(5), *fresh = network(5);
        status = FV_ERR_NOMEM;
        for (size_t n = 1; status != FV_OK; n++) {
            fv_alloc_fail_at(n);
            status = fv_weights_load(path, params, NULL, NULL, &testing_err);
            fv_alloc_fail_at(0);
            if (status != FV_OK) {
                assert_int_equal(status, FV_ERR_NOMEM);
                assert_same(params, fresh);
            }
        }
        assert_same(params, saved);
        fv_params_destroy(params);
        fv_params_destroy(fresh);
    }
    fv_params_destroy(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_new_head),
        cmocka_unit_test(test_damage_changes_nothing),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
