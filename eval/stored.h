/* SPDX-License-Identifier: Apache-2.0 */
/* eval/stored.h - what a file of weights says about itself, besides its tensors.
 *
 * Checkpoints of ours hold the name of the model, how pictures were prepared, the names of the
 * classes and the whole configuration. Files without that configuration are of others, and only
 * their tensors count.
 */
#ifndef FV_EVAL_STORED_H
#define FV_EVAL_STORED_H

#include "io/weights.h"
#include "models/model.h"

typedef struct fv_stored {
    char path[4096]; /* as found: the extension may have been left out */
    fv_tensors *file;
    const char *arch;        /* name of the model, or NULL; like all below borrowed from `file` */
    const char *preprocess;  /* fv_pipeline_describe() of the evaluation, or NULL */
    const char *class_names; /* one name per line, or NULL */
    const char *config;      /* the resolved configuration, or NULL */
} fv_stored;

/* Opens `path`, or `path` with .h5, .safetensors, .pdparams or .pth where nothing has that very
 * name. */
fv_status fv_stored_open(fv_stored *out, const char *path, fv_error *err);
void fv_stored_close(fv_stored *stored); /* accepts an all-zero struct */

/* How many classes the tensors of the model's head are for; fails if the file has no such
 * head. Other programs' names become ours first, fv_tensors_adopt(). */
fv_status fv_stored_classes(const fv_stored *stored, const fv_model *model, int *classes,
                            fv_error *err);

#endif /* FV_EVAL_STORED_H */
