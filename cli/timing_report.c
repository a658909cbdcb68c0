/* SPDX-License-Identifier: Apache-2.0 */
#include "base/threads.h"
#include "cli/text.h"
#include "cli/timing.h"

#include <jansson.h>
#include <string.h>

typedef fv_timing_row row;

enum {
    ROWS_SHOWN = 30,
    NAME_AND_WHAT = 57, /* columns, which the figures bring to 100 with what is between */
    LEAST_WHAT = 14,
    MOST_WHAT = 26,
    WHAT_SIZE = 64
};

static double rate(double amount, double seconds)
{
    return seconds > 0.0 ? amount / seconds * 1e-9 : 0.0;
}

static double percent(const row *r) { return r->seconds > 0.0 ? 100.0 * r->least / r->seconds : 0; }

/* ---- For people ---- */

typedef struct table {
    FILE *out;
    int name_columns, what_columns;
} table;

static void print_heading(const table *t, const char *name, const char *what)
{
    fprintf(t->out, "\n%-*s %-*s pass      ms GFLOP/s  GB/s roof %% lost ms\n", t->name_columns,
            name, t->what_columns, what);
}

/* In seven columns. */
static void print_ms(FILE *out, double seconds)
{
    const double ms = 1e3 * seconds, size = ms < 0.0 ? -ms : ms;
    fprintf(out, " %7.*f", size < 99.0 ? 3 : size < 9999.0 ? 1 : 0, ms);
}

static void print_row(const table *t, const char *name, const char *what, const char *pass,
                      const row *r)
{
    fv_text_print(t->out, name, t->name_columns, true);
    fputc(' ', t->out);
    fv_text_print(t->out, what, t->what_columns, false);
    fprintf(t->out, " %-4s", pass);
    print_ms(t->out, r->seconds);
    fprintf(t->out, " %7.1f %5.1f %6.1f", rate(r->flops, r->seconds), rate(r->bytes, r->seconds),
            percent(r));
    print_ms(t->out, r->seconds - r->least);
    fputc('\n', t->out);
}

static const char *pass_of(const row *r) { return r->backward ? "bwd" : "fwd"; }

static void print_sum(const table *t, const char *name, const char *pass, const row *r)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof(what), "%d operator%s", r->operators, r->operators == 1 ? "" : "s");
    print_row(t, name, what, pass, r);
}

static void name_operator(const row *r, char what[WHAT_SIZE])
{
    snprintf(what, WHAT_SIZE, "%s%s", r->kind, r->suffix);
}

/* Of a block of convolution and batch norm the block's name says enough. */
static void name_layer(const row *r, char *name, size_t size)
{
    static const char ending[] = "._conv";
    const size_t length = strlen(r->layer), less = sizeof(ending) - 1;
    const bool ends = length > less && strcmp(r->layer + length - less, ending) == 0;
    snprintf(name, size, "%.*s", (int)(ends ? length - less : length), r->layer);
}

static void print_rows(const table *t, const fv_timing *timing)
{
    print_heading(t, "layer", "operator");
    for (int i = 0; i < timing->row_count && i < ROWS_SHOWN; i++) {
        const row *r = &timing->rows[i];
        char name[256], what[WHAT_SIZE];
        name_layer(r, name, sizeof(name));
        name_operator(r, what);
        print_row(t, name, what, pass_of(r), r);
    }
    double rest = 0.0;
    for (int i = ROWS_SHOWN; i < timing->row_count; i++) rest += timing->rows[i].seconds;
    if (timing->row_count > ROWS_SHOWN)
        fprintf(t->out, "%d more: %.3f ms\n", timing->row_count - ROWS_SHOWN, 1e3 * rest);
}

static void print_sums(const table *t, const fv_timing *timing)
{
    print_heading(t, "kind", "");
    for (int i = 0; i < timing->kind_count; i++) {
        const row *k = &timing->kinds[i];
        print_sum(t, k->kind, pass_of(k), k);
    }
    print_heading(t, "total", "");
    print_sum(t, "forward", "fwd", &timing->forward);
    if (timing->backward.operators == 0) return;
    print_sum(t, "backward", "bwd", &timing->backward);
    print_sum(t, "both", "", &timing->total);
}

void fv_timing_print(FILE *out, const fv_timing *timing)
{
    const int threads = fv_threads_count();
    const fv_roofline *roofline = &timing->roofline;
    table t = { .out = out, .what_columns = LEAST_WHAT };
    for (int i = 0; i < timing->row_count && i < ROWS_SHOWN; i++) {
        char what[WHAT_SIZE];
        name_operator(&timing->rows[i], what);
        t.what_columns = fv_max(t.what_columns, fv_text_columns(what));
    }
    t.what_columns = fv_min(t.what_columns, MOST_WHAT);
    t.name_columns = NAME_AND_WHAT - t.what_columns;

    fprintf(out, "roofline of %d thread%s, measured: %.1f GFLOP/s, %.1f GB/s from memory\n",
            threads, threads == 1 ? "" : "s", roofline->flops * 1e-9, roofline->bytes * 1e-9);
    print_rows(&t, timing);
    print_sums(&t, timing);
    fprintf(out, "step: %.3f ms, %.3f of them outside of operators\n\n", 1e3 * timing->step_seconds,
            1e3 * (timing->step_seconds - timing->total.seconds));
}

/* ---- For programs ---- */

static json_t *figures(const row *r)
{
    return json_pack("{s:i, s:f, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "operators", r->operators,
                     "ms", 1e3 * r->seconds, "flop", (json_int_t)r->flops, "bytes",
                     (json_int_t)r->bytes, "gflops_per_second", rate(r->flops, r->seconds),
                     "gb_per_second", rate(r->bytes, r->seconds), "ms_roofline", 1e3 * r->least,
                     "roofline_percent", percent(r), "ms_lost", 1e3 * (r->seconds - r->least));
}

/* Takes `head` over: what a row is, before its figures. */
static json_t *described(json_t *head, const row *r)
{
    json_t *numbers = figures(r);
    if (!head || !numbers || json_object_update(head, numbers) != 0) {
        json_decref(head);
        head = NULL;
    }
    json_decref(numbers);
    return head;
}

static json_t *kind_json(const row *r)
{
    return described(
        json_pack("{s:s, s:s}", "kind", r->kind, "pass", r->backward ? "backward" : "forward"), r);
}

static json_t *row_json(const row *r)
{
    return described(json_pack("{s:s, s:s+, s:s, s:s, s:[i,i,i,i]}", "layer", r->layer, "operator",
                               r->kind, r->suffix, "kind", r->kind, "pass",
                               r->backward ? "backward" : "forward", "output", r->out.n, r->out.h,
                               r->out.w, r->out.c),
                     r);
}

static json_t *list_json(const row *rows, int count, json_t *(*make)(const row *r))
{
    json_t *list = json_array();
    for (int i = 0; list && i < count; i++)
        if (json_array_append_new(list, make(&rows[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

json_t *fv_timing_json(const fv_timing *t)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o}", "peak_gflops_per_second",
                     t->roofline.flops * 1e-9, "peak_gb_per_second", t->roofline.bytes * 1e-9,
                     "ms_step", 1e3 * t->step_seconds, "ms_outside",
                     1e3 * (t->step_seconds - t->total.seconds), "forward", figures(&t->forward),
                     "backward", figures(&t->backward), "total", figures(&t->total), "kinds",
                     list_json(t->kinds, t->kind_count, kind_json), "rows",
                     list_json(t->rows, t->row_count, row_json));
}
