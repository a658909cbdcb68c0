/* SPDX-License-Identifier: Apache-2.0 */
/* The program as its users meet it: exit status, JSON, messages. The binary is $FOVEA_BINARY. */
#include "picture_testing.h"

#include "eval/classifier.h"
#include "io/weights.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { PICTURES = 11, CLASSES = 200 };

static char output[1 << 16]; /* of the last command: standard output, then standard error */

/* Runs "fovea <arguments>" in the test folder and returns its exit status. */
static int fovea(const char *format, ...) FV_PRINTF(1, 2);
static int fovea(const char *format, ...)
{
    static char arguments[16384], command[20000];
    va_list args;
    va_start(args, format);
    vsnprintf(arguments, sizeof(arguments), format, args);
    va_end(args);
    snprintf(command, sizeof(command), "cd '%s' && '%s' %s >out 2>err; s=$?; cat out err; exit $s",
             testing_folder(), getenv("FOVEA_BINARY"), arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof(output) - 1, pipe)] = '\0';
    const int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(int status, int expected, const char *part)
{
    if (status != expected || !strstr(output, part))
        fail_msg("status %d, not %d, or no \"%s\" in:\n%s", status, expected, part, output);
}

/* The last two results stay valid. */
static const char *in_folder(const char *name)
{
    static char paths[2][256];
    static int next;
    char *path = paths[next++ % 2];
    snprintf(path, sizeof(paths[0]), "%s/%s", testing_folder(), name);
    return path;
}

static void put(const char *name, const char *text)
{
    assert_ok(fv_file_write(in_folder(name), text, strlen(text), &testing_err));
}

static json_t *load_json(const char *name)
{
    json_error_t error;
    json_t *json = json_load_file(in_folder(name), 0, &error);
    if (!json) fail_msg("%s:%d: %s", name, error.line, error.text);
    return json;
}

static double number(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_number(value)) fail_msg("no number \"%s\"", key);
    return json_number_value(value);
}

static const char *text(const json_t *json, const char *key)
{
    const char *value = json_string_value(json_object_get(json, key));
    if (!value) fail_msg("no string \"%s\"", key);
    return value;
}

/* ---- A model and pictures ---- */

static void write_weights(void)
{
    const fv_classifier_options options = {
        .model = fv_model_find("MobileNetV2_x0_25"), .classes = CLASSES, .height = 32, .width = 32
    };
    fv_classifier *classifier;
    assert_ok(fv_classifier_create(&classifier, &options, &testing_err));
    assert_ok(fv_weights_save(in_folder("weights.safetensors"), fv_classifier_params(classifier),
                              &testing_err));
    fv_classifier_destroy(classifier);
}

static const char config[] =
    "Global: {pretrained_model: weights}\n"
    "Arch: {name: MobileNetV2_x0_25}\n"
    "DataLoader:\n"
    "  Eval:\n"
    "    dataset:\n"
    "      name: ImageNetDataset\n"
    "      image_root: pictures\n"
    "      cls_label_path: list.txt\n"
    "      transform_ops:\n"
    "      - DecodeImage: {to_rgb: True, channel_first: False}\n"
    "      - ResizeImage: {resize_short: 36}\n"
    "      - CropImage: {size: 32}\n"
    "      - NormalizeImage: {scale: 1.0/255.0, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}\n"
    "    sampler: {name: DistributedBatchSampler, batch_size: 4, drop_last: False, shuffle: "
    "False}\n"
    "    loader: {num_workers: 1}\n";

static int setup(void **state)
{
    (void)state;
    if (!getenv("FOVEA_BINARY")) return -1;
    char name[64], list[1024] = "", bad[1024], labels[32 * CLASSES];
    assert_ok(fv_file_make_folder(in_folder("pictures"), &testing_err));
    for (int i = 0; i < PICTURES; i++) {
        snprintf(name, sizeof(name), "pictures/%02d.jpg", i);
        testing_write_jpeg(name, 40 + i, 50 - i);
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%02d.jpg %d\n", i, i % CLASSES);
    }
    put("list.txt", list);
    snprintf(bad, sizeof(bad), "%sbroken.jpg 0\nlost.jpg 1\n", list);
    put("bad_list.txt", bad);
    put("broken.jpg", "no picture");
    for (int i = 0, at = 0; i < CLASSES; i++)
        at += snprintf(labels + at, sizeof(labels) - (size_t)at, "%d class no. %d\n", i, i);
    put("labels.txt", labels);
    put("eval.yaml", config);
    write_weights();
    return 0;
}

