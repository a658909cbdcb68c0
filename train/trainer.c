/* SPDX-License-Identifier: Apache-2.0 */
#include "train/trainer.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "train/start.h"
#include "train/trainer_impl.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Events ---- */

static int64_t evaluations_left(const fv_trainer *t)
{
    const fv_global_settings *g = &t->settings->global;
    if (!t->options.evaluate || !g->eval_during_train) return 0;
    return (g->epochs - t->progress.epoch + g->eval_interval - 1) / g->eval_interval;
}

static double eta(const fv_trainer *t)
{
    if (t->session.steps == 0) return -1.0;
    const double step = t->session.seconds / (double)t->session.steps;
    const int64_t steps =
        (t->settings->global.epochs - t->progress.epoch) * t->batches - t->progress.batch;
    return (double)steps * step + (double)evaluations_left(t) * t->evaluation_seconds;
}

fv_train_event fv_trainer_event(const fv_trainer *t, fv_train_event_kind kind)
{
    const fv_progress *p = &t->progress;
    fv_train_event e = { .kind = kind,
                         .epoch = p->epoch + 1,
                         .epochs = t->settings->global.epochs,
                         .batch = p->batch,
                         .batches = t->batches,
                         .step = p->step,
                         .rate = t->rate,
                         .eta_seconds = eta(t) };
    if (p->images > 0) {
        e.loss = p->loss_sum / (double)p->images;
        e.top1 = t->targets ? (double)NAN : (double)p->correct / (double)p->images;
    }
    if (t->row.seconds > 0.0) {
        e.images_per_second = (double)t->row.images / t->row.seconds;
        e.wait_share = fmin(1.0, t->row.waited / t->row.seconds);
    }
    return e;
}

void fv_trainer_tell(const fv_trainer *t, const fv_train_event *event)
{
    if (t->options.event) t->options.event(t->options.ctx, event);
}

static void write_row(fv_trainer *t, const fv_train_event *e)
{
    const fv_row row = { .kind = FV_ROW_TRAIN,
                         .epoch = e->epoch,
                         .step = e->step,
                         .loss = e->loss,
                         .top1 = e->top1,
                         .lr = e->rate,
                         .images_per_second = e->images_per_second,
                         .data_wait_share = e->wait_share,
                         .seconds = t->progress.seconds };
    fv_journal_row(t->options.journal, &row);
}

/* ---- One step ---- */

static void stopwatch_add(fv_stopwatch *w, double seconds, double waited, int64_t images)
{
    w->seconds += seconds;
    w->waited += waited;
    w->images += images;
    w->steps++;
}

/* Top-1: how many rows of the logits are largest, strictly, at their label. */
static int64_t count_correct(fv_view logits, const float *labels)
{
    int64_t correct = 0;
    for (int n = 0; n < logits.shape.n; n++) {
        const float *x = fv_image(logits, n);
        const int label = (int)labels[n];
        bool best = true;
        for (int c = 0; c < logits.shape.c && best; c++)
            best = c == label || (c < label ? x[c] < x[label] : x[c] <= x[label]);
        correct += best;
    }
    return correct;
}

/* Tells all pictures of the batch in the log, and a few in the message. */
static fv_status fail_nonfinite(const fv_trainer *t, fv_plan *plan, const fv_batch *batch,
                                double loss, fv_error *err)
{
    enum { NAMED = 3 };
    const fv_dataset *dataset = t->options.source->dataset;
    char names[160] = "";
    for (int i = 0; i < batch->count; i++) {
        const char *name = fv_dataset_name(dataset, batch->samples[i]);
        fv_log(FV_LOG_WARNING, "in the batch whose loss is not finite: %s", name);
        const size_t used = strlen(names);
        if (i < NAMED) snprintf(names + used, sizeof(names) - used, "%s%.48s", i ? ", " : "", name);
    }
    const char *scope = fv_plan_find_nonfinite(plan);
    return fv_fail(err, FV_ERR_NUMERIC,
                   "epoch %" PRId64 ", batch %" PRId64 " (step %" PRId64 "): the loss is %g, first "
                   "not finite in %s; pictures: %s%s; nothing was saved since; lower the learning "
                   "rate or look at the pictures",
                   t->progress.epoch + 1, t->progress.batch + 1, t->progress.step + 1, loss,
                   scope && scope[0] ? scope : "the loss", names,
                   batch->count > NAMED ? ", ..." : "");
}

