/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of a DistillationModel, on a few drawn pictures. What matters is compared bit for bit, as
 * checksums of weights. */
#include "testing.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "data/synth.h"
#include "io/weights.h"
#include "train/logits.h"
#include "train/start.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CLASSES = 3, PICTURES = 21, BATCHES = 4 }; /* of 6, the last has 3 */

static const char CONFIG[] =
    "Global: {epochs: 2, print_batch_step: 2, seed: 7}\n"
    "Arch:\n"
    "  name: DistillationModel\n"
    "  class_num: &classes 3\n"
    "  pretrained_list: null\n"
    "  freeze_params_list: [True, False]\n"
    "  infer_model_name: Student\n"
    "  models:\n"
    "    - Teacher: {name: MobileNetV2_x0_5, class_num: *classes, pretrained: False}\n"
    "    - Student: {name: MobileNetV2_x0_25, class_num: *classes, pretrained: False}\n"
    "Loss:\n"
    "  Train:\n"
    "    - DistillationDMLLoss:\n"
    "        weight: 1.0\n"
    "        model_name_pairs:\n"
    "        - ['Student', 'Teacher']\n"
    "  Eval: [CELoss: {weight: 1.0}]\n"
    "Optimizer:\n"
    "  name: Momentum\n"
    "  lr: {name: Constant, learning_rate: 0.02}\n"
    "DataLoader:\n"
    "  Train:\n"
    "    dataset:\n"
    "      name: ImageNetDataset\n"
    "      image_root: ''\n"
    "      cls_label_path: ''\n"
    "      transform_ops:\n"
    "        - DecodeImage: {to_rgb: True, channel_first: False}\n"
    "        - ResizeImage: {size: 64}\n"
    "        - NormalizeImage: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}\n"
    "    sampler: {batch_size: 6, shuffle: True}\n"
    "    loader: {num_workers: 0}\n"
    "Metric:\n"
    "  Train: [DistillationTopkAcc: {model_key: Student, topk: [1, 5]}]\n";

/* ---- A run ---- */

typedef struct experiment {
    const char *folder;       /* of the output, below the test's */
    const char *overrides[8]; /* as with -o */
    int threads;              /* 0: 1 */
    int64_t stop_step;
    /* what came out */
    fv_status status;
    uint32_t checksum;
    int params;
    double loss, top1; /* of the last epoch */
    /* inside */
    volatile sig_atomic_t stop;
    char path[300];
} experiment;

static char told[8192];

static void keep_told(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx, (void)level;
    const size_t used = strlen(told);
    snprintf(told + used, sizeof(told) - used, "%s\n", line);
}

static void take_event(void *ctx, const fv_train_event *event)
{
    experiment *e = ctx;
    if (event->kind != FV_TRAIN_STEP) return;
    e->loss = event->loss;
    e->top1 = event->top1;
    if (event->step == e->stop_step) e->stop = SIGINT;
}

/* Only what is evaluated is looked at: the student, with three outputs for each picture. */
static fv_status evaluate(void *ctx, fv_program *program, fv_train_score *out, fv_error *err)
{
    static float images[2 * 64 * 64 * 3];
    (void)ctx;
    fv_plan *plan;
    const fv_bindings *bindings;
    FV_TRY(fv_program_plan(program, FV_EVAL, (fv_shape){ 2, 64, 64, 3 }, &plan, &bindings, err));
    testing_fill("evaluation", images, FV_ARRAY_LEN(images));
    fv_plan_feed(plan, bindings->images, images);
    fv_plan_forward(plan);
    assert_int_equal(fv_tensor_shape(bindings->outputs[0]).c, CLASSES);
    *out = (fv_train_score){ .top1 = 0.5, .images = 2, .seconds = 0.5 };
    return FV_OK;
}

static const char *data_folder(void)
{
    static char path[256];
    if (path[0]) return path;
    snprintf(path, sizeof(path), "%s/data", testing_folder());
    const fv_synth_options o = { .classes = CLASSES, .train = PICTURES, .val = 1, .seed = 1 };
    assert_ok(fv_synth_render(path, &o, NULL, NULL, NULL, &testing_err));
    return path;
}

