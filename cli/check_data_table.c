/* SPDX-License-Identifier: Apache-2.0 */
#include "base/compiler.h"
#include "cli/check_data.h"
#include "cli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    HEAD = 22,    /* columns of what a row is about */
    CELL = 22,    /* columns of a part */
    ALL = 20,     /* classes that are all listed; of more the largest and smallest */
    ENDS = 5,     /* of either */
    EXAMPLES = 5, /* of a kind of finding */
    KEY = 24      /* columns of its name */
};

static void print_all(FILE *out, const char *text)
{
    fv_text_print(out, text, fv_text_columns(text), false);
}

/* ---- Facts ---- */

typedef struct table {
    const fv_check_report *report;
    FILE *out;
} table;

static void print_head(const table *t, const char *head) { fprintf(t->out, "%-*s", HEAD, head); }

static void print_cell(const table *t, const char *text)
{
    const int columns = fv_text_columns(text), room = fv_max(columns, CELL);
    fprintf(t->out, "  %*s", room - columns, "");
    print_all(t->out, text);
}

/* A row of the same number of every part. */
typedef void write_fn(const fv_census *census, char *out, size_t size);

static void print_row(const table *t, const char *head, write_fn *write)
{
    print_head(t, head);
    for (int part = 0; part < t->report->check.part_count; part++) {
        char cell[96];
        write(&t->report->check.parts[part], cell, sizeof(cell));
        print_cell(t, cell);
    }
    fputc('\n', t->out);
}

static void write_count(const fv_census *c, char *out, size_t size)
{
    snprintf(out, size, "%" PRId64, c->count);
}

static void write_readable(const fv_census *c, char *out, size_t size)
{
    snprintf(out, size, "%" PRId64, c->readable);
}

static void write_bytes(const fv_census *c, char *out, size_t size)
{
    snprintf(out, size, "%.1f MB", (double)c->bytes / 1e6);
}

static void write_classes(const fv_census *c, char *out, size_t size)
{
    int used = 0;
    for (int label = 0; label < fv_dataset_classes(c->dataset); label++)
        used += c->class_counts[label] > 0;
    snprintf(out, size, "%d", used);
}

static fv_status print_spread(const table *t, const char *head, fv_measure_fn *measure,
                              fv_error *err)
{
    print_head(t, head);
    for (int part = 0; part < t->report->check.part_count; part++) {
        fv_spread s;
        char cell[96];
        FV_TRY(fv_census_spread(&t->report->check.parts[part], measure, &s, err));
        snprintf(cell, sizeof(cell), "%" PRId64 " .. %" PRId64 " .. %" PRId64, s.least, s.median,
                 s.most);
        print_cell(t, cell);
    }
    fputc('\n', t->out);
    return FV_OK;
}

static void print_colours(const table *t)
{
    const fv_census *c = &t->report->check.parts[0];
    if (!c->readable) return;
    fprintf(t->out,
            "\nFor NormalizeImage, from train:\n  mean: [%.4f, %.4f, %.4f]\n  std: [%.4f, %.4f, "
            "%.4f]\n",
            c->mean[0], c->mean[1], c->mean[2], c->deviation[0], c->deviation[1], c->deviation[2]);
}

/* ---- Classes ---- */

static void print_class(const table *t, int label)
{
    char number[24];
    const int columns = snprintf(number, sizeof(number), "%5d ", label);
    fputs(number, t->out);
    fv_text_print(t->out, fv_check_report_class_name(t->report, 0, label), HEAD - columns, false);
    for (int part = 0; part < t->report->check.part_count; part++) {
        char cell[32];
        snprintf(cell, sizeof(cell), "%" PRId64,
                 fv_check_class_count(&t->report->check, part, label));
        print_cell(t, cell);
    }
    fputc('\n', t->out);
}

/* The class that follows `after` by its training pictures, most first; -1: the first is wanted. */
static int next_class(const fv_check *c, int after, bool least)
{
    int best = -1;
    for (int label = 0; label < c->classes; label++) {
        const int64_t n = fv_check_class_count(c, 0, label);
        const int64_t m = after < 0 ? 0 : fv_check_class_count(c, 0, after);
        const bool behind = after < 0 || (least ? n > m : n < m) || (n == m && label > after);
        if (!behind) continue;
        const int64_t b = best < 0 ? 0 : fv_check_class_count(c, 0, best);
        if (best < 0 || (least ? n < b : n > b)) best = label;
    }
    return best;
}

