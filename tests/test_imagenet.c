/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up pieces of ImageNet in all their forms, and what becomes of them. */
#include "matlab_testing.h"

#include "base/compiler.h"
#include "base/log.h"
#include "data/imagenet.h"
#include "data/imagenet_classes.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256]; /* of the test at hand */
static char warnings[4096];

static void take_line(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    const size_t used = strlen(warnings);
    if (level == FV_LOG_WARNING) snprintf(warnings + used, sizeof(warnings) - used, "%s\n", line);
}

static int begin(void **state)
{
    static int number;
    (void)state;
    warnings[0] = '\0';
    fv_log_sink(take_line, NULL);
    snprintf(folder, sizeof(folder), "%s/%d", testing_folder(), number++);
    return fv_file_make_folder(folder, &testing_err) == FV_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    fv_log_sink(NULL, NULL);
    return 0;
}

/* The last two results stay valid. */
static const char *in_folder(const char *name)
{
    static char paths[2][512];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", folder, name);
    return paths[turn];
}

/* Folders on the way are made. */
static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s", in_folder(name));
    *strrchr(path, '/') = '\0';
    assert_ok(fv_file_make_folder(path, &testing_err));
    assert_ok(fv_file_write(in_folder(name), text, strlen(text), &testing_err));
}

static void expect_file(const char *name, const char *wanted)
{
    char *text = NULL;
    size_t size;
    assert_ok(fv_file_read(in_folder(name), 1 << 20, &text, &size, &testing_err));
    assert_string_equal(text, wanted);
    fv_free(text);
}

static fv_imagenet_report report;

static fv_status prepare(fv_imagenet_options o)
{
    o.folder = folder;
    warnings[0] = '\0';
    return fv_imagenet_prepare(&report, &o, &testing_err);
}

#define PREPARE(...) prepare((fv_imagenet_options){ .progress = NULL, __VA_ARGS__ })

/* Fails with this status and message, which begins with the folder of the test. */
#define assert_fails(call, wanted_status, what) \
    do { \
        char expected_[1024]; \
        assert_int_equal(call, wanted_status); \
        snprintf(expected_, sizeof(expected_), "%s%s", folder, what); \
        assert_string_equal(testing_err.message, expected_); \
    } while (0)

/* ---- Classes ---- */

static void test_classes(void **state)
{
    (void)state;
    uint32_t wnid = 0;
    for (int i = 0; i < FV_IMAGENET_CLASSES; i++) {
        assert_int_equal(fv_imagenet_class(fv_imagenet_wnid(i)), i);
        assert_true(i == 0 || fv_imagenet_wnid(i - 1) < fv_imagenet_wnid(i));
    }
    assert_int_equal(fv_imagenet_wnid(0), 1440764);
    assert_int_equal(fv_imagenet_wnid(65), 1751748);
    assert_int_equal(fv_imagenet_wnid(999), 15075141);
    assert_int_equal(fv_imagenet_class(1440765), -1);
    assert_int_equal(fv_imagenet_class(0), -1);
    assert_int_equal(fv_imagenet_class(99999999), -1);
    assert_true(fv_wnid_read("n01440764_10026.JPEG", &wnid));
    assert_int_equal(wnid, 1440764);
    static const char *const others[] = { "",           "n",         "n0144076",
                                          "n014407640", "m01440764", "n01440764x" };
    for (size_t i = 0; i < FV_ARRAY_LEN(others); i++) assert_false(fv_wnid_read(others[i], &wnid));
    assert_true(fv_wnid_find("a/n00000001/n00000002_3.JPEG", &wnid));
    assert_int_equal(wnid, 2);
    assert_false(fv_wnid_find("a/xn00000001.JPEG", &wnid));
}

/* ---- Validation pictures in one folder ---- */

static const mat_synset synsets[] = {
    { 490, "n01751748", "sea snake", 0 },
    { 361, "n09193705", "alp", 0 },
    { 171, "n02105855", "Shetland sheepdog", 0 },
    { 1001, "n00001740", "entity", 2 },
};

static void put_flat(int count)
{
    char name[64];
    for (int i = 1; i <= count; i++) {
        snprintf(name, sizeof(name), "val/ILSVRC2012_val_%08d.JPEG", i);
        put(name, "x");
    }
}

