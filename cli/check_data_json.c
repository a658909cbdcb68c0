/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_data.h"
#include "cli/text.h"

#include <jansson.h>

static json_t *channels(const double *values)
{
    return json_pack("[f, f, f]", values[0], values[1], values[2]);
}

static json_t *spread_to_json(const fv_spread *s)
{
    return json_pack("{s:I, s:I, s:I}", "min", (json_int_t)s->least, "median",
                     (json_int_t)s->median, "max", (json_int_t)s->most);
}

static json_t *class_counts(const fv_check *check, int part)
{
    json_t *list = json_array();
    for (int label = 0; label < check->classes; label++)
        json_array_append_new(list, json_integer(fv_check_class_count(check, part, label)));
    return list;
}

static fv_status part_to_json(const fv_check_report *r, int part, json_t **out, fv_error *err)
{
    const fv_census *c = &r->check.parts[part];
    fv_spread width, height, bytes;
    FV_TRY(fv_census_spread(c, fv_measure_width, &width, err));
    FV_TRY(fv_census_spread(c, fv_measure_height, &height, err));
    FV_TRY(fv_census_spread(c, fv_measure_bytes, &bytes, err));
    *out = json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "source",
                     fv_json_text(r->sources[part]), "pictures", (json_int_t)c->count, "readable",
                     (json_int_t)c->readable, "bytes", (json_int_t)c->bytes, "width",
                     spread_to_json(&width), "height", spread_to_json(&height), "file_bytes",
                     spread_to_json(&bytes), "mean", channels(c->mean), "std",
                     channels(c->deviation), "class_counts", class_counts(&r->check, part));
    return FV_OK;
}

/* ---- Findings ---- */

typedef struct listing {
    const fv_check_report *report;
    fv_check_kind kind;
    json_t *list;
} listing;

static json_t *place_to_json(const fv_check_report *r, const fv_place *p)
{
    const fv_dataset *d = r->check.parts[p->part].dataset;
    return json_pack("{s:s, s:o, s:i}", "part", fv_check_part_name(p->part), "file",
                     fv_json_text(fv_dataset_name(d, p->picture)), "label",
                     fv_dataset_label(d, p->picture));
}

static bool has_same_file(const fv_check *c, const fv_check_item *item)
{
    const fv_place *a = &item->place, *b = item->partner;
    return fv_hash_compare(&c->parts[a->part].pictures[a->picture].file,
                           &c->parts[b->part].pictures[b->picture].file) == 0;
}

static void add_item(void *ctx, const fv_check_item *item)
{
    listing *l = ctx;
    const fv_check *c = &l->report->check;
    json_t *json;
    if (item->line) {
        json = fv_json_text(item->line);
    } else if (fv_check_facts[l->kind].about == FV_ABOUT_CLASSES) {
        json = json_pack("{s:i, s:o}", "class", item->label, "name",
                         fv_json_text(fv_check_report_class_name(l->report, 0, item->label)));
    } else {
        json = place_to_json(l->report, &item->place);
    }
    if (l->kind == FV_CHECK_UNREADABLE)
        json_object_set_new(
            json, "error",
            fv_json_text(fv_census_reason(&c->parts[item->place.part], item->place.picture)));
    if (l->kind == FV_CHECK_NAMES)
        json_object_set_new(json, "name_in_val",
                            fv_json_text(fv_dataset_class_name(c->parts[1].dataset, item->label)));
    if (item->partner) {
        json_object_set_new(json, "same_as", place_to_json(l->report, item->partner));
        json_object_set_new(json, "same_file", json_boolean(has_same_file(c, item)));
    }
    json_array_append_new(l->list, json);
}

static json_t *findings_to_json(const fv_check_report *r)
{
    json_t *all = json_object();
    for (int kind = 0; kind < FV_CHECK_KINDS; kind++) {
        listing l = { r, kind, json_array() };
        fv_check_each(&r->check, kind, FV_CHECK_LISTED, add_item, &l);
        json_object_set_new(all, fv_check_facts[kind].key,
                            json_pack("{s:I, s:b, s:o}", "count", (json_int_t)r->check.found[kind],
                                      "problem", fv_check_is_problem(r, kind), "list", l.list));
    }
    return all;
}

static json_t *class_names(const fv_check_report *r)
{
    json_t *list = json_array();
    for (int label = 0; label < r->check.classes; label++)
        json_array_append_new(list, fv_json_text(fv_check_report_class_name(r, 0, label)));
    return list;
}

fv_status fv_check_to_json(const fv_check_report *report, json_t **out, fv_error *err)
{
    json_t *json =
        json_pack("{s:I, s:i, s:o, s:o, s:f}", "problems", (json_int_t)fv_check_problems(report),
                  "classes", report->check.classes, "class_names", class_names(report), "findings",
                  findings_to_json(report), "seconds", report->seconds);
    for (int part = 0; part < report->check.part_count; part++) {
        json_t *one = NULL;
        const fv_status status = part_to_json(report, part, &one, err);
        if (status != FV_OK) {
            json_decref(json);
            return status;
        }
        json_object_set_new(json, fv_check_part_name(part), one);
    }
    *out = json;
    return FV_OK;
}