static fv_config *make_config(experiment *e)
{
    fv_config *config;
    char text[600];
    assert_ok(fv_config_parse(&config, "c.yaml", CONFIG, &testing_err));
    snprintf(e->path, sizeof(e->path), "%s/%s", testing_folder(), e->folder);
    snprintf(text, sizeof(text), "Global.output_dir=%s", e->path);
    assert_ok(fv_config_set(config, text, &testing_err));
    snprintf(text, sizeof(text), "DataLoader.Train.dataset.cls_label_path=%s/train_list.txt",
             data_folder());
    assert_ok(fv_config_set(config, text, &testing_err));
    snprintf(text, sizeof(text), "DataLoader.Train.dataset.image_root=%s", data_folder());
    assert_ok(fv_config_set(config, text, &testing_err));
    for (int i = 0; e->overrides[i]; i++)
        assert_ok(fv_config_set(config, e->overrides[i], &testing_err));
    return config;
}

static fv_status train(experiment *e, fv_settings *settings, fv_source *source, fv_journal *journal)
{
    fv_kernels kernels;
    fv_trainer *trainer = NULL;
    fv_kernels_init(&kernels, fv_cpu_detect());
    const fv_trainer_options options = { .settings = settings,
                                         .kernels = &kernels,
                                         .source = source,
                                         .classes = CLASSES,
                                         .journal = journal,
                                         .evaluate = evaluate,
                                         .event = take_event,
                                         .ctx = e,
                                         .stop = &e->stop };
    FV_TRY(fv_trainer_create(&trainer, &options, &testing_err));
    const fv_status status = fv_trainer_run(trainer, &testing_err);
    e->checksum = fv_params_checksum(fv_trainer_params(trainer));
    e->params = fv_params_count(fv_trainer_params(trainer));
    fv_trainer_destroy(trainer);
    return status;
}

/* The message, if any, is in testing_err. */
static fv_status run(experiment *e)
{
    fv_settings settings;
    fv_source source = { 0 };
    fv_journal *journal = NULL;
    fv_config *config = make_config(e);
    told[0] = '\0';
    fv_log_sink(keep_told, NULL);
    fv_threads_set(e->threads ? e->threads : 1);
    assert_ok(fv_settings_read(&settings, config, &testing_err));
    const fv_source_options options = { .where = "DataLoader.Train",
                                        .classes = CLASSES,
                                        .seed = (uint64_t)settings.global.seed,
                                        .training = true,
                                        .unlabelled = !fv_loss_needs_labels(&settings.loss),
                                        .threads = fv_threads_count() };
    e->status = fv_source_open(&source, settings.train, &options, &testing_err);
    if (e->status == FV_OK) assert_ok(fv_journal_open(&journal, e->path, &testing_err));
    if (e->status == FV_OK) e->status = train(e, &settings, &source, journal);
    fv_journal_close(journal);
    fv_source_close(&source);
    fv_config_destroy(config);
    fv_log_sink(NULL, NULL);
    return e->status;
}

static const char *inside(const experiment *e, const char *name)
{
    static char path[400];
    snprintf(path, sizeof(path), "%s/%s", e->path, name);
    return path;
}

/* A file of weights of a model, drawn from a seed; statistics and all. */
static const char *weights_of(const char *model, uint64_t seed)
{
    static char paths[4][400];
    static int used;
    char *path = paths[used++ % 4];
    fv_params *params;
    snprintf(path, 400, "%s/%s_%d.safetensors", testing_folder(), model, (int)seed);
    assert_ok(fv_start_params(&params, fv_model_find(model), CLASSES, 64, 64, seed, &testing_err));
    assert_ok(fv_weights_save(path, params, &testing_err));
    fv_params_destroy(params);
    return path;
}

static const char *override_of(const char *key, const char *value)
{
    static char texts[4][600];
    static int used;
    char *text = texts[used++ % 4];
    snprintf(text, 600, "%s=%s", key, value);
    return text;
}

#define TEACHER_WEIGHTS \
    override_of("Arch.models.0.Teacher.pretrained", weights_of("MobileNetV2_x0_5", 3))

