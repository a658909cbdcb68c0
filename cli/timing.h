/* SPDX-License-Identifier: Apache-2.0 */
/* cli/timing.h - where the time of a model goes, beside what the machine could do. */
#ifndef FV_CLI_TIMING_H
#define FV_CLI_TIMING_H

#include "autograd/plan.h"
#include "base/roofline.h"

#include <stdio.h>

/* A pass of a fused operator, or a sum of several; all figures of one replay. */
typedef struct fv_timing_row {
    const char *layer;  /* borrowed from the plan; of sums "" */
    const char *suffix; /* what is fused to it, "+bn+relu6"; borrowed from the plan; of sums "" */
    char kind[32];      /* of the sum of a pass "" */
    bool backward;      /* else forward; of the total neither */
    int node;           /* in the plan; of one operator */
    fv_shape out;       /* of one operator */
    int operators;      /* 1, or how many are in the sum */
    double seconds, least; /* spent, and by the roofline */
    double flops, bytes;
} fv_timing_row;

typedef struct fv_timing {
    const fv_plan *plan; /* borrowed */
    fv_roofline roofline;
    fv_timing_row *rows, *kinds; /* owned; most seconds over the roofline first */
    int row_count, kind_count;
    fv_timing_row forward, backward, total;
    double step_seconds;
} fv_timing;

/* From now on; what was replayed before does not count. */
fv_status fv_timing_begin(fv_timing *out, const fv_plan *plan, fv_error *err);
/* Fills in the rest, of `replays` replays since the beginning, which took step_seconds each. */
void fv_timing_end(fv_timing *timing, const fv_roofline *roofline, int replays,
                   double step_seconds);
void fv_timing_deinit(fv_timing *timing); /* accepts an all-zero struct */

/* Tables for people, at most 100 columns wide. */
void fv_timing_print(FILE *out, const fv_timing *timing);

/* All rows and sums; NULL: out of memory. */
struct json_t;
struct json_t *fv_timing_json(const fv_timing *timing);

#endif /* FV_CLI_TIMING_H */