static void print_classes(const table *t)
{
    const fv_check *c = &t->report->check;
    fprintf(t->out, "\nPictures per class%s\n",
            c->classes > ALL ? ", the largest and the smallest" : "");
    if (c->classes <= ALL) {
        for (int label = 0; label < c->classes; label++) print_class(t, label);
        return;
    }
    for (int least = 0; least < 2; least++) {
        if (least) fputs("  ...\n", t->out);
        for (int i = 0, label = -1; i < ENDS; i++) {
            label = next_class(c, label, least);
            print_class(t, label);
        }
    }
}

/* ---- Findings ---- */

static void print_place(const table *t, const fv_place *p)
{
    const fv_dataset *d = t->report->check.parts[p->part].dataset;
    fprintf(t->out, "%s ", fv_check_part_name(p->part));
    print_all(t->out, fv_dataset_name(d, p->picture));
}

static void print_label(const table *t, int part, int label)
{
    const char *name = fv_check_report_class_name(t->report, part, label);
    fprintf(t->out, "%d%s", label, *name ? " " : "");
    print_all(t->out, name);
}

static void print_as(const table *t, const fv_place *p)
{
    fputs(", label ", t->out);
    print_label(t, p->part, fv_dataset_label(t->report->check.parts[p->part].dataset, p->picture));
}

typedef struct printing {
    const table *table;
    fv_check_kind kind;
} printing;

static void print_item(void *ctx, const fv_check_item *item)
{
    const printing *p = ctx;
    const table *t = p->table;
    fputs("          ", t->out);
    if (item->line) {
        print_all(t->out, item->line);
    } else if (fv_check_facts[p->kind].about == FV_ABOUT_CLASSES) {
        print_label(t, 0, item->label);
    } else {
        print_place(t, &item->place);
        if (p->kind == FV_CHECK_UNREADABLE) {
            fputs(": ", t->out);
            print_all(t->out, fv_census_reason(&t->report->check.parts[item->place.part],
                                               item->place.picture));
        }
    }
    if (p->kind == FV_CHECK_RANGE) fprintf(t->out, ": label %d", item->label);
    if (p->kind == FV_CHECK_NAMES) {
        fputs(", in val ", t->out);
        print_all(t->out, fv_dataset_class_name(t->report->check.parts[1].dataset, item->label));
    }
    if (item->partner) {
        const fv_place *other = item->partner;
        const bool conflict = p->kind == FV_CHECK_CONFLICT;
        if (conflict) print_as(t, &item->place);
        fputs(" = ", t->out);
        print_place(t, other);
        if (conflict) print_as(t, other);
    }
    fputc('\n', t->out);
}

static void print_findings(const table *t, bool problems)
{
    const fv_check *c = &t->report->check;
    bool any = false;
    for (int kind = 0; kind < FV_CHECK_KINDS; kind++) {
        printing p = { t, kind };
        if (!c->found[kind] || fv_check_is_problem(t->report, kind) != problems) continue;
        if (!any) fprintf(t->out, "\n%s\n", problems ? "Problems" : "Worth knowing");
        any = true;
        fprintf(t->out, "%8" PRId64 "  %-*s %s\n", c->found[kind], KEY, fv_check_facts[kind].key,
                fv_check_facts[kind].text);
        fv_check_each(c, kind, EXAMPLES, print_item, &p);
        if (c->found[kind] > EXAMPLES) fprintf(t->out, "          ...\n");
    }
}

fv_status fv_check_print(const fv_check_report *report, FILE *out, fv_error *err)
{
    const table t = { report, out };
    for (int part = 0; part < report->check.part_count; part++) {
        fprintf(out, "%-5s  ", fv_check_part_name(part));
        print_all(out, report->sources[part]);
        fputc('\n', out);
    }
    fputc('\n', out);
    print_head(&t, "");
    for (int part = 0; part < report->check.part_count; part++)
        print_cell(&t, fv_check_part_name(part));
    fputc('\n', out);
    print_row(&t, "pictures", write_count);
    print_row(&t, "  that can be read", write_readable);
    print_row(&t, "classes with pictures", write_classes);
    print_row(&t, "files", write_bytes);
    FV_TRY(print_spread(&t, "width, pixels", fv_measure_width, err));
    FV_TRY(print_spread(&t, "height, pixels", fv_measure_height, err));
    fprintf(out, "%*s(smallest .. median .. largest)\n", HEAD + 2, "");
    print_colours(&t);
    print_classes(&t);
    print_findings(&t, true);
    print_findings(&t, false);
    return FV_OK;
}
