/* SPDX-License-Identifier: Apache-2.0 */
/* The page of --html. */
#include "base/compiler.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/check_data.h"
#include "cli/check_data_charts.h"
#include "cli/command.h"
#include "data/encode.h"
#include "data/resize.h"
#include "io/html.h"

#include <stdlib.h>
#include <string.h>

enum {
    THUMBS = 24,      /* of a kind of finding */
    ROWS = 100,       /* the same, of those that are listed in a table */
    THUMB_SIDE = 224, /* pixels, of the longer side: twice what is seen, for fine screens */
    QUALITY = 80,
    CLASS_ROWS = 2000, /* more would make the page slow */
    OPEN_ROWS = 30     /* more are folded away */
};

typedef struct page {
    const fv_check_report *report;
    fv_html *html;
    fv_check_kind kind; /* of finding, at work */
    fv_picture picture, thumb;
    fv_resizer resizer;
} page;

/* ---- Thumbnails ---- */

/* The picture as it lies, at most THUMB_SIDE on a side. */
static fv_status make_thumb(page *p, const fv_place *place, uint8_t **bytes, size_t *size)
{
    const fv_dataset *d = p->report->check.parts[place->part].dataset;
    char *file = NULL;
    size_t file_size = 0;
    fv_error why;
    FV_TRY(fv_dataset_read(d, place->picture, &file, &file_size, &why));
    const fv_status status = fv_decode(&p->picture, (const uint8_t *)file, file_size, NULL, &why);
    fv_free(file);
    FV_TRY(status);
    const int width = p->picture.width, height = p->picture.height;
    const int longer = fv_max(width, height), side = fv_min(longer, THUMB_SIDE);
    const fv_resize_job job = { .in = &p->picture,
                                .rect = { 0, 0, width, height },
                                .width = fv_max((int)((int64_t)width * side / longer), 1),
                                .height = fv_max((int)((int64_t)height * side / longer), 1),
                                .profile = FV_PILLOW,
                                .filter = FV_BILINEAR,
                                .out = &p->thumb };
    FV_TRY(fv_resize(&p->resizer, &job, &why));
    const fv_jpeg_options options = { .quality = QUALITY, .subsample = true };
    return fv_encode_jpeg(&p->thumb, &options, bytes, size, &why);
}

static void add_thumb(page *p, const fv_place *place)
{
    const fv_census *census = &p->report->check.parts[place->part];
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (make_thumb(p, place, &bytes, &size) == FV_OK)
        fv_html_image(p->html, "image/jpeg", bytes, size, p->thumb.width, p->thumb.height,
                      fv_dataset_name(census->dataset, place->picture));
    else
        fv_html_raw(p->html, "<div class=none>no picture</div>");
    fv_free(bytes);
}

/* ---- Findings ---- */

static void add_label(page *p, int part, int label)
{
    const char *name = fv_check_report_class_name(p->report, part, label);
    fv_html_rawf(p->html, "%d ", label);
    fv_html_text(p->html, name);
}

static void add_place(page *p, const fv_place *place)
{
    const fv_dataset *d = p->report->check.parts[place->part].dataset;
    fv_html_rawf(p->html, "<b>%s</b> ", fv_check_part_name(place->part));
    fv_html_text(p->html, fv_dataset_name(d, place->picture));
    fv_html_raw(p->html, "<br>label ");
    add_label(p, place->part, fv_dataset_label(d, place->picture));
}

static void add_picture(void *ctx, const fv_check_item *item)
{
    page *p = ctx;
    const fv_census *census = &p->report->check.parts[item->place.part];
    const fv_census_picture *picture = &census->pictures[item->place.picture];
    fv_html_raw(p->html, "<figure>");
    add_thumb(p, &item->place);
    fv_html_raw(p->html, "<figcaption>");
    add_place(p, &item->place);
    if (item->partner) {
        fv_html_raw(p->html, "<br>the same as<br>");
        add_place(p, item->partner);
    } else {
        fv_html_rawf(p->html, "<br>%d &times; %d", picture->width, picture->height);
    }
    fv_html_raw(p->html, "</figcaption></figure>\n");
}

static void add_reason(void *ctx, const fv_check_item *item)
{
    page *p = ctx;
    const fv_census *census = &p->report->check.parts[item->place.part];
    fv_html_rawf(p->html, "<tr><td>%s</td><td class=path>", fv_check_part_name(item->place.part));
    fv_html_text(p->html, fv_dataset_name(census->dataset, item->place.picture));
    fv_html_raw(p->html, "</td><td>");
    fv_html_text(p->html, fv_census_reason(census, item->place.picture));
    fv_html_raw(p->html, "</td></tr>\n");
}

