/* SPDX-License-Identifier: Apache-2.0 */
/* data/dataset.h - which pictures there are, and their labels.
 *
 * Opening a dataset reads its list, walks its folders, or reads the headers of its archives; it
 * decodes no picture. All names lie in one block of memory: 1.28 million ImageNet names take
 * about 60 MB. Wherever the pictures lie, each can be read at any time, so that every order of
 * data/sampler.h is possible.
 */
#ifndef FV_DATA_DATASET_H
#define FV_DATA_DATASET_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fv_dataset fv_dataset;

/* The label of a picture of which only a teacher knows what it shows. */
enum { FV_UNLABELLED = -1 };

typedef enum fv_dataset_kind {
    FV_DATASET_FILES, /* files: of a list, or in one folder per class */
    FV_DATASET_CSV,   /* files: of a table */
    FV_DATASET_TAR,   /* in tar archives */
    FV_DATASET_PACKED /* in one file of data/packed.h */
} fv_dataset_kind;

typedef enum fv_part { FV_PART_TRAIN, FV_PART_VAL } fv_part;

/* One of two parts of a dataset. Of every class with two pictures or more, FV_PART_VAL has the
 * whole number nearest to its share, but each part at least one; a single picture is
 * FV_PART_TRAIN's. Which ones depends on the seed and on their names, not on their order. */
typedef struct fv_split {
    double val_fraction; /* in (0, 1); 0: there is one part, everything */
    uint64_t seed;
    fv_part part;
} fv_split;

typedef struct fv_dataset_options {
    fv_dataset_kind kind;
    const char *image_root; /* folder that relative paths start from; may be "" */
    const char *list_path; /* list file, table or packed file; for FV_DATASET_FILES NULL: image_root
                               holds one folder per class */
    const char *delimiter; /* of a list, between path and label; default " ": then the label
                               follows the last run of blanks, so that blanks in paths work. Of a
                               table one character; default "," */
    const char *path_column, *label_column; /* of a table; NULL: "path", "label" */
    const char *const *shards;              /* of archives: names with {000..031} and * ? [abc] */
    int shard_count;
    const char *label_key;  /* of archives: which member of a .json is the label; NULL: "label" */
    int classes;            /* labels must be below; 0: not checked, counted from the data */
    bool unlabelled;        /* lines of a list may have no label, or -1 */
    const char *label_list; /* file "id name" per line with class names, or NULL */
    fv_split split;
    /* For those who check lists: told of each line of a list that cannot be used, which is then
     * left out. NULL: the first such line is an error. */
    void (*bad_line)(void *ctx, const char *message);
    void *bad_line_ctx;
} fv_dataset_options;

/* Sets kind and where the pictures are from one path: a folder of folders; by the end of its name a
 * table (.csv), a pattern of archives (.tar) or a packed file (.h5); or else a list. `path` is
 * borrowed, the pointer to it too. */
void fv_dataset_options_guess(fv_dataset_options *options, const char *const *path);

/* List: "path<delimiter>label" per line, each of the two may be in double quotes; \r\n, blank lines
 * and a byte order mark are tolerated. With `unlabelled` a line that ends with no number is a path.
 * Folders: classes are the sorted (bytewise) names of the sub-folders, samples are the files with a
 * picture's extension (.jpg .jpeg .png, any case) below them, recursively, sorted.
 * Table: RFC 4180 with a header line. If the first label is no number, all are names of classes:
 * those of label_list, else numbered in their bytewise order.
 * Archives: files that follow each other and have the same name up to its first dot are one sample:
 * a picture by its extension, and .cls with a number, or .json with one.
 * Errors name file and line: no label, a label that is no number, negative, or >= classes, an empty
 * list, a path that is too long. */
fv_status fv_dataset_open(fv_dataset **out, const fv_dataset_options *options, fv_error *err);
void fv_dataset_close(fv_dataset *dataset); /* accepts NULL */

int64_t fv_dataset_count(const fv_dataset *dataset);
int fv_dataset_classes(const fv_dataset *dataset); /* as given, or 1 + the largest label */
int fv_dataset_label(const fv_dataset *dataset, int64_t i);
int64_t fv_dataset_unlabelled(const fv_dataset *dataset);          /* how many are */
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
