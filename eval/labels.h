/* SPDX-License-Identifier: Apache-2.0 */
/* eval/labels.h - names of classes, from a file "id name" per line. */
#ifndef FV_EVAL_LABELS_H
#define FV_EVAL_LABELS_H

#include "base/status.h"

#include <stddef.h>

typedef struct fv_labels {
    char *text;         /* owned: all names, each ending with a zero byte */
    const char **names; /* owned: [count]; NULL where a class has no name */
    int count;
} fv_labels;

/* One "id name" per line; \r\n, blank lines and a byte order mark are tolerated. Ids must be in
 * [0, classes) and may be in any order; one given twice is an error. Errors name file and line. */
fv_status fv_labels_load(fv_labels *out, const char *path, int classes, fv_error *err);

/* From names separated by newlines, that of class 0 first. At most `classes` are taken. */
fv_status fv_labels_split(fv_labels *out, const char *text, int classes, fv_error *err);

void fv_labels_deinit(fv_labels *labels); /* accepts an all-zero struct */

/* NULL: none is known. */
const char *fv_labels_name(const fv_labels *labels, int id);

#endif /* FV_EVAL_LABELS_H */