static const char val_list[] = "val/ILSVRC2012_val_00000001.JPEG 65\n"
                               "val/ILSVRC2012_val_00000002.JPEG 970\n"
                               "val/ILSVRC2012_val_00000003.JPEG 230\n";
#define DEVKIT       "ILSVRC2012_devkit_t12/data/"
#define GROUND_TRUTH "ILSVRC2012_validation_ground_truth.txt"

static void expect_labels(const char *first)
{
    char *text = NULL;
    size_t size;
    assert_ok(fv_file_read(in_folder("labels.txt"), 1 << 20, &text, &size, &testing_err));
    assert_memory_equal(text, first, strlen(first));
    fv_free(text);
}

static void test_devkit(void **state)
{
    (void)state;
    put_flat(3);
    put(DEVKIT GROUND_TRUTH, "490\n361\n171\n");
    mat_write_meta(in_folder(DEVKIT "meta.mat"), synsets, 4, true);
    assert_ok(PREPARE());
    expect_file("val_list.txt", val_list);
    assert_false(report.parts[FV_IMAGENET_TRAIN].found);
    const fv_imagenet_part *val = &report.parts[FV_IMAGENET_VAL];
    assert_int_equal(val->pictures, 3);
    assert_int_equal(val->pictures_due, 50000);
    assert_int_equal(val->classes, 3);
    assert_int_equal(val->fewest, 1);
    assert_int_equal(val->most, 1);
    assert_true(report.standard);
    assert_int_equal(report.classes, 1000);
    assert_string_equal(warnings, "val: 3 pictures, but the whole set has 50000\n"
                                  "val: pictures of 3 of 1000 classes; the first without any is 0, "
                                  "n01440764\n");
    expect_labels("0 n01440764\n1 n01443537\n");
    char *text = NULL;
    size_t size;
    assert_ok(fv_file_read(in_folder("labels.txt"), 1 << 20, &text, &size, &testing_err));
    assert_non_null(strstr(text, "\n65 n01751748 sea snake\n"));
    fv_free(text);
}

static void test_label_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } table[] = {
        { "imagenet_2012_validation_synset_labels.txt", "n01751748\nn09193705\nn02105855\n" },
        { "val_map.txt", "ILSVRC2012_val_00000003.JPEG n02105855\r\n"
                         "ILSVRC2012_val_00000001.JPEG n01751748\r\n\r\n"
                         "ILSVRC2012_val_00000002.JPEG n09193705\r\n" },
        { "val.txt", "\xef\xbb\xbf"
                     "ILSVRC2012_val_00000001.JPEG 65\n"
                     "ILSVRC2012_val_00000002.JPEG\t970\nILSVRC2012_val_00000003.JPEG 230" },
        { "LOC_val_solution.csv", "ImageId,PredictionString\n"
                                  "ILSVRC2012_val_00000002,n09193705 85 1 499 272 \n"
                                  "ILSVRC2012_val_00000001,n01751748 1 2 3 4 n01751748 5 6 7 8\n"
                                  "ILSVRC2012_val_00000003,n02105855 1 2 3 4\n" },
        { "val_list.txt", val_list },
    };
    put_flat(3);
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        put(table[i].name, table[i].text);
        if (PREPARE() != FV_OK) fail_msg("%s: %s", table[i].name, testing_err.message);
        expect_file("val_list.txt", val_list);
        unlink(in_folder(table[i].name));
    }
    put("elsewhere/" GROUND_TRUTH, "1\n2\n3\n");
    put("elsewhere/map_clsloc.txt",
        "n01751748 1 sea_snake\nn09193705 2 alp\nn02105855 3 Shetland_sheepdog\n");
    char labels[512];
    snprintf(labels, sizeof(labels), "%s", in_folder("elsewhere/" GROUND_TRUTH));
    assert_ok(PREPARE(.labels = labels, .replace = true));
    expect_file("val_list.txt", val_list);
}

