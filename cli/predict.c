/* SPDX-License-Identifier: Apache-2.0 */
/* fovea predict: what is on pictures. */
#include "cli/predict.h"

#include "cli/advice.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/text.h"
#include "eval/classifier.h"

#include <jansson.h>
#include <limits.h>

static const char *const profiles[] = { "pillow", "opencv", NULL };             /* fv_profile */
static const char *const filters[] = { "nearest", "bilinear", "bicubic", "box", /* fv_filter */
                                       "hamming", "lanczos",  "area",    NULL };

static const char *const roundings[] = { "paddle", "torchvision", NULL };

enum { DEFAULT_TOPK = 5 };

/* clang-format off */
static const fv_option options[] = {
    { "model", FV_OPTION_TEXT, offsetof(fv_predict_options, model), .value = "NAME",
      .help = "the model (default: Arch.name, or what the checkpoint says)" },
    { "weights", FV_OPTION_TEXT, offsetof(fv_predict_options, weights), .value = "FILE",
      .help = ".h5, .safetensors, .pdparams or .pth; the extension may be left out (default: "
              "Global.pretrained_model)" },
    { "root", FV_OPTION_TEXT, offsetof(fv_predict_options, root), .value = "DIR",
      .help = "folder that relative names of a list start from" },
    { "labels", FV_OPTION_TEXT, offsetof(fv_predict_options, labels), .value = "FILE",
      .help = "names of the classes, \"id name\" per line (default: those of the checkpoint)" },
    { "topk", FV_OPTION_INT, offsetof(fv_predict_options, topk), 0, 1, 1000000, .value = "K",
      .help = "how many classes are listed (default 5)" },
    { "batch", FV_OPTION_INT, offsetof(fv_predict_options, batch), 32, 1, 4096, .value = "N",
      .help = "pictures at a time; of no influence on the results" },
    { "profile", FV_OPTION_CHOICE, offsetof(fv_predict_options, profile), .names = profiles, .value = "NAME",
      .help = "whose resizing, to the last bit" },
    { "filter", FV_OPTION_CHOICE, offsetof(fv_predict_options, filter), .names = filters, .value = "NAME",
      .help = "interpolation" },
    { "rounding", FV_OPTION_CHOICE, offsetof(fv_predict_options, rounding), .names = roundings, .value = "NAME",
      .help = "whose rounding of the longer side and of the crop's corner (default paddle)" },
    { "resize-short", FV_OPTION_INT, offsetof(fv_predict_options, resize_short), 0, 1, 16384, .value = "N",
      .help = "length of the shorter side before the crop, pixels" },
    { "crop", FV_OPTION_INT, offsetof(fv_predict_options, crop), 0, 1, 16384, .value = "N",
      .help = "side of the square cut from the centre, pixels (default: the model's own)" },
    { "mean", FV_OPTION_CHANNELS, offsetof(fv_predict_options, mean), 0, -1e6, 1e6, .value = "R,G,B",
      .help = "subtracted from values in [0, 1]; one number or three" },
    { "std", FV_OPTION_CHANNELS, offsetof(fv_predict_options, std), 0, 1e-6, 1e6, .value = "R,G,B",
      .help = "divided by then; one number or three" },
    { .name = NULL },
};
/* clang-format on */

typedef struct output {
    const fv_predict_job *job;
    fv_predict_table table;
    json_t *list;
} output;

static json_t *to_json(const fv_prediction *p, const fv_labels *labels)
{
    json_t *ids = json_array(), *scores = json_array(), *names = json_array();
    for (int i = 0; i < p->count; i++) {
        const char *name = fv_labels_name(labels, p->ids[i]);
        json_array_append_new(ids, json_integer(p->ids[i]));
        json_array_append_new(scores, json_real((double)p->scores[i]));
        if (labels->count) json_array_append_new(names, fv_json_text(name ? name : ""));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "file", fv_json_text(p->path), "class_ids", ids,
                     "scores", scores, "label_names", names);
}

static void take_prediction(void *ctx, const fv_prediction *p)
{
    output *out = ctx;
    if (p->error) fprintf(stderr, "warning: %s\n", p->error);
    fv_predict_table_add(&out->table, p);
    if (!out->job->arguments.json) return;
    json_array_append_new(out->list, p->error
                                         ? json_pack("{s:o, s:o}", "file", fv_json_text(p->path),
                                                     "error", fv_json_text(p->error))
                                         : to_json(p, &out->job->labels));
}

static fv_status predict(const fv_predict_job *job, fv_classifier *classifier, fv_error *err)
{
    const fv_predict_options *o = job->options;
    const int count = job->pictures.paths.count;
    output out = { .job = job, .list = json_array() };
    const fv_predictor_options p = {
        .program = fv_classifier_program(classifier),
        .pipeline = job->pipeline,
        .batch_size = o->batch,
        .topk = o->topk     ? o->topk
              : job->config ? job->settings.infer.topk
                            : DEFAULT_TOPK,
        .each = take_prediction,
        .ctx = &out,
        .stop = fv_interrupt_signal(),
    };
    fv_interrupt_install();
    fv_predict_table_begin(&out.table, fv_output(&job->arguments), &job->pictures, &job->labels);
    int failed = 0;
    const fv_status status = fv_predict(&p, &job->pictures, &failed, err);
    if (status != FV_OK) {
        json_decref(out.list);
        return status;
    }
    FV_TRY(fv_json_write(&job->arguments, out.list, err));
    if (failed)
        return fv_fail(err, FV_ERR_IO, "%d of %d pictures could not be predicted", failed, count);
    fv_advise("%d picture%s named by %s: its likeliest classes, and how sure it is of each", count,
              count == 1 ? "" : "s", job->model->name);
    fv_advise("next: \"%s eval -c CONFIG\" counts how often it is right", job->arguments.program);
    return FV_OK;
}

static fv_status load_and_predict(const fv_predict_job *job, fv_error *err)
{
    fv_classifier_options o = { .model = job->model, .classes = job->classes };
    fv_pipeline_size(job->pipeline, &o.height, &o.width);
    fv_classifier *classifier = NULL;
    FV_TRY(fv_classifier_create(&classifier, &o, err));
    fv_status status = fv_classifier_load(classifier, &job->stored, err);
    if (status == FV_OK) status = predict(job, classifier, err);
    fv_classifier_destroy(classifier);
    return status;
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    fv_predict_job job;
    fv_status status = fv_predict_prepare(&job, arguments, err);
    if (status == FV_OK) status = load_and_predict(&job, err);
    fv_predict_release(&job);
    return status;
}

const fv_command fv_command_predict = {
    .name = "predict",
    .help = "the likeliest classes of pictures",
    .usage = "--model NAME --weights FILE [OPTIONS] PATH...",
    .details = "PATH is a picture, a folder (all .jpg .jpeg .png in and below it, sorted), a list\n"
               "(.txt, a name per line, relative ones starting from --root), or a data set: a\n"
               "table (.csv), archives (.tar), a packed file (.h5). With -c the configuration\n"
               "says what is not given: Arch, Global.pretrained_model, Infer.\n"
               "\n"
               "The preprocessing is that of the options; if there are none, of\n"
               "Infer.transforms, of the checkpoint, or else the usual: OpenCV's bilinear\n"
               "resizing to 8/7 of the crop (320 for 299), ImageNet's mean and deviation.\n"
               "\n"
               "Pictures that cannot be read are named, the others predicted; the exit status is\n"
               "1 then.",
    .options = options,
    .options_bytes = sizeof(fv_predict_options),
    .operands_max = INT_MAX,
    .takes_config = true,
    .computes = true,
    .run = run,
};
