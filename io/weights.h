/* SPDX-License-Identifier: Apache-2.0 */
/* io/weights.h - named tensors in files, whoever wrote them.
 *
 * A tensor file is opened by its content (HDF5, safetensors, PaddlePaddle's .pdparams, PyTorch's
 * .pth), lists its tensors, and reads them one by one as float32. The bytes are hostile: sizes are
 * checked before they are believed. Loading into parameters is strict: every tensor is matched or
 * named.
 */
#ifndef FV_IO_WEIGHTS_H
#define FV_IO_WEIGHTS_H

#include "autograd/params.h"

#include <stdint.h>

typedef struct fv_tensors fv_tensors;

enum { FV_TENSOR_MAX_RANK = 8 };

typedef struct fv_tensor_info {
    const char *name; /* borrowed */
    int rank;
    int64_t dims[FV_TENSOR_MAX_RANK];
    size_t count; /* elements; 1 for rank 0 */
} fv_tensor_info;

fv_status fv_tensors_open(fv_tensors **out, const char *path, fv_error *err);
void fv_tensors_close(fv_tensors *file); /* accepts NULL */
/* To be called before the tensors are matched with those of `model` ("MobileNetV2"): where the
 * names are PyTorch's, they become ours, layouts too, and it is told; other files stay as they are.
 * Fails if the program is known and its model of that name is another. */
fv_status fv_tensors_adopt(fv_tensors *file, const char *model, fv_error *err);
const char *fv_tensors_path(const fv_tensors *file);
int fv_tensors_count(const fv_tensors *file);
fv_tensor_info fv_tensors_at(const fv_tensors *file, int i);
int fv_tensors_find(const fv_tensors *file, const char *name); /* -1: none */
/* Reads tensor i (float64, float32, float16, bfloat16 or an integer type) as floats. */
fv_status fv_tensors_read(fv_tensors *file, int i, float *out, fv_error *err);

/* Text metadata ("classes", "preprocess", ...) of a file. */
typedef struct fv_meta {
    const char *key, *value; /* borrowed */
} fv_meta;

const char *fv_tensors_meta(const fv_tensors *file, const char *key); /* NULL: none */
int fv_tensors_meta_count(const fv_tensors *file);
fv_meta fv_tensors_meta_at(const fv_tensors *file, int i);

/* A tensor to write. */
typedef struct fv_tensor_values {
    fv_tensor_info info;
    const float *data; /* info.count floats, borrowed */
} fv_tensor_values;

/* Replaces a file, atomically. The format follows the extension: .h5, .safetensors, or .pdparams,
 * which has no place for metadata. */
fv_status fv_tensors_save(const char *path, const fv_tensor_values *tensors, int count,
                          const fv_meta *meta, int meta_count, fv_error *err);

/* What loading did. */
typedef struct fv_load_report {
    int matched, missing, unexpected, reshaped; /* tensors; reshaped: same name, other shape */
    char first_missing[128], first_unexpected[128], first_reshaped[128];
} fv_load_report;

typedef struct fv_load_options {
    /* Tensors whose name begins with one of these may have another shape: they are initialised
     * anew, weights within +-1 / sqrt(inputs), biases as the model says, and counted as reshaped
     * (fine-tuning with another class number). Ends with NULL; NULL: none. */
    const char *const *heads;
    const char *model; /* for fv_tensors_adopt(); NULL: names must be ours */
    bool partial;      /* missing or unexpected tensors are reported, not an error */
} fv_load_options;

/* Loads every parameter by name; calls fv_params_touch(). On an error nothing has been changed. The
 * message of an error counts and names what does not fit. `options` may be NULL (strict), and so
 * may `report`; the report of a failure is valid too. */
fv_status fv_weights_load(const char *path, fv_params *params, const fv_load_options *options,
                          fv_load_report *report, fv_error *err);
/* The same from a file that is open, and stays so. */
fv_status fv_weights_load_from(fv_tensors *file, fv_params *params, const fv_load_options *options,
                               fv_load_report *report, fv_error *err);

/* fv_tensors_save() of all parameters. */
fv_status fv_weights_save(const char *path, const fv_params *params, fv_error *err);

#endif /* FV_IO_WEIGHTS_H */
