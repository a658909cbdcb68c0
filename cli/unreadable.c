/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/unreadable.h"

#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int64_t find(const fv_source *source, const int64_t **samples)
{
    return source->loader ? fv_loader_unreadable(source->loader, samples) : 0;
}

int64_t fv_unreadable_count(const fv_source *train, const fv_source *eval)
{
    return find(train, NULL) + find(eval, NULL);
}

static fv_status put_paths(FILE *file, const fv_source *source, fv_error *err)
{
    const int64_t *samples = NULL;
    const int64_t count = find(source, &samples);
    for (int64_t i = 0; i < count; i++) {
        char path[PATH_MAX];
        FV_TRY(fv_dataset_path(source->dataset, samples[i], path, sizeof(path), err));
        fprintf(file, "%s\n", path);
    }
    return FV_OK;
}

static fv_status write_list(const char *path, const fv_source *train, const fv_source *eval,
                            fv_error *err)
{
    FILE *file = fopen(path, "w");
    if (!file) return fv_fail(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
    fv_status status = put_paths(file, train, err);
    if (status == FV_OK) status = put_paths(file, eval, err);
    const bool failed = ferror(file);
    if ((fclose(file) != 0 || failed) && status == FV_OK)
        status = fv_fail(err, FV_ERR_IO, "%s: could not be written", path);
    return status;
}

fv_status fv_unreadable_save(const char *folder, const fv_source *train, const fv_source *eval,
                             fv_error *err)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    if (!fv_path_join(path, sizeof(path), folder, FV_UNREADABLE_NAME))
        return fv_fail(err, FV_ERR_IO, "%s: the path is too long", folder);
    if (fv_unreadable_count(train, eval) == 0) {
        if (unlink(path) != 0 && errno != ENOENT)
            return fv_fail(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
        return FV_OK;
    }
    FV_TRY(fv_file_temporary(path, temporary, sizeof(temporary), err));
    fv_status status = write_list(temporary, train, eval, err);
    if (status == FV_OK) status = fv_file_commit(temporary, path, err);
    if (status != FV_OK) fv_file_discard(temporary);
    return status;
}
