/* SPDX-License-Identifier: Apache-2.0 */
/* fovea show-batch: what the network will see. */
#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "cli/advice.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/retype.h"
#include "cli/sheet.h"
#include "cli/text.h"
#include "data/encode.h"
#include "data/source.h"
#include "eval/labels.h"
#include "train/settings.h"

#include <jansson.h>
#include <string.h>

typedef struct show_options {
    const char *out;
    int count, columns, epoch;
    int64_t batch;
    bool eval;
} show_options;

/* clang-format off */
static const fv_option options[] = {
    { "out", FV_OPTION_TEXT, offsetof(show_options, out), .otherwise_text = "batch.png", .value = "FILE",
      .help = "where to write the PNG" },
    { "count", FV_OPTION_INT, offsetof(show_options, count), 32, 1, 1024, .value = "N",
      .help = "how many pictures of the batch to draw, at most" },
    { "columns", FV_OPTION_INT, offsetof(show_options, columns), 8, 1, 64, .value = "N",
      .help = "pictures in a row" },
    { "epoch", FV_OPTION_INT, offsetof(show_options, epoch), 1, 1, 1000000, .value = "N",
      .help = "of which epoch; the first is 1" },
    { "batch", FV_OPTION_LONG, offsetof(show_options, batch), 1, 1, 1e12, .value = "N",
      .help = "which batch of that epoch; the first is 1" },
    { "eval", FV_OPTION_FLAG, offsetof(show_options, eval),
      .help = "draw DataLoader.Eval instead of DataLoader.Train" },
    { .name = NULL },
};
/* clang-format on */

typedef struct show {
    const fv_arguments *arguments;
    const show_options *options;
    fv_config *config;
    fv_settings settings;
    fv_source source;
    fv_labels labels;
    fv_sheet sheet;
    json_t *list;
} show;

static const char *where_of(const show *s)
{
    return s->options->eval ? "DataLoader.Eval" : "DataLoader.Train";
}

/* Nothing is read ahead: one batch is all that is wanted. */
static fv_status open_data(show *s, fv_error *err)
{
    char setting[64];
    FV_TRY(fv_arguments_config(s->arguments, &s->config, err));
    FV_TRY(fv_settings_read(&s->settings, s->config, err));
    fv_config_node *map = s->options->eval ? s->settings.eval : s->settings.train;
    snprintf(setting, sizeof(setting), "%s.loader.num_workers=0", where_of(s));
    if (map) FV_TRY(fv_config_set(s->config, setting, err));
    const fv_source_options o = { .where = where_of(s),
                                  .classes = s->settings.class_num,
                                  .seed = (uint64_t)s->settings.global.seed,
                                  .training = !s->options->eval,
                                  .unlabelled =
                                      !s->options->eval && !fv_loss_needs_labels(&s->settings.loss),
                                  .threads = fv_threads_count() };
    FV_TRY(fv_source_open(&s->source, map, &o, err));
    const char *path = s->settings.infer.class_id_map_file;
    const int classes =
        s->settings.class_num ? s->settings.class_num : fv_dataset_classes(s->source.dataset);
    if (!path || !fv_file_exists(path) || fv_dataset_class_name(s->source.dataset, 0)) return FV_OK;
    return fv_labels_load(&s->labels, path, classes, err);
}

/* "0.70 3 cat", or "3 cat" of a picture that is not mixed. */
static void write_label(const show *s, float label, float share, char *out, size_t size)
{
    const int id = (int)label;
    const char *name = fv_dataset_class_name(s->source.dataset, id);
    if (!name) name = fv_labels_name(&s->labels, id);
    int used = 0;
    if (id == FV_UNLABELLED) {
        snprintf(out, size, "no label");
        return;
    }
    if (share < 1.0f) used = snprintf(out, size, "%.2f ", (double)share);
    snprintf(out + used, size - (size_t)used, "%d %s", id, name ? name : "");
}

static fv_status note_picture(show *s, const fv_batch *b, int i, fv_error *err)
{
    const char *name = fv_dataset_name(s->source.dataset, b->samples[i]);
    json_t *entry = json_pack("{s:o, s:i, s:b}", "file", fv_json_text(name), "label",
                              (int)b->labels[i], "readable", b->readable[i]);
    if (entry && b->shares && b->shares[i] < 1.0f) {
        json_object_set_new(entry, "share", json_real((double)b->shares[i]));
        json_object_set_new(entry, "partner", json_integer((int)b->partners[i]));
    }
    if (json_array_append_new(s->list, entry) == 0) return FV_OK;
    return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", where_of(s));
}