/* ---- Tests ---- */

static void test_usage(void **state)
{
    (void)state;
    expect(fovea(" "), 2, "usage: fovea COMMAND");
    expect(fovea("help"), 0, "usage: fovea COMMAND");
    expect(fovea("--help"), 0, "usage: fovea COMMAND");
    expect(fovea("--version"), 0, "fovea 0.1.0 (");
    expect(fovea("evla"), 2, "fovea: evla: unknown command, did you mean eval?\n");
    expect(fovea("help evla"), 2, "fovea help: evla: unknown command, did you mean eval?\n");
    expect(fovea("eval --help"), 0, "usage: fovea eval -c FILE");
    expect(fovea("help predict"), 0, "usage: fovea predict --model NAME");
    expect(fovea("eval"), 2, "fovea eval: -c: a configuration file is needed\n");
    expect(fovea("info --clases 3"), 2,
           "fovea info: --clases: unknown option, did you mean --classes?\n");
    expect(fovea("info MobileNetV3"), 2,
           "fovea info: MobileNetV3: unknown model, did you mean MobileNetV2?\n");
    expect(fovea("predict x.jpg"), 2, "fovea predict: --weights: which file?\n");
    expect(fovea("predict --weights weights"), 2,
           "fovea predict: --model: weights.safetensors does not say which model it is for; "
           "\"fovea info\" lists them\n");
    expect(fovea("predict --weights weights --model MobileNetV2"), 2, "which pictures?");
    expect(fovea("predict --weights gone x.jpg"), 1,
           "fovea predict: gone: no such file of weights, with .h5, .safetensors, .pdparams or "
           ".pth appended "
           "neither\n");
    expect(fovea("bench loader"), 2, "fovea bench: -c: a configuration file is needed\n");
}

/* Names on the terminal cannot drive it. */
static void test_control_characters(void **state)
{
    (void)state;
    expect(fovea("info \"$(printf 'a\\033[2Jb')\""), 2, "fovea info: a?[2Jb: unknown model");
}

