/* SPDX-License-Identifier: Apache-2.0 */
/* data/census.h - every picture of a data set, opened once.
 *
 * Pictures are read in parallel, in blocks of which each is summed up in order: what is found does
 * not depend on the number of threads. Of a picture 56 bytes are kept: 72 MB for ImageNet.
 */
#ifndef FV_DATA_CENSUS_H
#define FV_DATA_CENSUS_H

#include "base/memory.h"
#include "data/dataset.h"
#include "data/inspect.h"

#include <signal.h>

enum { FV_CENSUS_REASONS = 10000 /* unreadable pictures of which it is kept why */ };

typedef struct fv_census_picture {
    fv_hash file, pixels;
    int width, height;
    uint32_t bytes; /* of the file; 0 if it could not be read at all */
    uint32_t oddities;
    bool readable;
    uint32_t reason; /* if not: index into `reasons`, or FV_CENSUS_REASONS */
} fv_census_picture;

typedef struct fv_census {
    const fv_dataset *dataset; /* borrowed */
    int64_t count, readable;
    uint64_t bytes;              /* of all files that are there */
    fv_census_picture *pictures; /* [count] */
    int64_t *class_counts;       /* [classes of the data set], unreadable ones too */
    /* Of R, G, B in [0, 1] over all pixels, each readable picture counting the same, as the
     * network will see them all at one size. 0 without any. */
    double mean[3], deviation[3];
    int reason_count;
    char **reasons; /* [FV_CENSUS_REASONS], without the name */
    fv_arena memory;
} fv_census;

typedef struct fv_census_options {
    void (*progress)(void *ctx, int64_t done); /* called by the calling thread; or NULL */
    void *ctx;
    const volatile sig_atomic_t *stop; /* not 0: FV_ERR_INTERRUPTED; or NULL */
} fv_census_options;

/* Pictures that cannot be read are counted; only memory and an interruption make it fail. */
fv_status fv_census_take(fv_census *out, const fv_dataset *dataset,
                         const fv_census_options *options, fv_error *err);
void fv_census_deinit(fv_census *census); /* accepts an all-zero struct */

/* Why a picture could not be read; "" if it could. */
const char *fv_census_reason(const fv_census *census, int64_t i);

/* The smallest, the median (the lower one of two) and the largest value. */
typedef struct fv_spread {
    int64_t least, median, most;
} fv_spread;

typedef int64_t fv_measure_fn(const fv_census_picture *picture);
int64_t fv_measure_width(const fv_census_picture *picture);
int64_t fv_measure_height(const fv_census_picture *picture);
int64_t fv_measure_bytes(const fv_census_picture *picture);

/* Of readable pictures; all zeros if there is none. */
fv_status fv_census_spread(const fv_census *census, fv_measure_fn *measure, fv_spread *out,
                           fv_error *err);

#endif /* FV_DATA_CENSUS_H */
