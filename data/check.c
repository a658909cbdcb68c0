/* SPDX-License-Identifier: Apache-2.0 */
#include "data/check.h"

#include "base/compiler.h"

#include <string.h>

/* Oddities are worth knowing; only damage is a problem. */
const fv_check_fact fv_check_facts[FV_CHECK_KINDS] = {
#define X(name, key_, text_, about_) \
    [name] = { .key = key_, .text = text_, .problem = true, .about = about_ },
    FV_CHECK_LIST(X)
#undef X
#define X(name, key_, text_) \
    [FV_CHECK_ODD + name] = { .key = key_, .text = text_, .problem = name == FV_ODD_DAMAGED },
        FV_ODDITY_LIST(X)
#undef X
};

static void mark(fv_check *c, const fv_place *place, fv_check_kind kind)
{
    c->flags[place->part][place->picture] |= 1u << kind;
}

int64_t fv_check_class_count(const fv_check *check, int part, int label)
{
    const fv_census *census = &check->parts[part];
    if (part >= check->part_count || label >= fv_dataset_classes(census->dataset)) return 0;
    return census->class_counts[label];
}

const char *fv_check_class_name(const fv_check *check, int part, int label)
{
    const char *name = fv_dataset_class_name(check->parts[part].dataset, label);
    if (name || check->part_count < 2) return name;
    return fv_dataset_class_name(check->parts[1 - part].dataset, label);
}

/* ---- Pictures ---- */

static void mark_pictures(fv_check *c, const fv_check_options *options)
{
    for (int part = 0; part < c->part_count; part++) {
        const fv_census *census = &c->parts[part];
        for (int64_t i = 0; i < census->count; i++) {
            const fv_census_picture *p = &census->pictures[i];
            const fv_place here = { part, i };
            c->flags[part][i] |= p->oddities << FV_CHECK_ODD;
            if (!p->readable) mark(c, &here, FV_CHECK_UNREADABLE);
            if (options->classes && fv_dataset_label(census->dataset, i) >= options->classes)
                mark(c, &here, FV_CHECK_RANGE);
        }
    }
}

static int label_of(const fv_check *c, const fv_place *place)
{
    return fv_dataset_label(c->parts[place->part].dataset, place->picture);
}

/* What the members of a group are compared with. */
typedef struct group {
    const fv_place *first, *end;
    const fv_place *unlike; /* the first with another label than `first`, or NULL */
    const fv_place *first_of[FV_TWINS_PARTS]; /* the first in each part, or NULL */
} group;

static bool differ(int a, int b) { return a != b && a != FV_UNLABELLED && b != FV_UNLABELLED; }

static group open_group(const fv_check *c, int64_t number)
{
    const fv_twins *t = &c->twins;
    group g = { .first = &t->places[t->first[number]], .end = &t->places[t->first[number + 1]] };
    for (const fv_place *p = g.first; p < g.end; p++) {
        if (!g.unlike && differ(label_of(c, p), label_of(c, g.first))) g.unlike = p;
        if (!g.first_of[p->part]) g.first_of[p->part] = p;
    }
    return g;
}

static void mark_twins(fv_check *c)
{
    for (int64_t i = 0; i < c->twins.count; i++) {
        const group g = open_group(c, i);
        for (const fv_place *p = g.first; p < g.end; p++) {
            if (g.unlike) mark(c, p, FV_CHECK_CONFLICT);
            if (p->part > g.first->part) mark(c, p, FV_CHECK_OVERLAP);
            if (p != g.first_of[p->part]) mark(c, p, FV_CHECK_DUPLICATE);
        }
    }
}

/* ---- Classes ---- */

/* Names compare only where both parts know them. */
static bool is_renamed(const fv_check *c, int label)
{
    if (c->part_count < 2) return false;
    const char *train = fv_dataset_class_name(c->parts[0].dataset, label);
    const char *val = fv_dataset_class_name(c->parts[1].dataset, label);
    return train && val && strcmp(train, val) != 0;
}

static void mark_classes(fv_check *c)
{
    for (int label = 0; label < c->classes; label++) {
        const bool trained = fv_check_class_count(c, 0, label) > 0;
        const bool validated = fv_check_class_count(c, 1, label) > 0;
        if (is_renamed(c, label)) c->class_flags[label] |= 1u << FV_CHECK_NAMES;
        if (!trained) c->class_flags[label] |= 1u << FV_CHECK_EMPTY;
        if (trained && !validated && c->part_count == 2)
            c->class_flags[label] |= 1u << FV_CHECK_MISSING;
    }
}

/* ---- One by one ---- */

typedef struct walk {
    const fv_check *check;
    fv_check_kind kind;
    int64_t left;
    fv_check_fn *fn;
    void *ctx;
} walk;

static void hand_over(walk *w, const fv_check_item *item)
{
    w->left--;
    w->fn(w->ctx, item);
}

static bool is_marked(const walk *w, const fv_place *p)
{
    return w->check->flags[p->part][p->picture] >> w->kind & 1;
}

static void walk_classes(walk *w)
{
    for (int label = 0; label < w->check->classes && w->left > 0; label++) {
        const fv_check_item item = { .label = label };
        if (w->check->class_flags[label] >> w->kind & 1) hand_over(w, &item);
    }
}

