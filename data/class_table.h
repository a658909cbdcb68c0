/* SPDX-License-Identifier: Apache-2.0 */
/* data/class_table.h - the samples of each class. */
#ifndef FV_DATA_CLASS_TABLE_H
#define FV_DATA_CLASS_TABLE_H

#include "data/dataset.h"

typedef struct fv_class_table {
    int count;        /* classes that have samples; others are left out */
    int64_t *start;   /* [count + 1]: class k has samples[start[k] ... start[k + 1] - 1] */
    int64_t *samples; /* in the order of the dataset */
} fv_class_table;

/* `dataset` is not kept. A sample without a label is an error that names it. */
fv_status fv_class_table_create(fv_class_table **out, const fv_dataset *dataset, fv_error *err);
void fv_class_table_destroy(fv_class_table *table); /* accepts NULL */

/* How many samples class k has. */
int64_t fv_class_table_size(const fv_class_table *table, int k);

#endif /* FV_DATA_CLASS_TABLE_H */
