/* SPDX-License-Identifier: Apache-2.0 */
#include "train/trainer.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "train/class_weights.h"
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
        e.top1 = t->uncounted ? (double)NAN : (double)p->correct / (double)p->images;
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

bool fv_trainer_is_midway(const fv_trainer *t) { return t->progress.batch % t->update_freq != 0; }

fv_run_state fv_trainer_state(const fv_trainer *t)
{
    return (fv_run_state){ t->params, t->optimizer, t->average };
}

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

/* Class numbers, or with mixed pictures what each class has of them. */
static const float *targets_of(const fv_trainer *t, const fv_batch *batch)
{
    if (!t->targets) return batch->labels;
    fv_mix_targets(batch->labels, batch->partners, batch->shares, batch->count, t->options.classes,
                   t->targets);
    return t->targets;
}

/* How many batches the run has had. */
static int64_t position(const fv_trainer *t)
{
    return t->progress.epoch * t->batches + t->progress.batch;
}

static fv_status ask_teachers(fv_trainer *t, const fv_batch *batch, fv_plan *plan,
                              const fv_bindings *bindings, fv_error *err)
{
    if (!t->teachers) return FV_OK;
    FV_TRY(fv_teachers_ask(t->teachers, batch, (uint64_t)position(t), err));
    for (int i = 0; i < FV_MAX_OUTPUTS; i++)
        if (bindings->others[i])
            fv_plan_feed(plan, bindings->others[i], fv_teachers_answer(t->teachers, i));
    return FV_OK;
}

static void update(fv_trainer *t)
{
    t->rate = fv_schedule_rate(t->schedule, t->progress.step);
    fv_optimizer_step(t->optimizer, t->rate, t->update_freq);
    if (t->average) fv_average_update(t->average);
    t->progress.step++;
}

static fv_status train_batch(fv_trainer *t, const fv_batch *batch, fv_error *err)
{
    fv_progress *p = &t->progress;
    fv_plan *plan;
    const fv_bindings *bindings;
    const fv_shape images = { batch->count, batch->height, batch->width, 3 };
    FV_TRY(fv_trainer_check_batch(t, batch, err));
    FV_TRY(fv_program_plan(t->program, FV_TRAIN, images, &plan, &bindings, err));
    fv_plan_feed(plan, bindings->images, batch->images);
    fv_plan_feed(plan, bindings->targets, targets_of(t, batch));
    FV_TRY(ask_teachers(t, batch, plan, bindings, err));
    fv_plan_set_step(plan, (uint64_t)position(t));
    fv_plan_forward(plan);
    const double loss = (double)fv_plan_value(plan, bindings->loss).data[0];
    if (!isfinite(loss)) return fv_trainer_fail_nonfinite(t, plan, batch, loss, err);
    if (!t->uncounted)
        p->correct += count_correct(fv_plan_value(plan, bindings->outputs[0]), batch->labels);
    fv_plan_backward(plan, fv_trainer_is_midway(t));

    p->loss_sum += loss * batch->count;
    p->images += batch->count;
    p->batch++;
    if (!fv_trainer_is_midway(t)) update(t);
    return FV_OK;
}

/* Batches come in one stream, pass after pass. An epoch ends with a step, so that the next one may
 * begin with what is left of a pass. */
static void seek(fv_trainer *t)
{
    fv_loader_start(t->options.source->loader, (uint32_t)(position(t) / t->stream),
                    position(t) % t->stream);
}

static fv_batch *take(fv_trainer *t)
{
    fv_batch *batch = fv_loader_take(t->options.source->loader);
    if (batch || position(t) % t->stream != 0) return batch;
    seek(t);
    return fv_loader_take(t->options.source->loader);
}

