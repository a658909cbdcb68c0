/* SPDX-License-Identifier: Apache-2.0 */
/* cli/bench.h - the parts of fovea bench. */
#ifndef FV_CLI_BENCH_H
#define FV_CLI_BENCH_H

#include "autograd/plan.h"
#include "cli/options.h"

/* fovea bench loader: the Train pipeline alone, `steps` batches of one epoch; 0: all of it. */
fv_status fv_bench_loader(const fv_arguments *arguments, int steps, fv_error *err);

/* Where the time of `replays` replays went: one line per fused operator, slowest first. Figures of
 * backward are 0 for a plan that was only replayed forward. */
fv_status fv_profile_print(FILE *out, const fv_plan *plan, int replays, fv_error *err);

#endif /* FV_CLI_BENCH_H */