/* The run that others are compared with: the teacher in training mode. */
static const experiment *plain(void)
{
    static experiment e = { .folder = "plain" };
    e.overrides[0] = TEACHER_WEIGHTS;
    if (!e.path[0]) assert_ok(run(&e));
    return &e;
}

/* ---- One that learns, one that does not ---- */

static bool was_told(const char *text) { return strstr(told, text) != NULL; }

static void test_student_learns(void **unused)
{
    (void)unused;
    experiment e = { .folder = "learns",
                     .overrides = { TEACHER_WEIGHTS, "Global.epochs=12",
                                    "Arch.teacher_mode=eval" } };
    experiment one = { .folder = "one",
                       .overrides = { TEACHER_WEIGHTS, "Global.epochs=1",
                                      "Arch.teacher_mode=eval" } };
    assert_ok(run(&one));
    assert_ok(run(&e));
    assert_true(e.loss < 0.5 * one.loss);
    assert_false(was_told("training mode"));
}

static void test_mode_of_teacher(void **unused)
{
    (void)unused;
    experiment eval = { .folder = "eval",
                        .overrides = { TEACHER_WEIGHTS, "Arch.teacher_mode=eval" } };
    experiment none = { .folder = "none" };
    assert_ok(run(&none));
    assert_true(was_told("Teacher is frozen and has no weights: what it teaches is noise; "
                         "\"pretrained\" names a file\n"));
    assert_true(was_told("frozen models run in training mode, as in PaddleClas: with the "
                         "statistics of each batch; Arch.teacher_mode: eval takes their own, and "
                         "is faster\n"));
    assert_ok(run(&eval));
    assert_int_not_equal(eval.checksum, plain()->checksum);
    assert_int_not_equal(none.checksum, plain()->checksum);
}

/* The student's weights start as if it were alone, and its files are those of one model. */
static void test_student_alone_is_saved(void **unused)
{
    (void)unused;
    fv_params *params;
    assert_ok(fv_start_params(&params, fv_model_find("MobileNetV2_x0_25"), CLASSES, 64, 64, 7,
                              &testing_err));
    assert_int_equal(fv_params_count(params), plain()->params);
    assert_ok(fv_weights_load(inside(plain(), "best_model.h5"), params, NULL, NULL, &testing_err));
    assert_ok(fv_weights_load(inside(plain(), "latest.h5"), params, NULL, NULL, &testing_err));
    assert_int_equal(fv_params_checksum(params), plain()->checksum);
    fv_params_destroy(params);
    fv_checkpoint_head head;
    assert_ok(fv_checkpoint_peek(&head, inside(plain(), "best_model.h5"), &testing_err));
    assert_string_equal(head.arch, "MobileNetV2_x0_25");
    fv_checkpoint_head_deinit(&head);
}

static void test_threads_do_not_matter(void **unused)
{
    (void)unused;
    experiment e = { .folder = "threads", .threads = 3, .overrides = { TEACHER_WEIGHTS } };
    assert_ok(run(&e));
    assert_int_equal(e.checksum, plain()->checksum);
}

static void resume(const char *const *overrides, int stop_step, uint32_t checksum)
{
    experiment first = { .folder = "stopped", .stop_step = stop_step },
               second = { .folder = "stopped" };
    int count = 0;
    for (; overrides[count]; count++)
        first.overrides[count] = second.overrides[count] = overrides[count];
    assert_int_equal(run(&first), FV_ERR_INTERRUPTED);
    second.overrides[count] = override_of("Global.checkpoints", inside(&first, "latest.h5"));
    assert_ok(run(&second));
    assert_int_equal(second.checksum, checksum);
}

static void test_resuming(void **unused)
{
    (void)unused;
    const char *const overrides[] = { TEACHER_WEIGHTS, NULL };
    resume(overrides, 3, plain()->checksum);
}

/* ---- All learn ---- */

