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

/* The map of a dataset is refused, as the whole section is. */
static void expect_dataset_error(const char *keys, const char *message)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "Train:\n  dataset: {%s, transform_ops: %s}\n  sampler: {batch_size: 1}\n", keys,
             OPERATIONS);
    fv_config *config = config_parse(text);
    config_expect_error(
        fv_source_check(fv_config_child(fv_config_root(config), "Train"), "x", true, &testing_err),
        message);
    fv_config_destroy(config);
}

/* The same pictures in both sections, with these keys; FV_OK if `message` is NULL. */
static void expect_comparison(const char *train, const char *eval, const char *message)
{
    char text[2048];
    snprintf(
        text, sizeof(text),
        "Train: {dataset: {transform_ops: [], %s}}\nEval: {dataset: {transform_ops: [], %s}}\n",
        train, eval);
    fv_config *config = config_parse(text);
    fv_config_node *root = fv_config_root(config);
    const fv_status status = fv_source_compare(fv_config_child(root, "Train"),
                                               fv_config_child(root, "Eval"), &testing_err);
    if (message)
        config_expect_error(status, message);
    else
        assert_ok(status);
    fv_config_destroy(config);
}

static void test_splits_that_overlap(void **state)
{
    (void)state;
    static const char message[] =
        "a.yaml:2:8: Eval.dataset: split must be as in DataLoader.Train, which reads the same "
        "pictures: else parts overlap";
    expect_comparison("image_root: a", "image_root: a", NULL);
    expect_comparison("image_root: a, split: {val_fraction: 0.1}",
                      "image_root: a, split: {val_fraction: 0.1, part: train}", NULL);
    expect_comparison("image_root: a, split: {val_fraction: 0.1}", "image_root: b", NULL);
    expect_comparison("image_root: a, split: {val_fraction: 0.1}", "image_root: a", message);
    expect_comparison("image_root: a, split: {val_fraction: 0.1}",
                      "image_root: a, split: {val_fraction: 0.2}", message);
    expect_comparison("name: TarDataset, shards: a.tar, split: {val_fraction: 0.1, seed: 1}",
                      "name: TarDataset, shards: [a.tar], split: {val_fraction: 0.1}", message);
    expect_comparison("name: TarDataset, shards: a.tar, split: {val_fraction: 0.1, seed: 1}",
                      "name: TarDataset, shards: b.tar, split: {val_fraction: 0.1}", NULL);
}

static const char good_sampler[] = "sampler: {batch_size: 2}";
static const struct {
    const char *dataset, *rest, *message;
} errors[] = {
    { "name: CifarDataset", good_sampler,
      "a.yaml:5:5: Train.dataset.name: expected one of ImageNetDataset, ClsDataset, "
      "CsvDataset, "
      "TarDataset, PackedDataset, got \"CifarDataset\", did you mean \"TarDataset\"?" },
    { "shards: a.tar\n    transform_ops: []", good_sampler,
      "a.yaml:5:5: Train.dataset.shards: ImageNetDataset has no use for it" },
    { "name: TarDataset\n    shards: a.tar\n    transform_ops: []", good_sampler,
      "a.yaml:4:5: Train.dataset.cls_label_path: TarDataset has no use for it" },
    { "name: CsvDataset\n    delimiter: ', '\n    transform_ops: []", good_sampler,
      "a.yaml:6:5: Train.dataset.delimiter: must be one character in a table" },
    { "split: {val_fraction: 1}\n    transform_ops: []", good_sampler,
      "a.yaml:5:13: Train.dataset.split.val_fraction: 1 is outside [1e-06, 0.999999]" },
    { "split: {seed: 1}\n    transform_ops: []", good_sampler,
      "a.yaml:5:5: Train.dataset.split.val_fraction: must be given" },
    { "split: {val_fraction: 0.5, part: test}\n    transform_ops: []", good_sampler,
      "a.yaml:5:32: Train.dataset.split.part: expected one of train, val, got \"test\"" },
    { "transfrom_ops: []", good_sampler,
      "a.yaml:5:5: Train.dataset.transfrom_ops: unknown key, did you mean \"transform_ops\"?" },
    { "name: ClsDataset", good_sampler, "a.yaml:2:3: Train.dataset.transform_ops: must be given" },
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
    { "transform_ops: " OPERATIONS, "sampler: {batch_size: 1, balanced: True}",
      "a.yaml:6:28: Train.sampler.balanced: draws the pictures at random: set shuffle to True "
      "too" },
    { "transform_ops: " OPERATIONS, "sampler: {batch_size: 1}\n  loader: {num_workers: -1}",
      "a.yaml:7:12: Train.loader.num_workers: -1 is outside [0, 1024]" },
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(errors); i++) {
        fv_config *config = NULL;
        fv_source s;
        config_expect_error(open_section(&config, &s, errors[i].dataset, errors[i].rest),
                            errors[i].message);
        assert_null(s.dataset);
        assert_null(s.pipeline);
        assert_null(s.loader);
        fv_config_destroy(config);
    }
    expect_dataset_error("name: TarDataset",
                         "a.yaml:2:3: Train.dataset: shards must be given: TarDataset needs it");
    expect_dataset_error("name: TarDataset, shards: [a.tar, {}]",
                         "a.yaml:2:31: Train.dataset.shards: must be a pattern of file names, or a "
                         "list of them, e.g. \"train-{0000..0031}.tar\"");
    expect_dataset_error("name: TarDataset, shards: []",
                         "a.yaml:2:31: Train.dataset.shards: the list is empty");
    expect_dataset_error("name: CsvDataset",
                         "a.yaml:2:3: Train.dataset: cls_label_path must be given: CsvDataset "
                         "needs it");
    expect_dataset_error("name: PackedDataset, file: a.h5, image_root: b",
                         "a.yaml:2:46: Train.dataset.image_root: PackedDataset has no use for it");

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

