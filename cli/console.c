/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/console.h"

#include "base/clock.h"
#include "cli/progress.h"
#include "cli/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double DRAW_SECONDS = 0.1; /* between two drawings of the bar */

static void clear_bar(fv_console *c)
{
    if (c->bar) fputs("\r\x1b[K", stderr);
    c->bar = false;
}

void fv_console_note(fv_console *c, const char *line)
{
    if (c->journal) {
        fv_journal_line(c->journal, line);
    } else if (c->early_count < FV_CONSOLE_EARLY) {
        char *copy = fv_arena_join(&c->arena, line, "", "");
        if (copy) c->early[c->early_count++] = copy;
    }
}

static void say_line(fv_console *c, const char *line)
{
    clear_bar(c);
    fprintf(stderr, "%s\n", line);
    fv_console_note(c, line);
}

void fv_console_say(fv_console *c, const char *format, ...)
{
    char line[FV_PROGRESS_LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    say_line(c, line);
}

/* May be called by threads of the loader, one at a time; the bar is the main thread's, so that
 * a line and the bar may at worst share a row of the screen. */
static void take_log(void *ctx, fv_log_level level, const char *line)
{
    fv_console *c = ctx;
    char text[FV_PROGRESS_LINE + 16];
    snprintf(text, sizeof(text), "%s%s", level == FV_LOG_WARNING ? "warning: " : "", line);
    fprintf(stderr, c->terminal ? "\r\x1b[K%s\n" : "%s\n", text);
    fv_console_note(c, text);
}

void fv_console_init(fv_console *c)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    *c = (fv_console){ 0 };
    fv_arena_init(&c->arena);
    c->terminal = fv_terminal_columns(stderr) > 0 && terminal && strcmp(terminal, "dumb") != 0;
    c->colour = c->terminal && !(no_colour && no_colour[0]);
    fv_log_sink(take_log, c);
}

void fv_console_deinit(fv_console *c)
{
    fv_log_sink(NULL, NULL);
    clear_bar(c);
    fv_arena_deinit(&c->arena);
}

void fv_console_open_journal(fv_console *c, fv_journal *journal)
{
    c->journal = journal;
    for (int i = 0; i < c->early_count; i++) fv_journal_line(journal, c->early[i]);
    c->early_count = 0;
}

static void draw(fv_console *c, const fv_train_event *event)
{
    char bar[FV_PROGRESS_LINE];
    const double now = fv_clock_seconds();
    if (now - c->drawn < DRAW_SECONDS) return;
    c->drawn = now;
    /* One column is left free: a full row would wrap on some terminals. */
    fv_progress_bar(bar, sizeof(bar), event, fv_terminal_columns(stderr) - 1, c->colour);
    fprintf(stderr, "\r%s\x1b[K", bar);
    c->bar = true;
}

static void show_step(fv_console *c, const fv_train_event *event)
{
    char line[FV_PROGRESS_LINE];
    const bool last = event->batch == event->batches;
    if (event->logged) {
        fv_progress_line(line, sizeof(line), event);
        if (!c->terminal || last)
            say_line(c, line);
        else
            fv_console_note(c, line);
    }
    if (c->terminal && !last) draw(c, event);
}

void fv_console_event(fv_console *c, const fv_train_event *event)
{
    char line[FV_PROGRESS_LINE];
    switch (event->kind) {
    case FV_TRAIN_STEP: show_step(c, event); break;
    case FV_TRAIN_EVALUATE:
        if (c->terminal) fputs("\revaluating ...\x1b[K", stderr);
        c->bar = c->terminal;
        break;
    case FV_TRAIN_EVALUATED:
        fv_progress_line(line, sizeof(line), event);
        say_line(c, line);
        break;
    case FV_TRAIN_SAVED:
        snprintf(line, sizeof(line), "saved %s", event->path);
        fv_console_note(c, line);
        break;
    }
}