static void test_mutual_learning(void **unused)
{
    (void)unused;
    const char *const overrides[] = {
        "Arch.freeze_params_list=[False, False]",
        "Loss.Train=[{DistillationGTCELoss: {model_names: [Student, Teacher]}}, "
        "{DistillationDMLLoss: {model_name_pairs: [[Student, Teacher]]}}]",
        override_of("Arch.models.0.Teacher.pretrained", weights_of("MobileNetV2_x0_5", 3)), NULL
    };
    experiment e = { .folder = "mutual",
                     .overrides = { overrides[0], overrides[1], overrides[2] } };
    assert_ok(run(&e));
    assert_true(e.params > plain()->params);
    fv_params *params;
    assert_ok(fv_start_params(&params, fv_model_find("MobileNetV2_x0_25"), CLASSES, 64, 64, 7,
                              &testing_err));
    assert_ok(fv_weights_load(inside(&e, "best_model.h5"), params, NULL, NULL, &testing_err));
    fv_params_destroy(params);
    resume(overrides, 6, e.checksum);
}

/* ---- What the teacher answered ---- */

static void test_cache(void **unused)
{
    (void)unused;
    char folder[300];
    snprintf(folder, sizeof(folder), "%s/cache", testing_folder());
    experiment without = { .folder = "without",
                           .overrides = { TEACHER_WEIGHTS, "Arch.teacher_mode=eval" } };
    experiment with = { .folder = "with",
                        .overrides = { TEACHER_WEIGHTS, "Arch.teacher_mode=eval",
                                       override_of("Arch.teacher_cache", folder) } };
    experiment again = with, others = with;
    again.folder = "again";
    others.folder = "others";
    others.overrides[0] =
        override_of("Arch.models.0.Teacher.pretrained", weights_of("MobileNetV2_x0_5", 4));
    assert_ok(run(&without));
    assert_ok(run(&with));
    assert_int_equal(with.checksum, without.checksum);
    assert_ok(run(&again)); /* reads all from the file */
    assert_int_equal(again.checksum, without.checksum);
    assert_ok(run(&others));
    assert_int_not_equal(others.checksum, without.checksum);
    assert_true(was_told("cache/Teacher.logits: of other weights, pictures or transforms, so it "
                         "starts anew\n"));
}

static void damage(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fputc('!', file), '!');
    assert_int_equal(fclose(file), 0);
}

/* A damaged row is answered anew; a file that is something else is left alone. */
static void test_damaged_cache(void **unused)
{
    (void)unused;
    char folder[300], file[400], message[700];
    snprintf(folder, sizeof(folder), "%s/damaged", testing_folder());
    snprintf(file, sizeof(file), "%s/Teacher.logits", folder);
    experiment e = { .folder = "first",
                     .overrides = { TEACHER_WEIGHTS, "Arch.teacher_mode=eval",
                                    override_of("Arch.teacher_cache", folder) } };
    assert_ok(run(&e));
    const uint32_t checksum = e.checksum;
    damage(file, 32 + 5 * 16 + 7);
    assert_ok(run(&e));
    assert_int_equal(e.checksum, checksum);
    assert_int_equal(truncate(file, 100), 0);
    assert_ok(run(&e));
    assert_int_equal(e.checksum, checksum);
    damage(file, 0);
    assert_int_equal(run(&e), FV_ERR_FORMAT);
    snprintf(message, sizeof(message),
             "%s: not a file of logits: Arch.teacher_cache must name a folder of its own", file);
    assert_string_equal(testing_err.message, message);
}

static void test_rows_of_logits(void **unused)
{
    (void)unused;
    static const float row[2] = { 0.25f, -1.0f };
    const int64_t both[] = { 1, 0 };
    float found[4];
    char path[300];
    fv_logits *l = NULL;
    snprintf(path, sizeof(path), "%s/rows.logits", testing_folder());
    for (size_t n = 1; n <= 2; n++) {
        fv_alloc_fail_at(n);
        assert_int_equal(fv_logits_open(&l, path, 7, 2, 2, &testing_err), FV_ERR_NOMEM);
        assert_null(l);
    }
    fv_alloc_fail_at(0);
    assert_ok(fv_logits_open(&l, path, 7, 2, 2, &testing_err));
    fv_logits_keep(l, 1, row);
    assert_true(fv_logits_find(l, both, 1, found));
    assert_memory_equal(found, row, sizeof(row));
    assert_false(fv_logits_find(l, both, 2, found));
    fv_logits_close(l);
    assert_ok(fv_logits_open(&l, path, 8, 2, 2, &testing_err)); /* of other weights */
    assert_false(fv_logits_find(l, both, 1, found));
    fv_logits_close(l);
    assert_int_equal(fv_logits_open(&l, testing_folder(), 7, 2, 2, &testing_err), FV_ERR_IO);
    snprintf(path, sizeof(path), "%s: cannot be opened: Is a directory", testing_folder());
    assert_string_equal(testing_err.message, path);
}