static void test_info(void **state)
{
    (void)state;
    expect(fovea("info MobileNetV2_x0_25 --json info.json"), 0,
           "1517392 parameters in 267 tensors, 0.0305 G multiply-adds per image\n");
    json_t *json = load_json("info.json");
    assert_string_equal(text(json, "model"), "MobileNetV2_x0_25");
    assert_true(number(json, "params") == 1517392);
    assert_true(number(json, "macs") == 30480864);
    const json_t *input = json_object_get(json, "input"),
                 *tensors = json_object_get(json, "tensors");
    assert_int_equal(json_array_size(input), 2);
    assert_int_equal(json_integer_value(json_array_get(input, 0)), 224);
    assert_int_equal(json_array_size(tensors), 267);
    const json_t *first = json_array_get(tensors, 0), *shape = json_object_get(first, "shape");
    assert_string_equal(text(first, "name"), "conv1._conv.weight");
    assert_true(json_is_true(json_object_get(first, "trainable")));
    assert_true(json_is_false(json_object_get(json_array_get(tensors, 3), "trainable")));
    static const int dims[] = { 8, 3, 3, 3 };
    assert_int_equal(json_array_size(shape), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(json_integer_value(json_array_get(shape, i)), dims[i]);
    json_decref(json);

    expect(fovea("info --json models.json"), 0, "MobileNetV2_x0_25");
    json = load_json("models.json");
    assert_true(json_array_size(json) >= 6);
    json_decref(json);
}

/* The figures of one row or sum of a profile. */
static void check_figures(const json_t *profile, const json_t *row)
{
    static const char *const rates[] = { "gflops_per_second", "gb_per_second", "roofline_percent" };
    const double ms = number(row, "ms"), least = number(row, "ms_roofline");
    for (size_t k = 0; k < FV_ARRAY_LEN(rates); k++)
        if (!(isfinite(number(row, rates[k])) && number(row, rates[k]) >= 0.0))
            fail_msg("%s of %s", rates[k], text(row, "kind"));
    const double computing = 1e-6 * number(row, "flop") / number(profile, "peak_gflops_per_second");
    const double moving = 1e-6 * number(row, "bytes") / number(profile, "peak_gb_per_second");
    assert_true(ms > 0.0 && least > 0.0);
    assert_true(fabs(number(row, "ms_lost") - (ms - least)) <= 1e-6 * (ms + least));
    assert_true(fabs(number(row, "roofline_percent") * ms - 100.0 * least) <= 1e-4 * least);
    if (number(row, "operators") == 1)
        assert_true(fabs(fmax(computing, moving) - least) <= 1e-6 * least);
}

/* Checks all rows of a list, and that those of a pass have the sum that is told. */
static void check_rows(const json_t *profile, const char *list, const char *pass)
{
    static const char *const summed[] = { "operators", "ms", "flop", "bytes", "ms_roofline" };
    const json_t *rows = json_object_get(profile, list), *sum = json_object_get(profile, pass);
    double last = INFINITY, sums[FV_ARRAY_LEN(summed)] = { 0.0 };
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        check_figures(profile, row);
        assert_true(number(row, "ms_lost") <= last);
        last = number(row, "ms_lost");
        for (size_t k = 0; strcmp(text(row, "pass"), pass) == 0 && k < FV_ARRAY_LEN(summed); k++)
            sums[k] += number(row, summed[k]);
    }
    for (size_t k = 0; k < FV_ARRAY_LEN(summed); k++)
        if (fabs(sums[k] - number(sum, summed[k])) > 1e-6 * sums[k])
            fail_msg("%s of %s %s are %.9g, not %.9g", summed[k], pass, list, sums[k],
                     number(sum, summed[k]));
}

static void check_profile(const json_t *json)
{
    const bool trains = strcmp(text(json, "mode"), "train") == 0;
    const json_t *profile = json_object_get(json, "profile");
    const json_t *forward = json_object_get(profile, "forward");
    const json_t *backward = json_object_get(profile, "backward");
    const json_t *total = json_object_get(profile, "total");
    const json_t *rows = json_object_get(profile, "rows");
    static const char *const lists[] = { "rows", "kinds" };
    for (size_t i = 0; i < FV_ARRAY_LEN(lists); i++) {
        check_rows(profile, lists[i], "forward");
        check_rows(profile, lists[i], "backward");
    }
    assert_true(json_array_size(rows) == number(forward, "operators") * (trains ? 2 : 1));
    assert_true(number(backward, "operators") == (trains ? number(forward, "operators") : 0));
    const double ms = number(total, "ms"), outside = number(profile, "ms_outside");
    assert_true(fabs(number(forward, "ms") + number(backward, "ms") - ms) <= 1e-6 * ms);
    assert_true(outside >= 0.0 && fabs(ms + outside - number(profile, "ms_step")) <= 1e-6 * ms);
    /* As many operations as the line of the whole says, those of the whole batch. */
    const double all = number(json, "gflops_per_second") * number(json, "ms_median") * 1e6;
    const double once = trains ? all / 3.0 : all, back = number(backward, "flop");
    assert_true(fabs(number(forward, "flop") - once) <= 1e-6 * once);
    assert_true(trains ? back > 1.5 * once && back < 2.0 * once : back == 0.0);
    const json_t *shape = json_object_get(json_array_get(rows, 0), "output");
    assert_true(json_array_size(shape) == 4);
    assert_true(json_integer_value(json_array_get(shape, 0)) == 2);
    assert_true(strlen(text(json_array_get(rows, 0), "operator")) > 0);
}

