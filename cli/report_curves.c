/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "cli/report.h"
#include "io/chart.h"

#include <math.h>

enum {
    POINTS = 300,  /* of a curve: more cannot be told apart */
    QUANTITIES = 4 /* of a chart */
};

/* A number of rows of one kind. */
typedef struct quantity {
    const char *name;
    fv_row_kind kind;
    size_t offset; /* of a double in fv_row */
    double scale;
} quantity;

/* clang-format off */
static const quantity train_loss = { "training",         FV_ROW_TRAIN, offsetof(fv_row, loss), 1.0 };
static const quantity eval_loss  = { "evaluation",       FV_ROW_EVAL,  offsetof(fv_row, loss), 1.0 };
static const quantity train_top1 = { "training Top1",    FV_ROW_TRAIN, offsetof(fv_row, top1), 100.0 };
static const quantity eval_top1  = { "evaluation Top1",  FV_ROW_EVAL,  offsetof(fv_row, top1), 100.0 };
static const quantity eval_top5  = { "evaluation Top5",  FV_ROW_EVAL,  offsetof(fv_row, top5), 100.0 };
static const quantity mean_loss  = { "averaged weights", FV_ROW_EVAL_AVERAGE, offsetof(fv_row, loss), 1.0 };
static const quantity mean_top1  = { "averaged Top1",    FV_ROW_EVAL_AVERAGE, offsetof(fv_row, top1), 100.0 };
static const quantity rate       = { "learning rate",    FV_ROW_TRAIN, offsetof(fv_row, lr), 1.0 };
static const quantity speed      = { "images/s",         FV_ROW_TRAIN, offsetof(fv_row, images_per_second), 1.0 };
static const quantity waiting    = { "waiting for data", FV_ROW_TRAIN, offsetof(fv_row, data_wait_share), 100.0 };
/* clang-format on */

static double value_of(const quantity *q, const fv_row *row)
{
    return q->scale * *(const double *)(const void *)((const char *)row + q->offset);
}

/* Loss and Top-1 of training are means over the epoch so far: where there are enough epochs, only
 * the means over whole epochs are drawn. */
static bool is_mean_of_epoch(const quantity *q) { return q == &train_loss || q == &train_top1; }

static bool is_drawn(const quantity *q, const fv_run *run, size_t i)
{
    const fv_row *row = &run->history.rows[i];
    const bool is_last = i + 1 == run->history.count;
    if (row->kind != q->kind) return false;
    if (!is_mean_of_epoch(q) || run->last->epoch < 3) return true;
    return is_last || row[1].epoch > row->epoch || row[1].kind != FV_ROW_TRAIN;
}

/* Means of neighbours, so that no more than POINTS are left. */
static int thin(double *x, double *y, int count)
{
    const int group = (count + POINTS - 1) / POINTS;
    int kept = 0;
    for (int i = 0; i < count && group > 1; i += group, kept++) {
        const int size = fv_min(group, count - i);
        double sum_x = 0.0, sum_y = 0.0;
        for (int k = i; k < i + size; k++) {
            sum_x += x[k];
            sum_y += y[k];
        }
        x[kept] = sum_x / size;
        y[kept] = sum_y / size;
    }
    return group > 1 ? kept : count;
}

/* `per` steps make one unit of x. */
static bool make_curve(fv_curve *out, fv_arena *arena, const fv_run *run, const quantity *q,
                       const char *name, double per)
{
    double *x = fv_arena_alloc(arena, (run->history.count + 1) * sizeof(*x));
    double *y = fv_arena_alloc(arena, (run->history.count + 1) * sizeof(*y));
    int count = 0;
    if (!x || !y) return false;
    for (size_t i = 0; i < run->history.count; i++) {
        if (!is_drawn(q, run, i)) continue;
        x[count] = (double)run->history.rows[i].step / per;
        y[count++] = value_of(q, &run->history.rows[i]);
    }
    *out = (fv_curve){ .name = name, .x = x, .y = y, .count = thin(x, y, count) };
    return true;
}

/* ---- Charts ---- */

typedef struct chart {
    const char *title;
    const quantity *quantities[QUANTITIES];
} chart;

