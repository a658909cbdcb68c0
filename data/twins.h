/* SPDX-License-Identifier: Apache-2.0 */
/* data/twins.h - pictures that are the same, pixel by pixel. */
#ifndef FV_DATA_TWINS_H
#define FV_DATA_TWINS_H

#include "data/census.h"

enum { FV_TWINS_PARTS = 2 };

/* Where a picture is. */
typedef struct fv_place {
    int part;
    int64_t picture;
} fv_place;

/* Groups of two and more. Members of a group, and the groups by their first members, stand in the
 * order of the parts and of the pictures in them. */
typedef struct fv_twins {
    fv_place *places; /* group after group */
    int64_t *first;   /* [count + 1]: where a group begins in `places` */
    int64_t count;
} fv_twins;

/* Among readable pictures. Takes 32 bytes per picture while it works. */
fv_status fv_twins_find(fv_twins *out, const fv_census *parts, int count, fv_error *err);
void fv_twins_deinit(fv_twins *twins); /* accepts an all-zero struct */

#endif /* FV_DATA_TWINS_H */