/* The labels must be checked here: nothing else stands between a list file and an index. */
static fv_status check_labels(const fv_trainer *t, const fv_batch *batch, fv_error *err)
{
    for (int i = 0; i < batch->count; i++)
        if (!(batch->labels[i] >= 0.0f && batch->labels[i] < (float)t->options.classes))
            return fv_fail(err, FV_ERR_CONFIG, "%s: label %g, but the model has %d classes",
                           fv_dataset_name(t->options.source->dataset, batch->samples[i]),
                           (double)batch->labels[i], t->options.classes);
    return FV_OK;
}

/* Class numbers, or with mixed pictures what each class has of them. */
static const float *targets_of(const fv_trainer *t, const fv_batch *batch)
{
    if (!t->targets) return batch->labels;
    fv_mix_targets(batch->labels, batch->partners, batch->shares, batch->count, t->options.classes,
                   t->targets);
    return t->targets;
}

enum { SURELY_WRONG = 4 }; /* pictures of a batch, none of which can be read: not bad luck */

/* What was learned before is saved: a disk may have gone away. */
static fv_status check_readable(fv_trainer *t, const fv_batch *batch, fv_error *err)
{
    int readable = 0;
    for (int i = 0; i < batch->count; i++) readable += batch->readable[i];
    if (readable > 0 || batch->count < SURELY_WRONG) return FV_OK;
    if (t->progress.step > 0) FV_TRY(fv_trainer_save_latest(t, err));
    return fv_fail(err, FV_ERR_IO,
                   "epoch %" PRId64 ": none of the %d pictures of batch %" PRId64
                   " can be read, as warned above: is DataLoader.Train.dataset.image_root right?",
                   t->progress.epoch + 1, batch->count, t->progress.batch + 1);
}

static fv_status ask_teachers(fv_trainer *t, const fv_batch *batch, fv_plan *plan,
                              const fv_bindings *bindings, fv_error *err)
{
    if (!t->teachers) return FV_OK;
    FV_TRY(fv_teachers_ask(t->teachers, batch, (uint64_t)t->progress.step, err));
    for (int i = 0; i < FV_MAX_OUTPUTS; i++)
        if (bindings->others[i])
            fv_plan_feed(plan, bindings->others[i], fv_teachers_answer(t->teachers, i));
    return FV_OK;
}

static fv_status train_batch(fv_trainer *t, const fv_batch *batch, fv_error *err)
{
    fv_progress *p = &t->progress;
    fv_plan *plan;
    const fv_bindings *bindings;
    const fv_shape images = { batch->count, batch->height, batch->width, 3 };
    FV_TRY(check_readable(t, batch, err));
    FV_TRY(check_labels(t, batch, err));
    FV_TRY(fv_program_plan(t->program, FV_TRAIN, images, &plan, &bindings, err));
    fv_plan_feed(plan, bindings->images, batch->images);
    fv_plan_feed(plan, bindings->targets, targets_of(t, batch));
    FV_TRY(ask_teachers(t, batch, plan, bindings, err));
    fv_plan_set_step(plan, (uint64_t)p->step);
    fv_plan_forward(plan);
    const double loss = (double)fv_plan_value(plan, bindings->loss).data[0];
    if (!isfinite(loss)) return fail_nonfinite(t, plan, batch, loss, err);
    if (!t->targets)
        p->correct += count_correct(fv_plan_value(plan, bindings->outputs[0]), batch->labels);
    fv_plan_backward(plan, false);
    t->rate = fv_schedule_rate(t->schedule, p->step);
    fv_optimizer_step(t->optimizer, t->rate, 1);

    p->loss_sum += loss * batch->count;
    p->images += batch->count;
    p->step++;
    p->batch++;
    return FV_OK;
}

