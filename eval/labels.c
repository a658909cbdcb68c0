/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/labels.h"

#include "base/file.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 64 << 20 };

/* Cuts the line that begins at *next off with a zero byte; NULL after the last. */
static char *cut_line(char **next)
{
    char *line = *next;
    if (!*line) return NULL;
    const size_t length = strcspn(line, "\n");
    *next = line + length + (line[length] == '\n');
    line[length] = '\0';
    if (length && line[length - 1] == '\r') line[length - 1] = '\0';
    return line;
}

static fv_status read_line(fv_labels *labels, char *line, const char *path, int number,
                           fv_error *err)
{
    line += strspn(line, " \t");
    if (!*line) return FV_OK;
    char *end = line;
    const long id = isdigit((unsigned char)*line) ? strtol(line, &end, 10) : -1;
    if (end == line || (*end && *end != ' ' && *end != '\t'))
        return fv_fail(err, FV_ERR_FORMAT, "%s:%d: \"%.60s\" does not begin with a class number",
                       path, number, line);
    if (id >= labels->count)
        return fv_fail(err, FV_ERR_FORMAT, "%s:%d: class %.20s, but the model has %d classes", path,
                       number, line, labels->count);
    if (labels->names[id])
        return fv_fail(err, FV_ERR_FORMAT, "%s:%d: class %ld was already named \"%.60s\"", path,
                       number, id, labels->names[id]);
    labels->names[id] = end + strspn(end, " \t");
    return FV_OK;
}

static fv_status allocate(fv_labels *labels, int classes, const char *what, fv_error *err)
{
    labels->count = classes;
    labels->names = fv_alloc((size_t)classes * sizeof(*labels->names));
    if (labels->names && labels->text) return FV_OK;
    return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", what);
}

fv_status fv_labels_load(fv_labels *out, const char *path, int classes, fv_error *err)
{
    fv_labels labels = { .text = NULL };
    size_t bytes;
    FV_TRY(fv_file_read(path, MAX_BYTES, &labels.text, &bytes, err));
    fv_status status = allocate(&labels, classes, path, err);
    if (status == FV_OK && memchr(labels.text, '\0', bytes))
        status = fv_fail(err, FV_ERR_FORMAT, "%s: not a text file: it has a zero byte", path);

    char *next = labels.text;
    if (bytes >= 3 && memcmp(next, "\xef\xbb\xbf", 3) == 0) next += 3;
    for (int number = 1; status == FV_OK; number++) {
        char *line = cut_line(&next);
        if (!line) break;
        status = read_line(&labels, line, path, number, err);
    }
    if (status == FV_OK)
        *out = labels;
    else
        fv_labels_deinit(&labels);
    return status;
}

fv_status fv_labels_split(fv_labels *out, const char *text, int classes, fv_error *err)
{
    fv_labels labels = { .text = fv_alloc(strlen(text) + 1) };
    const fv_status status = allocate(&labels, classes, "names of classes", err);
    if (status != FV_OK) {
        fv_labels_deinit(&labels);
        return status;
    }
    memcpy(labels.text, text, strlen(text) + 1);
    char *next = labels.text;
    for (int id = 0; id < classes; id++) {
        const char *line = cut_line(&next);
        if (!line) break;
        if (*line) labels.names[id] = line;
    }
    *out = labels;
    return FV_OK;
}

void fv_labels_deinit(fv_labels *labels)
{
    fv_free(labels->text);
    fv_free(labels->names);
    *labels = (fv_labels){ .text = NULL };
}

const char *fv_labels_name(const fv_labels *labels, int id)
{
    return id >= 0 && id < labels->count ? labels->names[id] : NULL;
}
