/* SPDX-License-Identifier: Apache-2.0 */
/* fovea train: from a configuration to weights. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/log.h"
#include "base/threads.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/retype.h"
#include "cli/text.h"
#include "cli/train_record.h"
#include "cli/unreadable.h"
#include "eval/evaluator.h"
#include "eval/labels.h"
#include "train/trainer.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

typedef struct session {
    const fv_arguments *arguments;
    fv_console console;
    fv_config *config;
    fv_settings settings;
    fv_kernels kernels;
    fv_journal *journal;
    fv_source train, eval; /* eval: all zeros without DataLoader.Eval */
    int classes;
    fv_labels labels;               /* names of the classes; all zeros if not given */
    char *class_names, *preprocess; /* owned; or NULL */
    int64_t eval_unreadable;        /* of the last evaluation */
    int64_t listed;                 /* unreadable pictures in the file; -1: not looked at yet */
    fv_trainer *trainer;
    fv_train_record record;
    char page[4096]; /* the report; "": not written */
} session;

/* ---- What the trainer asks for ---- */

static fv_status evaluate(void *ctx, fv_program *program, fv_train_score *out, fv_error *err)
{
    session *s = ctx;
    const fv_evaluator_options options = { .program = program,
                                           .source = &s->eval,
                                           .each = fv_train_record_answer,
                                           .ctx = &s->record,
                                           .stop = fv_interrupt_signal() };
    fv_evaluation result;
    FV_TRY(fv_evaluate(&result, &options, err));
    const fv_metrics *m = &result.metrics;
    s->eval_unreadable = m->unreadable;
    *out = (fv_train_score){ .top1 = fv_metrics_top(m, 1),
                             .top5 = fv_metrics_top(m, 5),
                             .loss = fv_metrics_loss(m),
                             .images = m->images,
                             .seconds = result.seconds };
    return FV_OK;
}

static fv_status list_unreadable(session *s, fv_error *err)
{
    const int64_t count = fv_unreadable_count(&s->train, &s->eval);
    if (count == s->listed) return FV_OK;
    FV_TRY(fv_unreadable_save(s->settings.global.output_dir, &s->train, &s->eval, err));
    s->listed = count;
    return FV_OK;
}

static void show_event(void *ctx, const fv_train_event *event)
{
    session *s = ctx;
    fv_error again; /* if it fails, it will again at the end, which tells */
    fv_console_event(&s->console, event);
    if (event->kind == FV_TRAIN_SAVED) (void)list_unreadable(s, &again);
    fv_train_record_event(&s->record, event);
}

/* ---- Opening ---- */

static fv_status open_data(session *s, fv_error *err)
{
    const fv_settings *set = &s->settings;
    fv_source_options o = { .where = "DataLoader.Train",
                            .classes = set->class_num,
                            .seed = (uint64_t)set->global.seed,
                            .training = true,
                            .unlabelled = !fv_loss_needs_labels(&set->loss),
                            .threads = fv_threads_count() };
    FV_TRY(fv_source_open(&s->train, set->train, &o, err));
    s->classes = set->class_num ? set->class_num : fv_dataset_classes(s->train.dataset);
    if (!set->global.eval_during_train) return FV_OK;
    if (!set->eval) {
        fv_console_say(&s->console, "no DataLoader.Eval: nothing is evaluated on the way");
        return FV_OK;
    }
    o.where = "DataLoader.Eval";
    o.classes = s->classes;
    o.training = o.unlabelled = false;
    FV_TRY(fv_source_open(&s->eval, set->eval, &o, err));
    s->preprocess = fv_pipeline_describe(s->eval.pipeline);
    if (!s->preprocess) return fv_fail(err, FV_ERR_NOMEM, "DataLoader.Eval: out of memory");
    return FV_OK;
}

/* Folders of pictures number their classes themselves: a class that one of them lacks would shift
 * all that follow. */
