/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static fv_status failed(fv_error *err, const char *path, const char *what)
{
    return fv_fail(err, FV_ERR_IO, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* ---- Reading ----------------------------------------------------------------- */

/* Reads up to `bytes`; fewer only at the end of the file. -1: errno says why. */
static ssize_t read_fully(int fd, char *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        const ssize_t n = read(fd, data + done, bytes - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static fv_status read_open(int fd, const char *path, size_t limit, char **data, size_t *bytes,
                           fv_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return failed(err, path, "read");
    if (!S_ISREG(info.st_mode)) return fv_fail(err, FV_ERR_IO, "%s: not a regular file", path);
    if (info.st_size < 0 || (uintmax_t)info.st_size > limit)
        return fv_fail(err, FV_ERR_IO, "%s: %jd bytes, more than the %zu allowed", path,
                       (intmax_t)info.st_size, limit);

    char *block = fv_alloc((size_t)info.st_size + 1);
    if (!block)
        return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for %jd bytes", path,
                       (intmax_t)info.st_size);
    const ssize_t got = read_fully(fd, block, (size_t)info.st_size);
    if (got < 0) {
        const fv_status status = failed(err, path, "read");
        fv_free(block);
        return status;
    }
    *data = block;
    *bytes = (size_t)got;
    return FV_OK;
}

fv_status fv_file_read(const char *path, size_t limit, char **data, size_t *bytes, fv_error *err)
{
    /* Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return failed(err, path, "open");
    const fv_status status = read_open(fd, path, limit, data, bytes, err);
    close(fd);
    return status;
}

/* ---- Writing ----------------------------------------------------------------- */

static bool write_fully(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

/* Opens, writes and closes; `flags` says how to open. */
static bool write_to(const char *path, int flags, const void *data, size_t bytes)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0666);
    if (fd < 0) return false;
    const bool written = write_fully(fd, data, bytes);
    const int why = errno;
    const bool closed = close(fd) == 0;
    if (!written) errno = why;
    return written && closed;
}

/* Some file systems cannot sync a folder and say EINVAL; then there is nothing to do. */
static bool sync_path(const char *path, int flags)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0) return false;
    const bool synced = fsync(fd) == 0 || ((flags & O_DIRECTORY) && errno == EINVAL);
    const int why = errno;
    close(fd);
    errno = why;
    return synced;
}

/* The folder of a path, "." where there is none. */
static bool folder_of(const char *path, char *folder, size_t size)
{
    const char *slash = strrchr(path, '/');
    const size_t length = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (length + 2 > size) return false;
    memcpy(folder, slash ? path : ".", slash ? length : 1);
    folder[slash ? length : 1] = '\0';
    return true;
}

fv_status fv_file_temporary(const char *path, char *temporary, size_t size, fv_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return fv_fail(err, FV_ERR_IO, "%s: cannot write: not a regular file", path);
    const int length = snprintf(temporary, size, "%s.%ld.tmp", path, (long)getpid());
    if (length < 0 || (size_t)length >= size)
        return fv_fail(err, FV_ERR_IO, "%s: cannot write: the path is too long", path);
    unlink(temporary); /* of a process that had our number and died; never write through a link */
    return FV_OK;
}

fv_status fv_file_commit(const char *temporary, const char *path, fv_error *err)
{
    char folder[PATH_BYTES];
    if (!folder_of(path, folder, sizeof(folder))) {
        fv_file_discard(temporary);
        return fv_fail(err, FV_ERR_IO, "%s: cannot write: the path is too long", path);
    }
    if (!sync_path(temporary, 0) || rename(temporary, path) != 0) {
        const fv_status status = failed(err, path, "write");
        fv_file_discard(temporary);
        return status;
    }
    return sync_path(folder, O_DIRECTORY) ? FV_OK : failed(err, folder, "write");
}

void fv_file_discard(const char *temporary) { unlink(temporary); }

fv_status fv_file_write(const char *path, const void *data, size_t bytes, fv_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && (S_ISCHR(info.st_mode) || S_ISFIFO(info.st_mode))) {
        /* /dev/stdout, /dev/null and pipes are written to, not replaced. */
        return write_to(path, 0, data, bytes) ? FV_OK : failed(err, path, "write");
    }
    char temporary[PATH_BYTES];
    FV_TRY(fv_file_temporary(path, temporary, sizeof(temporary), err));
    if (!write_to(temporary, O_CREAT | O_EXCL, data, bytes)) {
        const fv_status status = failed(err, path, "write");
        fv_file_discard(temporary);
        return status;
    }
    return fv_file_commit(temporary, path, err);
}

/* ---- Folders and paths ------------------------------------------------------- */

bool fv_file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool fv_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

fv_status fv_file_make_folder(const char *path, fv_error *err)
{
    char part[PATH_BYTES];
    const size_t length = strlen(path);
    if (length == 0) return fv_fail(err, FV_ERR_IO, "the name of a folder to create is empty");
    if (length >= sizeof(part))
        return fv_fail(err, FV_ERR_IO, "%s: cannot create the folder: the path is too long", path);
    memcpy(part, path, length + 1);

    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != '\0') continue;
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && !fv_file_is_folder(part))
            return failed(err, part, "create the folder");
        part[i] = i < length ? '/' : '\0';
    }
    return FV_OK;
}

bool fv_path_join(char *out, size_t size, const char *root, const char *name)
{
    const bool alone = *name == '/' || !*root;
    const size_t length = strlen(root);
    const char *slash = !alone && root[length - 1] != '/' ? "/" : "";
    const int n = snprintf(out, size, "%s%s%s", alone ? "" : root, slash, name);
    return n >= 0 && (size_t)n < size;
}

void fv_path_unquote(char *path)
{
    const size_t length = strlen(path);
    if (length < 2 || path[0] != '"' || path[length - 1] != '"') return;
    char *out = path;
    for (size_t i = 1; i + 1 < length; i++) {
        if (path[i] == '"' && path[i + 1] == '"' && i + 2 < length) i++;
        *out++ = path[i];
    }
    *out = '\0';
}