/* Takes a batch and trains on it. */
static fv_status step(fv_trainer *t, fv_error *err)
{
    fv_loader *loader = t->options.source->loader;
    const double start = fv_clock_seconds(), waited = fv_loader_wait_seconds(loader);
    fv_batch *batch = take(t);
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
    seek(t);
    while (p->batch < t->batches) {
        FV_TRY(step(t, err));
        fv_train_event event = fv_trainer_event(t, FV_TRAIN_STEP);
        event.logged =
            !fv_trainer_is_midway(t) &&
            (p->batch / t->update_freq % g->print_batch_step == 0 || p->batch == t->batches);
        if (event.logged) {
            write_row(t, &event);
            t->row = (fv_stopwatch){ 0 };
        }
        fv_trainer_tell(t, &event);
        if (stop_wanted(t)) return stop(t, err);
        if (g->save_steps && !fv_trainer_is_midway(t) && p->step % g->save_steps == 0 &&
            p->batch < t->batches)
            FV_TRY(fv_trainer_save_latest(t, err));
    }
    return FV_OK;
}

static fv_status run_epoch(fv_trainer *t, fv_error *err)
{
    const fv_global_settings *g = &t->settings->global;
    fv_progress *p = &t->progress;
    FV_TRY(run_batches(t, err));
    if (fv_trainer_judgement_due(t)) {
        const fv_status status = fv_trainer_judge(t, err);
        if (status == FV_ERR_INTERRUPTED) return stop(t, err);
        FV_TRY(status);
    } else {
        fv_progress_finish_epoch(p);
    }
    if (g->weight_histograms) fv_journal_weights(t->options.journal, t->params, p->step);
    if (p->epoch % g->save_interval != 0 && p->epoch != g->epochs && !fv_trainer_gives_up(t))
        return FV_OK;
    FV_TRY(fv_trainer_save_latest(t, err));
    return fv_trainer_save_epoch(t, err);
}

fv_status fv_trainer_run(fv_trainer *t, fv_error *err)
{
    if (t->progress.epoch >= t->settings->global.epochs)
        fv_log(FV_LOG_NOTICE,
               "all %d epochs are already trained: a larger Global.epochs would go on",
               t->settings->global.epochs);
    while (t->progress.epoch < t->settings->global.epochs && !fv_trainer_gives_up(t))
        FV_TRY(run_epoch(t, err));
    if (t->progress.epoch < t->settings->global.epochs)
        fv_log(FV_LOG_NOTICE,
               "Global.early_stop: after epoch %" PRId64 " of %d, since Top1 has not risen more "
               "than %.2f points above %.2f %% in the last %" PRId64 " evaluations",
               t->progress.epoch, t->settings->global.epochs, 100.0 * t->settings->early_stop.delta,
               100.0 * t->progress.record, t->progress.stale);
    return fv_trainer_check_files(t, err);
}

/* ---- Making one ---- */

static fv_status plan(fv_trainer *t, const fv_pipeline *pipeline, int count, fv_error *err)
{
    fv_plan *unused;
    const fv_bindings *bindings;
    fv_shape images = { .n = count, .c = 3 };
    fv_pipeline_size(pipeline, &images.h, &images.w);
    if (t->teachers) FV_TRY(fv_teachers_plan(t->teachers, images, err));
    return fv_program_plan(t->program, FV_TRAIN, images, &unused, &bindings, err);
}

static fv_status make_plans_of(fv_trainer *t, const fv_pipeline *pipeline, fv_error *err)
{
    const fv_source *s = t->options.source;
    const int64_t count = fv_dataset_count(s->dataset);
    const int64_t last = count - (t->stream - 1) * s->batch_size;
    if (count >= s->batch_size) FV_TRY(plan(t, pipeline, s->batch_size, err));
    return last < s->batch_size ? plan(t, pipeline, (int)last, err) : FV_OK;
}

