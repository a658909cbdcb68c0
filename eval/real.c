/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/real.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { FILE_LIMIT = 64 << 20 /* bytes; the file of 2020 has 0.4 million */ };

struct fv_real {
    int64_t rows;
    int64_t *begin; /* [rows + 1]: where the labels of a row begin */
    int *labels;
    int64_t *row; /* [samples of the data set] */
    int64_t images, ranked[FV_MAX_TOP];
};

/* ---- Loading ---- */

static fv_status no_memory(const char *path, fv_error *err)
{
    return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory", path);
}

/* Checks the shape of it all; *total is the number of labels. */
static fv_status count_labels(const json_t *root, const char *path, int64_t *total, fv_error *err)
{
    *total = 0;
    if (!json_is_array(root) || json_array_size(root) == 0)
        return fv_fail(err, FV_ERR_FORMAT,
                       "%.300s: must be a list with a list of class numbers "
                       "for each picture",
                       path);
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *row = json_array_get(root, i);
        if (!json_is_array(row))
            return fv_fail(err, FV_ERR_FORMAT, "%.300s: row %zu is no list of class numbers", path,
                           i + 1);
        *total += (int64_t)json_array_size(row);
    }
    return FV_OK;
}

static fv_status read_rows(fv_real *r, const json_t *root, const char *path, int classes,
                           fv_error *err)
{
    int64_t at = 0;
    for (int64_t i = 0; i < r->rows; i++) {
        const json_t *row = json_array_get(root, (size_t)i);
        r->begin[i] = at;
        for (size_t k = 0; k < json_array_size(row); k++) {
            const json_t *label = json_array_get(row, k);
            const json_int_t value = json_integer_value(label);
            if (!json_is_integer(label) || value < 0 || value >= classes)
                return fv_fail(err, FV_ERR_FORMAT,
                               "%.300s: row %" PRId64 ": a label must be a number from 0 to %d",
                               path, i + 1, classes - 1);
            r->labels[at++] = (int)value;
        }
    }
    r->begin[r->rows] = at;
    return FV_OK;
}

static fv_status read_json(fv_real *r, const json_t *root, const char *path, int classes,
                           fv_error *err)
{
    int64_t total;
    FV_TRY(count_labels(root, path, &total, err));
    r->rows = (int64_t)json_array_size(root);
    r->begin = fv_alloc((size_t)(r->rows + 1) * sizeof(*r->begin));
    r->labels = fv_alloc((size_t)total * sizeof(*r->labels));
    if (!r->begin || !r->labels) return no_memory(path, err);
    return read_rows(r, root, path, classes, err);
}

static fv_status read_file(fv_real *r, const char *path, int classes, fv_error *err)
{
    char *text = NULL;
    size_t bytes;
    json_error_t why;
    FV_TRY(fv_file_read(path, FILE_LIMIT, &text, &bytes, err));
    json_t *root = json_loadb(text, bytes, 0, &why);
    fv_free(text);
    if (!root && json_error_code(&why) == json_error_out_of_memory) return no_memory(path, err);
    if (!root) return fv_fail(err, FV_ERR_FORMAT, "%.300s:%d: not valid json", path, why.line);
    const fv_status status = read_json(r, root, path, classes, err);
    json_decref(root);
    return status;
}

/* ---- Rows of pictures ---- */

/* The number in ILSVRC2012_val_00000001.JPEG; 0: another name. */
static int64_t number_of(const char *name)
{
    int number = 0;
    const char *slash = strrchr(name, '/');
    const bool named = sscanf(slash ? slash + 1 : name, "ILSVRC2012_val_%8d", &number) == 1;
    return named && number > 0 ? number : 0;
}

static fv_status find_rows(fv_real *r, const char *path, const fv_dataset *dataset, fv_error *err)
{
    const int64_t count = fv_dataset_count(dataset);
    int64_t numbered = 0;
    r->row = fv_alloc((size_t)count * sizeof(*r->row));
    if (!r->row) return no_memory(path, err);
    for (int64_t i = 0; i < count; i++) {
        const int64_t number = number_of(fv_dataset_name(dataset, i));
        r->row[i] = number ? number - 1 : i;
        numbered += number > 0;
        if (number > r->rows)
            return fv_fail(err, FV_ERR_CONFIG, "%.200s: %" PRId64 " rows, but there is %.200s",
                           path, r->rows, fv_dataset_name(dataset, i));
    }
    if (numbered != 0 && numbered != count)
        return fv_fail(err, FV_ERR_CONFIG,
                       "%.200s: only %" PRId64 " of %" PRId64
                       " pictures are named like ILSVRC2012_val_00000001.JPEG: which rows are the "
                       "others?",
                       path, numbered, count);
    if (numbered == 0 && count != r->rows)
        return fv_fail(err, FV_ERR_CONFIG,
                       "%.200s: %" PRId64 " rows for %" PRId64
                       " pictures, none of which is named like ILSVRC2012_val_00000001.JPEG",
                       path, r->rows, count);
    return FV_OK;
}

static bool has_label(const fv_real *r, int64_t row, int label)
{
    for (int64_t k = r->begin[row]; k < r->begin[row + 1]; k++)
        if (r->labels[k] == label) return true;
    return false;
}

/* Most pictures kept their label when they were looked at again. */
static void check_agreement(const fv_real *r, const char *path, const fv_dataset *dataset)
{
    int64_t labelled = 0, agree = 0;
    for (int64_t i = 0; i < fv_dataset_count(dataset); i++) {
        labelled += r->begin[r->row[i]] < r->begin[r->row[i] + 1];
        agree += has_label(r, r->row[i], fv_dataset_label(dataset, i));
    }
    if (2 * agree < labelled)
        fv_log(FV_LOG_WARNING,
               "%s: only %" PRId64 " of %" PRId64
               " pictures have their label among these: are they for the same pictures?",
               path, agree, labelled);
}

fv_status fv_real_load(fv_real **out, const char *path, const fv_dataset *dataset, int classes,
                       fv_error *err)
{
    *out = NULL;
    fv_real *r = fv_alloc(sizeof(*r));
    if (!r) return no_memory(path, err);
    fv_status status = read_file(r, path, classes, err);
    if (status == FV_OK) status = find_rows(r, path, dataset, err);
    if (status != FV_OK) {
        fv_real_destroy(r);
        return status;
    }
    check_agreement(r, path, dataset);
    *out = r;
    return FV_OK;
}

void fv_real_destroy(fv_real *real)
{
    if (!real) return;
    fv_free(real->begin);
    fv_free(real->labels);
    fv_free(real->row);
    fv_free(real);
}

/* ---- Counting ---- */

void fv_real_add(fv_real *real, const fv_answer *answer)
{
    const int64_t row = real->row[answer->sample];
    int best = FV_MAX_TOP;
    if (real->begin[row] == real->begin[row + 1]) return;
    real->images++;
    for (int64_t k = real->begin[row]; answer->logits && k < real->begin[row + 1]; k++)
        best = fv_min(best, fv_rank(answer->logits, answer->classes, real->labels[k]));
    if (best < FV_MAX_TOP) real->ranked[best]++;
}

int64_t fv_real_images(const fv_real *real) { return real->images; }

double fv_real_top(const fv_real *real, int k)
{
    int64_t right = 0;
    for (int rank = 0; rank < k; rank++) right += real->ranked[rank];
    return real->images ? (double)right / (double)real->images : 0.0;
}
