/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.h - what the library has to tell while it works.
 *
 * The library never prints. It hands lines to a sink that the program installs; without
 * one they are dropped. Safe to call from any thread; the sink is called by one at a time.
 */
#ifndef FV_BASE_LOG_H
#define FV_BASE_LOG_H

#include "base/compiler.h"

typedef enum fv_log_level { FV_LOG_INFO, FV_LOG_NOTICE, FV_LOG_WARNING } fv_log_level;

/* `line` has no newline and is valid during the call only. */
typedef void fv_log_fn(void *ctx, fv_log_level level, const char *line);

void fv_log_sink(fv_log_fn *fn, void *ctx); /* NULL: silence */
void fv_log(fv_log_level level, const char *format, ...) FV_PRINTF(2, 3);

#endif /* FV_BASE_LOG_H */
