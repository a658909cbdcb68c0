/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"
#include "base/list.h"
#include "base/memory.h"
#include "cli/report.h"

#include <stdio.h>
#include <string.h>

/* A configuration as a flat list: "DataLoader.Train.sampler.batch_size" and its value. */
typedef struct setting {
    const char *key, *value;
} setting;

typedef struct flat {
    fv_arena *arena; /* of keys and values */
    fv_list settings;
    bool failed; /* out of memory */
} flat;

static void add(flat *f, const char *key, const char *value)
{
    setting *s = fv_arena_alloc(f->arena, sizeof(*s));
    const char *text = fv_arena_join(f->arena, value, "", "");
    if (s && text) *s = (setting){ key, text };
    if (!s || !text || !fv_list_append(&f->settings, s)) f->failed = true;
}

/* The depth is bounded by what the configuration's parser lets through. */
static void flatten(flat *f, fv_config_node *node, const char *key) /* NOLINT(misc-no-recursion) */
{
    const fv_config_type type = fv_config_node_type(node);
    if (f->failed) return;
    if (type == FV_CONFIG_SCALAR) add(f, key, fv_config_node_text(node));
    if (type == FV_CONFIG_NULL) add(f, key, "null");
    for (int i = 0; i < fv_config_count(node); i++) {
        char index[16];
        snprintf(index, sizeof(index), "%d", i);
        const char *part = type == FV_CONFIG_MAP ? fv_config_key_at(node, i) : index;
        const char *child = fv_arena_join(f->arena, key, *key ? "." : "", part);
        if (child)
            flatten(f, fv_config_at(node, i), child);
        else
            f->failed = true;
    }
}

static const char *find(const flat *f, const char *key)
{
    for (int i = 0; i < f->settings.count; i++) {
        const setting *s = f->settings.items[i];
        if (strcmp(s->key, key) == 0) return s->value;
    }
    return NULL;
}

/* Runs whose configuration is not known do not count. */
static bool is_same(const flat *all, int count, const char *key, const char *value)
{
    for (int k = 0; k < count; k++) {
        const char *other = find(&all[k], key);
        if (all[k].settings.count > 0 && (!other || strcmp(value, other) != 0)) return false;
    }
    return true;
}

static void write_row(fv_html *html, const flat *all, int count, const char *key)
{
    fv_html_raw(html, "<tr><td>");
    fv_html_text(html, key);
    for (int k = 0; k < count; k++) {
        const char *value = find(&all[k], key);
        fv_html_raw(html, value ? "<td>" : "<td class=soft>");
        fv_html_text(html, value ? value : all[k].settings.count > 0 ? "not given" : "not known");
    }
    fv_html_raw(html, "</tr>\n");
}

/* Each key where it first occurs. */
static void write_rows(fv_html *html, const flat *all, int count)
{
    for (int k = 0; k < count; k++) {
        for (int i = 0; i < all[k].settings.count; i++) {
            const setting *s = all[k].settings.items[i];
            bool before = false;
            for (int j = 0; j < k && !before; j++) before = find(&all[j], s->key) != NULL;
            if (!before && !is_same(all, count, s->key, s->value))
                write_row(html, all, count, s->key);
        }
    }
}

static fv_status flatten_run(flat *f, const fv_run *run, fv_error *err)
{
    char path[4096];
    fv_config *config;
    if (!run->config) return FV_OK;
    snprintf(path, sizeof(path), "%.4000s/config.yaml", run->folder);
    FV_TRY(fv_config_parse(&config, path, run->config, err));
    flatten(f, fv_config_root(config), "");
    fv_config_destroy(config);
    return f->failed ? fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path) : FV_OK;
}

fv_status fv_report_differences(fv_html *html, const fv_run *runs, int count, fv_error *err)
{
    fv_arena arena;
    fv_arena_init(&arena);
    flat *all = fv_arena_alloc(&arena, (size_t)count * sizeof(*all));
    fv_status status = all ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "report: out of memory");
    for (int k = 0; k < count && status == FV_OK; k++) {
        all[k].arena = &arena;
        status = flatten_run(&all[k], &runs[k], err);
    }
    if (status == FV_OK) {
        fv_html_raw(html, "<h2>What differs in their configurations</h2>\n"
                          "<div class=scroll><table><tr><th>key");
        for (int k = 0; k < count; k++) {
            fv_html_raw(html, "<th>");
            fv_html_text(html, runs[k].folder);
        }
        fv_html_raw(html, "</tr>\n");
        write_rows(html, all, count);
        fv_html_raw(html, "</table></div>\n");
    }
    for (int k = 0; all && k < count; k++) fv_list_deinit(&all[k].settings);
    fv_arena_deinit(&arena);
    return status;
}