/* Takes a batch and trains on it. */
static fv_status step(fv_trainer *t, fv_error *err)
{
    fv_loader *loader = t->options.source->loader;
    const double start = fv_clock_seconds(), waited = fv_loader_wait_seconds(loader);
    fv_batch *batch = fv_loader_take(loader);
    if (!batch)
        return fv_fail(err, FV_ERR_IO,
                       "epoch %" PRId64 ": the data end after %" PRId64 " of %" PRId64 " batches",
                       t->progress.epoch + 1, t->progress.batch, t->batches);
    const int64_t images = batch->count;
    const fv_status status = train_batch(t, batch, err);
    fv_loader_give_back(loader, batch);
    FV_TRY(status);

    const double seconds = fv_clock_seconds() - start;
    const double wait = fv_loader_wait_seconds(loader) - waited;
    stopwatch_add(&t->row, seconds, wait, images);
    stopwatch_add(&t->session, seconds, wait, images);
    t->progress.seconds += seconds;
    return FV_OK;
}

static bool stop_wanted(const fv_trainer *t) { return t->options.stop && *t->options.stop != 0; }

static fv_status stop(fv_trainer *t, fv_error *err)
{
    FV_TRY(fv_trainer_save_latest(t, err));
    if (t->latest_missing)
        return fv_fail(err, FV_ERR_IO,
                       "interrupted after step %" PRId64 ", and %s could not be written; it holds "
                       "an older state",
                       t->progress.step, t->latest);
    return fv_fail(err, FV_ERR_INTERRUPTED, "interrupted after step %" PRId64 ": saved as %s",
                   t->progress.step, t->latest);
}

/* ---- One epoch ---- */

static fv_status run_batches(fv_trainer *t, fv_error *err)
{
    const fv_global_settings *g = &t->settings->global;
    fv_progress *p = &t->progress;
    if (p->batch == t->batches) return FV_OK; /* stopped during the evaluation */
    fv_loader_start(t->options.source->loader, (uint32_t)p->epoch, p->batch);
    while (p->batch < t->batches) {
        FV_TRY(step(t, err));
        fv_train_event event = fv_trainer_event(t, FV_TRAIN_STEP);
        event.logged = p->batch % g->print_batch_step == 0 || p->batch == t->batches;
        if (event.logged) {
            write_row(t, &event);
            t->row = (fv_stopwatch){ 0 };
        }
        fv_trainer_tell(t, &event);
        if (stop_wanted(t)) return stop(t, err);
        if (g->save_steps && p->step % g->save_steps == 0 && p->batch < t->batches)
            FV_TRY(fv_trainer_save_latest(t, err));
    }
    return FV_OK;
}

static bool evaluation_due(const fv_trainer *t)
{
    const fv_global_settings *g = &t->settings->global;
    const int64_t epoch = t->progress.epoch + 1;
    if (!t->options.evaluate || !g->eval_during_train) return false;
    if (epoch == g->epochs) return true;
    return epoch >= g->start_eval_epoch && epoch % g->eval_interval == 0;
}

static fv_status evaluate(fv_trainer *t, fv_train_event *event, fv_error *err)
{
    fv_trainer_tell(t, event);
    FV_TRY(t->options.evaluate(t->options.ctx, t->program, &event->score, err));
    const fv_train_score *s = &event->score;
    t->evaluation_seconds = s->seconds;
    const fv_row row = { .kind = FV_ROW_EVAL,
                         .epoch = event->epoch,
                         .step = event->step,
                         .loss = s->loss,
                         .top1 = s->top1,
                         .top5 = s->top5,
                         .lr = t->rate,
                         .images_per_second =
                             s->seconds > 0.0 ? (double)s->images / s->seconds : 0.0,
                         .seconds = t->progress.seconds };
    fv_journal_row(t->options.journal, &row);
    event->kind = FV_TRAIN_EVALUATED;
    return FV_OK;
}

/* The best is what best_model.h5 holds: if it cannot be written, the old best stays. */
static fv_status keep_best(fv_trainer *t, fv_train_event *event, fv_error *err)
{
    fv_progress *p = &t->progress;
    if (event->score.top1 < p->best_top1) return FV_OK;
    const fv_progress before = *p;
    p->best_top1 = event->score.top1;
    p->best_epoch = event->epoch;
    FV_TRY(fv_trainer_save_best(t, &event->best, err));
    if (!event->best) *p = before;
    return FV_OK;
}

