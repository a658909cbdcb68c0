/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "testing_config.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "train/class_weights.h"

#include <stdio.h>

enum { CLASSES = 4 };

static char notice[512];

static void keep_notice(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx, (void)level;
    snprintf(notice, sizeof(notice), "%s", line);
}

/* Classes 0, 1 and 3 with 1, 3 and 2 pictures. */
static fv_dataset *open_dataset(void)
{
    static const char list[] = "a 1\nb 3\nc 0\nd 1\ne 3\nf 1\n";
    char path[300];
    fv_dataset *dataset = NULL;
    snprintf(path, sizeof(path), "%s/list.txt", testing_folder());
    assert_ok(fv_file_write(path, list, strlen(list), &testing_err));
    const fv_dataset_options options = { .image_root = "", .list_path = path, .delimiter = " " };
    assert_ok(fv_dataset_open(&dataset, &options, &testing_err));
    return dataset;
}

static fv_status read_loss(fv_loss *loss, fv_config **config, const char *text)
{
    static fv_arch arch; /* of one model */
    *config = config_parse(text);
    fv_config_node *list = fv_config_child(fv_config_root(*config), "Train");
    return fv_loss_read(loss, list, &arch, &testing_err);
}

static void test_weights(void **state)
{
    (void)state;
    fv_loss loss;
    fv_config *config = NULL;
    float *block = NULL;
    fv_dataset *dataset = open_dataset();
    assert_ok(read_loss(&loss, &config,
                        "Train: [CELoss: {class_weights: balanced}, MixCELoss: {}, GoogLeNetLoss: "
                        "{class_weights: [1, 2.5, 0, 1e-1]}]"));
    fv_log_sink(keep_notice, NULL);
    assert_ok(fv_class_weights_create(&block, &loss, dataset, CLASSES, &testing_err));
    fv_log_sink(NULL, NULL);
    static const float balanced[CLASSES] = { 2.0f, 6.0f / 9.0f, 1.0f, 1.0f };
    static const float listed[CLASSES] = { 1.0f, 2.5f, 0.0f, 0.1f };
    assert_memory_equal(loss.terms[0].class_weights, balanced, sizeof(balanced));
    assert_null(loss.terms[1].class_weights);
    assert_memory_equal(loss.terms[2].class_weights, listed, sizeof(listed));
    assert_string_equal(notice,
                        "a.yaml:1:18: Train.0.CELoss.class_weights: from 0.6667 for class 1 "
                        "to 2 for class 0");
    fv_free(block);

    fv_alloc_fail_at(1);
    assert_int_equal(fv_class_weights_create(&block, &loss, dataset, CLASSES, &testing_err),
                     FV_ERR_NOMEM);
    fv_alloc_fail_at(0);
    assert_string_equal(testing_err.message, "class_weights: out of memory");
    assert_null(block);
    assert_int_equal(fv_class_weights_create(&block, &loss, dataset, 5, &testing_err),
                     FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, "a.yaml:1:75: Train.2.GoogLeNetLoss.class_weights: 4 "
                                             "numbers for 5 classes");
    fv_free(block);
    fv_config_destroy(config);
    fv_dataset_close(dataset);
}

static void test_none(void **state)
{
    (void)state;
    fv_loss loss;
    fv_config *config = NULL;
    float *block = NULL;
    fv_dataset *dataset = open_dataset();
    assert_ok(read_loss(&loss, &config, "Train: [CELoss: {epsilon: 0.1}]"));
    assert_ok(fv_class_weights_create(&block, &loss, dataset, CLASSES, &testing_err));
    assert_null(block);
    assert_null(loss.terms[0].class_weights);
    fv_config_destroy(config);
    fv_dataset_close(dataset);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "Train: [CELoss: {class_weights: even}]",
          "a.yaml:1:18: Train.0.CELoss.class_weights: must be \"balanced\" or a list of one number "
          "for each class" },
        { "Train: [CELoss: {class_weights: [1, x]}]",
          "a.yaml:1:37: Train.0.CELoss.class_weights.1: must be a number from 0 to 1e+06" },
        { "Train: [CELoss: {class_weights: [1, -1]}]",
          "a.yaml:1:37: Train.0.CELoss.class_weights.1: must be a number from 0 to 1e+06" },
        { "Train: [CELoss: {class_weights: [1, nan]}]",
          "a.yaml:1:37: Train.0.CELoss.class_weights.1: must be a number from 0 to 1e+06" },
        { "Train: [CELoss: {class_weights: [1, [2]]}]",
          "a.yaml:1:37: Train.0.CELoss.class_weights.1: must be a number from 0 to 1e+06" },
        { "Train: [CELoss: {class_weights: [0, 0]}]",
          "a.yaml:1:18: Train.0.CELoss.class_weights: no class has a weight above 0" },
    };
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        fv_loss loss;
        fv_config *config = NULL;
        config_expect_error(read_loss(&loss, &config, cases[i].text), cases[i].message);
        fv_config_destroy(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
