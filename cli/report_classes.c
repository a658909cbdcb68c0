/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/memory.h"
#include "cli/report.h"
#include "data/encode.h"
#include "data/thumbnail.h"
#include "eval/tally.h"

#include <math.h>
#include <stdlib.h>

enum {
    MATRIX_NUMBERS = 20, /* classes at most of a matrix with numbers */
    MATRIX_MAP = 2000,   /* ... of one that is a picture */
    CLASSES_SHOWN = 20,  /* the others are folded away */
    CLASSES_LISTED = 5000,
    CONFUSIONS_SHOWN = 10,
    MISTAKES_SHOWN = 24,
    THUMBNAIL = 224 /* pixels: shown at half of that, for fine screens */
};

/* ---- Per class ---- */

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static int by_accuracy(const void *left, const void *right, void *classes)
{
    const int a = *(const int *)left, b = *(const int *)right;
    const fv_class_tally *t = classes;
    const double x = share(t[a].right, t[a].pictures), y = share(t[b].right, t[b].pictures);
    return x != y ? (x > y ? 1 : -1) : a - b;
}

static void write_class_rows(fv_html *html, const fv_run *run, const fv_tally *t, const int *order,
                             int count)
{
    fv_html_raw(html, "<div class=scroll><table><tr><th>class<th class=n>pictures<th class=n>right"
                      "<th class=bar><th>most often taken for</tr>\n");
    for (int i = 0; i < count; i++) {
        const fv_class_tally *c = &t->classes[order[i]];
        fv_html_raw(html, "<tr><td>");
        fv_report_class(html, run, order[i]);
        fv_html_raw(html, "<td class=n>");
        fv_html_count(html, c->pictures);
        const double right = share(c->right, c->pictures);
        fv_html_rawf(html, "<td class=n>%.1f %%<td class=bar><i style=\"width:%.1f%%\"></i><td>",
                     right, right);
        if (c->confused >= 0) {
            fv_report_class(html, run, c->confused);
            fv_html_rawf(html, " <span class=soft>%.1f&nbsp;%%</span>",
                         share(c->times, c->pictures));
        }
        fv_html_raw(html, "</tr>\n");
    }
    fv_html_raw(html, "</table></div>\n");
}

static fv_status write_classes(fv_html *html, const fv_run *run, const fv_tally *t, fv_error *err)
{
    int *order = fv_alloc((size_t)t->class_count * sizeof(*order)), count = 0;
    if (!order) return fv_fail(err, FV_ERR_NOMEM, "report: out of memory for classes");
    for (int c = 0; c < t->class_count; c++)
        if (t->classes[c].pictures > 0) order[count++] = c;
    if (count) qsort_r(order, (size_t)count, sizeof(*order), by_accuracy, t->classes);
    fv_html_rawf(html, "<h2>Classes, worst first</h2>\n");
    write_class_rows(html, run, t, order, fv_min(count, CLASSES_SHOWN));
    const int more = fv_min(count, CLASSES_LISTED) - CLASSES_SHOWN;
    if (more > 0) {
        fv_html_rawf(html, "<details><summary>%d better ones</summary>", more);
        write_class_rows(html, run, t, order + CLASSES_SHOWN, more);
        fv_html_raw(html, "</details>\n");
    }
    fv_free(order);
    return FV_OK;
}

/* ---- What is taken for what ---- */

static int64_t *make_matrix(const fv_tally *t)
{
    const size_t n = (size_t)t->class_count;
    int64_t *matrix = fv_alloc(n * n * sizeof(*matrix));
    if (!matrix) return NULL;
    for (size_t c = 0; c < n; c++) matrix[c * n + c] = t->classes[c].right;
    for (size_t i = 0; i < t->confusion_count; i++) {
        const fv_confusion *f = &t->confusions[i];
        matrix[(size_t)f->label * n + (size_t)f->best] = f->times;
    }
    return matrix;
}

static void write_number_cell(fv_html *html, bool right, int64_t times, int64_t pictures)
{
    if (times == 0) {
        fv_html_raw(html, "<td>");
        return;
    }
    fv_html_rawf(html,
                 "<td style=\"background:color-mix(in srgb,var(--%s) %.0f%%,transparent)\">%lld",
                 right ? "good" : "bad", 10.0 + 0.7 * share(times, pictures), (long long)times);
}

static void write_number_matrix(fv_html *html, const fv_run *run, const fv_tally *t,
                                const int64_t *matrix)
{
    fv_html_raw(html, "<div class=scroll><table class=matrix><tr><th>");
    for (int c = 0; c < t->class_count; c++) {
        fv_html_raw(html, "<th title=\"");
        fv_report_class(html, run, c);
        fv_html_rawf(html, "\">%d", c);
    }
    fv_html_raw(html, "</tr>\n");
    for (int r = 0; r < t->class_count; r++) {
        fv_html_raw(html, "<tr><th title=\"");
        fv_report_class(html, run, r);
        fv_html_raw(html, "\">");
        fv_report_class(html, run, r);
        for (int c = 0; c < t->class_count; c++)
            write_number_cell(html, r == c, matrix[r * t->class_count + c], t->classes[r].pictures);
        fv_html_raw(html, "</tr>\n");
    }
    fv_html_raw(html, "</table></div>\n");
}

/* Green for right and red for wrong answers, on white; small shares stay visible. */
static void colour_pixel(uint8_t *pixel, bool right, double part)
{
    static const uint8_t colours[2][3] = { { 0xc0, 0x36, 0x2c }, { 0x1a, 0x7f, 0x4b } };
    for (int k = 0; k < 3; k++)
        pixel[k] = (uint8_t)(255.0 - sqrt(part) * (255 - colours[right][k]) + 0.5);
}

