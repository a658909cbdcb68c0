/* SPDX-License-Identifier: Apache-2.0 */
/* train/start.h - where a run starts from: from scratch, from weights, or from a checkpoint. */
#ifndef FV_TRAIN_START_H
#define FV_TRAIN_START_H

#include "train/checkpoint.h"
#include "train/settings.h"

/* Makes the parameters of a model, initialised from `seed`, by capturing it once for pictures of
 * height x width. */
fv_status fv_start_params(fv_params **out, const fv_model *model, int classes, int height,
                          int width, uint64_t seed, fv_error *err);

/* Loads the file that `given` means, the value of the key `where`, into all parameters of
 * `model`. `any_classes`: its heads may be for another number of classes, and start anew then. */
fv_status fv_start_weights(const char *given, const char *where, const fv_model *model,
                           bool any_classes, fv_params *params, fv_error *err);

/* Loads Global.pretrained_model, or else Arch.pretrained, if there is one; of a DistillationModel
 * into the student, and into the other members that learn what they name themselves. Strict; but a
 * head for another number of classes is initialised anew, with a notice. */
fv_status fv_start_pretrained(const fv_settings *settings, int classes, int height, int width,
                              fv_params *params, fv_error *err);

/* Freezes what Global.freeze names; a pattern that matches nothing is an error. */
fv_status fv_start_freeze(const fv_settings *settings, fv_params *params, fv_error *err);

/* Loads Global.checkpoints. Another model or number of classes is an error; another seed, batch
 * size, update_freq or number of samples too in the middle of an epoch of `batches` batches, where
 * the position would mean something else, and told otherwise; so is any other change of the
 * config. */
fv_status fv_start_resume(const fv_settings *settings, const fv_run_identity *identity,
                          int64_t batches, const fv_run_state *state, fv_progress *progress,
                          fv_error *err);

#endif /* FV_TRAIN_START_H */
