/* SPDX-License-Identifier: Apache-2.0 */
/* cli/bar.h - how far a command is: a line on standard error that is drawn over and over. Silent
 * where that is no terminal. */
#ifndef FV_CLI_BAR_H
#define FV_CLI_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fv_bar {
    const char *verb; /* borrowed: "reading" */
    bool terminal, drawn;
    double start, shown; /* seconds of fv_clock_seconds() */
} fv_bar;

void fv_bar_begin(fv_bar *bar, const char *verb);
void fv_bar_show(fv_bar *bar, int64_t done, int64_t total); /* at most ten times a second */
void fv_bar_end(fv_bar *bar);                               /* what follows begins a new line */

/* The line after so many seconds, at most `columns` wide: "reading [###...] 12/40 310/s ETA
 * 0:00:07", of which the end is left out where there is no room. */
void fv_bar_line(char *out, size_t size, const char *verb, int64_t done, int64_t total,
                 double seconds, int columns);

#endif /* FV_CLI_BAR_H */