static void test_bench(void **state)
{
    (void)state;
    static const char *const keys[] = { "batch",  "threads",  "images_per_second", "ms_median",
                                        "ms_min", "arena_mb", "gflops_per_second", "peak_rss_mb" };
    static const char *const modes[] = { "infer", "train" };
    for (size_t i = 0; i < FV_ARRAY_LEN(modes); i++) {
        expect(fovea("bench MobileNetV2_x0_25 --mode %s --batch 2 --steps 2 --size 32 --classes 5 "
                     "--threads 1 --profile --json bench.json",
                     modes[i]),
               0, "GFLOP/s  GB/s roof % lost ms\n");
        json_t *json = load_json("bench.json");
        assert_string_equal(text(json, "model"), "MobileNetV2_x0_25");
        assert_string_equal(text(json, "mode"), modes[i]);
        for (size_t k = 0; k < FV_ARRAY_LEN(keys); k++)
            if (!(number(json, keys[k]) > 0.0)) fail_msg("%s is not positive", keys[k]);
        assert_true(number(json, "batch") == 2);
        assert_true(number(json, "threads") == 1);
        assert_true(number(json, "ms_min") <= number(json, "ms_median"));
        check_profile(json);
        json_decref(json);
    }
    /* Three threads share each operator, two have a picture each. */
    for (int threads = 2; threads <= 3; threads++) {
        expect(fovea("bench MobileNetV2_x0_25 --batch 2 --steps 2 --size 32 --classes 5 --profile "
                     "--threads %d --json bench.json",
                     threads),
               0, " more: ");
        json_t *json = load_json("bench.json");
        check_profile(json);
        json_decref(json);
    }
}

static void test_bench_loader(void **state)
{
    (void)state;
    char train[sizeof(config)];
    snprintf(train, sizeof(train), "%s", config);
    memcpy(strstr(train, "  Eval:"), " Train:", 7);
    put("train.yaml", train);
    expect(fovea("bench loader -c train.yaml --threads 1 --json loader.json"), 0, "images/s");
    json_t *json = load_json("loader.json");
    assert_true(number(json, "images_per_second") > 0.0);
    assert_true(number(json, "images") == PICTURES);
    assert_true(number(json, "threads") == 1);
    assert_true(number(json, "processor_seconds") > 0.0);
    json_decref(json);
}

/* Neither the batch size nor the number of threads changes a bit. */
static void test_eval(void **state)
{
    (void)state;
    double top1 = -1.0, top5 = -1.0, loss = -1.0;
    for (int batch = 1; batch <= PICTURES + 1; batch += 3)
        for (int threads = 1; threads <= 2; threads++) {
            expect(fovea("eval -c eval.yaml -o DataLoader.Eval.sampler.batch_size=%d --threads %d "
                         "--json eval.json",
                         batch, threads),
                   0, "Top1 ");
            json_t *json = load_json("eval.json");
            assert_true(number(json, "images") == PICTURES);
            assert_int_equal(json_array_size(json_object_get(json, "unreadable")), 0);
            assert_true(number(json, "seconds") > 0.0 && number(json, "images_per_second") > 0.0);
            if (batch > 1 || threads > 1) {
                assert_true(number(json, "top1") == top1);
                assert_true(number(json, "top5") == top5);
                if (number(json, "loss") != loss)
                    fail_msg("batch %d, %d threads: loss %.9g, before %.9g", batch, threads,
                             number(json, "loss"), loss);
            }
            top1 = number(json, "top1");
            top5 = number(json, "top5");
            loss = number(json, "loss");
            json_decref(json);
        }
    assert_true(top5 >= top1);
}

static void test_eval_with_unreadable_pictures(void **state)
{
    (void)state;
    expect(fovea("eval -c eval.yaml --json good.json"), 0, "Top1 ");
    expect(fovea("eval -c eval.yaml -o DataLoader.Eval.dataset.cls_label_path=bad_list.txt --json "
                 "bad.json --answers answers.tsv"),
           1, "fovea eval: 2 of 13 images could not be read; they count as wrong\n");
    json_t *good = load_json("good.json"), *bad = load_json("bad.json");
    const json_t *unreadable = json_object_get(bad, "unreadable");
    assert_int_equal(json_array_size(unreadable), 2);
    assert_string_equal(json_string_value(json_array_get(unreadable, 0)), "pictures/broken.jpg");
    assert_string_equal(json_string_value(json_array_get(unreadable, 1)), "pictures/lost.jpg");
    assert_true(number(bad, "images") == PICTURES + 2);
    const double right = number(good, "top1") * PICTURES;
    assert_true(fabs(number(bad, "top1") * (PICTURES + 2) - right) < 1e-6);
    json_decref(good);
    json_decref(bad);

    char *answers;
    size_t bytes;
    assert_ok(fv_file_read(in_folder("answers.tsv"), 4096, &answers, &bytes, &testing_err));
    assert_memory_equal(answers, "00.jpg\t0\t", 9);
    assert_non_null(strstr(answers, "\nbroken.jpg\t0\t-1\t0.000000\n"));
    fv_free(answers);
}