static fv_status compare_class_names(const session *s, fv_error *err)
{
    for (int i = 0; s->eval.dataset && i < s->classes; i++) {
        const char *a = fv_dataset_class_name(s->train.dataset, i);
        const char *b = fv_dataset_class_name(s->eval.dataset, i);
        if (a && b && strcmp(a, b) != 0)
            return fv_fail(err, FV_ERR_CONFIG,
                           "DataLoader.Eval: class %d is \"%s\", but \"%s\" in DataLoader.Train: "
                           "both need the same folders",
                           i, b, a);
    }
    return FV_OK;
}

/* A list of pictures has no names of classes: they come from where predictions take them. */
static fv_status load_labels(session *s, fv_error *err)
{
    const char *path = s->settings.infer.class_id_map_file;
    if (!path || fv_dataset_class_name(s->train.dataset, 0)) return FV_OK;
    if (fv_file_exists(path)) return fv_labels_load(&s->labels, path, s->classes, err);
    fv_console_say(&s->console, "%s: not there, so the weights get no names of classes", path);
    return FV_OK;
}

static const char *class_name(const session *s, int label)
{
    const char *name = fv_dataset_class_name(s->train.dataset, label);
    return name ? name : fv_labels_name(&s->labels, label);
}

/* One name per line, if all are known. */
static fv_status join_class_names(session *s, fv_error *err)
{
    size_t bytes = 1;
    FV_TRY(load_labels(s, err));
    for (int i = 0; i < s->classes; i++) {
        const char *name = class_name(s, i);
        if (!name) return FV_OK;
        bytes += strlen(name) + 1;
    }
    s->class_names = fv_alloc(bytes);
    if (!s->class_names) return fv_fail(err, FV_ERR_NOMEM, "class names: out of memory");
    char *end = s->class_names;
    for (int i = 0; i < s->classes; i++) {
        const char *name = class_name(s, i);
        if (i > 0) *end++ = '\n';
        for (; *name; name++) *end++ = *name == '\n' ? ' ' : *name;
    }
    return FV_OK;
}

static fv_status open_trainer(session *s, fv_error *err)
{
    fv_kernels_init(&s->kernels, fv_cpu_detect());
    const fv_trainer_options options = { .settings = &s->settings,
                                         .kernels = &s->kernels,
                                         .source = &s->train,
                                         .classes = s->classes,
                                         .class_names = s->class_names,
                                         .preprocess = s->preprocess,
                                         .journal = s->journal,
                                         .evaluate = s->eval.loader ? evaluate : NULL,
                                         .event = show_event,
                                         .ctx = s,
                                         .stop = fv_interrupt_signal() };
    return fv_trainer_create(&s->trainer, &options, err);
}

/* The line that main() has printed, for the log. */
static void note_start(session *s)
{
    char line[FV_PROGRESS_LINE];
    fv_threads_choice choice;
    fv_threads_choose(s->arguments->threads, &choice);
    snprintf(line, sizeof(line), "fovea %s on %s, %s, %d thread%s (%s)", FV_VERSION, fv_cpu_model(),
             fv_cpu_name(fv_cpu_detect()), choice.count, choice.count == 1 ? "" : "s",
             choice.reason);
    fv_console_note(&s->console, line);
    fv_retype(line, sizeof(line), s->arguments, "train", NULL, NULL);
    fv_console_note(&s->console, line);
}

static void begin_record(session *s)
{
    const fv_train_facts facts = { .arguments = s->arguments,
                                   .settings = &s->settings,
                                   .train = &s->train,
                                   .eval = &s->eval,
                                   .trainer = s->trainer,
                                   .classes = s->classes,
                                   .class_names = s->class_names };
    fv_train_record_begin(&s->record, &facts);
}