static void finish_epoch(fv_progress *p)
{
    p->epoch++;
    p->batch = 0;
    p->loss_sum = 0.0;
    p->images = p->correct = 0;
}

static fv_status run_epoch(fv_trainer *t, fv_error *err)
{
    const fv_global_settings *g = &t->settings->global;
    FV_TRY(run_batches(t, err));
    const bool due = evaluation_due(t);
    fv_train_event event = fv_trainer_event(t, FV_TRAIN_EVALUATE);
    if (due) {
        const fv_status status = evaluate(t, &event, err);
        if (status == FV_ERR_INTERRUPTED) return stop(t, err);
        FV_TRY(status);
    }
    if (g->weight_histograms) fv_journal_weights(t->options.journal, t->params, event.step);
    finish_epoch(&t->progress);
    if (due) {
        FV_TRY(keep_best(t, &event, err));
        fv_trainer_tell(t, &event);
    }
    if (t->progress.epoch % g->save_interval == 0 || t->progress.epoch == g->epochs) {
        FV_TRY(fv_trainer_save_latest(t, err));
        FV_TRY(fv_trainer_save_epoch(t, err));
    }
    return FV_OK;
}

fv_status fv_trainer_run(fv_trainer *t, fv_error *err)
{
    if (t->progress.epoch >= t->settings->global.epochs)
        fv_log(FV_LOG_NOTICE,
               "all %d epochs are already trained: a larger Global.epochs would go on",
               t->settings->global.epochs);
    while (t->progress.epoch < t->settings->global.epochs) FV_TRY(run_epoch(t, err));
    return fv_trainer_check_files(t, err);
}

/* ---- Making one ---- */

static fv_status plan(fv_trainer *t, int count, fv_error *err)
{
    const fv_source *s = t->options.source;
    fv_plan *unused;
    const fv_bindings *bindings;
    if (t->teachers) FV_TRY(fv_teachers_plan(t->teachers, count, err));
    return fv_program_plan(t->program, FV_TRAIN, (fv_shape){ count, s->height, s->width, 3 },
                           &unused, &bindings, err);
}

/* The plans of all batch shapes, so that memory is known, or lacking, before the first step. */
static fv_status make_plans(fv_trainer *t, fv_error *err)
{
    const fv_source *s = t->options.source;
    const int64_t count = fv_dataset_count(s->dataset);
    const int64_t last = count - (t->batches - 1) * s->batch_size;
    FV_TRY(fv_program_create(&t->program, t->params, t->options.kernels, fv_network_build,
                             &t->network, (uint64_t)t->settings->global.seed, err));
    if (count >= s->batch_size) FV_TRY(plan(t, s->batch_size, err));
    return last < s->batch_size ? plan(t, (int)last, err) : FV_OK;
}

static fv_status make_identity(fv_trainer *t, fv_error *err)
{
    const fv_source *s = t->options.source;
    t->config = fv_config_dump(t->settings->config);
    if (!t->config) return fv_fail(err, FV_ERR_NOMEM, "trainer: out of memory for the config");
    t->identity = (fv_run_identity){ .arch = t->settings->arch.model->name,
                                     .class_num = t->options.classes,
                                     .seed = t->settings->global.seed,
                                     .batch_size = s->batch_size,
                                     .samples = fv_dataset_count(s->dataset),
                                     .class_names = t->options.class_names,
                                     .preprocess = t->options.preprocess,
                                     .config = t->config };
    const char *folder = t->settings->global.output_dir;
    if (fv_path_join(t->latest, sizeof(t->latest), folder, "latest.h5") &&
        fv_path_join(t->best, sizeof(t->best), folder, "best_model.h5"))
        return FV_OK;
    return fv_fail(err, FV_ERR_CONFIG, "Global.output_dir: the path is too long");
}