static void test_bad_labels(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } table[] = {
        { "", ": no labels in it" },
        { "ImageId,PredictionString\n", ": no labels in it" },
        { "what is this\n", ":1: no label: expected a WNID, a number, or one of them after a name, "
                            "not \"what is this\"" },
        { "n01751748\nn0919370\n", ":2: expected a WNID, not \"n0919370\"" },
        { "n01751748\nn09193705 x\n", ":2: expected a WNID, not \"n09193705 x\"" },
        { "a.JPEG 65\nb.JPEG 1000\n",
          ":2: expected a name and a number from 0 to 999, not \"b.JPEG 1000\"" },
        { "a.JPEG 65\nb.JPEG\n", ":2: expected a name and a number from 0 to 999, not \"b.JPEG\"" },
        { "a.JPEG n01751748\nb.JPEG 7\n", ":2: expected a name and a WNID, not \"b.JPEG 7\"" },
        { "ImageId,PredictionString\na n01751748\n",
          ":2: expected a name, a comma and a WNID, not \"a n01751748\"" },
        { "a.JPEG 65\nval/a.JPEG 66\n", ": two labels for a.JPEG" },
        { "490\n",
          ": numbers of the devkit, which mean nothing without its meta.mat: put it beside, or "
          "name it with --meta" },
    };
    put_flat(1);
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        char what[512];
        put("val_map.txt", table[i].text);
        snprintf(what, sizeof(what), "/val_map.txt%s", table[i].what);
        assert_fails(PREPARE(), i + 1 < FV_ARRAY_LEN(table) ? FV_ERR_FORMAT : FV_ERR_CONFIG, what);
    }
    mat_write_meta(in_folder("meta.mat"), synsets, 4, false);
    put("val_map.txt", "490\n1001\n");
    assert_fails(PREPARE(), FV_ERR_FORMAT,
                 "/val_map.txt:2: no synset of meta.mat has the devkit's number \"1001\"");
    unlink(in_folder("val_map.txt"));
    put("ILSVRC2012_devkit_t12.tar.gz", "x");
    assert_fails(PREPARE(), FV_ERR_CONFIG,
                 "/ILSVRC2012_devkit_t12.tar.gz: has the labels of val, but is packed: unpack it "
                 "there with tar -xzf");
    unlink(in_folder("ILSVRC2012_devkit_t12.tar.gz"));
    char wanted[1024];
    assert_int_equal(PREPARE(), FV_ERR_CONFIG);
    snprintf(wanted, sizeof(wanted),
             "%s/val: pictures in one folder, but no labels for them: put "
             "ILSVRC2012_validation_ground_truth.txt and meta.mat of the devkit into %s, or name a "
             "file of labels with --val-labels",
             folder, folder);
    assert_string_equal(testing_err.message, wanted);
    assert_int_equal(access(in_folder("val_list.txt"), F_OK), -1);
}

/* Numbers of the devkit that are taken for numbers of classes, the classic. */
static void test_wrong_numbers(void **state)
{
    (void)state;
    put_flat(1);
    put("val.txt", "ILSVRC2012_val_00000001.JPEG 489\n");
    assert_int_equal(PREPARE(), FV_ERR_FORMAT);
    assert_string_equal(testing_err.message,
                        "ILSVRC2012_val_00000001.JPEG: its class is 65 (n01751748), but here it "
                        "has 489 (n03000134): the labels are wrong");
    put("val/1/ILSVRC2012_val_00000001.JPEG", "x");
    put("val/1000/ILSVRC2012_val_00000002.JPEG", "x");
    assert_fails(PREPARE(), FV_ERR_FORMAT,
                 "/val: folders numbered up to 1000: numbers of the devkit do not name classes; "
                 "rename them to WNIDs");
}

static void test_missing(void **state)
{
    (void)state;
    put_flat(2);
    put("val/readme.jpg", "x");
    put("val.txt", "ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000009.JPEG 1\n"
                   "ILSVRC2012_val_00000008.JPEG 1\n");
    assert_ok(PREPARE());
    assert_string_equal(warnings, "val: 1 picture, but the whole set has 50000\n"
                                  "val: pictures of 1 of 1000 classes; the first without any is 0, "
                                  "n01440764\n"
                                  "val: 2 labels without a picture are left out, the first is "
                                  "val/ILSVRC2012_val_00000008.JPEG\n"
                                  "val: 2 pictures without a label are left out\n");
    put("val.txt", "ILSVRC2012_val_00000008.JPEG 1\n");
    assert_fails(PREPARE(.replace = true), FV_ERR_FORMAT,
                 "/val: none of the labelled pictures is there (val/ILSVRC2012_val_00000008.JPEG)");
}

