/* SPDX-License-Identifier: Apache-2.0 */
/* cli/interrupt.h - stopping in good order.
 *
 * The first SIGINT or SIGTERM is only remembered, so that a command can finish its step; the
 * second one of the same kind kills, as if nothing had been installed.
 */
#ifndef FV_CLI_INTERRUPT_H
#define FV_CLI_INTERRUPT_H

#include <signal.h>

/* From now on SIGINT and SIGTERM are noted; see fv_interrupt_signal(). */
void fv_interrupt_install(void);

/* The signal that asks to stop, 0: none. The pointer is valid forever. */
const volatile sig_atomic_t *fv_interrupt_signal(void);

#endif /* FV_CLI_INTERRUPT_H */