/* The reassessed labels of all pictures are wrong but that of one, which is what the model says. */
static void test_eval_real(void **state)
{
    (void)state;
    char *answers, *line, real[256] = "[[";
    size_t bytes;
    expect(fovea("eval -c eval.yaml --answers answers.tsv"), 0, "Top1 ");
    assert_ok(fv_file_read(in_folder("answers.tsv"), 4096, &answers, &bytes, &testing_err));
    line = strchr(strchr(strstr(answers, "00.jpg\t"), '\t') + 1, '\t') + 1;
    strncat(real, line, strcspn(line, "\t"));
    strcat(real, "]");
    fv_free(answers);
    for (int i = 1; i < PICTURES; i++) strcat(real, i < 7 ? ", []" : ", [199]");
    strcat(real, "]");
    put("real.json", real);
    expect(fovea("eval -c eval.yaml --real real.json --json eval.json"), 0, "ReaL: Top1 ");
    json_t *json = load_json("eval.json");
    assert_true(number(json, "real_images") == 5);
    assert_true(number(json, "real_top1") >= 0.2 && number(json, "real_top1") <= 1.0);
    assert_true(number(json, "real_top5") >= number(json, "real_top1"));
    json_decref(json);
    put("real.json", "[[1]]");
    expect(fovea("eval -c eval.yaml --real real.json"), 2, "real.json: 1 rows for 11 pictures");
}

static void test_eval_refuses(void **state)
{
    (void)state;
    expect(fovea("eval -c eval.yaml -o Global.pretrained_model=null"), 2,
           "Global.pretrained_model: which weights?");
    expect(fovea("eval -c eval.yaml -o Arch.class_num=5"), 2,
           "weights.safetensors: weights for 200 classes, but Arch.class_num is 5\n");
    expect(fovea("eval -c eval.yaml -o Arch.name=MobileNetV2_x0_5"), 1, "weights.safetensors");
    expect(
        fovea("eval -c eval.yaml -o DataLoader.Eval.sampler.drop_last=True"), 2,
        "fovea eval: evaluation: the sampler leaves out 3 of 11 images; set sampler.drop_last to "
        "False\n");
    put("other.txt", "00.jpg 0\n01.jpg 200\n");
    expect(fovea("eval -c eval.yaml -o DataLoader.Eval.dataset.cls_label_path=other.txt"), 1,
           "fovea eval: other.txt:2: label 200: must be from 0 to 199\n");
    expect(fovea("eval -c eval.yaml -o Global.pretraned_model=x"), 2,
           "did you mean \"pretrained_model\"?");
}

static void test_prepare_imagenet(void **state)
{
    (void)state;
    expect(fovea("prepare-imagenet imagenet"), 2, "imagenet: no such folder\n");
    assert_ok(fv_file_make_folder(in_folder("imagenet/val/n01751748"), &testing_err));
    put("imagenet/val/n01751748/ILSVRC2012_val_00000001.JPEG", "x");
    expect(fovea("prepare-imagenet imagenet --json prepared.json"), 0,
           "  cls_label_path: imagenet/val_list.txt\n");
    expect(0, 0, "warning: val: 1 picture, but the whole set has 50000\n");
    json_t *json = load_json("prepared.json"), *val = json_object_get(json, "val");
    assert_true(json_is_null(json_object_get(json, "train")));
    assert_true(json_is_true(json_object_get(json, "standard")));
    assert_true(number(json, "classes") == 1000);
    assert_true(number(val, "pictures") == 1 && number(val, "pictures_due") == 50000);
    assert_string_equal(text(val, "list"), "imagenet/val_list.txt");
    assert_string_equal(text(val, "source"), "imagenet/val: folders by WNID");
    json_decref(json);
}

