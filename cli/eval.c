/* SPDX-License-Identifier: Apache-2.0 */
/* fovea eval: how many pictures a model gets right. */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "cli/advice.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/text.h"
#include "eval/answers.h"
#include "eval/classifier.h"
#include "eval/real.h"
#include "eval/same_classes.h"
#include "train/settings.h"

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

typedef struct eval_options {
    const char *answers, *real;
    bool any_classes;
} eval_options;

/* clang-format off */
static const fv_option options[] = {
    { "answers", FV_OPTION_TEXT, offsetof(eval_options, answers), .value = "FILE",
      .help = "write a table, tab separated: picture, label, class id of the best answer, its probability" },
    { "real", FV_OPTION_TEXT, offsetof(eval_options, real), .value = "FILE",
      .help = "real.json: measure by the reassessed labels (ReaL) too, row i for ILSVRC2012_val_<i>" },
    { "any-classes", FV_OPTION_FLAG, offsetof(eval_options, any_classes),
      .help = "evaluate although the classes of the data are not those of the weights" },
    { .name = NULL },
};
/* clang-format on */

typedef struct evaluation {
    const fv_arguments *arguments;
    fv_settings settings;
    fv_stored stored;
    int classes;
    fv_source source;
    fv_classifier *classifier;
    json_t *unreadable;  /* paths */
    fv_answers answers;  /* if they are asked for */
    fv_real *real;       /* likewise, or NULL */
    int64_t done, right; /* for the progress line */
    double start, told;  /* seconds */
} evaluation;

/* ---- Preparations ---- */

static fv_status open_weights(evaluation *e, fv_error *err)
{
    const fv_settings *s = &e->settings;
    const char *path = s->global.pretrained_model ? s->global.pretrained_model
                     : s->global.checkpoints      ? s->global.checkpoints
                                                  : s->arch.weights;
    if (!path)
        return fv_fail(err, FV_ERR_CONFIG,
                       "Global.pretrained_model: which weights? For example -o "
                       "Global.pretrained_model=output/best_model");
    FV_TRY(fv_stored_open(&e->stored, path, err));
    if (e->stored.arch && strcmp(e->stored.arch, s->arch.model->name) != 0)
        return fv_fail(err, FV_ERR_CONFIG, "%s: weights of %s, but Arch.name is %s", e->stored.path,
                       e->stored.arch, s->arch.model->name);
    FV_TRY(fv_stored_classes(&e->stored, s->arch.model, &e->classes, err));
    if (s->class_num && s->class_num != e->classes)
        return fv_fail(err, FV_ERR_CONFIG, "%s: weights for %d classes, but Arch.class_num is %d",
                       e->stored.path, e->classes, s->class_num);
    return FV_OK;
}

/* Published accuracies are a property of weights and preprocessing. */
static void compare_preprocessing(const evaluation *e)
{
    if (!fv_pipeline_is_fixed(e->source.pipeline))
        fv_log(FV_LOG_WARNING, "DataLoader.Eval: some of its transforms are random");
    char *now = fv_pipeline_describe(e->source.pipeline);
    if (now && e->stored.preprocess && strcmp(now, e->stored.preprocess) != 0)
        fv_log(FV_LOG_WARNING,
               "%s: its accuracy was measured on pictures prepared with \"%s\", DataLoader.Eval "
               "says \"%s\"",
               e->stored.path, e->stored.preprocess, now);
    fv_free(now);
}

static fv_status open_source(evaluation *e, fv_error *err)
{
    const fv_source_options o = { .where = "DataLoader.Eval",
                                  .classes = e->classes,
                                  .seed = (uint64_t)e->settings.global.seed,
                                  .threads = fv_threads_count() };
    FV_TRY(fv_source_open(&e->source, e->settings.eval, &o, err));
    compare_preprocessing(e);
    return FV_OK;
}

static fv_status check_classes(const evaluation *e, fv_error *err)
{
    const eval_options *o = e->arguments->options;
    const fv_same_classes_options check = { .stored = &e->stored,
                                            .classes = e->classes,
                                            .dataset = e->source.dataset,
                                            .names = e->settings.infer.class_id_map_file,
                                            .where = "DataLoader.Eval" };
    return o->any_classes ? FV_OK : fv_same_classes(&check, err);
}

static fv_status prepare(evaluation *e, fv_config *config, fv_error *err)
{
    const eval_options *o = e->arguments->options;
    FV_TRY(fv_settings_read(&e->settings, config, err));
    FV_TRY(open_weights(e, err));
    FV_TRY(open_source(e, err));
    FV_TRY(check_classes(e, err));
    if (o->real) FV_TRY(fv_real_load(&e->real, o->real, e->source.dataset, e->classes, err));
    const fv_classifier_options c = { .model = e->settings.arch.model,
                                      .classes = e->classes,
                                      .height = e->source.height,
                                      .width = e->source.width };
    FV_TRY(fv_classifier_create(&e->classifier, &c, err));
    FV_TRY(fv_classifier_load(e->classifier, &e->stored, err));
    e->unreadable = json_array();
    if (!e->unreadable) return fv_fail(err, FV_ERR_NOMEM, "evaluation: out of memory");
    return FV_OK;
}

static void release(evaluation *e)
{
    fv_answers_deinit(&e->answers);
    fv_real_destroy(e->real);
    json_decref(e->unreadable);
    fv_classifier_destroy(e->classifier);
    fv_source_close(&e->source);
    fv_stored_close(&e->stored);
}

/* ---- The pass ---- */