static const chart charts_of_one[] = {
    { "Loss", { &train_loss, &eval_loss, &mean_loss } },
    { "Right answers, %", { &train_top1, &eval_top1, &eval_top5, &mean_top1 } },
    { "Learning rate", { &rate } },
    { "Speed, images per second", { &speed } },
    { "Time spent waiting for data, %", { &waiting } },
};

static const chart charts_of_many[] = {
    { "Evaluation Top1, %", { &eval_top1 } },
    { "Evaluation loss", { &eval_loss } },
    { "Training loss", { &train_loss } },
    { "Learning rate", { &rate } },
};

static bool has_points(const fv_curve *curve)
{
    for (int i = 0; i < curve->count; i++)
        if (isfinite(curve->y[i])) return true;
    return false;
}

/* A quantity that no row has (Top-1 of mixed pictures) is not in the legend. */
static fv_status draw_one(fv_html *html, fv_arena *arena, const fv_run *run, const chart *c,
                          fv_error *err)
{
    fv_curve curves[QUANTITIES];
    int count = 0;
    const double per = run->batches > 0.0 ? run->batches : 1.0;
    for (int i = 0; i < QUANTITIES && c->quantities[i]; i++) {
        const quantity *q = c->quantities[i];
        if (!make_curve(&curves[count], arena, run, q, q->name, per))
            return fv_fail(err, FV_ERR_NOMEM, "report: out of memory for curves");
        count += has_points(&curves[count]);
    }
    const fv_curves drawing = { .title = c->title,
                                .x_name = run->batches > 0.0 ? "epoch" : "step",
                                .curves = curves,
                                .count = count };
    fv_chart_curves(html, &drawing);
    return FV_OK;
}

fv_status fv_report_curves(fv_html *html, const fv_run *run, fv_error *err)
{
    fv_arena arena;
    fv_status status = FV_OK;
    fv_arena_init(&arena);
    fv_html_raw(html, "<h2>Curves</h2><div class=charts>\n");
    for (size_t i = 0; i < FV_ARRAY_LEN(charts_of_one) && status == FV_OK; i++)
        status = draw_one(html, &arena, run, &charts_of_one[i], err);
    fv_html_raw(html, "</div>\n");
    fv_arena_deinit(&arena);
    return status;
}

static fv_status draw_many(fv_html *html, fv_arena *arena, const fv_run *runs, int count,
                           const chart *c, bool epochs, fv_error *err)
{
    fv_curve *curves = fv_arena_alloc(arena, (size_t)count * sizeof(*curves));
    for (int i = 0; i < count; i++) {
        const double per = epochs ? runs[i].batches : 1.0;
        if (!curves ||
            !make_curve(&curves[i], arena, &runs[i], c->quantities[0], runs[i].folder, per))
            return fv_fail(err, FV_ERR_NOMEM, "report: out of memory for curves");
    }
    const fv_curves drawing = {
        .title = c->title, .x_name = epochs ? "epoch" : "step", .curves = curves, .count = count
    };
    fv_chart_curves(html, &drawing);
    return FV_OK;
}

fv_status fv_report_overlay(fv_html *html, const fv_run *runs, int count, fv_error *err)
{
    fv_arena arena;
    fv_status status = FV_OK;
    bool epochs = true; /* or steps, if a run is not that far */
    for (int i = 0; i < count; i++) epochs = epochs && runs[i].batches > 0.0;
    fv_arena_init(&arena);
    fv_html_raw(html, "<h2>Curves</h2><div class=charts>\n");
    for (size_t i = 0; i < FV_ARRAY_LEN(charts_of_many) && status == FV_OK; i++)
        status = draw_many(html, &arena, runs, count, &charts_of_many[i], epochs, err);
    fv_html_raw(html, "</div>\n");
    fv_arena_deinit(&arena);
    return status;
}

double fv_report_speed(const fv_run *run)
{
    double sum = 0.0;
    int64_t count = 0;
    for (size_t i = 0; i < run->history.count; i++) {
        const fv_row *row = &run->history.rows[i];
        if (row->kind != FV_ROW_TRAIN || !isfinite(row->images_per_second)) continue;
        sum += row->images_per_second;
        count++;
    }
    return count ? sum / (double)count : 0.0;
}