static fv_status open_session(session *s, fv_error *err)
{
    note_start(s);
    FV_TRY(fv_arguments_config(s->arguments, &s->config, err));
    FV_TRY(fv_settings_read(&s->settings, s->config, err));
    if (!s->settings.optimizer || !s->settings.schedule)
        return fv_fail(err, FV_ERR_CONFIG, "Optimizer: missing section, or missing Optimizer.lr");
    FV_TRY(fv_journal_open(&s->journal, s->settings.global.output_dir, err));
    fv_console_open_journal(&s->console, s->journal);
    FV_TRY(open_data(s, err));
    FV_TRY(compare_class_names(s, err));
    FV_TRY(join_class_names(s, err));
    return open_trainer(s, err);
}

static void close_session(session *s)
{
    fv_train_record_deinit(&s->record);
    fv_trainer_destroy(s->trainer);
    fv_source_close(&s->eval);
    fv_source_close(&s->train);
    fv_free(s->class_names);
    fv_labels_deinit(&s->labels);
    fv_free(s->preprocess);
    fv_console_deinit(&s->console); /* after those that may log */
    fv_journal_close(s->journal);
    fv_config_destroy(s->config);
}

/* ---- What is told ---- */

static void say_members(session *s)
{
    const fv_arch *arch = &s->settings.arch;
    for (int i = 0; i < arch->member_count; i++) {
        const fv_arch_member *m = &arch->members[i];
        const char *role = i == arch->student ? "is what will be saved"
                         : !m->frozen         ? "learns too"
                         : arch->teachers_evaluate
                             ? "only teaches, in evaluation mode"
                             : "only teaches, with the statistics of each batch";
        fv_console_say(&s->console, "%s: %s, %s", m->name, m->model->name, role);
    }
}

static void say_banner(session *s)
{
    const fv_source *t = &s->train;
    fv_console_say(&s->console,
                   "data: %" PRId64 " pictures to train on, %" PRId64 " to evaluate, %d classes; "
                   "%" PRId64 " batches of %d, %d x %d",
                   fv_dataset_count(t->dataset),
                   s->eval.dataset ? fv_dataset_count(s->eval.dataset) : 0, s->classes,
                   fv_trainer_batches(s->trainer), t->batch_size, t->height, t->width);
    const int64_t unlabelled = fv_dataset_unlabelled(t->dataset);
    if (unlabelled > 0)
        fv_console_say(&s->console,
                       "%" PRId64 " of the pictures to train on have no label: there is no Top1 of "
                       "training",
                       unlabelled);
    fv_console_say(&s->console, "model: %s, %zu parameters, %.1f MB of memory for a step",
                   s->settings.arch.model->name,
                   fv_params_trained_floats(fv_trainer_params(s->trainer)),
                   (double)fv_trainer_arena_bytes(s->trainer) / 1e6);
    say_members(s);
}

static void say_resume(session *s)
{
    char command[FV_PROGRESS_LINE];
    fv_retype(command, sizeof(command), s->arguments, "train", "Global.checkpoints",
              fv_trainer_latest_path(s->trainer));
    fv_console_say(&s->console, "to go on: %s", command);
}

static fv_status write_json(session *s, uint32_t checksum, fv_error *err)
{
    const fv_progress *p = fv_trainer_progress(s->trainer);
    char crc[16];
    snprintf(crc, sizeof(crc), "%08" PRIx32, checksum);
    json_t *json = json_pack("{s:I, s:I, s:f, s:s}", "epochs", (json_int_t)p->epoch, "steps",
                             (json_int_t)p->step, "seconds", p->seconds, "weights_crc32", crc);
    if (json && p->best_epoch) {
        json_object_set_new(json, "best_top1", json_real(p->best_top1));
        json_object_set_new(json, "best_epoch", json_integer(p->best_epoch));
        json_object_set_new(json, "best_averaged", json_boolean(p->best_averaged));
        json_object_set_new(json, "best", fv_json_text(fv_trainer_best_path(s->trainer)));
    }
    if (json) json_object_set_new(json, "latest", fv_json_text(fv_trainer_latest_path(s->trainer)));
    return fv_json_write(s->arguments, json, err);
}