static void show_progress(evaluation *e, bool last)
{
    const double now = fv_clock_seconds();
    if (!isatty(STDERR_FILENO) || (!last && now - e->told < 0.5)) return;
    e->told = now;
    fprintf(stderr, "\r%lld of %lld images, Top1 %.2f %%, %.1f images/s ", (long long)e->done,
            (long long)fv_dataset_count(e->source.dataset),
            100.0 * (double)e->right / (double)e->done, (double)e->done / (now - e->start));
    if (last) fputc('\n', stderr);
}

static void take_answer(void *ctx, const fv_answer *a)
{
    evaluation *e = ctx;
    const fv_dataset *dataset = e->source.dataset;
    const eval_options *o = e->arguments->options;
    if (e->real) fv_real_add(e->real, a);
    if (o->answers) fv_answers_add(&e->answers, fv_dataset_name(dataset, a->sample), a);
    if (!a->logits) {
        char path[4096];
        fv_error ignored;
        const bool known =
            fv_dataset_path(dataset, a->sample, path, sizeof(path), &ignored) == FV_OK;
        json_array_append_new(e->unreadable,
                              fv_json_text(known ? path : fv_dataset_name(dataset, a->sample)));
    }
    e->done++;
    e->right += a->logits && fv_rank(a->logits, a->classes, a->label) == 0;
    show_progress(e, false);
}

/* ---- Results ---- */

/* What --real adds, on the screen and to the JSON. */
static void report_real(const evaluation *e, json_t *json)
{
    if (!e->real) return;
    const int64_t images = fv_real_images(e->real);
    const double top1 = fv_real_top(e->real, 1), top5 = fv_real_top(e->real, 5);
    fprintf(fv_output(e->arguments),
            "ReaL: Top1 %.2f %%, Top5 %.2f %% of the %lld images that have such labels\n",
            100.0 * top1, 100.0 * top5, (long long)images);
    json_object_set_new(json, "real_top1", json_real(top1));
    json_object_set_new(json, "real_top5", json_real(top5));
    json_object_set_new(json, "real_images", json_integer(images));
}

static fv_status write_results(evaluation *e, const fv_evaluation *result, fv_error *err)
{
    const eval_options *o = e->arguments->options;
    const fv_metrics *m = &result->metrics;
    const double top1 = fv_metrics_top(m, 1), top5 = fv_metrics_top(m, 5);
    const double loss = fv_metrics_loss(m), rate = (double)m->images / result->seconds;
    fprintf(fv_output(e->arguments),
            "Top1 %.2f %%, Top5 %.2f %% of %lld images, mean cross entropy %.5f, %.1f images/s\n",
            100.0 * top1, 100.0 * top5, (long long)m->images, loss, rate);
    if (o->answers) FV_TRY(fv_answers_save(&e->answers, o->answers, err));
    json_t *json = json_pack("{s:s, s:o, s:I, s:f, s:f, s:o, s:O, s:f, s:f}", "model",
                             e->settings.arch.model->name, "weights", fv_json_text(e->stored.path),
                             "images", (json_int_t)m->images, "top1", top1, "top5", top5, "loss",
                             isfinite(loss) ? json_real(loss) : json_null(), "unreadable",
                             e->unreadable, "images_per_second", rate, "seconds", result->seconds);
    report_real(e, json);
    return fv_json_write(e->arguments, json, err);
}

static void advise(const evaluation *e, const fv_metrics *m)
{
    const eval_options *o = e->arguments->options;
    fv_advise("its first answer was right for %lld of %lld images", (long long)m->ranked[0],
              (long long)m->images);
    if (o->answers)
        fv_advise("what it said about each: %s", o->answers);
    else
        fv_advise("next: --answers FILE writes what it said about each; \"%s predict --weights %s "
                  "PICTURE...\" names your own pictures",
                  e->arguments->program, e->stored.path);
}

static fv_status evaluate(evaluation *e, fv_error *err)
{
    const fv_evaluator_options o = { .program = fv_classifier_program(e->classifier),
                                     .source = &e->source,
                                     .each = take_answer,
                                     .ctx = e,
                                     .stop = fv_interrupt_signal() };
    fv_evaluation result;
    fprintf(stderr, "%s with %s on %lld images\n", e->settings.arch.model->name, e->stored.path,
            (long long)fv_dataset_count(e->source.dataset));
    fv_interrupt_install();
    e->start = fv_clock_seconds();
    FV_TRY(fv_evaluate(&result, &o, err));
    show_progress(e, true);
    FV_TRY(write_results(e, &result, err));
    if (result.metrics.unreadable)
        return fv_fail(err, FV_ERR_IO, "%lld of %lld images could not be read; they count as wrong",
                       (long long)result.metrics.unreadable, (long long)result.metrics.images);
    advise(e, &result.metrics);
    return FV_OK;
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    evaluation e = { .arguments = arguments };
    fv_config *config;
    FV_TRY(fv_arguments_config(arguments, &config, err));
    fv_status status = prepare(&e, config, err);
    if (status == FV_OK) status = evaluate(&e, err);
    release(&e);
    fv_config_destroy(config);
    return status;
}

const fv_command fv_command_eval = {
    .name = "eval",
    .help = "Top1 and Top5 of a model on DataLoader.Eval",
    .usage = "-c FILE [-o Key.Sub=value]... [OPTIONS]",
    .details =
        "The weights are those of Global.pretrained_model, else Global.checkpoints; the\n"
        "extension may be left out. Every image counts once; one that cannot be read\n"
        "counts as wrong, and makes the exit status 1; the first 20 are named, --json lists all.",
    .options = options,
    .options_bytes = sizeof(eval_options),
    .takes_config = true,
    .computes = true,
    .run = run,
};
