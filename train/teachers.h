/* SPDX-License-Identifier: Apache-2.0 */
/* train/teachers.h - the frozen members of a DistillationModel.
 *
 * Each has parameters and plans of its own, without gradients. By default they run in training
 * mode, as in PaddleClas: with the statistics of each batch, and dropout; with Arch.teacher_mode
 * eval, in evaluation mode, batch norms folded. Their weights never change, and nothing of them
 * is part of a checkpoint. With Arch.teacher_cache, a folder, what they answer is kept for the next
 * epoch, in a file for each.
 */
#ifndef FV_TRAIN_TEACHERS_H
#define FV_TRAIN_TEACHERS_H

#include "data/source.h"
#include "models/arch.h"

typedef struct fv_teachers fv_teachers;

typedef struct fv_teachers_options {
    const fv_arch *arch;
    const fv_kernels *kernels;
    const fv_source *source;
    int classes;
    uint64_t seed; /* of dropout */
} fv_teachers_options;

/* Loads their weights, strictly. *out is NULL where no member is frozen. Pictures that change from
 * epoch to epoch cannot be kept: then a cache is an error. The options are borrowed. */
fv_status fv_teachers_create(fv_teachers **out, const fv_teachers_options *options, fv_error *err);
void fv_teachers_destroy(fv_teachers *teachers); /* accepts NULL */

/* Makes the plans for batches of this shape. */
fv_status fv_teachers_plan(fv_teachers *teachers, fv_shape images, fv_error *err);

/* Asks all of them about a batch. */
fv_status fv_teachers_ask(fv_teachers *teachers, const fv_batch *batch, uint64_t step,
                          fv_error *err);

/* What a frozen member answered: logits [count][classes], until it is asked again. */
const float *fv_teachers_answer(const fv_teachers *teachers, int member);

size_t fv_teachers_bytes(const fv_teachers *teachers); /* of the plans; 0 for NULL */

#endif /* FV_TRAIN_TEACHERS_H */
