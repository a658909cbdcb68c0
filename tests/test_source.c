/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "picture_testing.h"
#include "testing_config.h"

#include "base/compiler.h"
#include "data/source.h"

#define OPERATIONS \
    "[{DecodeImage: {to_rgb: True, channel_first: False}}, {CropImage: {size: 16}}, " \
    "{NormalizeImage: " \
    "{scale: 1.0/255.0, order: ''}}]"

static const fv_source_options training = {
    .where = "DataLoader.Train", .classes = 3, .seed = 1, .training = true, .threads = 2
};

static void make_files(void)
{
    static const char list[] = "pictures/a b.jpg\t0\npictures/c.jpg\t2\npictures/d.jpg\t1\n";
    assert_ok(fv_file_make_folder(testing_path("pictures"), &testing_err));
    testing_write_jpeg("pictures/a b.jpg", 20, 20);
    testing_write_jpeg("pictures/c.jpg", 30, 20);
    testing_write_jpeg("pictures/d.jpg", 20, 30);
    testing_write("list.txt", list, strlen(list));
}

/* Opens the section Train of a file whose dataset has `dataset` beside the paths. */
static fv_status open_section(fv_config **config, fv_source *out, const char *dataset,
                              const char *rest)
{
    static char text[4096];
    char root[512];
    snprintf(root, sizeof(root), "%s", testing_folder());
    snprintf(
        text, sizeof(text),
        "Train:\n  dataset:\n    image_root: %s\n    cls_label_path: %s/list.txt\n    %s\n  %s\n",
        root, root, dataset, rest);
    *config = config_parse(text);
    return fv_source_open(out, fv_config_child(fv_config_root(*config), "Train"), &training,
                          &testing_err);
}

static void test_paddle_grammar(void **state)
{
    (void)state;
    fv_config *config = NULL;
    fv_source s;
    assert_ok(open_section(&config, &s,
                           "name: ImageNetDataset\n    relabel: False\n    delimiter: \"\\t\"\n"
                           "    batch_transform_ops: null\n    transform_ops: " OPERATIONS,
                           "sampler:\n    name: DistributedBatchSampler\n    batch_size: 2\n"
                           "    drop_last: False\n    shuffle: True\n"
                           "  loader:\n    num_workers: 4\n    use_shared_memory: True"));
    assert_ok(fv_config_finish(config, &testing_err));
    assert_int_equal(s.batch_size, 2);
    assert_int_equal(s.height, 16);
    assert_int_equal(s.width, 16);
    assert_int_equal(fv_dataset_count(s.dataset), 3);
    assert_int_equal(fv_dataset_classes(s.dataset), 3);
    assert_int_equal(fv_loader_batches(s.loader), 2);
    fv_loader_start(s.loader, 0, 0);
    int count = 0;
    for (fv_batch *b; (b = fv_loader_take(s.loader)); fv_loader_give_back(s.loader, b)) {
        for (int i = 0; i < b->count; i++) assert_true(b->readable[i]);
        count += b->count;
    }
    assert_int_equal(count, 3);
    fv_source_close(&s);
    fv_source_close(&s); /* all zeros again */
    fv_config_destroy(config);
}

static void test_folders_and_defaults(void **state)
{
    (void)state;
    static char text[1024];
    assert_ok(fv_file_make_folder(testing_path("set/one"), &testing_err));
    assert_ok(fv_file_make_folder(testing_path("set/two"), &testing_err));
    testing_write_jpeg("set/one/1.jpg", 20, 20);
    testing_write_jpeg("set/two/1.jpg", 20, 20);
    snprintf(text, sizeof(text),
             "dataset: {image_root: %s, transform_ops: %s}\nsampler: {batch_size: 3}\n",
             testing_path("set"), OPERATIONS);
    fv_config *config = config_parse(text);
    fv_source s;
    const fv_source_options options = { .where = "DataLoader.Eval", .threads = 1 };
    assert_ok(fv_source_open(&s, fv_config_root(config), &options, &testing_err));
    assert_int_equal(fv_dataset_classes(s.dataset), 2);
    assert_string_equal(fv_dataset_class_name(s.dataset, 1), "two");
    fv_loader_start(s.loader, 0, 0);
    fv_batch *b = fv_loader_take(s.loader);
    assert_int_equal(b->count, 2);
    assert_int_equal(b->samples[0], 0); /* not shuffled */
    fv_loader_give_back(s.loader, b);
    fv_source_close(&s);
    fv_config_destroy(config);
}

