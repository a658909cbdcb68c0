/* SPDX-License-Identifier: Apache-2.0 */
/* train/judge.c - evaluations on the way: which weights are the best, and when to give up. */
#include "train/trainer_impl.h"

bool fv_trainer_judgement_due(const fv_trainer *t)
{
    const fv_global_settings *g = &t->settings->global;
    const int64_t epoch = t->progress.epoch + 1;
    if (!t->options.evaluate || !g->eval_during_train) return false;
    if (epoch == g->epochs) return true;
    return epoch >= g->start_eval_epoch && epoch % g->eval_interval == 0;
}

static void write_row(fv_trainer *t, const fv_train_event *event)
{
    const fv_train_score *s = &event->score;
    const fv_row row = { .kind = event->averaged ? FV_ROW_EVAL_AVERAGE : FV_ROW_EVAL,
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
}

/* Evaluates what the parameters hold, which is the average if event->averaged. */
static fv_status evaluate(fv_trainer *t, fv_train_event *event, fv_error *err)
{
    fv_trainer_tell(t, event);
    FV_TRY(t->options.evaluate(t->options.ctx, t->program, &event->score, err));
    t->evaluation_seconds += event->score.seconds;
    write_row(t, event);
    event->kind = FV_TRAIN_EVALUATED;
    return FV_OK;
}

static fv_status evaluate_average(fv_trainer *t, fv_train_event *event, fv_error *err)
{
    fv_average_swap(t->average);
    const fv_status status = evaluate(t, event, err);
    fv_average_swap(t->average);
    return status;
}

void fv_progress_finish_epoch(fv_progress *p)
{
    p->epoch++;
    p->batch = 0;
    p->loss_sum = 0.0;
    p->images = p->correct = 0;
}

/* The best is what best_model.h5 holds: if it cannot be written, the old best stays. */
static fv_status keep_best(fv_trainer *t, fv_train_event *event, fv_error *err)
{
    fv_progress *p = &t->progress;
    if (event->score.top1 < p->best_top1) return FV_OK;
    const fv_progress before = *p;
    p->best_top1 = event->score.top1;
    p->best_epoch = event->epoch;
    p->best_averaged = event->averaged;
    FV_TRY(fv_trainer_save_best(t, &event->best, err));
    if (!event->best) *p = before;
    return FV_OK;
}

/* ---- Stopping early ---- */

static void watch(fv_trainer *t, double top1)
{
    fv_progress *p = &t->progress;
    if (top1 > p->record + t->settings->early_stop.delta || p->record < 0.0) {
        p->record = top1;
        p->stale = 0;
    } else {
        p->stale++;
    }
}

bool fv_trainer_gives_up(const fv_trainer *t)
{
    const int patience = t->settings->early_stop.patience;
    return patience > 0 && t->progress.stale >= patience;
}

/* ---- All of it ---- */

fv_status fv_trainer_judge(fv_trainer *t, fv_error *err)
{
    fv_train_event raw = fv_trainer_event(t, FV_TRAIN_EVALUATE), average = raw;
    average.averaged = true;
    t->evaluation_seconds = 0.0;
    FV_TRY(evaluate(t, &raw, err));
    if (t->average) FV_TRY(evaluate_average(t, &average, err));

    fv_progress_finish_epoch(&t->progress);
    const bool better = t->average && average.score.top1 > raw.score.top1;
    watch(t, better ? average.score.top1 : raw.score.top1);
    FV_TRY(keep_best(t, &raw, err));
    fv_trainer_tell(t, &raw);
    if (!t->average) return FV_OK;
    FV_TRY(keep_best(t, &average, err));
    fv_trainer_tell(t, &average);
    return FV_OK;
}