/* ---- Folders of classes ---- */

/* A class that is not there does not shift the others. */
static void test_wnid_folders(void **state)
{
    (void)state;
    put("train/n01440764/n01440764_2.JPEG", "x");
    put("train/n01440764/n01440764_10.JPEG", "x");
    put("train/n01484850/a b.JPEG", "x");
    put("val/n15075141/v.png", "x");
    put("synset_words.txt", "n01440764 tench, Tinca tinca\nn15075141 toilet tissue\n");
    assert_ok(PREPARE());
    expect_file("train_list.txt",
                "train/n01440764/n01440764_10.JPEG 0\n"
                "train/n01440764/n01440764_2.JPEG 0\ntrain/n01484850/a b.JPEG 2\n");
    expect_file("val_list.txt", "val/n15075141/v.png 999\n");
    expect_labels("0 n01440764 tench, Tinca tinca\n1 n01443537\n");
    assert_int_equal(report.parts[FV_IMAGENET_TRAIN].most, 2);

    assert_ok(PREPARE(.renumber = true, .replace = true));
    expect_file("val_list.txt", "val/n15075141/v.png 2\n");
    expect_file("labels.txt",
                "0 n01440764 tench, Tinca tinca\n1 n01484850\n2 n15075141 toilet tissue\n");
    assert_false(report.standard);

    put("train/n00000001/x.JPEG", "x"); /* of no class of ImageNet's */
    assert_ok(PREPARE(.replace = true));
    assert_non_null(strstr(warnings,
                           "1 of 4 classes are not of ImageNet 2012 (first n00000001): all are "
                           "numbered in the order of their WNIDs, which is not the order of "
                           "weights for ImageNet\n"));
    expect_file("val_list.txt", "val/n15075141/v.png 3\n");
    put("train/tench/x.JPEG", "x");
    assert_fails(PREPARE(), FV_ERR_FORMAT,
                 "/train: the folder \"tench\" is no class: classes are named n01440764; move it "
                 "elsewhere");
}

/* Folders 0 to 999, which do not sort as numbers. */
static void test_numbered_folders(void **state)
{
    (void)state;
    static const char list[] = "0/a.jpeg 0\n1/a.jpeg 1\n10/a.jpeg 10\n2/a.jpeg 2\n999/a.jpeg 999\n";
    put("0/a.jpeg", "x");
    put("1/a.jpeg", "x");
    put("2/a.jpeg", "x");
    put("10/a.jpeg", "x");
    put("999/a.jpeg", "x");
    assert_ok(PREPARE());
    expect_file("val_list.txt", list);
    assert_int_equal(report.parts[FV_IMAGENET_VAL].pictures_due, 10000);
    put("other/val/0/a.jpeg", "x");
    char elsewhere[512], out[512];
    snprintf(elsewhere, sizeof(elsewhere), "%s/other/val", folder);
    snprintf(out, sizeof(out), "%s/out", folder);
    assert_ok(PREPARE(.parts = { NULL, elsewhere }, .out = out));
    expect_file("out/val_list.txt", "other/val/0/a.jpeg 0\n");
}

static void test_lists(void **state)
{
    (void)state;
    put("train/n01440764/b.JPEG", "x");
    put("train/n01443537/c.JPEG", "x");
    put("mine.txt", "train/n01443537/c.JPEG 1\ntrain/n01440764/b.JPEG 0\ntrain/lost.JPEG 3\n");
    char list[512];
    snprintf(list, sizeof(list), "%s/mine.txt", folder);
    assert_ok(PREPARE(.parts = { list }, .extract = true)); /* there is nothing to unpack */
    expect_file("train_list.txt", "train/n01443537/c.JPEG 1\ntrain/n01440764/b.JPEG 0\n");
    put("mine.txt", "train/n01443537/c.JPEG 2\n");
    assert_fails(PREPARE(.parts = { list }), FV_ERR_FORMAT,
                 "/mine.txt: train/n01443537/c.JPEG has label 2, which is n01484850: the list does "
                 "not number the classes in the order of their WNIDs");
}

