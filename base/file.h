/* SPDX-License-Identifier: Apache-2.0 */
/* base/file.h - whole files in, whole files out.
 *
 * A file that matters is never written in place: it is written beside its target,
 * fsynced, and renamed over it; then the folder is fsynced. A reader sees the old file
 * or the new one, also after a power cut or a full disk.
 */
#ifndef FV_BASE_FILE_H
#define FV_BASE_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Reads a regular file of at most `limit` bytes into a block that the caller frees with
 * fv_free(); a zero byte follows the last. Errors name the path. */
fv_status fv_file_read(const char *path, size_t limit, char **data, size_t *bytes, fv_error *err);

/* Replaces `path` by `bytes` of `data`, atomically. */
fv_status fv_file_write(const char *path, const void *data, size_t bytes, fv_error *err);

/* For writers that need a path (HDF5): the name to write to, in the same folder, into
 * `temporary`; then commit (fsync, rename, fsync of the folder) or discard. */
fv_status fv_file_temporary(const char *path, char *temporary, size_t size, fv_error *err);
fv_status fv_file_commit(const char *temporary, const char *path, fv_error *err);
void fv_file_discard(const char *temporary);

/* Creates a folder and its parents; one that exists is fine. */
fv_status fv_file_make_folder(const char *path, fv_error *err);

bool fv_file_is_folder(const char *path);
bool fv_file_exists(const char *path); /* as a regular file */

/* "root/name", or `name` alone where it is absolute or root is empty. False: no room. */
bool fv_path_join(char *out, size_t size, const char *root, const char *name);

/* A path in double quotes loses them, in place, and "" within becomes "; any other stays. */
void fv_path_unquote(char *path);

#endif /* FV_BASE_FILE_H */
