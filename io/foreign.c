/* SPDX-License-Identifier: Apache-2.0 */
/* Weights of PyTorch's programs as ours: a linear layer's matrix is transposed, running statistics
 * have other names, and batches are counted; besides, each program names the layers in its way. */
#include "base/log.h"
#include "io/foreign_names.h"
#include "io/tensors_impl.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* Names are at most as long as fv_tensors_check_name() lets them be. */
enum { NAME_BYTES = 600 };

static const double OUR_EPSILON = 1e-5;

typedef struct adoption {
    fv_tensors *file;
    const fv_foreign *source;
    int unused, made; /* tensors */
    fv_error *err;
} adoption;

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* By the names of the running statistics, where there are any. */
static bool is_of_torch(const fv_tensors *file)
{
    for (int i = 0; i < file->count; i++) {
        if (ends_with(file->entries[i].info.name, ".running_mean")) return true;
        if (ends_with(file->entries[i].info.name, "._mean")) return false;
    }
    return file->of_torch;
}

static const fv_foreign *find_source(const fv_tensors *file, const char *model)
{
    static const fv_foreign as_ours = { .program = "PyTorch" };
    const fv_foreign *f = fv_foreign_table;
    while (f->models && (fnmatch(f->models, model, 0) != 0 || fv_tensors_find(file, f->marker) < 0))
        f++;
    return f->models ? f : &as_ours;
}

static bool is_unused(const fv_foreign *f, const char *name)
{
    if (ends_with(name, ".num_batches_tracked")) return true;
    for (int i = 0; i < FV_FOREIGN_UNUSED && f->unused[i]; i++)
        if (fnmatch(f->unused[i], name, 0) == 0) return true;
    return false;
}

/* ---- One tensor ---- */

/* Ours, of "layer1.0.conv1.weight"; false: it does not fit. */
static bool rename_tensor(const fv_foreign *f, const char *name, char *out, size_t size)
{
    static const fv_rename leaves[] = { { "{*}.running_mean", "{*}._mean" },
                                        { "{*}.running_var", "{*}._variance" },
                                        { NULL, NULL } };
    char leaf[NAME_BYTES];
    const char *dot = strrchr(name, '.');
    if (!dot) return snprintf(out, size, "%s", name) < (int)size;
    snprintf(out, size, "%.*s", (int)(dot - name), name);
    for (int i = 0; i < FV_FOREIGN_RULES && f->rules[i]; i++)
        if (!fv_foreign_rename(out, size, f->rules[i])) return false;
    snprintf(leaf, sizeof(leaf), "%s", dot);
    const size_t length = strlen(out);
    if (length + strlen(leaf) >= size) return false;
    memcpy(out + length, leaf, strlen(leaf) + 1);
    return fv_foreign_rename(out, size, leaves);
}

static void change_elements(const fv_foreign *f, fv_tensor_entry *e)
{
    fv_tensor_info *info = &e->info;
    if (info->rank == 2 && ends_with(info->name, ".weight")) {
        const int64_t rows = info->dims[0];
        e->change.transposed = true;
        info->dims[0] = info->dims[1];
        info->dims[1] = rows;
    }
    if (f->epsilon != 0.0 && ends_with(info->name, "._variance"))
        e->change.shift = f->epsilon - OUR_EPSILON;
    const size_t head = f->head ? strlen(f->head) : 0;
    if (head && strncmp(info->name, f->head, head) == 0 &&
        strcmp(info->name + head, ".weight") == 0)
        e->change.divisor = f->kept;
}

static fv_status adopt_tensor(const adoption *a, fv_tensor_entry *e)
{
    char name[NAME_BYTES];
    if (!rename_tensor(a->source, e->info.name, name, sizeof(name)))
        return fv_fail(a->err, FV_ERR_FORMAT, "%s: tensor \"%.150s\": the name is too long",
                       a->file->path, e->info.name);
    e->info.name = fv_tensors_text(a->file, name);
    if (!e->info.name) return fv_fail(a->err, FV_ERR_NOMEM, "%s: out of memory", a->file->path);
    change_elements(a->source, e);
    return FV_OK;
}

