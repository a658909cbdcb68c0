/* SPDX-License-Identifier: Apache-2.0 */
/* cli/console.h - what a training run says: to standard error and, the same, to train.log.
 *
 * On a terminal one line is a bar that is drawn over and over; everything else is put above it.
 * Lines said before the log file is open are kept for it.
 */
#ifndef FV_CLI_CONSOLE_H
#define FV_CLI_CONSOLE_H

#include "base/log.h"
#include "base/memory.h"
#include "train/trainer.h"

enum { FV_CONSOLE_EARLY = 256 };

typedef struct fv_console {
    fv_journal *journal; /* borrowed; NULL: not open yet */
    bool terminal, colour;
    bool bar;     /* one is on the screen */
    double drawn; /* when; seconds of fv_clock_seconds() */
    fv_arena arena;
    char *early[FV_CONSOLE_EARLY]; /* lines of before */
    int early_count;
} fv_console;

/* Takes over the sink of base/log.h until fv_console_deinit(), which leaves it silent. There is no
 * colour where NO_COLOR is set. */
void fv_console_init(fv_console *console);
void fv_console_deinit(fv_console *console);

/* From now on lines go to train.log too, those of before first. `journal` is borrowed. */
void fv_console_open_journal(fv_console *console, fv_journal *journal);

/* A line on the screen, above the bar, and in train.log. */
void fv_console_say(fv_console *console, const char *format, ...) FV_PRINTF(2, 3);
/* To train.log alone: what was printed by somebody else. */
void fv_console_note(fv_console *console, const char *line);

/* Shows what the trainer tells. */
void fv_console_event(fv_console *console, const fv_train_event *event);

#endif /* FV_CLI_CONSOLE_H */