/* Lists of one's own are not overwritten, and then nothing else is written either. */
static void test_replace(void **state)
{
    (void)state;
    put("train/n01440764/b.JPEG", "x");
    put("labels.txt", "mine");
    assert_fails(PREPARE(), FV_ERR_CONFIG,
                 "/labels.txt: is there already and says other things: --replace writes it anew, "
                 "--out writes elsewhere");
    assert_int_equal(access(in_folder("train_list.txt"), F_OK), -1);
    assert_ok(PREPARE(.replace = true));
    assert_ok(PREPARE()); /* they say the same now */

    /* Another order is kept, other lines are not. */
    put("train/n01440764/c.JPEG", "x");
    put("train_list.txt", "train/n01440764/c.JPEG 0\ntrain/n01440764/b.JPEG 0\n");
    assert_ok(PREPARE());
    expect_file("train_list.txt", "train/n01440764/c.JPEG 0\ntrain/n01440764/b.JPEG 0\n");
    put("train_list.txt", "train/n01440764/c.JPEG 0\ntrain/n01440764/c.JPEG 0\n");
    assert_fails(PREPARE(), FV_ERR_CONFIG,
                 "/train_list.txt: is there already and says other things: --replace writes it "
                 "anew, --out writes elsewhere");
}

static void test_nothing(void **state)
{
    (void)state;
    assert_fails(PREPARE(), FV_ERR_CONFIG,
                 ": nothing of ImageNet in it: no folder train or val, no archive "
                 "ILSVRC2012_img_train.tar or ILSVRC2012_img_val.tar; --train and --val name "
                 "others");
    put("train/readme", "x");
    assert_fails(PREPARE(), FV_ERR_FORMAT, "/train: no folders named by WNID (n01440764)");
    unlink(in_folder("train/readme"));
    rmdir(in_folder("train"));
    assert_int_equal(PREPARE(.parts = { "/nowhere" }), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, "--train: no file or folder /nowhere");
    assert_int_equal(PREPARE(.parts = { NULL, "/nowhere" }), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, "--val: no file or folder /nowhere");
    strcat(folder, "/gone");
    assert_fails(PREPARE(), FV_ERR_CONFIG, ": no such folder");
}

/* ---- Archives ---- */

static void put_archives(void)
{
    tar_bytes first = { .data = NULL }, second = { .data = NULL }, train = { .data = NULL };
    tar_add(&first, '0', "n01440764_1.JPEG", "one", 3);
    tar_add(&first, '0', "n01440764_2.JPEG", "second", 6);
    tar_end(&first);
    tar_add(&second, '0', "./n01443537_3.JPEG", "3", 1);
    tar_end(&second);
    tar_add(&train, '0', "n01440764.tar", first.data, first.size);
    tar_add(&train, '0', "n01443537.tar", second.data, second.size);
    tar_end(&train);
    fv_free(first.data);
    tar_write(&train, in_folder("ILSVRC2012_img_train.tar"));
    tar_write(&second, in_folder("n01443537.tar"));
    tar_bytes val = { .data = NULL };
    tar_add(&val, '0', "ILSVRC2012_val_00000001.JPEG", "v", 1);
    tar_end(&val);
    tar_write(&val, in_folder("ILSVRC2012_img_val.tar"));
    put("synset_labels.txt", "n01751748\n");
}

static const char train_list[] = "train/n01440764/n01440764_1.JPEG 0\n"
                                 "train/n01440764/n01440764_2.JPEG 0\n"
                                 "train/n01443537/n01443537_3.JPEG 1\n";