/* Weights, then what to freeze of them: the optimiser and the plans must know it. */
static fv_status make_state(fv_trainer *t, fv_error *err)
{
    const fv_settings *s = t->settings;
    const fv_source *source = t->options.source;
    const fv_teachers_options teachers = { .arch = &s->arch,
                                           .kernels = t->options.kernels,
                                           .source = source,
                                           .classes = t->options.classes,
                                           .seed = (uint64_t)s->global.seed };
    t->network = (fv_network){ .arch = &s->arch,
                               .loss = &s->loss,
                               .classes = t->options.classes,
                               .mixed = source->batch_ops != NULL };
    FV_TRY(fv_network_params(&t->params, &t->student_count, &t->network, source->height,
                             source->width, (uint64_t)s->global.seed, err));
    if (!s->global.checkpoints)
        FV_TRY(fv_start_pretrained(s, t->options.classes, source->height, source->width, t->params,
                                   err));
    FV_TRY(fv_teachers_create(&t->teachers, &teachers, err));
    FV_TRY(fv_start_freeze(s, t->params, err));
    FV_TRY(fv_optimizer_create(&t->optimizer, s->optimizer, t->params, t->options.kernels, err));
    return fv_schedule_create(&t->schedule, s->schedule, s->global.epochs, t->batches, err);
}

static fv_status begin_events(fv_trainer *t, int64_t step, fv_error *err)
{
    if (!t->settings->global.tensorboard) return FV_OK;
    return fv_journal_open_events(t->options.journal, step, err);
}

static fv_status begin(fv_trainer *t, fv_error *err)
{
    fv_progress *p = &t->progress;
    if (!t->settings->global.checkpoints) {
        if (fv_file_exists(t->latest))
            fv_log(FV_LOG_NOTICE,
                   "%s is of an earlier run and will be replaced; -o Global.checkpoints=%s goes on",
                   t->latest, t->latest);
        FV_TRY(fv_journal_begin(t->options.journal, false, 0, false, err));
        return begin_events(t, 0, err);
    }
    FV_TRY(fv_start_resume(t->settings, &t->identity, t->batches, t->params, t->optimizer, p, err));
    FV_TRY(fv_journal_begin(t->options.journal, true, p->step, p->batch == 0, err));
    FV_TRY(begin_events(t, p->step, err));
    /* Differs only where the number of batches per epoch has changed since. */
    p->step = p->epoch * t->batches + p->batch;
    if (p->step > 0) t->rate = fv_schedule_rate(t->schedule, p->step - 1);
    return FV_OK;
}

static fv_status make_targets(fv_trainer *t, fv_error *err)
{
    const fv_source *s = t->options.source;
    if (!s->batch_ops) return FV_OK;
    t->targets = fv_alloc((size_t)s->batch_size * (size_t)t->options.classes * sizeof(float));
    return t->targets ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "trainer: out of memory for targets");
}

static fv_status fill(fv_trainer *t, fv_error *err)
{
    t->batches = fv_loader_batches(t->options.source->loader);
    FV_TRY(make_targets(t, err));
    FV_TRY(make_identity(t, err));
    FV_TRY(make_state(t, err));
    FV_TRY(make_plans(t, err));
    return begin(t, err);
}

fv_status fv_trainer_create(fv_trainer **out, const fv_trainer_options *options, fv_error *err)
{
    fv_trainer *t = fv_alloc(sizeof(*t));
    if (!t) return fv_fail(err, FV_ERR_NOMEM, "trainer: out of memory");
    t->options = *options;
    t->settings = options->settings;
    t->progress.best_top1 = -1.0;
    const fv_status status = fill(t, err);
    if (status == FV_OK)
        *out = t;
    else
        fv_trainer_destroy(t);
    return status;
}

void fv_trainer_destroy(fv_trainer *t)
{
    if (!t) return;
    fv_teachers_destroy(t->teachers);
    fv_program_destroy(t->program);
    fv_schedule_destroy(t->schedule);
    fv_optimizer_destroy(t->optimizer);
    fv_params_destroy(t->params);
    fv_free(t->targets);
    fv_free(t->config);
    fv_free(t);
}

const fv_params *fv_trainer_params(const fv_trainer *t) { return t->params; }
const fv_progress *fv_trainer_progress(const fv_trainer *t) { return &t->progress; }
int64_t fv_trainer_batches(const fv_trainer *t) { return t->batches; }
size_t fv_trainer_arena_bytes(const fv_trainer *t)
{
    return fv_program_bytes(t->program) + fv_teachers_bytes(t->teachers);
}
const char *fv_trainer_latest_path(const fv_trainer *t) { return t->latest; }
const char *fv_trainer_best_path(const fv_trainer *t) { return t->best; }
