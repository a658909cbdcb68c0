/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_folder.h"

#include "base/file.h"
#include "base/memory.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static const size_t TEXT_LIMIT = (size_t)64 << 20;

/* ---- Files ---- */

static fv_status path_in(char *path, size_t size, const char *folder, const char *name,
                         fv_error *err)
{
    if (fv_path_join(path, size, folder, name)) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%.80s...: the path is too long", folder);
}

/* *text stays NULL if there is no such file. */
static fv_status read_text(char **text, size_t *bytes, const char *path, fv_error *err)
{
    if (!fv_file_exists(path)) return FV_OK;
    return fv_file_read(path, TEXT_LIMIT, text, bytes, err);
}

static fv_status load_about(fv_run *run, fv_error *err)
{
    char path[4096], *text = NULL;
    size_t bytes = 0;
    json_error_t why;
    FV_TRY(path_in(path, sizeof(path), run->folder, "run.json", err));
    FV_TRY(read_text(&text, &bytes, path, err));
    if (!text) return FV_OK;
    run->about = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &why);
    fv_free(text);
    if (!run->about)
        return fv_fail(err, FV_ERR_FORMAT, "%s:%d: no JSON: %s", path, why.line, why.text);
    if (json_is_object(run->about)) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%s: must be a JSON object", path);
}

static fv_status load_config(fv_run *run, fv_error *err)
{
    char path[4096];
    size_t bytes = 0;
    FV_TRY(path_in(path, sizeof(path), run->folder, "config.yaml", err));
    return read_text(&run->config, &bytes, path, err);
}

static fv_status load_answers(fv_run *run, fv_error *err)
{
    char path[4096];
    FV_TRY(path_in(path, sizeof(path), run->folder, "answers.tsv", err));
    return fv_file_exists(path) ? fv_answers_load(&run->answers, path, err) : FV_OK;
}

fv_status fv_run_write(const char *folder, const char *name, const char *text, fv_error *err)
{
    char path[4096];
    FV_TRY(path_in(path, sizeof(path), folder, name, err));
    return fv_file_write(path, text, strlen(text), err);
}

/* ---- What follows ---- */

static void derive(fv_run *run)
{
    const fv_history *h = &run->history;
    int64_t epoch = 0, step = 0;
    for (size_t i = 0; i < h->count; i++) {
        const fv_row *row = &h->rows[i];
        const bool is_last = i + 1 == h->count;
        if (row->kind != FV_ROW_TRAIN || (!is_last && h->rows[i + 1].epoch > row->epoch)) {
            epoch = row->epoch;
            step = row->step;
        }
        if (row->kind != FV_ROW_TRAIN && isfinite(row->top1) &&
            (!run->best || row->top1 >= run->best->top1))
            run->best = row;
    }
    run->last = h->count ? &h->rows[h->count - 1] : NULL;
    run->batches = epoch > 0 ? (double)step / (double)epoch : 0.0;
}

fv_status fv_run_load(fv_run *out, const char *folder, fv_error *err)
{
    fv_run run = { .folder = folder };
    fv_status status = fv_history_load(&run.history, folder, err);
    if (status == FV_OK) status = load_about(&run, err);
    if (status == FV_OK) status = load_config(&run, err);
    if (status == FV_OK) status = load_answers(&run, err);
    if (status != FV_OK) {
        fv_run_deinit(&run);
        return status;
    }
    derive(&run);
    *out = run;
    return FV_OK;
}

void fv_run_deinit(fv_run *run)
{
    fv_answers_deinit(&run->answers);
    fv_free(run->config);
    json_decref(run->about);
    fv_history_deinit(&run->history);
    *run = (fv_run){ 0 };
}

/* ---- Reading ---- */

const char *fv_run_text(const fv_run *run, const char *key)
{
    return json_string_value(json_object_get(run->about, key));
}

double fv_run_number(const fv_run *run, const char *key)
{
    return json_number_value(json_object_get(run->about, key));
}

const char *fv_run_class_name(const fv_run *run, int id)
{
    const json_t *names = json_object_get(run->about, "class_names");
    return id < 0 ? NULL : json_string_value(json_array_get(names, (size_t)id));
}

const char *fv_run_name(const fv_run *run)
{
    const char *name = run->folder;
    for (const char *c = run->folder; *c; c++)
        if (c[0] == '/' && c[1] && c[1] != '/') name = c + 1;
    return name;
}
