/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runtime.h"

#include <stdlib.h>
#include <unistd.h>

void fv_runtime_limit_spinning(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
    /* Some tens of microseconds: longer than the gap between two parallel regions of a step. */
    if (setenv("GOMP_SPINCOUNT", "300", 1) == 0) execv("/proc/self/exe", argv);
}
