/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/interrupt.h"

#include <stddef.h>

static volatile sig_atomic_t received;

static void remember(int number) { received = number; }

void fv_interrupt_install(void)
{
    struct sigaction action = { .sa_handler = remember,
                                .sa_flags = (int)(SA_RESETHAND | SA_RESTART) };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

const volatile sig_atomic_t *fv_interrupt_signal(void) { return &received; }