static void test_predict(void **state)
{
    (void)state;
    static const char arguments[] = "predict --model MobileNetV2_x0_25 --weights weights --crop 32 "
                                    "--resize-short 36 --mean 0.5 --std 0.5 --topk 3";
    expect(fovea("%s --labels labels.txt --json folder.json pictures", arguments), 0, "rank");
    expect(fovea("%s --labels labels.txt --json list.json --batch 3 --threads 1 list.txt --root "
                 "pictures",
                 arguments),
           0, "rank");
    expect(fovea("%s --json mixed.json broken.jpg pictures/04.jpg lost.jpg", arguments), 1,
           "fovea predict: 2 of 3 pictures could not be predicted\n");
    json_t *folder = load_json("folder.json"), *list = load_json("list.json");
    json_t *mixed = load_json("mixed.json");

    assert_int_equal(json_array_size(folder), PICTURES);
    if (!json_equal(folder, list)) fail_msg("a list in batches of 3 is not the folder in one");
    const json_t *fifth = json_array_get(folder, 4), *ids = json_object_get(fifth, "class_ids");
    assert_string_equal(text(fifth, "file"), "pictures/04.jpg");
    assert_int_equal(json_array_size(ids), 3);
    assert_int_equal(json_array_size(json_object_get(fifth, "scores")), 3);
    char name[32];
    snprintf(name, sizeof(name), "class no. %d", (int)json_integer_value(json_array_get(ids, 0)));
    assert_string_equal(json_string_value(json_array_get(json_object_get(fifth, "label_names"), 0)),
                        name);

    assert_int_equal(json_array_size(mixed), 3);
    assert_string_equal(text(json_array_get(mixed, 0), "file"), "broken.jpg");
    assert_non_null(strstr(text(json_array_get(mixed, 0), "error"), "broken.jpg: "));
    assert_true(json_equal(json_object_get(json_array_get(mixed, 1), "scores"),
                           json_object_get(fifth, "scores")));
    assert_int_equal(json_array_size(json_object_get(json_array_get(mixed, 1), "label_names")), 0);
    assert_non_null(strstr(text(json_array_get(mixed, 2), "error"), "lost.jpg: "));
    json_decref(folder);
    json_decref(list);
    json_decref(mixed);
}

/* Everything that options do not say comes from the configuration. */
static void test_predict_with_config(void **state)
{
    (void)state;
    put("infer.yaml", "Global: {pretrained_model: weights}\n"
                      "Arch: {name: MobileNetV2_x0_25}\n"
                      "Infer:\n"
                      "  infer_imgs: pictures\n"
                      "  save_dir: saved/\n"
                      "  transforms:\n"
                      "  - DecodeImage: {to_rgb: True, channel_first: False}\n"
                      "  - ResizeImage: {resize_short: 36}\n"
                      "  - CropImage: {size: 32}\n"
                      "  - NormalizeImage: {scale: 1.0/255.0, mean: [0.5, 0.5, 0.5], "
                      "std: [0.5, 0.5, 0.5]}\n"
                      "  - ToCHWImage:\n"
                      "  PostProcess: {name: Topk, topk: 2, class_id_map_file: labels.txt}\n");
    expect(fovea("predict -c infer.yaml"), 0, "(Infer.transforms)\n");
    expect(fovea("predict --model MobileNetV2_x0_25 --weights weights --crop 32 --resize-short 36 "
                 "--mean 0.5 --std 0.5 --topk 2 --labels labels.txt --json options.json pictures"),
           0, "(the options of the command line)\n");
    json_t *saved = load_json("saved.json"), *given = load_json("options.json");
    assert_int_equal(json_array_size(saved), PICTURES);
    assert_true(json_equal(saved, given));
    json_decref(saved);
    json_decref(given);
    expect(fovea("predict --weights weights -o Arch.name=MobileNetV2 x.jpg"), 2,
           "fovea predict: -o: overrides a configuration, but none is given: -c\n");
}

/* Standard output holds the JSON and nothing else. */
static void test_json_to_standard_output(void **state)
{
    (void)state;
    expect(fovea("info MobileNetV2_x0_25 --json -"), 0, "267 tensors");
    json_error_t error;
    json_t *json = json_load_file(in_folder("out"), 0, &error);
    assert_non_null(json);
    json_decref(json);
    expect(fovea("info --json no/such/folder/f.json"), 1, "no/such/folder/f.json");
}