/* The plans of all batch shapes, so that memory is known, or lacking, before the first step. */
static fv_status make_plans(fv_trainer *t, fv_error *err)
{
    const fv_source *s = t->options.source;
    FV_TRY(fv_program_create(&t->program, t->params, t->options.kernels, fv_network_build,
                             &t->network, (uint64_t)t->settings->global.seed, err));
    FV_TRY(make_plans_of(t, s->pipeline, err));
    for (int i = 0; i < s->stages.count; i++)
        FV_TRY(make_plans_of(t, s->stages.stages[i].pipeline, err));
    return FV_OK;
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
                                     .update_freq = t->update_freq,
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
    t->loss = s->loss;
    FV_TRY(fv_class_weights_create(&t->class_weights, &t->loss, source->dataset, t->options.classes,
                                   err));
    t->network.arch = &s->arch;
    t->network.loss = &t->loss;
    t->network.classes = t->options.classes;
    FV_TRY(fv_network_params(&t->params, &t->student_count, &t->network, source->height,
                             source->width, (uint64_t)s->global.seed, err));
    if (!s->global.checkpoints)
        FV_TRY(fv_start_pretrained(s, t->options.classes, source->height, source->width, t->params,
                                   err));
    FV_TRY(fv_teachers_create(&t->teachers, &teachers, err));
    FV_TRY(fv_start_freeze(s, t->params, err));
    FV_TRY(fv_optimizer_create(&t->optimizer, s->optimizer, t->params, t->options.kernels, err));
    if (s->ema_decay >= 0.0) FV_TRY(fv_average_create(&t->average, t->params, s->ema_decay, err));
    return fv_schedule_create(&t->schedule, s->schedule, s->global.epochs,
                              t->batches / t->update_freq,
                              (int64_t)source->batch_size * t->update_freq, err);
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
    const fv_run_state state = fv_trainer_state(t);
    FV_TRY(fv_start_resume(t->settings, &t->identity, t->batches, &state, p, err));
    /* Till the first step of an epoch the evaluation before it is the last thing with a row. */
    const bool evaluated = p->batch < t->update_freq;
    FV_TRY(fv_journal_begin(t->options.journal, true, p->step, evaluated, err));
    FV_TRY(begin_events(t, p->step, err));
    /* Differs only where the number of batches per epoch has changed since. */
    p->step = position(t) / t->update_freq;
    if (p->step > 0) t->rate = fv_schedule_rate(t->schedule, p->step - 1);
    return FV_OK;
}

static fv_status make_targets(fv_trainer *t, fv_error *err)
{
    const fv_source *s = t->options.source;
    t->uncounted = s->batch_ops || fv_dataset_unlabelled(s->dataset) > 0;
    t->network.mixed = s->batch_ops && fv_loss_needs_labels(&t->settings->loss);
    if (!t->network.mixed) return FV_OK;
    t->targets = fv_alloc((size_t)s->batch_size * (size_t)t->options.classes * sizeof(float));
    return t->targets ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "trainer: out of memory for targets");
}

/* As in PaddleClas: an epoch is as many whole steps as a pass over the data has. */
static void count_batches(fv_trainer *t)
{
    const int wanted = t->settings->global.update_freq;
    t->stream = fv_loader_batches(t->options.source->loader);
    t->update_freq = wanted > t->stream ? 1 : wanted;
    t->batches = t->stream / t->update_freq * t->update_freq;
    if (wanted > t->stream)
        fv_log(FV_LOG_WARNING,
               "Global.update_freq: %d is more than the %" PRId64
               " batches of an epoch: 1 is used, "
               "as PaddleClas does",
               wanted, t->stream);
    else if (t->batches < t->stream)
        fv_log(FV_LOG_NOTICE,
               "Global.update_freq: an epoch ends after %" PRId64 " of %" PRId64 " batches, with a "
               "whole step; the next one goes on from there",
               t->batches, t->stream);
}

static fv_status fill(fv_trainer *t, fv_error *err)
{
    count_batches(t);
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
    t->progress.best_top1 = t->progress.record = -1.0;
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
    fv_average_destroy(t->average);
    fv_optimizer_destroy(t->optimizer);
    fv_params_destroy(t->params);
    fv_free(t->targets);
    fv_free(t->class_weights);
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