static fv_status write_map(fv_html *html, const fv_tally *t, const int64_t *matrix, fv_error *err)
{
    const int n = t->class_count;
    fv_picture picture = { 0 };
    uint8_t *bytes = NULL;
    size_t size = 0;
    fv_status status = fv_picture_reserve(&picture, n, n, err);
    for (int i = 0; i < n * n && status == FV_OK; i++) {
        const int64_t pictures = t->classes[i / n].pictures;
        colour_pixel(picture.data + 3 * (size_t)i, i / n == i % n,
                     pictures ? (double)matrix[i] / (double)pictures : 0.0);
    }
    if (status == FV_OK) status = fv_encode_png(&picture, &bytes, &size, err);
    if (status == FV_OK) {
        fv_html_raw(html, "<div class=map>");
        fv_html_image(html, "image/png", bytes, size, n, n, "confusion matrix");
        fv_html_raw(html, "</div>\n");
    }
    fv_free(bytes);
    fv_picture_deinit(&picture);
    return status;
}

static fv_status write_matrix(fv_html *html, const fv_run *run, const fv_tally *t, fv_error *err)
{
    if (t->class_count > MATRIX_MAP) return FV_OK;
    int64_t *matrix = make_matrix(t);
    if (!matrix) return fv_fail(err, FV_ERR_NOMEM, "report: out of memory for the matrix");
    fv_status status = FV_OK;
    fv_html_raw(html, "<p class=soft>A row for each class, a column for each answer.</p>\n");
    if (t->class_count <= MATRIX_NUMBERS)
        write_number_matrix(html, run, t, matrix);
    else
        status = write_map(html, t, matrix, err);
    fv_free(matrix);
    return status;
}

static fv_status write_confusions(fv_html *html, const fv_run *run, const fv_tally *t,
                                  fv_error *err)
{
    fv_html_raw(html, "<h2>What is taken for what</h2>\n");
    FV_TRY(write_matrix(html, run, t, err));
    if (t->confusion_count == 0) return FV_OK;
    fv_html_raw(html, "<div class=scroll><table><tr><th>pictures of<th>taken for<th class=n>times"
                      "<th class=n>of the class</tr>\n");
    for (size_t i = 0; i < t->confusion_count && i < CONFUSIONS_SHOWN; i++) {
        const fv_confusion *f = &t->confusions[i];
        fv_html_raw(html, "<tr><td>");
        fv_report_class(html, run, f->label);
        fv_html_raw(html, "<td>");
        fv_report_class(html, run, f->best);
        fv_html_raw(html, "<td class=n>");
        fv_html_count(html, f->times);
        fv_html_rawf(html, "<td class=n>%.1f %%</tr>\n",
                     share(f->times, t->classes[f->label].pictures));
    }
    fv_html_raw(html, "</table></div>\n");
    return FV_OK;
}

/* ---- Worst mistakes ---- */

static void write_picture(fv_html *html, const fv_run *run, const char *name)
{
    char path[4096];
    const char *root = fv_run_text(run, "image_root");
    fv_thumbnail thumbnail = { 0 };
    fv_error ignored;
    if (fv_path_join(path, sizeof(path), root ? root : "", name) &&
        fv_thumbnail_make(&thumbnail, path, THUMBNAIL, &ignored) == FV_OK)
        fv_html_image(html, "image/jpeg", thumbnail.bytes, thumbnail.size, thumbnail.width,
                      thumbnail.height, name);
    else
        fv_html_raw(html, "<div class=none>not found</div>");
    fv_thumbnail_deinit(&thumbnail);
}

static fv_status write_mistakes(fv_html *html, const fv_run *run, fv_error *err)
{
    size_t *worst, count;
    FV_TRY(fv_tally_mistakes(&worst, &count, &run->answers, err));
    if (count > 0)
        fv_html_raw(html, "<h2>Worst mistakes</h2>\n<p class=soft>Wrong answers that the model was "
                          "most certain of. Look at them: some labels may be wrong.</p>\n"
                          "<div class=thumbs>\n");
    for (size_t i = 0; i < count && i < MISTAKES_SHOWN; i++) {
        const fv_answers_row *row = &run->answers.rows[worst[i]];
        fv_html_raw(html, "<figure>");
        write_picture(html, run, row->name);
        fv_html_raw(html, "<figcaption>is <b>");
        fv_report_class(html, run, row->label);
        fv_html_raw(html, "</b>, taken for <b>");
        fv_report_class(html, run, row->best);
        fv_html_rawf(html, "</b> with %.1f&nbsp;%%<br><span class=path>",
                     100.0 * (double)row->probability);
        fv_html_text(html, row->name);
        fv_html_raw(html, "</span></figcaption></figure>\n");
    }
    if (count > 0) fv_html_raw(html, "</div>\n");
    fv_free(worst);
    return FV_OK;
}

fv_status fv_report_classes(fv_html *html, const fv_run *run, fv_error *err)
{
    if (run->answers.count == 0) return FV_OK;
    fv_tally t;
    const double classes = fv_run_number(run, "classes");
    const bool known = classes >= 1.0 && classes <= FV_ANSWERS_CLASSES;
    FV_TRY(fv_tally_make(&t, &run->answers, known ? (int)classes : 1, err));
    fv_status status = write_mistakes(html, run, err);
    if (status == FV_OK) status = write_confusions(html, run, &t, err);
    if (status == FV_OK) status = write_classes(html, run, &t, err);
    fv_tally_deinit(&t);
    return status;
}
