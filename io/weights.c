/* SPDX-License-Identifier: Apache-2.0 */
#include "io/weights.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Matching ---- */

/* What happens to one parameter. */
typedef struct plan {
    int tensor;   /* of the file; -1: the parameter stays as it is */
    bool reset;   /* another shape, allowed: initialised anew */
    size_t place; /* of its values in the staging block, floats */
} plan;

typedef struct matching {
    const char *path;
    fv_tensors *file;
    fv_params *params;
    const fv_load_options *options;
    fv_load_report *report;
    plan *plans;   /* one per parameter */
    size_t floats; /* of all that is read */
    int refused;   /* tensors of another shape that may not have one */
    char first_refused[320];
} matching;

static void keep_first(char *first, size_t size, const char *name)
{
    if (!first[0]) snprintf(first, size, "%s", name);
}

static bool has_shape_of(const fv_tensor_info *info, const fv_param *p)
{
    if (info->rank != p->rank) return false;
    for (int d = 0; d < p->rank; d++)
        if (info->dims[d] != p->dims[d]) return false;
    return true;
}

/* "64x3x7x7"; "scalar" for rank 0. */
static void print_shape(char *out, size_t size, int rank, const int64_t *dims)
{
    snprintf(out, size, "%s", rank ? "" : "scalar");
    for (int d = 0; d < rank; d++) {
        const size_t n = strlen(out);
        snprintf(out + n, size - n, "%s%lld", d ? "x" : "", (long long)dims[d]);
    }
}

static void refuse_shape(matching *m, const fv_tensor_info *info, const fv_param *p)
{
    char have[80], want[80];
    int64_t dims[4];
    m->refused++;
    for (int d = 0; d < p->rank; d++) dims[d] = p->dims[d];
    print_shape(have, sizeof(have), info->rank, info->dims);
    print_shape(want, sizeof(want), p->rank, dims);
    if (m->refused == 1)
        snprintf(m->first_refused, sizeof(m->first_refused),
                 "%.120s: %s in the file, %s in the model", p->name, have, want);
}

static bool is_of_head(const matching *m, const char *name)
{
    const char *const *heads = m->options->heads;
    for (int i = 0; heads && heads[i]; i++)
        if (strncmp(name, heads[i], strlen(heads[i])) == 0) return true;
    return false;
}

static void match_param(matching *m, int i)
{
    const fv_param *p = fv_params_at(m->params, i);
    fv_load_report *report = m->report;
    plan *out = &m->plans[i];
    out->tensor = fv_tensors_find(m->file, p->name);
    if (out->tensor < 0) {
        report->missing++;
        keep_first(report->first_missing, sizeof(report->first_missing), p->name);
        return;
    }
    const fv_tensor_info info = fv_tensors_at(m->file, out->tensor);
    if (has_shape_of(&info, p)) {
        report->matched++;
        out->place = m->floats;
        m->floats += p->count;
        return;
    }
    out->tensor = -1;
    if (is_of_head(m, p->name)) {
        report->reshaped++;
        keep_first(report->first_reshaped, sizeof(report->first_reshaped), p->name);
        out->reset = true;
    } else {
        refuse_shape(m, &info, p);
    }
}

static void match(matching *m)
{
    for (int i = 0; i < fv_params_count(m->params); i++) match_param(m, i);
    for (int i = 0; i < fv_tensors_count(m->file); i++) {
        const char *name = fv_tensors_at(m->file, i).name;
        if (fv_params_find(m->params, name)) continue;
        m->report->unexpected++;
        keep_first(m->report->first_unexpected, sizeof(m->report->first_unexpected), name);
    }
}

/* "x.h5: weights do not fit the model: 2 missing (first a.weight), ..." */
static fv_status judge(const matching *m, fv_error *err)
{
    char what[480] = "";
    size_t n = 0;
    const fv_load_report *r = m->report;
    const bool strict = !m->options->partial;
    if (strict && r->missing)
        n += (size_t)snprintf(what, sizeof(what), ", %d missing (first %s)", r->missing,
                              r->first_missing);
    if (strict && r->unexpected)
        n += (size_t)snprintf(what + n, sizeof(what) - n, ", %d unexpected (first %s)",
                              r->unexpected, r->first_unexpected);
    if (m->refused && n < sizeof(what))
        snprintf(what + n, sizeof(what) - n, ", %d of another shape (first %s)", m->refused,
                 m->first_refused);
    if (!what[0]) return FV_OK;
    return fv_fail(err, FV_ERR_SHAPE, "%s: the weights do not fit the model: %d matched%s", m->path,
                   r->matched, what);
}

