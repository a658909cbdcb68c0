/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "cli/progress.h"
#include "cli/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void fv_report_cell(fv_html *html, const char *text)
{
    fv_html_raw(html, "<td>");
    fv_html_text(html, text ? text : "");
}

void fv_report_class(fv_html *html, const fv_run *run, int id)
{
    const char *name = fv_run_class_name(run, id);
    fv_html_rawf(html, "%d%s", id, name ? " " : "");
    fv_html_text(html, name ? name : "");
}

static fv_status finish(fv_html *html, const char *path, fv_status status, fv_error *err)
{
    if (status == FV_OK) status = fv_html_end(html, err);
    if (status == FV_OK) status = fv_file_write(path, html->text, html->bytes, err);
    fv_html_deinit(html);
    return status;
}

static const char *model_of(const fv_run *run)
{
    const char *model = fv_run_text(run, "model");
    return model ? model : "the model";
}

/* Whether the run has come to its end, as far as is known. */
static bool is_unfinished(const fv_run *run)
{
    const double epochs = fv_run_number(run, "epochs");
    const int64_t done = run->last ? run->last->epoch : 0;
    return epochs > 0.0 && (double)done < epochs;
}

/* ---- One run ---- */

static void write_verdict(fv_html *html, const fv_run *run)
{
    const double classes = fv_run_number(run, "classes");
    fv_html_raw(html, "<p class=\"verdict good\">");
    fv_html_text(html, model_of(run));
    if (run->best) {
        fv_html_rawf(html,
                     " is right about %.2f&nbsp;%% of the pictures to evaluate, after epoch %lld",
                     100.0 * run->best->top1, (long long)run->best->epoch);
        if (classes >= 2.0)
            fv_html_rawf(html, "; guessing would be right about %.3g&nbsp;%%", 100.0 / classes);
        fv_html_raw(html, ".</p>\n");
    } else {
        fv_html_raw(html, run->last ? " is being trained; nothing has been evaluated.</p>\n"
                                    : " has not made a step that was logged.</p>\n");
    }
    if (is_unfinished(run) || run->history.torn)
        fv_html_rawf(html,
                     "<p><span class=\"tag note\">not finished</span> epoch %lld of %.0f: still "
                     "running, or stopped.</p>\n",
                     run->last ? (long long)run->last->epoch : 0LL, fv_run_number(run, "epochs"));
}

static void write_card(fv_html *html, const char *value, const char *meaning)
{
    fv_html_raw(html, "<div class=card><b>");
    fv_html_text(html, value);
    fv_html_raw(html, "</b><span>");
    fv_html_text(html, meaning);
    fv_html_raw(html, "</span></div>\n");
}

static void write_number_card(fv_html *html, double number, const char *meaning)
{
    fv_html_raw(html, "<div class=card><b>");
    fv_html_count(html, (int64_t)number);
    fv_html_raw(html, "</b><span>");
    fv_html_text(html, meaning);
    fv_html_raw(html, "</span></div>\n");
}

static void write_cards(fv_html *html, const fv_run *run)
{
    static const struct {
        const char *key, *meaning;
    } numbers[] = { { "classes", "classes" },
                    { "train_pictures", "pictures to train on" },
                    { "eval_pictures", "pictures to evaluate" },
                    { "parameters", "parameters" } };
    char text[64];
    fv_html_raw(html, "<div class=cards>\n");
    if (run->best) {
        snprintf(text, sizeof(text), "%.2f %%", 100.0 * run->best->top1);
        write_card(html, text, "Top1: the first answer is right");
        snprintf(text, sizeof(text), "%.2f %%", 100.0 * run->best->top5);
        write_card(html, text, "Top5: one of the first five is");
        snprintf(text, sizeof(text), "%.4f", run->best->loss);
        write_card(html, text, "loss at that evaluation");
    }
    if (run->last) {
        fv_progress_time(text, sizeof(text), run->last->seconds);
        write_card(html, text, "of training");
        snprintf(text, sizeof(text), "%.1f", fv_report_speed(run));
        write_card(html, text, "images per second");
    }
    for (size_t i = 0; i < FV_ARRAY_LEN(numbers); i++) {
        const double number = fv_run_number(run, numbers[i].key);
        if (number >= 1.0 && number < 1e18) write_number_card(html, number, numbers[i].meaning);
    }
    fv_html_raw(html, "</div>\n");
}

