/* SPDX-License-Identifier: Apache-2.0 */
/* data/dataset_impl.h - how a dataset lies in memory, and its two ways of being read. */
#ifndef FV_DATA_DATASET_IMPL_H
#define FV_DATA_DATASET_IMPL_H

#include "data/dataset.h"

#include <limits.h>

enum {
    FV_DATASET_MAX_CLASSES = 1 << 20, /* labels stay exact in float */
    FV_DATASET_MAX_PATH = PATH_MAX    /* bytes with the final zero, of any path */
};

typedef struct fv_sample {
    uint32_t name; /* where it begins in `text` */
    int32_t label;
} fv_sample;

struct fv_dataset {
    char *root; /* image_root, or "" */
    fv_sample *samples;
    int64_t count;
    size_t room; /* samples that fit */
    char *text;  /* names, each with its final zero; a list file's own bytes */
    size_t text_bytes, text_room;
    int classes;
    char *class_text;      /* names of classes; NULL: not known */
    uint32_t *class_names; /* [named]: where each begins in class_text, UINT32_MAX: none */
    int named;
    size_t class_bytes, class_room;
};

/* At least `count` elements of `size` bytes in *block, of which `used` are kept; doubles it. */
fv_status fv_dataset_grow(void **block, size_t size, size_t used, size_t count, size_t *room,
                          fv_error *err);

/* Fill samples, text and, from folders, the classes and their names. */
fv_status fv_dataset_read_list(fv_dataset *d, const fv_dataset_options *o, fv_error *err);
fv_status fv_dataset_read_folders(fv_dataset *d, const fv_dataset_options *o, fv_error *err);
fv_status fv_dataset_read_labels(fv_dataset *d, const fv_dataset_options *o, fv_error *err);

#endif /* FV_DATA_DATASET_IMPL_H */
