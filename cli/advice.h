/* SPDX-License-Identifier: Apache-2.0 */
/* cli/advice.h - the last words of a command: what its result means, and what to do next.
 *
 * They are for people, and so on standard error: results for programs stay as they are.
 */
#ifndef FV_CLI_ADVICE_H
#define FV_CLI_ADVICE_H

#include "base/compiler.h"

/* A line on standard error; control characters become '?'. */
void fv_advise(const char *format, ...) FV_PRINTF(1, 2);

#endif /* FV_CLI_ADVICE_H */
