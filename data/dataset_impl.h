/* SPDX-License-Identifier: Apache-2.0 */
/* data/dataset_impl.h - how a dataset lies in memory, and its ways of being read. */
#ifndef FV_DATA_DATASET_IMPL_H
#define FV_DATA_DATASET_IMPL_H

#include "base/crc32.h"
#include "data/dataset.h"

#include <limits.h>
#include <stdbool.h>

enum {
    FV_DATASET_MAX_CLASSES = 1 << 20, /* labels stay exact in float */
    FV_DATASET_MAX_PATH = PATH_MAX,   /* bytes with the final zero, of any path */
    FV_DATASET_MAX_LIST = 1 << 30     /* bytes of a list or a table: below 2^31, see fv_sample */
};

typedef struct fv_sample {
    uint32_t name; /* where it begins in `text` */
    int32_t label; /* while a table is read: where its text begins */
} fv_sample;

/* Where a picture lies that is not a file of its own. */
typedef struct fv_place {
    uint64_t offset;
    uint32_t bytes; /* UINT32_MAX: that or more */
    uint32_t container;
} fv_place;

typedef struct fv_container {
    char *path; /* owned */
    int fd;     /* -1: not kept open */
} fv_container;

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

    fv_place *places; /* [count]; NULL: each picture is a file */
    uint32_t *checks; /* [count]: CRC-32 of the picture's bytes; NULL: not known */
    fv_crc32 crc32;   /* initialised if there are checks */
    fv_container *containers;
    size_t container_count, container_room;
};

void fv_dataset_deinit(fv_dataset *d); /* accepts all zeros, and leaves them */

/* At least `count` elements of `size` bytes in *block, of which `used` are kept; doubles it. */
fv_status fv_dataset_grow(void **block, size_t size, size_t used, size_t count, size_t *room,
                          fv_error *err);

/* Appends a sample whose name is copied. */
fv_status fv_dataset_add(fv_dataset *d, const char *name, int label, fv_error *err);
/* Appends the name of a class to class_text, without numbering it; counts it in *count. */
fv_status fv_dataset_add_class(fv_dataset *d, const char *name, int *count, fv_error *err);
/* Numbers the `count` names in class_text in their bytewise order. */
fv_status fv_dataset_number_classes(fv_dataset *d, int count, fv_error *err);
/* Fails if there are more classes with a name than `classes`, warns if fewer. `where` and `what`
 * for the message: "pictures", "folders". */
fv_status fv_dataset_check_classes(const fv_dataset *d, int classes, const char *where,
                                   const char *what, fv_error *err);

/* Whether an extension, with its dot, is one of a picture. */
bool fv_dataset_is_picture(const char *extension);

/* "a.txt:7: label 12: must be from 0 to 9" */
typedef struct fv_line {
    const char *path;
    long number; /* from 1 */
} fv_line;
fv_status fv_dataset_read_number(const fv_line *line, const char *text, const char *what, int limit,
                                 int *out, fv_error *err);
/* The whole file into *text, a byte order mark skipped: *begin is where it begins. */
fv_status fv_dataset_read_text(const char *path, char **text, size_t *bytes, char **begin,
                               fv_error *err);

/* Fill samples, text and, from folders and tables with names, the classes and their names. */
fv_status fv_dataset_read_list(fv_dataset *d, const fv_dataset_options *o, fv_error *err);
fv_status fv_dataset_read_folders(fv_dataset *d, const fv_dataset_options *o, fv_error *err);
fv_status fv_dataset_read_table(fv_dataset *d, const fv_dataset_options *o, fv_error *err);
fv_status fv_dataset_read_shards(fv_dataset *d, const fv_dataset_options *o, fv_error *err);
fv_status fv_dataset_read_packed(fv_dataset *d, const fv_dataset_options *o, fv_error *err);
/* Names of classes from o->label_list, replacing those that are known. */
fv_status fv_dataset_read_labels(fv_dataset *d, const fv_dataset_options *o, fv_error *err);
/* Keeps one of the two parts. */
fv_status fv_dataset_split(fv_dataset *d, const fv_split *split, fv_error *err);

/* Another file that pictures lie in; it is looked at when one is read. */
fv_status fv_dataset_add_container(fv_dataset *d, const char *path, fv_error *err);
void fv_dataset_close_containers(fv_dataset *d);
/* As fv_dataset_read(), where there are places. */
fv_status fv_dataset_read_place(const fv_dataset *d, int64_t i, char **bytes, size_t *size,
                                fv_error *err);

#endif /* FV_DATA_DATASET_IMPL_H */
