/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bar.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "cli/progress.h"
#include "cli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CELLS = 30, FIELDS = 4, FIELD = 64, LINE = 256 };

void fv_bar_line(char *out, size_t size, const char *verb, int64_t done, int64_t total,
                 double seconds, int columns)
{
    char fields[FIELDS][FIELD], cells[CELLS + 1] = { 0 }, all[24], eta[40];
    const int digits = snprintf(all, sizeof(all), "%" PRId64, total);
    const int full = total > 0 ? (int)((double)done / (double)total * CELLS) : CELLS;
    const double rate = seconds > 0.0 ? (double)done / seconds : 0.0;
    for (int i = 0; i < CELLS; i++) cells[i] = i < full ? '#' : '.';
    fv_progress_time(eta, sizeof(eta), done > 0 ? (double)(total - done) / rate : -1.0);
    snprintf(fields[0], FIELD, " %*" PRId64 "/%s", digits, done, all);
    snprintf(fields[1], FIELD, " [%s]", cells);
    snprintf(fields[2], FIELD, " ETA %s", eta);
    snprintf(fields[3], FIELD, " %.0f/s", rate);
    /* What matters most is first to find room; then it is put in the order of reading. */
    bool shown[FIELDS] = { false };
    int room = columns - (int)strlen(verb);
    for (int i = 0; i < FIELDS && room >= (int)strlen(fields[i]); i++) {
        shown[i] = true;
        room -= (int)strlen(fields[i]);
    }
    snprintf(out, size, "%s%s%s%s%s", verb, shown[1] ? fields[1] : "", shown[0] ? fields[0] : "",
             shown[3] ? fields[3] : "", shown[2] ? fields[2] : "");
}

void fv_bar_begin(fv_bar *bar, const char *verb)
{
    *bar = (fv_bar){ .verb = verb,
                     .terminal = fv_terminal_columns(stderr) > 0,
                     .start = fv_clock_seconds() };
}

void fv_bar_show(fv_bar *bar, int64_t done, int64_t total)
{
    const double now = fv_clock_seconds();
    if (!bar->terminal || (done < total && now - bar->shown < 0.1)) return;
    char line[LINE];
    fv_bar_line(line, sizeof(line), bar->verb, done, total, now - bar->start,
                fv_min(fv_terminal_columns(stderr) - 1, LINE - 1));
    fprintf(stderr, "\r%s\x1b[K", line);
    fflush(stderr);
    bar->shown = now;
    bar->drawn = true;
}

void fv_bar_end(fv_bar *bar)
{
    if (bar->drawn) fputc('\n', stderr);
    bar->drawn = false;
}
