/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/predictor.h"

#include "base/memory.h"
#include "base/threads.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct predictor {
    const fv_predictor_options *options;
    const fv_pictures *pictures;
    int first; /* of this batch */
    int height, width, workers;
    fv_pipeline_scratch **scratch; /* [workers] */
    float *images;                 /* [batch_size, height, width, 3] */
    fv_error *errors;              /* [batch_size]; the status is FV_OK where it was readable */
    int *ids;                      /* [topk] */
    float *scores;                 /* [topk] */
} predictor;

/* ---- Answers ---- */

bool fv_best_classes(const float *logits, int classes, int k, int *ids, float *scores)
{
    int count = 0;
    for (int c = 0; c < classes; c++) {
        if (!isfinite(logits[c])) return false;
        if (count == k && logits[c] <= logits[ids[k - 1]]) continue;
        int at = count < k ? count++ : k - 1;
        for (; at > 0 && logits[c] > logits[ids[at - 1]]; at--) ids[at] = ids[at - 1];
        ids[at] = c;
    }
    double sum = 0.0;
    const double largest = (double)logits[ids[0]];
    for (int c = 0; c < classes; c++) sum += exp((double)logits[c] - largest);
    for (int i = 0; i < count; i++)
        scores[i] = (float)(exp((double)logits[ids[i]] - largest) / sum);
    return true;
}

/* ---- A batch ---- */

static void read_picture(void *ctx, int task, int worker)
{
    predictor *p = ctx;
    const char *path = fv_pictures_at(p->pictures, p->first + task);
    fv_error *err = &p->errors[task];
    const size_t floats = (size_t)p->height * (size_t)p->width * 3;
    float *image = p->images + (size_t)task * floats;
    char *bytes = NULL;
    size_t size;

    *err = (fv_error){ .status = FV_OK };
    if (fv_pictures_read(p->pictures, p->first + task, &bytes, &size, err) == FV_OK) {
        fv_random random = fv_random_stream(0, FV_RANDOM_AUGMENT, 0, 0);
        fv_error why;
        const fv_status status =
            fv_pipeline_run(p->options->pipeline, p->scratch[worker], (const uint8_t *)bytes, size,
                            &random, image, &why);
        if (status != FV_OK) fv_fail(err, status, "%s: %s", path, why.message);
    }
    if (err->status != FV_OK) memset(image, 0, floats * sizeof(*image));
    fv_free(bytes);
}

static bool tell(const predictor *p, int i, const float *logits, int classes)
{
    const int k = fv_min(p->options->topk, classes);
    const char *path = fv_pictures_at(p->pictures, p->first + i);
    fv_prediction answer = { .path = path, .count = k, .ids = p->ids, .scores = p->scores };
    fv_error nonfinite;
    if (p->errors[i].status != FV_OK) {
        answer.error = p->errors[i].message;
    } else if (!fv_best_classes(logits, classes, k, p->ids, p->scores)) {
        fv_fail(&nonfinite, FV_ERR_NUMERIC, "%s: the logits are not finite numbers", path);
        answer.error = nonfinite.message;
    }
    p->options->each(p->options->ctx, &answer);
    return answer.error == NULL;
}

static fv_status predict_batch(predictor *p, int count, int *failed, fv_error *err)
{
    fv_plan *plan;
    const fv_bindings *bindings;
    const fv_shape shape = { count, p->height, p->width, 3 };
    fv_parallel_for(count, read_picture, p);

    FV_TRY(fv_program_plan(p->options->program, FV_EVAL, shape, &plan, &bindings, err));
    fv_plan_feed(plan, bindings->images, p->images);
    fv_plan_forward(plan);
    const fv_view logits = fv_plan_value(plan, bindings->outputs[0]);
    for (int i = 0; i < count; i++)
        if (!tell(p, i, fv_image(logits, i), logits.shape.c)) (*failed)++;
    return FV_OK;
}

/* ---- All of them ---- */

static fv_status create(predictor *p, const fv_predictor_options *options, int batch, fv_error *err)
{
    *p = (predictor){ .options = options, .workers = fv_threads_count() };
    fv_pipeline_size(options->pipeline, &p->height, &p->width);
    const size_t n = (size_t)batch;
    p->scratch = fv_alloc((size_t)p->workers * sizeof(*p->scratch));
    p->images = fv_alloc(n * (size_t)p->height * (size_t)p->width * 3 * sizeof(*p->images));
    p->errors = fv_alloc(n * sizeof(*p->errors));
    p->ids = fv_alloc((size_t)options->topk * sizeof(*p->ids));
    p->scores = fv_alloc((size_t)options->topk * sizeof(*p->scores));
    if (!p->scratch || !p->images || !p->errors || !p->ids || !p->scores)
        return fv_fail(err, FV_ERR_NOMEM, "prediction: no memory for a batch of %d images of %dx%d",
                       batch, p->height, p->width);
    for (int i = 0; i < p->workers; i++) FV_TRY(fv_pipeline_scratch_create(&p->scratch[i], err));
    return FV_OK;
}

static void destroy(predictor *p)
{
    for (int i = 0; p->scratch && i < p->workers; i++) fv_pipeline_scratch_destroy(p->scratch[i]);
    fv_free(p->scratch);
    fv_free(p->images);
    fv_free(p->errors);
    fv_free(p->ids);
    fv_free(p->scores);
}

fv_status fv_predict(const fv_predictor_options *options, const fv_pictures *pictures, int *failed,
                     fv_error *err)
{
    predictor p;
    const int count = pictures->paths.count;
    const int batch = fv_min(options->batch_size, fv_max(count, 1));
    *failed = 0;
    fv_status status = create(&p, options, batch, err);
    for (int i = 0; status == FV_OK && i < count; i += batch) {
        p.pictures = pictures;
        p.first = i;
        status = predict_batch(&p, fv_min(batch, count - i), failed, err);
        if (status == FV_OK && options->stop && *options->stop)
            status = fv_fail(err, FV_ERR_INTERRUPTED, "prediction: interrupted");
    }
    destroy(&p);
    return status;
}
