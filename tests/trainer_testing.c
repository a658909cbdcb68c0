/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer_testing.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "data/encode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const char CONFIG[] =
    "Global: {epochs: 2, print_batch_step: 2, seed: 7}\n"
    "Arch: {name: MobileNetV2_x0_25, class_num: 3}\n"
    "Loss: {Train: [CELoss: {weight: 1.0, epsilon: 0.1}]}\n"
    "Optimizer:\n"
    "  name: Momentum\n"
    "  momentum: 0.9\n"
    "  lr: {name: Cosine, learning_rate: 0.02, warmup_epoch: 1}\n"
    "  regularizer: {name: L2, coeff: 0.0001}\n"
    "DataLoader:\n"
    "  Train:\n"
    "    dataset:\n"
    "      name: ImageNetDataset\n"
    "      image_root: ''\n"
    "      cls_label_path: ''\n"
    "      transform_ops:\n"
    "        - DecodeImage: {to_rgb: True, channel_first: False}\n"
    "        - RandCropImage: {size: 64}\n"
    "        - RandFlipImage: {flip_code: 1}\n"
    "        - NormalizeImage: {scale: 1.0/255.0, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5],\n"
    "                           order: ''}\n"
    "    sampler: {name: DistributedBatchSampler, batch_size: 6, drop_last: False, shuffle: True}\n"
    "    loader: {num_workers: 0}\n";

/* ---- Pictures ---- */

static void write_picture(const char *path, int label, int number)
{
    fv_picture picture = { 0 };
    uint8_t *bytes;
    size_t size;
    assert_ok(fv_picture_reserve(&picture, 80 + number, 72, &testing_err));
    for (int i = 0; i < picture.width * picture.height; i++)
        for (int c = 0; c < 3; c++)
            picture.data[3 * i + c] = (uint8_t)((c == label ? 200 : 20) + (i * (number + 3)) % 50);
    const fv_jpeg_options options = { .quality = 90 };
    assert_ok(fv_encode_jpeg(&picture, &options, &bytes, &size, &testing_err));
    assert_ok(fv_file_write(path, bytes, size, &testing_err));
    fv_free(bytes);
    fv_picture_deinit(&picture);
}

static const char *list_path(void)
{
    static char path[256];
    if (path[0]) return path;
    char list[PICTURES * 32] = "", name[300];
    for (int i = 0; i < PICTURES; i++) {
        snprintf(name, sizeof(name), "%s/p%02d.jpg", testing_folder(), i);
        write_picture(name, i % CLASSES, i);
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "p%02d.jpg %d\n", i,
                 i % CLASSES);
    }
    snprintf(path, sizeof(path), "%s/list.txt", testing_folder());
    assert_ok(fv_file_write(path, list, strlen(list), &testing_err));
    return path;
}

/* ---- A run ---- */

char told[8192];

static void keep_told(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx, (void)level;
    const size_t used = strlen(told);
    snprintf(told + used, sizeof(told) - used, "%s\n", line);
}

const char *inside(const experiment *e, const char *name)
{
    static char path[400];
    snprintf(path, sizeof(path), "%s/%s", e->path, name);
    return path;
}

static void copy_latest(const experiment *e)
{
    char *data;
    size_t bytes;
    assert_ok(fv_file_read(inside(e, "latest.h5"), 1 << 28, &data, &bytes, &testing_err));
    assert_ok(fv_file_write(inside(e, "copy.h5"), data, bytes, &testing_err));
    fv_free(data);
}