/* ---- Pictures without labels ---- */

/* The training list, with two labels of three taken away. */
static const char *partly_labelled(void)
{
    static char path[400];
    char list[64 * PICTURES] = "";
    snprintf(path, sizeof(path), "%s/partly.txt", testing_folder());
    for (int i = 0; i < PICTURES; i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "train/%06d_%s.jpg%s\n", i,
                 fv_synth_class_name(i % CLASSES), i % CLASSES ? "" : " 0");
    }
    assert_ok(fv_file_write(path, list, strlen(list), &testing_err));
    return path;
}

/* Labels are of no consequence where only the teacher is learned from. */
static void test_unlabelled(void **unused)
{
    (void)unused;
    (void)plain();
    experiment e = { .folder = "unlabelled",
                     .overrides = { TEACHER_WEIGHTS,
                                    override_of("DataLoader.Train.dataset.cls_label_path",
                                                partly_labelled()) } };
    assert_ok(run(&e));
    assert_int_equal(e.checksum, plain()->checksum);
    assert_true(isnan(e.top1));
    assert_false(isnan(plain()->top1));
}

static void test_labels_that_are_needed(void **unused)
{
    (void)unused;
    experiment e = { .folder = "needed",
                     .overrides = {
                         TEACHER_WEIGHTS,
                         override_of("DataLoader.Train.dataset.cls_label_path", partly_labelled()),
                         "Loss.Train=[{DistillationGTCELoss: {model_names: "
                         "[Student]}}]" } };
    char message[600];
    assert_int_equal(run(&e), FV_ERR_FORMAT);
    snprintf(message, sizeof(message),
             "%s/partly.txt:2: no label: expected a path and a label, not "
             "\"train/000001_%s.jpg\"",
             testing_folder(), fv_synth_class_name(1));
    assert_string_equal(testing_err.message, message);
}

/* ---- What cannot be ---- */

static void expect_error(const char *a, const char *b, fv_status status, const char *message)
{
    experiment e = { .folder = "error", .overrides = { TEACHER_WEIGHTS, a, b } };
    assert_int_equal(run(&e), status);
    assert_string_equal(testing_err.message, message);
}

static void test_runs_that_cannot_be(void **unused)
{
    (void)unused;
    expect_error("Arch.teacher_mode=eval", "Arch.models.0.Teacher.pretrained=nowhere", FV_ERR_IO,
                 "Arch.models: Teacher: nowhere: no such file, with or without .h5, "
                 ".safetensors, .pdparams or .pth");
    experiment e = { .folder = "random",
                     .overrides = { TEACHER_WEIGHTS, "Arch.teacher_mode=eval",
                                    "Arch.teacher_cache=there",
                                    "DataLoader.Train.dataset.transform_ops.1={RandCropImage: "
                                    "{size: 64}}" } };
    assert_int_equal(run(&e), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message,
                        "Arch.teacher_cache: there: answers can be kept only where pictures are "
                        "the same in each epoch: transform_ops must not be random, nor pictures "
                        "mixed");
    experiment part = { .folder = "part",
                        .overrides = { "Arch.freeze_params_list=[False, False]",
                                       "Arch.models.0={conv1: {name: DLA34}}",
                                       "Loss.Train.0.DistillationDMLLoss.model_name_pairs.0.1="
                                       "conv1" } };
    assert_int_equal(run(&part), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, "Arch.models: a model cannot be called \"conv1\", as "
                                             "a part of the student is");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_student_learns),
        cmocka_unit_test(test_mode_of_teacher),
        cmocka_unit_test(test_student_alone_is_saved),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_resuming),
        cmocka_unit_test(test_mutual_learning),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_damaged_cache),
        cmocka_unit_test(test_rows_of_logits),
        cmocka_unit_test(test_unlabelled),
        cmocka_unit_test(test_labels_that_are_needed),
        cmocka_unit_test(test_runs_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