static void write_about(fv_html *html, const fv_run *run)
{
    static const struct {
        const char *key, *name;
    } texts[] = { { "command", "command" }, { "started", "started" },
                  { "fovea", "fovea" },     { "compiler", "compiled with" },
                  { "blas", "OpenBLAS" },   { "processor", "processor" },
                  { "kernels", "kernels" }, { "threads", "threads" },
                  { "memory", "memory" },   { "system", "system" },
                  { "host", "host" } };
    if (!run->about) return;
    fv_html_raw(html, "<h2>Machine and versions</h2>\n<div class=scroll><table>\n");
    for (size_t i = 0; i < FV_ARRAY_LEN(texts); i++) {
        const char *text = fv_run_text(run, texts[i].key);
        if (!text) continue;
        fv_html_rawf(html, "<tr><th>%s<td class=path>", texts[i].name);
        fv_html_text(html, text);
        fv_html_raw(html, "</tr>\n");
    }
    fv_html_raw(html, "</table></div>\n");
}

static void write_config(fv_html *html, const fv_run *run)
{
    if (!run->config) return;
    fv_html_raw(html, "<h2>Configuration</h2>\n<details><summary>config.yaml, as it was "
                      "understood</summary><pre>");
    fv_html_text(html, run->config);
    fv_html_raw(html, "</pre></details>\n");
}

fv_status fv_report_write_run(const char *path, const fv_run *run, fv_error *err)
{
    fv_html html = { 0 };
    char title[512];
    snprintf(title, sizeof(title), "%.255s: %.200s", fv_run_name(run), model_of(run));
    fv_html_begin(&html, title);
    write_verdict(&html, run);
    write_cards(&html, run);
    fv_status status = fv_report_curves(&html, run, err);
    if (status == FV_OK) status = fv_report_classes(&html, run, err);
    write_config(&html, run);
    write_about(&html, run);
    return finish(&html, path, status, err);
}

/* ---- Several runs ---- */

/* Which run is best; -1: none has been evaluated. */
static int find_winner(const fv_run *runs, int count)
{
    int winner = -1;
    for (int i = 0; i < count; i++)
        if (runs[i].best && (winner < 0 || runs[i].best->top1 > runs[winner].best->top1))
            winner = i;
    return winner;
}

static void write_run_row(fv_html *html, const fv_run *run, bool wins)
{
    char seconds[64];
    fv_report_cell(html, run->folder);
    fv_report_cell(html, fv_run_text(run, "model"));
    fv_html_rawf(html, "<td class=n>%lld", run->last ? (long long)run->last->epoch : 0LL);
    if (is_unfinished(run)) fv_html_raw(html, " <span class=\"tag note\">not finished</span>");
    if (run->best)
        fv_html_rawf(
            html, "<td class=n>%s%.2f %%%s<td class=n>%lld<td class=n>%.2f %%<td class=n>%.4f",
            wins ? "<span class=\"tag good\">" : "", 100.0 * run->best->top1, wins ? "</span>" : "",
            (long long)run->best->epoch, 100.0 * run->best->top5, run->best->loss);
    else
        fv_html_raw(html, "<td class=n><td class=n><td class=n><td class=n>");
    fv_progress_time(seconds, sizeof(seconds), run->last ? run->last->seconds : 0.0);
    fv_html_rawf(html, "<td class=n>%.1f<td class=n>%s</tr>\n", fv_report_speed(run), seconds);
}

static void write_table(fv_html *html, const fv_run *runs, int count, int winner)
{
    fv_html_raw(html, "<div class=scroll><table><tr><th>run<th>model<th class=n>epochs"
                      "<th class=n>best Top1<th class=n>after epoch<th class=n>Top5"
                      "<th class=n>loss<th class=n>images/s<th class=n>time</tr>\n");
    for (int i = 0; i < count; i++) {
        fv_html_raw(html, "<tr>");
        write_run_row(html, &runs[i], i == winner);
    }
    fv_html_raw(html, "</table></div>\n");
}

fv_status fv_report_write_comparison(const char *path, const fv_run *runs, int count, fv_error *err)
{
    fv_html html = { 0 };
    char title[64];
    const int winner = find_winner(runs, count);
    snprintf(title, sizeof(title), "%d runs compared", count);
    fv_html_begin(&html, title);
    if (winner >= 0) {
        fv_html_raw(&html, "<p class=\"verdict good\">Best: ");
        fv_html_text(&html, runs[winner].folder);
        fv_html_rawf(&html, ", right about %.2f&nbsp;%% of the pictures to evaluate.</p>\n",
                     100.0 * runs[winner].best->top1);
    }
    write_table(&html, runs, count, winner);
    fv_status status = fv_report_overlay(&html, runs, count, err);
    if (status == FV_OK) status = fv_report_differences(&html, runs, count, err);
    return finish(&html, path, status, err);
}