/* Results, on standard output and in the log. */
static void say_result(session *s, const char *format, ...) FV_PRINTF(2, 3);
static void say_result(session *s, const char *format, ...)
{
    char line[FV_PROGRESS_LINE + 64];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    fprintf(fv_output(s->arguments), "%s\n", line);
    fv_console_note(&s->console, line);
}

static fv_status say_end(session *s, fv_error *err)
{
    const fv_progress *p = fv_trainer_progress(s->trainer);
    const uint32_t checksum = fv_params_checksum(fv_trainer_params(s->trainer));
    const char *best =
        p->best_epoch ? fv_trainer_best_path(s->trainer) : fv_trainer_latest_path(s->trainer);
    char seconds[48], command[FV_PROGRESS_LINE];
    fv_progress_time(seconds, sizeof(seconds), p->seconds);
    if (p->best_epoch)
        say_result(s, "best Top1 %.2f %%%s after epoch %" PRId64 " of %" PRId64 ", in %s: %s",
                   100.0 * p->best_top1, p->best_averaged ? " of the averaged weights" : "",
                   p->best_epoch, p->epoch, seconds, best);
    else
        say_result(s, "%" PRId64 " epochs trained in %s: %s", p->epoch, seconds, best);
    const int64_t unreadable = fv_loader_unreadable(s->train.loader, NULL);
    FV_TRY(list_unreadable(s, err));
    if (unreadable > 0)
        say_result(s,
                   "%" PRId64 " training pictures could not be read, others took their place: "
                   "%s/" FV_UNREADABLE_NAME,
                   unreadable, s->settings.global.output_dir);
    if (s->page[0]) say_result(s, "the report, for a browser: %s", s->page);
    if (s->settings.eval) {
        fv_retype(command, sizeof(command), s->arguments, "eval", "Global.pretrained_model", best);
        say_result(s, "to evaluate it: %s", command);
    }
    say_result(s, "weights: crc32 %08" PRIx32, checksum);
    return write_json(s, checksum, err);
}

/* ---- The command ---- */

static fv_status train(session *s, fv_error *err)
{
    FV_TRY(open_session(s, err));
    say_banner(s);
    begin_record(s);
    fv_interrupt_install();
    const fv_status status = fv_trainer_run(s->trainer, err);
    fv_train_record_end(&s->record, s->page, sizeof(s->page));
    if (status == FV_ERR_INTERRUPTED) say_resume(s);
    FV_TRY(status);
    FV_TRY(say_end(s, err));
    if (s->eval_unreadable > 0)
        return fv_fail(err, FV_ERR_IO,
                       "%" PRId64 " of the pictures to evaluate could not be read; they count as "
                       "wrong",
                       s->eval_unreadable);
    return FV_OK;
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    session s = { .arguments = arguments, .listed = -1 };
    fv_console_init(&s.console);
    const fv_status status = train(&s, err);
    if (status != FV_OK) fv_console_note(&s.console, err->message);
    close_session(&s);
    return status;
}

const fv_command fv_command_train = {
    .name = "train",
    .help = "train a model, fine-tune one, or go on where a run stopped",
    .usage = "-c FILE [-o Key.Sub=value]...",
    .details =
        "Writes to Global.output_dir: latest.h5 and best_model.h5 (weights and everything\n"
        "needed to go on), report.html, train.log, metrics.csv and metrics.jsonl, tensorboard/,\n"
        "and unreadable.txt if pictures could not be read. Starts from\n"
        "Global.pretrained_model, or goes on from Global.checkpoints, in the middle of an\n"
        "epoch too. SIGINT and SIGTERM finish the step, save, and tell how to go on.\n"
        "Arch.name DistillationModel: a student learns from other models, with labels or\n"
        "without, see docs/ssld.md.",
    .takes_config = true,
    .computes = true,
    .run = run,
};