static void add_class(void *ctx, const fv_check_item *item)
{
    page *p = ctx;
    fv_html_raw(p->html, "<tr><td>");
    add_label(p, 0, item->label);
    if (p->kind == FV_CHECK_NAMES) {
        fv_html_raw(p->html, "</td><td>in val ");
        fv_html_text(p->html,
                     fv_dataset_class_name(p->report->check.parts[1].dataset, item->label));
    }
    fv_html_raw(p->html, "</td></tr>\n");
}

static void add_line(void *ctx, const fv_check_item *item)
{
    page *p = ctx;
    fv_html_raw(p->html, "<tr><td>");
    fv_html_text(p->html, item->line);
    fv_html_raw(p->html, "</td></tr>\n");
}

static fv_check_fn *adder_of(fv_check_kind kind)
{
    if (kind == FV_CHECK_UNREADABLE) return add_reason;
    switch (fv_check_facts[kind].about) {
    case FV_ABOUT_LINES: return add_line;
    case FV_ABOUT_CLASSES: return add_class;
    default: return add_picture;
    }
}

static void add_finding(page *p, fv_check_kind kind)
{
    const fv_check_fact *fact = &fv_check_facts[kind];
    const int64_t found = p->report->check.found[kind];
    const bool table = adder_of(kind) != add_picture;
    const int limit = table ? ROWS : THUMBS;
    p->kind = kind;
    fv_html_rawf(p->html, "<h3 id=%s>%s (", fact->key, fact->key);
    fv_html_count(p->html, found);
    fv_html_rawf(p->html, ")</h3>\n<p class=soft>%s</p>\n<div class=%s>\n", fact->text,
                 table ? "scroll><table" : "thumbs");
    fv_check_each(&p->report->check, kind, limit, adder_of(kind), p);
    fv_html_raw(p->html, table ? "</table></div>\n" : "</div>\n");
    if (found > limit) {
        fv_html_raw(p->html, "<p class=soft>and ");
        fv_html_count(p->html, found - limit);
        fv_html_raw(p->html, " more, that --json lists</p>\n");
    }
}

/* What was found, each a link to its place on the page. */
static void add_summary(page *p)
{
    const fv_check *c = &p->report->check;
    bool any = false;
    for (int kind = 0; kind < FV_CHECK_KINDS; kind++) {
        const fv_check_fact *fact = &fv_check_facts[kind];
        if (!c->found[kind]) continue;
        if (!any) fv_html_raw(p->html, "<div class=scroll><table>\n");
        any = true;
        fv_html_raw(p->html, "<tr><td class=n>");
        fv_html_count(p->html, c->found[kind]);
        fv_html_rawf(
            p->html,
            "</td><td><a href=\"#%s\">%s</a> <span class=\"tag %s</span><br>%s</td></tr>\n",
            fact->key, fact->key,
            fv_check_is_problem(p->report, kind) ? "bad\">problem" : "note\">to know", fact->text);
    }
    if (any) fv_html_raw(p->html, "</table></div>\n");
}

static void add_findings(page *p, bool problems)
{
    bool any = false;
    for (int kind = 0; kind < FV_CHECK_KINDS; kind++) {
        if (!p->report->check.found[kind] || fv_check_is_problem(p->report, kind) != problems)
            continue;
        if (!any) fv_html_rawf(p->html, "<h2>%s</h2>\n", problems ? "Problems" : "Worth knowing");
        any = true;
        add_finding(p, kind);
    }
}

/* ---- Head ---- */

static void add_card(page *p, int64_t figure, const char *meaning)
{
    fv_html_raw(p->html, "<div class=card><b>");
    fv_html_count(p->html, figure);
    fv_html_rawf(p->html, "</b><span>%s</span></div>\n", meaning);
}

static fv_status add_cards(page *p, fv_error *err)
{
    const fv_check *c = &p->report->check;
    uint64_t bytes = 0;
    int64_t unreadable = 0;
    fv_html_raw(p->html, "<div class=cards>\n");
    for (int part = 0; part < c->part_count; part++) {
        add_card(p, c->parts[part].count,
                 part ? "pictures to validate on" : "pictures to train on");
        bytes += c->parts[part].bytes;
        unreadable += c->parts[part].count - c->parts[part].readable;
    }
    fv_spread width, height;
    FV_TRY(fv_census_spread(&c->parts[0], fv_measure_width, &width, err));
    FV_TRY(fv_census_spread(&c->parts[0], fv_measure_height, &height, err));
    add_card(p, c->classes, "classes");
    add_card(p, unreadable, "unreadable");
    fv_html_rawf(p->html,
                 "<div class=card><b>%.*f MB</b><span>of files</span></div>\n"
                 "<div class=card><b>%lld &times; %lld</b><span>median width and height"
                 "</span></div>\n</div>\n",
                 bytes < 10000000, (double)bytes / 1e6, (long long)width.median,
                 (long long)height.median);
    return FV_OK;
}

