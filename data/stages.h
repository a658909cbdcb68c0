/* SPDX-License-Identifier: Apache-2.0 */
/* data/stages.h - pictures that grow while training goes on: the map DataLoader.Train.progressive.
 *
 *     progressive: {sizes: [128, 160, 224], epochs: [10, 20]}
 *
 * sizes[i] pixels a side before epoch epochs[i], counted from 0, the last size from then on.
 */
#ifndef FV_DATA_STAGES_H
#define FV_DATA_STAGES_H

#include "data/transform.h"

enum { FV_MAX_STAGES = 16 };

/* All but the last stage, whose pipeline is the one that stays. */
typedef struct fv_stage {
    fv_pipeline *pipeline; /* owned */
    uint32_t end;          /* first epoch after it */
} fv_stage;

typedef struct fv_stages {
    int count;
    fv_stage stages[FV_MAX_STAGES];
} fv_stages;

/* Makes the pipelines of `ops` for all stages; *last is that of the last one, owned by the caller.
 * `map` may be NULL: then there is only that one, of the size that ops say. */
fv_status fv_stages_create(fv_stages *out, fv_pipeline **last, fv_config_node *map,
                           fv_config_node *ops, const char *where, fv_error *err);
void fv_stages_deinit(fv_stages *stages); /* accepts all zeros */

/* What is used in an epoch. */
const fv_pipeline *fv_stages_at(const fv_stages *stages, const fv_pipeline *last, uint32_t epoch);

#endif /* FV_DATA_STAGES_H */
