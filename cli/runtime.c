/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runtime.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Others that want a processor right now, or -1 if the system does not say. */
static int busy_others(void)
{
    FILE *f = fopen("/proc/stat", "r");
    if (!f) return -1;
    int running = 0;
    char line[256];
    while (fgets(line, sizeof(line), f) && sscanf(line, "procs_running %d", &running) != 1) {
    }
    fclose(f);
    return running - 1;
}

void fv_runtime_limit_spinning(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
    /* Where processors are free, a hundred microseconds: longer than threads usually wait for each
     * other. Where they are not, a few: who spins keeps others from what he waits for. */
    const int others = busy_others();
    const bool is_free = others >= 0 && others * 4 <= sysconf(_SC_NPROCESSORS_ONLN);
    if (setenv("GOMP_SPINCOUNT", is_free ? "10000" : "300", 1) == 0) execv("/proc/self/exe", argv);
}