static fv_status draw(show *s, const fv_batch *b, fv_error *err)
{
    const int count = fv_min(b->count, s->options->count);
    const size_t image = (size_t)b->height * (size_t)b->width * 3;
    uint8_t *pixels = fv_alloc(image);
    s->list = json_array();
    if (!pixels || !s->list) {
        fv_free(pixels);
        return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", where_of(s));
    }
    fv_status status =
        fv_sheet_init(&s->sheet, count, s->options->columns, b->width, b->height, err);
    for (int i = 0; i < count && status == FV_OK; i++) {
        char first[256], second[256] = "";
        const float share = b->shares ? b->shares[i] : 1.0f;
        write_label(s, b->labels[i], share, first, sizeof(first));
        if (share < 1.0f) write_label(s, b->partners[i], 1.0f - share, second, sizeof(second));
        if (!b->readable[i]) snprintf(second, sizeof(second), "unreadable");
        fv_pipeline_restore(s->source.pipeline, b->images + (size_t)i * image, pixels);
        fv_sheet_put(&s->sheet, i, pixels, first, second);
        status = note_picture(s, b, i, err);
    }
    fv_free(pixels);
    return status;
}

static fv_status write_png(const show *s, fv_error *err)
{
    uint8_t *bytes;
    size_t size;
    FV_TRY(fv_encode_png(&s->sheet.page, &bytes, &size, err));
    const fv_status status = fv_file_write(s->options->out, bytes, size, err);
    fv_free(bytes);
    return status;
}

static fv_status report(show *s, int pictures, fv_error *err)
{
    const fv_picture *page = &s->sheet.page;
    fprintf(fv_output(s->arguments), "%s: %d of the %d pictures of batch %lld, epoch %d, of %s\n",
            s->options->out, (int)json_array_size(s->list), pictures, (long long)s->options->batch,
            s->options->epoch, where_of(s));
    json_t *json = json_pack("{s:o, s:i, s:i, s:I, s:O}", "out", fv_json_text(s->options->out),
                             "width", page->width, "height", page->height, "batch",
                             (json_int_t)s->options->batch, "pictures", s->list);
    return fv_json_write(s->arguments, json, err);
}

static fv_status show_batch(show *s, fv_error *err)
{
    FV_TRY(open_data(s, err));
    const int64_t batches = fv_loader_batches(s->source.loader);
    if (s->options->batch > batches) {
        return fv_fail(err, FV_ERR_CONFIG, "--batch: %s has %lld batches of %d, not %lld",
                       where_of(s), (long long)batches, s->source.batch_size,
                       (long long)s->options->batch);
    }
    fv_loader_start(s->source.loader, (uint32_t)(s->options->epoch - 1), s->options->batch - 1);
    fv_batch *batch = fv_loader_take(s->source.loader);
    const int pictures = batch->count;
    fv_status status = draw(s, batch, err);
    fv_loader_give_back(s->source.loader, batch);
    if (status == FV_OK) status = write_png(s, err);
    FV_TRY(status);
    FV_TRY(report(s, pictures, err));
    const int64_t unreadable = fv_loader_unreadable(s->source.loader, NULL);
    if (unreadable == 0) {
        char command[FV_PROGRESS_LINE];
        fv_retype(command, sizeof(command), s->arguments, "train", NULL, NULL);
        fv_advise(
            "next: look at it: can you tell what is what, and do the labels say the same? Then: "
            "%s",
            command);
        return FV_OK;
    }
    return fv_fail(err, FV_ERR_IO, "%lld of the %d pictures could not be read",
                   (long long)unreadable, pictures);
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    show s = { .arguments = arguments, .options = arguments->options };
    const fv_status status = show_batch(&s, err);
    json_decref(s.list);
    fv_sheet_deinit(&s.sheet);
    fv_labels_deinit(&s.labels);
    fv_source_close(&s.source);
    fv_config_destroy(s.config);
    return status;
}

const fv_command fv_command_show_batch = {
    .name = "show-batch",
    .help = "draw what the network will see",
    .usage = "-c FILE [--out FILE] [OPTIONS]",
    .details = "Writes a PNG with the pictures of one batch of DataLoader.Train as training gets\n"
               "them: cropped, augmented, mixed. Below each stands its label; of a mixed one its\n"
               "share of the target too, and what it is mixed with. Nothing is trained.",
    .options = options,
    .options_bytes = sizeof(show_options),
    .takes_config = true,
    .computes = true,
    .run = run,
};