static void test_config(void **state)
{
    (void)state;
    expect(fovea("config -c eval.yaml -o Arch.class_num=200"), 0, "class_num: 200");
    assert_int_equal(rename(in_folder("out"), in_folder("again.yaml")), 0);
    expect(fovea("eval -c again.yaml"), 0, "Top1 ");
    expect(fovea("config -c eval.yaml -o Arch.name=GoogleNetX"), 2, "Arch.name");
    expect(fovea("config -c none.yaml"), 1, "none.yaml");
}

/* The list of the folder with every label moved by one. */
static void write_wrong_list(const char *assets)
{
    static char path[4200], wrong[32768], name[256];
    int label, at = 0;
    snprintf(path, sizeof(path), "%s/imagenet_mini_rot180/val_list.txt", assets);
    FILE *list = fopen(path, "r");
    assert_non_null(list);
    while (fscanf(list, "%255s %d", name, &label) == 2)
        at += snprintf(wrong + at, sizeof(wrong) - (size_t)at, "%s %d\n", name, (label + 1) % 1000);
    fclose(list);
    put("wrong.txt", wrong);
}

static double evaluate_imagenet(const char *weights, const char *assets, int batch, int threads)
{
    static const char *const overrides =
        "-o Arch.name=MobileNetV2 -o Global.pretrained_model='%s' "
        "-o DataLoader.Eval.dataset.image_root='%s/imagenet_mini_rot180' "
        "-o DataLoader.Eval.dataset.cls_label_path='%s/imagenet_mini_rot180/val_list.txt' "
        "-o DataLoader.Eval.dataset.transform_ops.1.ResizeImage='{resize_short: 256, backend: "
        "pil}' "
        "-o DataLoader.Eval.dataset.transform_ops.2.CropImage.size=224 ";
    char written[16384];
    snprintf(written, sizeof(written), overrides, weights, assets, assets);
    expect(fovea("config -c eval.yaml %s", written), 0, "MobileNetV2");
    assert_int_equal(rename(in_folder("out"), in_folder("imagenet.yaml")), 0);
    expect(fovea("eval -c imagenet.yaml -o DataLoader.Eval.sampler.batch_size=%d --threads %d "
                 "--json eval.json",
                 batch, threads),
           0, "Top1 88.50 %, Top5 99.50 % of 200 images, mean cross entropy 0.56136");
    json_t *json = load_json("eval.json");
    assert_true(number(json, "top1") == 177.0 / 200.0);
    assert_true(number(json, "top5") == 199.0 / 200.0);
    const double loss = number(json, "loss");
    json_decref(json);
    return loss;
}

/* The numbers that PyTorch finds for these weights on these pictures, in any batch. */
static void test_imagenet(void **state)
{
    (void)state;
    const char *found = testing_shared("assets/mobilenetv2_imagenet_rot180.safetensors");
    char assets[4096], weights[4096];
    if (!found || !realpath(found, weights)) skip();
    snprintf(assets, sizeof(assets), "%.*s", (int)(strrchr(weights, '/') - weights), weights);
    const double loss = evaluate_imagenet(weights, assets, 64, 2);
    const double again = evaluate_imagenet(weights, assets, 7, 1);
    write_wrong_list(assets);
    expect(fovea("eval -c imagenet.yaml -o DataLoader.Eval.dataset.cls_label_path=wrong.txt"), 0,
           "although the answers are confident");
    if (loss != again) fail_msg("loss %.9g in batches of 64, %.9g in batches of 7", loss, again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_bench),
        cmocka_unit_test(test_bench_loader),
        cmocka_unit_test(test_eval),
        cmocka_unit_test(test_eval_with_unreadable_pictures),
        cmocka_unit_test(test_eval_refuses),
        cmocka_unit_test(test_eval_real),
        cmocka_unit_test(test_prepare_imagenet),
        cmocka_unit_test(test_predict),
        cmocka_unit_test(test_predict_with_config),
        cmocka_unit_test(test_json_to_standard_output),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_imagenet),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