/* ---- All of them ---- */

/* A 1x1 convolution and a batch norm that let everything pass: ours has one where others have
 * none. */
static fv_status make_identity(adoption *a, fv_tensor_entry *at)
{
    const fv_foreign *f = a->source;
    const struct {
        const char *name;
        int rank, made;
        double constant;
    } parts[] = {
        { "._conv.weight", 4, FV_MADE_IDENTITY, 0.0 },
        { "._batch_norm.weight", 1, FV_MADE_CONSTANT, 1.0 },
        { "._batch_norm.bias", 1, FV_MADE_CONSTANT, 0.0 },
        { "._batch_norm._mean", 1, FV_MADE_CONSTANT, 0.0 },
        { "._batch_norm._variance", 1, FV_MADE_CONSTANT, 1.0 - OUR_EPSILON },
    };
    int64_t width = 0;
    for (int i = 0; i < a->file->count; i++)
        if (strcmp(a->file->entries[i].info.name, f->width) == 0)
            width = a->file->entries[i].info.dims[0];
    if (width < 1 || width > 1 << 14) return FV_OK; /* then that tensor does not fit, either */
    for (size_t i = 0; i < FV_ARRAY_LEN(parts); i++) {
        const int rank = parts[i].rank;
        at[i] = (fv_tensor_entry){ .info = { .rank = rank, .dims = { width, width, 1, 1 } } };
        at[i].info.count = (size_t)(rank == 1 ? width : width * width);
        at[i].change.made = parts[i].made;
        at[i].change.shift = parts[i].constant;
        at[i].info.name = fv_arena_join(&a->file->arena, f->identity, "", parts[i].name);
        if (!at[i].info.name)
            return fv_fail(a->err, FV_ERR_NOMEM, "%s: out of memory", a->file->path);
        a->made++;
    }
    return FV_OK;
}

enum { MADE = 5 };

static fv_status adopt_all(adoption *a)
{
    fv_tensors *file = a->file;
    const size_t room = (size_t)file->count + MADE;
    fv_tensor_entry *entries = fv_arena_alloc(&file->arena, room * sizeof(*entries));
    if (!entries) return fv_fail(a->err, FV_ERR_NOMEM, "%s: out of memory", file->path);
    int count = 0;
    for (int i = 0; i < file->count; i++) {
        if (is_unused(a->source, file->entries[i].info.name)) {
            a->unused++;
            continue;
        }
        entries[count] = file->entries[i];
        FV_TRY(adopt_tensor(a, &entries[count]));
        count++;
    }
    file->entries = entries;
    file->count = count;
    if (a->source->identity) FV_TRY(make_identity(a, entries + count));
    file->count += a->made;
    return fv_tensors_sort(file, a->err);
}

/* "x.pth: names of timm's MobileNetV2, 52 tensors of no use here left out, 5 added; ..." */
static void tell(const adoption *a, const char *model)
{
    const fv_foreign *f = a->source;
    char unused[64] = "", made[64] = "";
    if (a->unused)
        snprintf(unused, sizeof(unused), ", %d tensors of no use here left out", a->unused);
    if (a->made) snprintf(made, sizeof(made), ", %d added that change nothing", a->made);
    fv_log(FV_LOG_NOTICE, "%s: names of %s's %s%s%s%s%s", a->file->path, f->program, model, unused,
           made, f->note ? "; " : "", f->note ? f->note : "");
}

fv_status fv_tensors_adopt(fv_tensors *file, const char *model, fv_error *err)
{
    if (file->adopted || !is_of_torch(file)) return FV_OK;
    adoption a = { .file = file, .source = find_source(file, model), .err = err };
    const fv_foreign *f = a.source;
    if (f->refused)
        return fv_fail(err, FV_ERR_SHAPE, "%s: %s's %s is another network: %s", file->path,
                       f->program, model, f->refused);
    FV_TRY(adopt_all(&a));
    file->adopted = true;
    tell(&a, model);
    return FV_OK;
}
