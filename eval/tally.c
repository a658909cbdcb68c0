/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/tally.h"

#include "base/memory.h"

#include <stdlib.h>

static int compare(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int by_classes(const void *left, const void *right)
{
    const fv_confusion *a = left, *b = right;
    return a->label != b->label ? compare(a->label, b->label) : compare(a->best, b->best);
}

static int by_times(const void *left, const void *right)
{
    const fv_confusion *a = left, *b = right;
    return a->times != b->times ? compare(b->times, a->times) : by_classes(left, right);
}

/* Equal neighbours become one; how many are left. */
static size_t merge(fv_confusion *c, size_t count)
{
    size_t merged = 0;
    for (size_t i = 0; i < count; i++) {
        if (merged > 0 && by_classes(&c[merged - 1], &c[i]) == 0)
            c[merged - 1].times++;
        else
            c[merged++] = c[i];
    }
    return merged;
}

static void count_answers(fv_tally *t, const fv_answers *answers)
{
    for (size_t i = 0; i < answers->count; i++) {
        const fv_answers_row *row = &answers->rows[i];
        t->classes[row->label].pictures++;
        t->pictures++;
        if (row->best < 0) {
            t->unreadable++;
            continue;
        }
        t->classes[row->best].answered++;
        t->classes[row->label].right += row->best == row->label;
        t->right += row->best == row->label;
        if (row->best != row->label)
            t->confusions[t->confusion_count++] =
                (fv_confusion){ .label = row->label, .best = row->best, .times = 1 };
    }
}

fv_status fv_tally_make(fv_tally *out, const fv_answers *answers, int classes, fv_error *err)
{
    fv_tally t = { .class_count = classes };
    for (size_t i = 0; i < answers->count; i++) {
        const fv_answers_row *row = &answers->rows[i];
        t.class_count = fv_max(t.class_count, fv_max(row->label, row->best) + 1);
    }
    t.classes = fv_alloc((size_t)t.class_count * sizeof(*t.classes));
    t.confusions = fv_alloc(answers->count * sizeof(*t.confusions));
    if (!t.classes || !t.confusions) {
        fv_tally_deinit(&t);
        return fv_fail(err, FV_ERR_NOMEM, "answers: out of memory to count them");
    }
    for (int c = 0; c < t.class_count; c++) t.classes[c].confused = -1;
    count_answers(&t, answers);
    if (t.confusion_count)
        qsort(t.confusions, t.confusion_count, sizeof(*t.confusions), by_classes);
    t.confusion_count = merge(t.confusions, t.confusion_count);
    if (t.confusion_count) qsort(t.confusions, t.confusion_count, sizeof(*t.confusions), by_times);
    for (size_t i = t.confusion_count; i-- > 0;) {
        fv_class_tally *c = &t.classes[t.confusions[i].label];
        c->confused = t.confusions[i].best;
        c->times = t.confusions[i].times;
    }
    *out = t;
    return FV_OK;
}

void fv_tally_deinit(fv_tally *t)
{
    fv_free(t->classes);
    fv_free(t->confusions);
    *t = (fv_tally){ 0 };
}

static int by_certainty(const void *left, const void *right, void *rows)
{
    const size_t a = *(const size_t *)left, b = *(const size_t *)right;
    const fv_answers_row *r = rows;
    if (r[a].probability != r[b].probability) return r[a].probability < r[b].probability ? 1 : -1;
    return (a > b) - (a < b);
}

fv_status fv_tally_mistakes(size_t **out, size_t *count, const fv_answers *answers, fv_error *err)
{
    size_t wrong = 0;
    size_t *indices = fv_alloc(answers->count * sizeof(*indices));
    if (!indices) return fv_fail(err, FV_ERR_NOMEM, "answers: out of memory to sort them");
    for (size_t i = 0; i < answers->count; i++)
        if (answers->rows[i].best >= 0 && answers->rows[i].best != answers->rows[i].label)
            indices[wrong++] = i;
    if (wrong) qsort_r(indices, wrong, sizeof(*indices), by_certainty, answers->rows);
    *out = indices;
    *count = wrong;
    return FV_OK;
}