static void test_errors(void **state)
{
    (void)state;
    static const char good_sampler[] = "sampler: {batch_size: 2}";
    static const struct {
        const char *dataset, *rest, *message;
    } table[] = {
        { "name: CifarDataset", good_sampler,
          "a.yaml:5:5: Train.dataset.name: expected one of ImageNetDataset, ClsDataset, got"
          " \"CifarDataset\"" },
        { "transfrom_ops: []", good_sampler,
          "a.yaml:5:5: Train.dataset.transfrom_ops: unknown key, did you mean \"transform_ops\"?" },
        { "name: ClsDataset", good_sampler,
          "a.yaml:2:3: Train.dataset.transform_ops: must be given" },
        { "batch_transform_ops: [MixupOperatr: {alpha: 0.2}]\n    transform_ops: " OPERATIONS,
          good_sampler,
          "a.yaml:5:27: Train.dataset.batch_transform_ops.0: no operation on batches "
          "\"MixupOperatr\", did you mean \"MixupOperator\"?" },
        { "relabel: True\n    transform_ops: " OPERATIONS, good_sampler,
          "a.yaml:5:5: Train.dataset.relabel: must be False: labels are taken as they are" },
        { "transform_ops: " OPERATIONS, "loader: {num_workers: 1}",
          "a.yaml:1:1: Train.sampler: must be given" },
        { "transform_ops: " OPERATIONS, "sampler: {shuffle: True}",
          "a.yaml:6:3: Train.sampler.batch_size: must be given" },
        { "transform_ops: " OPERATIONS, "sampler: {batch_size: 0}",
          "a.yaml:6:13: Train.sampler.batch_size: 0 is outside [1, 65536]" },
        { "transform_ops: " OPERATIONS, "sampler: {batch_size: 1, name: PKSampler}",
          "a.yaml:6:28: Train.sampler.name: expected one of BatchSampler, DistributedBatchSampler, "
          "got"
          " \"PKSampler\"" },
        { "transform_ops: " OPERATIONS, "sampler: {batch_size: 1}\n  loader: {num_workers: -1}",
          "a.yaml:7:12: Train.loader.num_workers: -1 is outside [0, 1024]" },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        fv_config *config = NULL;
        fv_source s;
        config_expect_error(open_section(&config, &s, table[i].dataset, table[i].rest),
                            table[i].message);
        assert_null(s.dataset);
        assert_null(s.pipeline);
        assert_null(s.loader);
        fv_config_destroy(config);
    }
    fv_source s;
    config_expect_error(fv_source_open(&s, NULL, &training, &testing_err),
                        "DataLoader.Train: missing: it says where the pictures are");

    fv_config *config = NULL;
    char wanted[1024];
    assert_int_equal(open_section(&config, &s, "transform_ops: " OPERATIONS, good_sampler), FV_OK);
    fv_source_close(&s); /* blanks as delimiter find the same paths */
    fv_config_destroy(config);
    testing_write("list.txt", "a.jpg 3\n", 8);
    assert_int_equal(open_section(&config, &s, "transform_ops: " OPERATIONS, good_sampler),
                     FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s:1: label 3: must be from 0 to 2",
             testing_path("list.txt"));
    assert_string_equal(testing_err.message, wanted);
    fv_config_destroy(config);
}

static int setup(void **state)
{
    (void)state;
    make_files();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paddle_grammar),
        cmocka_unit_test(test_folders_and_defaults),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