/* ---- Loading ---- */

/* A head above trained features starts small, with weights in +-1 / sqrt(inputs), whatever the
 * model begins with from scratch: the gradients of a large random head would undo what the
 * features have learnt. */
static void restart_head(fv_params *params, fv_param *p)
{
    const int inputs =
        p->role == FV_LINEAR_WEIGHT ? p->dims[0] : (int)(p->count / (size_t)p->dims[0]);
    if (p->role == FV_LINEAR_WEIGHT || p->role == FV_CONV_WEIGHT)
        p->init = (fv_init){ FV_INIT_UNIFORM, 1.0f / sqrtf((float)inputs) };
    fv_params_reset(params, p);
}

/* Reads everything before changing anything. */
static fv_status transfer(const matching *m, float *staging, fv_error *err)
{
    const int count = fv_params_count(m->params);
    for (int i = 0; i < count; i++)
        if (m->plans[i].tensor >= 0)
            FV_TRY(fv_tensors_read(m->file, m->plans[i].tensor, staging + m->plans[i].place, err));
    for (int i = 0; i < count; i++) {
        fv_param *p = fv_params_at(m->params, i);
        if (m->plans[i].tensor >= 0)
            memcpy(p->value, staging + m->plans[i].place, p->count * sizeof(float));
        if (m->plans[i].reset) restart_head(m->params, p);
    }
    fv_params_touch(m->params);
    return FV_OK;
}

static fv_status load(matching *m, fv_error *err)
{
    float *staging = NULL;
    if (m->options->model) FV_TRY(fv_tensors_adopt(m->file, m->options->model, err));
    m->plans = fv_alloc((size_t)fv_params_count(m->params) * sizeof(*m->plans));
    if (!m->plans) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for the weights", m->path);
    match(m);
    fv_status status = judge(m, err);
    if (status == FV_OK) {
        staging = fv_alloc(m->floats * sizeof(float));
        status = staging ? transfer(m, staging, err)
                         : fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for the weights", m->path);
    }
    fv_free(staging);
    fv_free(m->plans);
    return status;
}

fv_status fv_weights_load_from(fv_tensors *file, fv_params *params, const fv_load_options *options,
                               fv_load_report *report, fv_error *err)
{
    static const fv_load_options strict = { 0 };
    fv_load_report unwanted;
    matching m = { .path = fv_tensors_path(file),
                   .file = file,
                   .params = params,
                   .options = options ? options : &strict,
                   .report = report ? report : &unwanted };
    *m.report = (fv_load_report){ 0 };
    return load(&m, err);
}

fv_status fv_weights_load(const char *path, fv_params *params, const fv_load_options *options,
                          fv_load_report *report, fv_error *err)
{
    fv_tensors *file = NULL;
    if (report) *report = (fv_load_report){ 0 };
    FV_TRY(fv_tensors_open(&file, path, err));
    const fv_status status = fv_weights_load_from(file, params, options, report, err);
    fv_tensors_close(file);
    return status;
}

/* ---- Saving ---- */

fv_status fv_weights_save(const char *path, const fv_params *params, fv_error *err)
{
    const int count = fv_params_count(params);
    fv_tensor_values *tensors = fv_alloc((size_t)count * sizeof(*tensors));
    if (!tensors) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    for (int i = 0; i < count; i++) {
        const fv_param *p = fv_params_at(params, i);
        fv_tensor_info *info = &tensors[i].info;
        *info = (fv_tensor_info){ .name = p->name, .rank = p->rank, .count = p->count };
        for (int d = 0; d < p->rank; d++) info->dims[d] = p->dims[d];
        tensors[i].data = p->value;
    }
    const fv_status status = fv_tensors_save(path, tensors, count, NULL, 0, err);
    fv_free(tensors);
    return status;
}