static void walk_lines(walk *w)
{
    const fv_check_lines *lines = w->check->lines;
    for (int i = 0; lines && i < lines->messages.count && w->left > 0; i++) {
        const fv_check_item item = { .line = lines->messages.items[i] };
        hand_over(w, &item);
    }
}

static void walk_pictures(walk *w)
{
    for (int part = 0; part < w->check->part_count; part++) {
        for (int64_t i = 0; i < w->check->parts[part].count && w->left > 0; i++) {
            const fv_check_item item = { .place = { part, i },
                                         .label =
                                             fv_dataset_label(w->check->parts[part].dataset, i) };
            if (is_marked(w, &item.place)) hand_over(w, &item);
        }
    }
}

static const fv_place *find_partner(const walk *w, const group *g, const fv_place *p)
{
    switch (w->kind) {
    case FV_CHECK_DUPLICATE: return g->first_of[p->part];
    case FV_CHECK_CONFLICT:
        return label_of(w->check, p) == label_of(w->check, g->first) ? g->unlike : g->first;
    default: return g->first;
    }
}

static void walk_twins(walk *w)
{
    for (int64_t i = 0; i < w->check->twins.count && w->left > 0; i++) {
        const group g = open_group(w->check, i);
        for (const fv_place *p = g.first; p < g.end && w->left > 0; p++) {
            if (!is_marked(w, p)) continue;
            const fv_check_item item = { .place = *p,
                                         .partner = find_partner(w, &g, p),
                                         .label = label_of(w->check, p) };
            hand_over(w, &item);
        }
    }
}

void fv_check_each(const fv_check *check, fv_check_kind kind, int64_t limit, fv_check_fn *fn,
                   void *ctx)
{
    walk w = { check, kind, limit, fn, ctx };
    if (fv_check_facts[kind].about == FV_ABOUT_LINES)
        walk_lines(&w);
    else if (fv_check_facts[kind].about == FV_ABOUT_CLASSES)
        walk_classes(&w);
    else if (kind == FV_CHECK_CONFLICT || kind == FV_CHECK_OVERLAP || kind == FV_CHECK_DUPLICATE)
        walk_twins(&w);
    else
        walk_pictures(&w);
}

/* ---- All of it ---- */

static void count_bits(const uint32_t *flags, int64_t count, int64_t *found)
{
    for (int64_t i = 0; i < count; i++)
        for (int kind = 0; kind < FV_CHECK_KINDS; kind++) found[kind] += flags[i] >> kind & 1;
}

typedef struct progress {
    const fv_check_options *options;
    int64_t before, total;
} progress;

static void pass_on(void *ctx, int64_t done)
{
    const progress *p = ctx;
    if (p->options->progress) p->options->progress(p->options->ctx, p->before + done, p->total);
}

static fv_status take_parts(fv_check *c, const fv_check_options *options, fv_error *err)
{
    progress p = { .options = options };
    for (int part = 0; part < FV_TWINS_PARTS && options->parts[part]; part++)
        p.total += fv_dataset_count(options->parts[part]);
    c->classes = options->classes;
    for (int part = 0; part < FV_TWINS_PARTS && options->parts[part]; part++) {
        const fv_dataset *dataset = options->parts[part];
        const fv_census_options o = { .progress = pass_on, .ctx = &p, .stop = options->stop };
        FV_TRY(fv_census_take(&c->parts[part], dataset, &o, err));
        c->part_count++;
        p.before += c->parts[part].count;
        c->flags[part] = fv_alloc((size_t)c->parts[part].count * sizeof(*c->flags[part]));
        if (!c->flags[part]) return fv_fail(err, FV_ERR_NOMEM, "data: out of memory");
        if (!options->classes) c->classes = fv_max(c->classes, fv_dataset_classes(dataset));
    }
    c->class_flags = fv_alloc((size_t)c->classes * sizeof(*c->class_flags));
    return c->class_flags ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "data: out of memory");
}

static fv_status run(fv_check *c, const fv_check_options *options, fv_error *err)
{
    FV_TRY(take_parts(c, options, err));
    FV_TRY(fv_twins_find(&c->twins, c->parts, c->part_count, err));
    mark_pictures(c, options);
    mark_twins(c);
    mark_classes(c);
    for (int part = 0; part < c->part_count; part++)
        count_bits(c->flags[part], c->parts[part].count, c->found);
    count_bits(c->class_flags, c->classes, c->found);
    c->lines = options->lines;
    c->found[FV_CHECK_LINES] = c->lines ? c->lines->count : 0;
    return FV_OK;
}

fv_status fv_check_run(fv_check *out, const fv_check_options *options, fv_error *err)
{
    *out = (fv_check){ 0 };
    const fv_status status = run(out, options, err);
    if (status != FV_OK) fv_check_deinit(out);
    return status;
}

void fv_check_deinit(fv_check *check)
{
    for (int part = 0; part < FV_TWINS_PARTS; part++) {
        fv_census_deinit(&check->parts[part]);
        fv_free(check->flags[part]);
    }
    fv_free(check->class_flags);
    fv_twins_deinit(&check->twins);
    *check = (fv_check){ 0 };
}