void limit_files(bool small)
{
    static struct rlimit whole;
    if (small) {
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
        signal(SIGXFSZ, SIG_IGN);
        const struct rlimit limit = { .rlim_cur = 65536, .rlim_max = whole.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    } else {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
    }
}

static void take_event(void *ctx, const fv_train_event *event)
{
    experiment *e = ctx;
    e->bests += event->kind == FV_TRAIN_EVALUATED && event->best;
    e->saves += event->kind == FV_TRAIN_SAVED;
    if (event->kind != FV_TRAIN_STEP) return;
    e->batches++;
    if (e->watch) e->watch(e, event);
    if (e->batches == e->stop_batch) e->stop = SIGTERM;
    if (e->batches == e->kill_batch) raise(SIGKILL);
    assert_true(isfinite(event->loss));
    assert_true(e->mixes ? isnan(event->top1) : event->top1 >= 0.0 && event->top1 <= 1.0);
    if (event->step == 0) return; /* in the middle of the first step */
    if (event->step == e->stop_step) e->stop = SIGINT;
    if (event->step == e->copy_step) copy_latest(e);
    if (event->step == e->shrink_step) limit_files(true);
    if (event->step == e->widen_step) limit_files(false);
}

/* Runs the network too, as an evaluation does: that must not disturb training. */
static fv_status evaluate(void *ctx, fv_program *program, fv_train_score *out, fv_error *err)
{
    static float images[3 * 64 * 64 * 3];
    experiment *e = ctx;
    fv_plan *plan;
    const fv_bindings *bindings;
    FV_TRY(fv_program_plan(program, FV_EVAL, (fv_shape){ 3, 64, 64, 3 }, &plan, &bindings, err));
    testing_fill("evaluation", images, FV_ARRAY_LEN(images));
    fv_plan_feed(plan, bindings->images, images);
    fv_plan_forward(plan);
    const fv_view logits = fv_plan_value(plan, bindings->outputs[0]);
    for (int i = 0; i < 3 * CLASSES; i++) e->answers[e->evaluations] += (double)logits.data[i];
    *out = (fv_train_score){ .top1 = e->scores[e->evaluations++], .images = 3, .seconds = 0.5 };
    if (e->evaluations != e->stop_evaluation) return FV_OK;
    e->stop = SIGTERM;
    return fv_fail(err, FV_ERR_INTERRUPTED, "evaluation: interrupted");
}

static fv_config *make_config(experiment *e)
{
    fv_config *config;
    char text[400];
    assert_ok(fv_config_parse(&config, "c.yaml", CONFIG, &testing_err));
    snprintf(e->path, sizeof(e->path), "%s/%s", testing_folder(), e->folder);
    snprintf(text, sizeof(text), "Global.output_dir=%s", e->path);
    assert_ok(fv_config_set(config, text, &testing_err));
    snprintf(text, sizeof(text), "DataLoader.Train.dataset.cls_label_path=%s", list_path());
    assert_ok(fv_config_set(config, text, &testing_err));
    snprintf(text, sizeof(text), "DataLoader.Train.dataset.image_root=%s", testing_folder());
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
                                         .classes = settings->class_num,
                                         .class_names = "red\ngreen\nblue",
                                         .journal = journal,
                                         .evaluate = e->unevaluated ? NULL : evaluate,
                                         .event = take_event,
                                         .ctx = e,
                                         .stop = &e->stop };
    FV_TRY(fv_trainer_create(&trainer, &options, &testing_err));
    e->trainer = trainer;
    const fv_status status = fv_trainer_run(trainer, &testing_err);
    e->checksum = fv_params_checksum(fv_trainer_params(trainer));
    e->progress = *fv_trainer_progress(trainer);
    fv_trainer_destroy(trainer);
    return status;
}

fv_status run(experiment *e)
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
                                        .classes = settings.class_num,
                                        .seed = (uint64_t)settings.global.seed,
                                        .training = true,
                                        .threads = fv_threads_count() };
    assert_ok(fv_source_open(&source, settings.train, &options, &testing_err));
    assert_ok(fv_journal_open(&journal, e->path, &testing_err));
    e->status = train(e, &settings, &source, journal);
    fv_journal_close(journal);
    fv_source_close(&source);
    fv_config_destroy(config);
    fv_log_sink(NULL, NULL);
    return e->status;
}

/* ---- Its rows ---- */

void read_csv(const experiment *e, char csv[CSV_BYTES])
{
    FILE *file = fopen(inside(e, "metrics.csv"), "rb");
    assert_non_null(file);
    csv[fread(csv, 1, CSV_BYTES - 1, file)] = '\0';
    fclose(file);
}

void assert_same_rows(const experiment *a, const experiment *b)
{
    static char x[CSV_BYTES], y[CSV_BYTES];
    read_csv(a, x);
    read_csv(b, y);
    char *p = x, *q = y;
    for (int row = 0; *p || *q; row++) {
        char *commas[2] = { p, q };
        for (int k = 0; k < 2; k++)
            for (int i = 0; i < 7; i++) {
                commas[k] = strchr(commas[k], ',');
                if (!commas[k]) fail_msg("row %d of %s is short", row, k ? b->folder : a->folder);
                commas[k]++;
            }
        if (commas[0] - p != commas[1] - q || memcmp(p, q, (size_t)(commas[0] - p)) != 0)
            fail_msg("row %d: %.*s, %.*s", row, (int)(commas[0] - p), p, (int)(commas[1] - q), q);
        p = strchr(p, '\n') + 1;
        q = strchr(q, '\n') + 1;
    }
}