/* Three pictures of one class to one of another: an epoch has that one twice, augmented anew. */
static void test_balanced(void **state)
{
    (void)state;
    static const char list[] = "pictures/a b.jpg\t0\npictures/c.jpg\t2\npictures/d.jpg\t0\n"
                               "pictures/d.jpg\t0\n";
    static const char sampler[] = "sampler: {batch_size: 4, shuffle: True, balanced: True}";
    fv_config *config = NULL;
    fv_source s;
    testing_write("list.txt", list, strlen(list));
    assert_ok(open_section(&config, &s,
                           "delimiter: \"\\t\"\n    transform_ops: [{DecodeImage: {}}, "
                           "{RandCropImage: {size: 16}}, {NormalizeImage: {order: ''}}]",
                           sampler));
    const size_t floats = (size_t)16 * 16 * 3;
    fv_loader_start(s.loader, 5, 0);
    fv_batch *b = fv_loader_take(s.loader);
    assert_non_null(b);
    int rare[4], count = 0;
    for (int i = 0; i < 4; i++)
        if (b->labels[i] == 2.0f) rare[count++] = i;
    assert_int_equal(count, 2);
    assert_memory_not_equal(b->images + (size_t)rare[0] * floats,
                            b->images + (size_t)rare[1] * floats, floats * sizeof(float));
    fv_loader_give_back(s.loader, b);
    fv_source_close(&s);

    fv_config_node *map = fv_config_child(fv_config_root(config), "Train");
    config_expect_error(fv_source_check(map, "DataLoader.Eval", false, &testing_err),
                        "a.yaml:7:43: Train.sampler.balanced: is for training: an evaluation has "
                        "every picture once");
    fv_config_destroy(config);
}

static void test_growing_pictures(void **state)
{
    (void)state;
    static const int sides[] = { 8, 8, 16, 12, 12 };
    fv_config *config = NULL;
    fv_source s;
    make_files();
    assert_ok(open_section(&config, &s,
                           "delimiter: \"\\t\"\n    transform_ops: [{DecodeImage: {}}, "
                           "{RandCropImage: {size: 20}}, {NormalizeImage: {order: ''}}]",
                           "sampler: {batch_size: 2}\n  progressive: {sizes: [8, 16, 12], epochs: "
                           "[2, 3]}"));
    assert_int_equal(s.height, 12);
    assert_int_equal(s.width, 12);
    for (uint32_t epoch = 0; epoch < FV_ARRAY_LEN(sides); epoch++) {
        fv_loader_start(s.loader, epoch, 0);
        fv_batch *b;
        while ((b = fv_loader_take(s.loader)) != NULL) {
            assert_int_equal(b->height, sides[epoch]);
            assert_int_equal(b->width, sides[epoch]);
            fv_loader_give_back(s.loader, b);
        }
    }
    fv_source_close(&s);
    fv_config_destroy(config);
}

static void test_growing_mistakes(void **state)
{
    static const struct {
        const char *progressive, *message;
    } cases[] = {
        { "{sizes: [8, 16], epochs: [1, 2]}",
          "a.yaml:7:3: Train.progressive: 2 sizes for 2 epochs: give one size more than epochs, at "
          "most 16" },
        { "{sizes: [8, 16, 20], epochs: [2, 2]}",
          "a.yaml:7:37: Train.progressive.epochs: 2 after 2: each must be above the one before" },
        { "{sizes: [8, 16.5], epochs: [2]}",
          "a.yaml:7:17: Train.progressive.sizes: 16.5 is not a whole number" },
        { "{sizes: [8, 16], epochs: [2]}",
          "a.yaml:5:5: Train.dataset.transform_ops: pictures can grow only where RandCropImage or "
          "RandomResizedCrop decides their size" },
    };
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        fv_config *config = NULL;
        fv_source s;
        char rest[200];
        snprintf(rest, sizeof(rest), "sampler: {batch_size: 2}\n  progressive: %s",
                 cases[i].progressive);
        config_expect_error(open_section(&config, &s, "transform_ops: " OPERATIONS, rest),
                            cases[i].message);
        fv_config_destroy(config);
    }
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
        cmocka_unit_test(test_splits_that_overlap),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_balanced),
        cmocka_unit_test(test_growing_pictures),
        cmocka_unit_test(test_growing_mistakes),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
