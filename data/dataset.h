/* SPDX-License-Identifier: Apache-2.0 */
/* data/dataset.h - which pictures there are, and their labels.
 *
 * Opening a dataset reads its list or walks its folders; it opens no picture. All paths lie in
 * one block of memory: 1.28 million ImageNet names take about 60 MB.
 */
#ifndef FV_DATA_DATASET_H
#define FV_DATA_DATASET_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fv_dataset fv_dataset;

typedef struct fv_dataset_options {
    const char *image_root; /* folder that relative paths start from; may be "" */
    const char *list_path;  /* list file; NULL: image_root holds one folder per class */
    const char *delimiter;  /* between path and label; default " ": then the label follows the last
                               run of blanks, so that blanks in paths work */
    int classes;            /* labels must be below; 0: not checked, counted from the data */
    const char *label_list; /* file "id name" per line with class names, or NULL */
} fv_dataset_options;

/* List: "path<delimiter>label" per line, each of the two may be in double quotes; \r\n, blank lines
 * and a byte order mark are tolerated.
 * Folders: classes are the sorted (bytewise) names of the sub-folders, samples are the files with a
 * picture's extension (.jpg .jpeg .png, any case) below them, recursively, sorted.
 * Errors name file and line: no label, a label that is no number, negative, or >= classes, an empty
 * list, a path that is too long. */
fv_status fv_dataset_open(fv_dataset **out, const fv_dataset_options *options, fv_error *err);
void fv_dataset_close(fv_dataset *dataset); /* accepts NULL */

int64_t fv_dataset_count(const fv_dataset *dataset);
int fv_dataset_classes(const fv_dataset *dataset); /* as given, or 1 + the largest label */
int fv_dataset_label(const fv_dataset *dataset, int64_t i);
const char *fv_dataset_name(const fv_dataset *dataset, int64_t i); /* as in the list; borrowed */

/* Writes image_root/name into `path`. */
fv_status fv_dataset_path(const fv_dataset *dataset, int64_t i, char *path, size_t size,
                          fv_error *err);

/* The picture's file, undecoded: a block that the caller frees with fv_free(). Errors name the
 * path. Any number of threads may read. */
fv_status fv_dataset_read(const fv_dataset *dataset, int64_t i, char **bytes, size_t *size,
                          fv_error *err);

/* Name of a class, or NULL if none is known; borrowed. */
const char *fv_dataset_class_name(const fv_dataset *dataset, int label);

/* Bytes held. */
size_t fv_dataset_bytes(const fv_dataset *dataset);

#endif /* FV_DATA_DATASET_H */