static void add_verdict(page *p)
{
    const int64_t problems = fv_check_problems(p->report);
    fv_html_rawf(p->html, "<p class=\"verdict %s\">", problems ? "bad" : "good");
    if (problems) {
        fv_html_count(p->html, problems);
        fv_html_raw(p->html,
                    problems == 1 ? " problem was found.</p>\n" : " problems were found.</p>\n");
    } else {
        fv_html_raw(p->html, "No problems: these pictures can be trained on.</p>\n");
    }
}

static void add_sources(page *p)
{
    fv_html_raw(p->html, "<p class=\"soft path\">");
    for (int part = 0; part < p->report->check.part_count; part++) {
        fv_html_rawf(p->html, "%s%s: ", part ? "<br>" : "", fv_check_part_name(part));
        fv_html_text(p->html, p->report->sources[part]);
    }
    fv_html_raw(p->html, "</p>\n");
}

static void add_colours(page *p)
{
    const fv_census *c = &p->report->check.parts[0];
    if (!c->readable) return;
    fv_html_rawf(p->html,
                 "<h2>Colours</h2>\n<p>Mean and deviation of red, green and blue in train, as "
                 "NormalizeImage takes them:</p>\n<pre>NormalizeImage:\n    scale: 1.0/255.0\n"
                 "    mean: [%.4f, %.4f, %.4f]\n    std: [%.4f, %.4f, %.4f]</pre>\n",
                 c->mean[0], c->mean[1], c->mean[2], c->deviation[0], c->deviation[1],
                 c->deviation[2]);
}

/* ---- Classes ---- */

static void add_class_row(page *p, int label, int64_t most)
{
    const fv_check *c = &p->report->check;
    fv_html_rawf(p->html, "<tr><td class=n>%d</td><td class=path>", label);
    fv_html_text(p->html, fv_check_report_class_name(p->report, 0, label));
    fv_html_raw(p->html, "</td>");
    for (int part = 0; part < c->part_count; part++) {
        fv_html_raw(p->html, "<td class=n>");
        fv_html_count(p->html, fv_check_class_count(c, part, label));
        fv_html_raw(p->html, "</td>");
    }
    fv_html_raw(p->html, "<td class=bar>");
    for (int part = 0; part < c->part_count; part++)
        fv_html_rawf(p->html, "<i style=\"width:%.1f%%\"></i>",
                     100.0 * (double)fv_check_class_count(c, part, label) / (double)most);
    fv_html_raw(p->html, "</td></tr>\n");
}

static void add_classes(page *p)
{
    const fv_check *c = &p->report->check;
    const int rows = fv_min(c->classes, CLASS_ROWS);
    int64_t most = 1;
    for (int part = 0; part < c->part_count; part++)
        for (int label = 0; label < c->classes; label++) {
            const int64_t n = fv_check_class_count(c, part, label);
            if (n > most) most = n;
        }
    fv_html_rawf(p->html, "<h2>Classes</h2>\n<details%s><summary>pictures per class</summary>\n",
                 rows <= OPEN_ROWS ? " open" : "");
    fv_html_raw(p->html, "<div class=scroll><table>\n<tr><th class=n>id<th>name");
    for (int part = 0; part < c->part_count; part++)
        fv_html_rawf(p->html, "<th class=n>%s", fv_check_part_name(part));
    fv_html_raw(p->html, "<th></tr>\n");
    for (int label = 0; label < rows; label++) add_class_row(p, label, most);
    fv_html_raw(p->html, "</table></div>\n");
    if (rows < c->classes)
        fv_html_rawf(p->html, "<p class=soft>and %d more classes</p>\n", c->classes - rows);
    fv_html_raw(p->html, "</details>\n");
}

static fv_status write_page(page *p, const char *path, fv_error *err)
{
    fv_html_begin(p->html, "What the data set is like");
    add_sources(p);
    add_verdict(p);
    FV_TRY(add_cards(p, err));
    add_summary(p);
    add_findings(p, true);
    fv_check_add_charts(p->html, p->report);
    add_colours(p);
    add_classes(p);
    add_findings(p, false);
    fv_html_rawf(p->html, "<footer>fovea %s check-data, %.1f s</footer>\n", FV_VERSION,
                 p->report->seconds);
    FV_TRY(fv_html_end(p->html, err));
    return fv_file_write(path, p->html->text, p->html->bytes, err);
}

fv_status fv_check_write_page(const fv_check_report *report, const char *path, fv_error *err)
{
    fv_html html = { 0 };
    page p = { .report = report, .html = &html };
    const fv_status status = write_page(&p, path, err);
    fv_html_deinit(&html);
    fv_picture_deinit(&p.picture);
    fv_picture_deinit(&p.thumb);
    fv_resizer_deinit(&p.resizer);
    return status;
}
