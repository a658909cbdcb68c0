/* SPDX-License-Identifier: Apache-2.0 */
/* data/loader.h - batches, read ahead.
 *
 * Workers of the loader's own fill a ring of batches while the caller computes. What a batch
 * holds depends on (dataset, pipeline, sampler, epoch, batch number) alone, never on the number
 * of workers or their timing; with 0 workers the caller's threads do the work when it takes one.
 *
 * An unreadable picture never stops an epoch: its slot is zeros, `readable` is false, it is counted
 * once and, if it is among the first 20, logged by name. In training the loader puts the next
 * readable sample of the same batch in its place if `substitute` is set (deterministically), in
 * evaluation it stays marked.
 * With `batch_ops` the pictures of a batch are then mixed.
 */
#ifndef FV_DATA_LOADER_H
#define FV_DATA_LOADER_H

#include "data/batch_ops.h"
#include "data/dataset.h"
#include "data/sampler.h"
#include "data/stages.h"
#include "data/transform.h"

typedef struct fv_loader fv_loader;

typedef struct fv_loader_options {
    const fv_dataset *dataset;     /* borrowed */
    const fv_pipeline *pipeline;   /* borrowed */
    fv_stages stages;              /* earlier ones, of other sizes; their pipelines are borrowed */
    const fv_batch_ops *batch_ops; /* borrowed, or NULL */
    fv_sampler sampler;            /* its count is the dataset's */
    int workers;                   /* threads; 0: none */
    int prefetch;                  /* batches in the ring; 0: 4 */
    bool substitute;               /* replace unreadable pictures; for training */
} fv_loader_options;

/* One batch, NHWC. Belongs to the loader; taken and given back. */
typedef struct fv_batch {
    uint32_t epoch;
    int64_t number; /* of the batch in its epoch */
    int count, height, width;
    float *images;    /* [count, height, width, 3] */
    float *labels;    /* [count]: class numbers, exact in float */
    int64_t *samples; /* [count]: index in the dataset */
    bool *readable;   /* [count] */
    /* With batch_ops, else NULL: [count], what was mixed in, and the share of the own label. */
    float *partners, *shares;
} fv_batch;

fv_status fv_loader_open(fv_loader **out, const fv_loader_options *options, fv_error *err);
void fv_loader_close(fv_loader *loader); /* accepts NULL; stops the workers */

/* Begins an epoch at a batch (0 but for a resume). What was read ahead for another is dropped; no
 * batch may be out. */
void fv_loader_start(fv_loader *loader, uint32_t epoch, int64_t first_batch);

/* The next batch in order, or NULL after the last of the epoch. At most one may be out. */
fv_batch *fv_loader_take(fv_loader *loader);
void fv_loader_give_back(fv_loader *loader, fv_batch *batch);

int64_t fv_loader_batches(const fv_loader *loader);     /* per epoch */
double fv_loader_wait_seconds(const fv_loader *loader); /* spent waiting in take, since the start */

/* Distinct unreadable samples so far: how many, and their indices (borrowed till the next take). */
int64_t fv_loader_unreadable(const fv_loader *loader, const int64_t **samples);

#endif /* FV_DATA_LOADER_H */
