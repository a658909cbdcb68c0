/* SPDX-License-Identifier: Apache-2.0 */
/* cli/bench.h - the parts of fovea bench. */
#ifndef FV_CLI_BENCH_H
#define FV_CLI_BENCH_H

#include "autograd/plan.h"
#include "cli/options.h"

/* fovea bench loader: the Train pipeline alone, `steps` batches of one epoch; 0: all of it. */
fv_status fv_bench_loader(const fv_arguments *arguments, int steps, fv_error *err);

/* Where the time of replays goes. */
typedef struct fv_timing {
    const fv_plan *plan;        /* borrowed */
    struct fv_timing_row *rows; /* owned: one per fused operator */
    int count;
} fv_timing;

/* From now on; what was replayed before does not count. */
fv_status fv_timing_begin(fv_timing *out, const fv_plan *plan, fv_error *err);
void fv_timing_deinit(fv_timing *timing); /* accepts an all-zero struct */

/* One line per fused operator, slowest first, of `replays` replays since the beginning. Figures of
 * backward are 0 for a plan that was only replayed forward. */
void fv_timing_print(FILE *out, fv_timing *timing, int replays);

#endif /* FV_CLI_BENCH_H */
