/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/stored.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

enum { MAX_CLASSES = 1000000 };

static fv_status find_file(char *out, size_t size, const char *path, fv_error *err)
{
    static const char *const extensions[] = { "", ".h5", ".safetensors", ".pdparams", ".pth" };
    for (size_t i = 0; i < FV_ARRAY_LEN(extensions); i++) {
        const int length = snprintf(out, size, "%s%s", path, extensions[i]);
        if (length < 0 || (size_t)length >= size)
            return fv_fail(err, FV_ERR_IO, "%.80s...: the path is too long", path);
        if (fv_file_exists(out)) return FV_OK;
    }
    return fv_fail(err, FV_ERR_IO,
                   "%s: no such file of weights, with .h5, .safetensors, .pdparams or .pth "
                   "appended neither",
                   path);
}

fv_status fv_stored_open(fv_stored *out, const char *path, fv_error *err)
{
    fv_stored s = { .file = NULL };
    FV_TRY(find_file(s.path, sizeof(s.path), path, err));
    FV_TRY(fv_tensors_open(&s.file, s.path, err));
    s.config = fv_tensors_meta(s.file, "config");
    if (s.config) { /* others use the same words for other things */
        s.arch = fv_tensors_meta(s.file, "arch");
        s.preprocess = fv_tensors_meta(s.file, "preprocess");
        s.class_names = fv_tensors_meta(s.file, "classes");
    }
    *out = s;
    return FV_OK;
}

void fv_stored_close(fv_stored *stored)
{
    fv_tensors_close(stored->file);
    *stored = (fv_stored){ .file = NULL };
}

fv_status fv_stored_classes(const fv_stored *stored, const fv_model *model, int *classes,
                            fv_error *err)
{
    char name[128];
    FV_TRY(fv_tensors_adopt(stored->file, model->name, err));
    snprintf(name, sizeof(name), "%sbias", model->heads[0]);
    const int i = fv_tensors_find(stored->file, name);
    if (i < 0)
        return fv_fail(err, FV_ERR_FORMAT, "%s: no tensor \"%s\": are these weights of %s?",
                       stored->path, name, model->name);
    const fv_tensor_info info = fv_tensors_at(stored->file, i);
    if (info.rank != 1 || info.dims[0] < 1 || info.dims[0] > MAX_CLASSES)
        return fv_fail(err, FV_ERR_FORMAT, "%s: %s: not a vector of 1 to %d numbers", stored->path,
                       name, MAX_CLASSES);
    *classes = (int)info.dims[0];
    return FV_OK;
}
