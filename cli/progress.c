/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void fv_progress_time(char *out, size_t size, double seconds)
{
    if (!(seconds >= 0.0 && seconds < 1e12)) {
        snprintf(out, size, "?");
        return;
    }
    const int64_t s = (int64_t)(seconds + 0.5), days = s / 86400;
    const int hours = (int)(s / 3600 % 24), minutes = (int)(s / 60 % 60), rest = (int)(s % 60);
    if (days > 0)
        snprintf(out, size, "%" PRId64 " day%s, %d:%02d:%02d", days, days == 1 ? "" : "s", hours,
                 minutes, rest);
    else
        snprintf(out, size, "%d:%02d:%02d", hours, minutes, rest);
}

static void step_line(char *out, size_t size, const fv_train_event *e)
{
    char eta[48], top1[32] = "";
    fv_progress_time(eta, sizeof(eta), e->eta_seconds);
    if (!isnan(e->top1)) snprintf(top1, sizeof(top1), ", top1 %.5f", e->top1);
    snprintf(out, size,
             "epoch %" PRId64 "/%" PRId64 ", step %" PRId64 "/%" PRId64
             ": loss %.5f%s, lr %.8f, %.1f images/s, data wait %.1f %%, eta %s",
             e->epoch, e->epochs, e->batch, e->batches, e->loss, top1, e->rate,
             e->images_per_second, 100.0 * e->wait_share, eta);
}

void fv_progress_line(char *out, size_t size, const fv_train_event *e)
{
    if (e->kind == FV_TRAIN_STEP)
        step_line(out, size, e);
    else
        snprintf(out, size,
                 "epoch %" PRId64 "/%" PRId64 ", evaluation%s: top1 %.5f, top5 %.5f, loss %.5f, "
                 "%" PRId64 " images in %.1f s%s",
                 e->epoch, e->epochs, e->averaged ? " of the averages" : "", e->score.top1,
                 e->score.top5, e->score.loss, e->score.images, e->score.seconds,
                 e->best ? ", the best so far" : "");
}

/* ---- The bar ---- */

enum { FIELD = 48, FIELDS = 7, BAR_MIN = 8, BAR_MAX = 30 };

/* What stands right of the bar, most important first; of constant width, so that it stays put. */
static int bar_fields(char fields[FIELDS][FIELD], const fv_train_event *e)
{
    char eta[40], total[24];
    const int digits = snprintf(total, sizeof(total), "%" PRId64, e->batches);
    fv_progress_time(eta, sizeof(eta), e->eta_seconds);
    int n = 0;
    snprintf(fields[n++], FIELD, "%*" PRId64 "/%s", digits, e->batch, total);
    snprintf(fields[n++], FIELD, "loss %6.3f", e->loss);
    if (!isnan(e->top1)) snprintf(fields[n++], FIELD, "Top1 %5.1f%%", 100.0 * e->top1);
    snprintf(fields[n++], FIELD, "ETA %8s", eta);
    snprintf(fields[n++], FIELD, "%5.0f img/s", e->images_per_second);
    snprintf(fields[n++], FIELD, "lr %-7.2g", e->rate);
    snprintf(fields[n++], FIELD, "data wait %3.0f%%", 100.0 * e->wait_share);
    return n;
}

/* Appends what fits as a whole into `size`, the final zero included. */
static void append(char *out, size_t size, const char *text)
{
    const size_t used = strlen(out), more = strlen(text);
    if (used + more < size) memcpy(out + used, text, more + 1);
}

static void append_bar(char *out, size_t size, const fv_train_event *e, int width, bool colour)
{
    char cells[BAR_MAX + 1];
    const int full = e->batches > 0 ? (int)(e->batch * width / e->batches) : 0;
    for (int i = 0; i < width; i++) cells[i] = i < full ? '#' : i == full ? '>' : '-';
    cells[width] = '\0';
    append(out, size, colour ? " [\x1b[32m" : " [");
    append(out, size, cells);
    append(out, size, colour ? "\x1b[0m]" : "]");
}

void fv_progress_bar(char *out, size_t size, const fv_train_event *e, int columns, bool colour)
{
    char head[FIELD], fields[FIELDS][FIELD];
    snprintf(head, sizeof(head), "epoch %" PRId64 "/%" PRId64, e->epoch, e->epochs);
    const int count = bar_fields(fields, e);

    /* First as many fields as fit beside the smallest bar, then the bar as wide as can be. */
    const int bar_room = BAR_MIN + 3;
    int room = columns - (int)strlen(head), shown = 0;
    const bool with_bar = room >= bar_room;
    if (with_bar) room -= bar_room;
    while (shown < count && room >= 1 + (int)strlen(fields[shown]))
        room -= 1 + (int)strlen(fields[shown++]);

    out[0] = '\0';
    if ((int)strlen(head) <= columns) append(out, size, head);
    if (with_bar) {
        const int width = BAR_MIN + (room < BAR_MAX - BAR_MIN ? room : BAR_MAX - BAR_MIN);
        append_bar(out, size, e, width, colour);
    }
    for (int i = 0; i < shown; i++) {
        append(out, size, " ");
        append(out, size, fields[i]);
    }
}
