/* SPDX-License-Identifier: Apache-2.0 */
/* cli/bench.h - the other half of fovea bench. */
#ifndef FV_CLI_BENCH_H
#define FV_CLI_BENCH_H

#include "cli/options.h"

/* fovea bench loader: the Train pipeline alone, `steps` batches of one epoch; 0: all of it. */
fv_status fv_bench_loader(const fv_arguments *arguments, int steps, fv_error *err);

#endif /* FV_CLI_BENCH_H */
