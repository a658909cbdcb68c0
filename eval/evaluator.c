/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/evaluator.h"

#include "base/clock.h"
#include "base/log.h"

/* Below this Top1 (chance is 0.001 for ImageNet) confident answers are suspicious. */
static const double suspicious_top1 = 0.005, confident = 0.25;
enum { SUSPICIOUS_IMAGES = 50 };

static fv_status check_labels(const fv_source *source, const fv_batch *batch, int classes,
                              fv_error *err)
{
    for (int i = 0; i < batch->count; i++)
        if ((int)batch->labels[i] < 0 || (int)batch->labels[i] >= classes)
            return fv_fail(err, FV_ERR_CONFIG, "%s: label %d, but the model has %d classes",
                           fv_dataset_name(source->dataset, batch->samples[i]),
                           (int)batch->labels[i], classes);
    return FV_OK;
}

static fv_status add_batch(fv_metrics *m, const fv_evaluator_options *o, const fv_batch *batch,
                           fv_error *err)
{
    fv_plan *plan;
    const fv_bindings *bindings;
    const fv_shape images = { batch->count, batch->height, batch->width, 3 };
    FV_TRY(fv_program_plan(o->program, FV_EVAL, images, &plan, &bindings, err));
    const int classes = fv_tensor_shape(bindings->outputs[0]).c;
    FV_TRY(check_labels(o->source, batch, classes, err));

    fv_plan_feed(plan, bindings->images, batch->images);
    if (bindings->targets) fv_plan_feed(plan, bindings->targets, batch->labels);
    fv_plan_forward(plan);
    const fv_view logits = fv_plan_value(plan, bindings->outputs[0]);
    for (int i = 0; i < batch->count; i++) {
        const fv_answer answer = { .sample = batch->samples[i],
                                   .label = (int)batch->labels[i],
                                   .logits = batch->readable[i] ? fv_image(logits, i) : NULL,
                                   .classes = classes };
        if (answer.logits)
            fv_metrics_add(m, answer.logits, classes, answer.label);
        else
            fv_metrics_add_unreadable(m);
        if (o->each) o->each(o->ctx, &answer);
    }
    return FV_OK;
}

static fv_status check_result(const fv_metrics *m, const fv_source *source, fv_error *err)
{
    const int64_t count = fv_dataset_count(source->dataset);
    if (m->images != count)
        return fv_fail(err, FV_ERR_CONFIG,
                       "evaluation: the sampler leaves out %lld of %lld images; set "
                       "sampler.drop_last to False",
                       (long long)(count - m->images), (long long)count);
    if (m->nonfinite)
        fv_log(FV_LOG_WARNING, "%lld of %lld images have logits that are not finite numbers",
               (long long)m->nonfinite, (long long)m->images);
    const double top1 = fv_metrics_top(m, 1), confidence = fv_metrics_confidence(m);
    if (m->images - m->unreadable >= SUSPICIOUS_IMAGES && top1 < suspicious_top1 &&
        confidence > confident)
        fv_log(FV_LOG_WARNING,
               "Top1 is %.2f %% although the answers are confident (%.2f on average): do the "
               "labels number the classes in the order of the weights?",
               100.0 * top1, confidence);
    return FV_OK;
}

fv_status fv_evaluate(fv_evaluation *out, const fv_evaluator_options *options, fv_error *err)
{
    fv_loader *loader = options->source->loader;
    const double start = fv_clock_seconds();
    fv_evaluation result = { .seconds = 0.0 };
    fv_status status = FV_OK;

    fv_loader_start(loader, 0, 0);
    fv_batch *batch;
    while (status == FV_OK && (batch = fv_loader_take(loader)) != NULL) {
        status = add_batch(&result.metrics, options, batch, err);
        fv_loader_give_back(loader, batch);
        if (status == FV_OK && options->stop && *options->stop)
            status = fv_fail(err, FV_ERR_INTERRUPTED, "evaluation: interrupted after %lld images",
                             (long long)result.metrics.images);
    }
    if (status == FV_OK) status = check_result(&result.metrics, options->source, err);
    result.seconds = fv_clock_seconds() - start;
    if (status == FV_OK) *out = result;
    return status;
}