static void test_archives(void **state)
{
    (void)state;
    put_archives();
    char wanted[1024];
    assert_int_equal(PREPARE(), FV_ERR_CONFIG);
    snprintf(wanted, sizeof(wanted),
             "%s/ILSVRC2012_img_train.tar: an archive, to be unpacked into %s/train: --extract "
             "does it",
             folder, folder);
    assert_string_equal(testing_err.message, wanted);

    assert_ok(PREPARE(.extract = true));
    expect_file("train_list.txt", train_list);
    expect_file("val_list.txt", "val/ILSVRC2012_val_00000001.JPEG 65\n");
    expect_file("train/n01440764/n01440764_2.JPEG", "second");
    assert_int_equal(report.parts[FV_IMAGENET_TRAIN].unpacked, 3);
    assert_int_equal(report.parts[FV_IMAGENET_VAL].unpacked, 1);

    /* Again: what is missing or too short, and nothing else. */
    put("train/n01440764/n01440764_2.JPEG", "sec");
    put("train/n01440764/n01440764_1.JPEG", "ONE");
    unlink(in_folder("train/n01443537/n01443537_3.JPEG"));
    assert_ok(PREPARE(.extract = true));
    assert_int_equal(report.parts[FV_IMAGENET_TRAIN].unpacked, 2);
    expect_file("train/n01440764/n01440764_1.JPEG", "ONE");
    expect_file("train/n01440764/n01440764_2.JPEG", "second");
}

/* Train's archive unpacked once, its archives not. */
static void test_class_archives(void **state)
{
    (void)state;
    put_archives();
    unlink(in_folder("ILSVRC2012_img_train.tar"));
    assert_ok(fv_file_make_folder(in_folder("train"), &testing_err));
    assert_int_equal(rename(in_folder("n01443537.tar"), in_folder("train/n01443537.tar")), 0);
    assert_fails(PREPARE(), FV_ERR_CONFIG,
                 "/train: archives of classes, to be unpacked: --extract does it");
    assert_ok(PREPARE(.extract = true));
    expect_file("train_list.txt", "train/n01443537/n01443537_3.JPEG 1\n");
}

static void test_bad_archives(void **state)
{
    (void)state;
    tar_bytes t = { .data = NULL };
    tar_add(&t, '0', "readme.txt", "x", 1);
    tar_end(&t);
    tar_write(&t, in_folder("ILSVRC2012_img_train.tar"));
    assert_int_equal(PREPARE(.extract = true), FV_ERR_FORMAT);
    assert_string_equal(testing_err.message,
                        "\"readme.txt\" in the archive of train: expected archives of classes, "
                        "n01440764.tar");
    unlink(in_folder("ILSVRC2012_img_train.tar"));
    rmdir(in_folder("train"));
    static const char *const names[] = { "..", "a/..", ".hidden", "a b", "a\nb" };
    for (size_t i = 0; i < FV_ARRAY_LEN(names); i++) {
        char what[128];
        tar_add(&t, '0', names[i], "x", 1);
        tar_end(&t);
        tar_write(&t, in_folder("ILSVRC2012_img_val.tar"));
        snprintf(what, sizeof(what), "/val: a file with the name \"%s\": not ImageNet's", names[i]);
        assert_fails(PREPARE(.extract = true), FV_ERR_FORMAT, what);
    }
}

static void test_interrupted(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 2;
    put_archives();
    assert_int_equal(PREPARE(.extract = true, .stop = &stop), FV_ERR_INTERRUPTED);
    assert_string_equal(testing_err.message,
                        "interrupted, files unpacked: 1; the same command goes on from here");
    assert_ok(PREPARE(.extract = true));
    assert_int_equal(report.parts[FV_IMAGENET_TRAIN].unpacked, 2);
    expect_file("train_list.txt", train_list);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    put_archives();
    put(GROUND_TRUTH, "490\n");
    mat_write_meta(in_folder("meta.mat"), synsets, 4, true);
    fv_status status = FV_ERR_NOMEM;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_alloc_fail_at(n);
        status = PREPARE(.extract = true);
        fv_alloc_fail_at(0);
        if (status != FV_OK && status != FV_ERR_NOMEM) fail_msg("%s", testing_err.message);
        assert_true(n < 200);
    }
    expect_file("train_list.txt", train_list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_classes),        TEST(test_devkit),           TEST(test_label_files),
        TEST(test_bad_labels),     TEST(test_wrong_numbers),    TEST(test_missing),
        TEST(test_wnid_folders),   TEST(test_numbered_folders), TEST(test_lists),
        TEST(test_replace),        TEST(test_nothing),          TEST(test_archives),
        TEST(test_class_archives), TEST(test_bad_archives),     TEST(test_interrupted),
        TEST(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
