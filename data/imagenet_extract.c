/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks ImageNet's archives: val is flat, train has an archive for each class in it. What is
 * there with the right size is kept, so that an interrupted run can be repeated. */
#include "base/file.h"
#include "data/imagenet_classes.h"
#include "data/imagenet_impl.h"
#include "data/tar.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, MAX_NAME = 128, MB = 1000000 };

typedef struct extraction {
    const fv_imagenet_options *o;
    const char *what; /* for the progress bar */
    char *chunk;
    int64_t *files; /* written */
} extraction;

static fv_status join(char out[PATH_MAX], const char *folder, const char *name, fv_error *err)
{
    if (fv_path_join(out, PATH_MAX, folder, name)) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%.200s: the path is too long", folder);
}

/* ---- One file ---- */

static fv_status fail_writing(const extraction *x, const char *path, int why, fv_error *err)
{
    if (why != ENOSPC && why != EDQUOT) {
        return fv_fail(err, FV_ERR_IO, "%.300s: cannot write: %s", path, strerror(why));
    }
    return fv_fail(err, FV_ERR_IO,
                   "%.300s: the disk is full; %lld files were unpacked and stay: make room and "
                   "give the same command again",
                   path, (long long)*x->files);
}

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno != EINTR) return errno;
        if (n < 0) continue;
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Errors of writing in *why. */
static fv_status copy_content(const extraction *x, const fv_tar *tar, const fv_tar_entry *e, int fd,
                              int *why, fv_error *err)
{
    for (uint64_t done = 0; done < e->size && !*why;) {
        const uint64_t rest = e->size - done;
        const size_t part = rest < CHUNK ? (size_t)rest : CHUNK;
        FV_TRY(fv_tar_read(tar, e->offset + done, x->chunk, part, err));
        *why = write_all(fd, x->chunk, part);
        done += part;
    }
    return FV_OK;
}

/* Beside its name, then renamed; not synced, which would take longer than all the rest: a file that
 * a power cut shortens is written again. */
static fv_status write_file(const extraction *x, const fv_tar *tar, const fv_tar_entry *e,
                            const char *path, fv_error *err)
{
    char temporary[PATH_MAX];
    FV_TRY(fv_file_temporary(path, temporary, sizeof(temporary), err));
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return fail_writing(x, path, errno, err);
    int why = 0;
    const fv_status status = copy_content(x, tar, e, fd, &why, err);
    if (close(fd) != 0 && !why) why = errno;
    if (status == FV_OK && !why && rename(temporary, path) != 0) why = errno;
    if (status != FV_OK || why) fv_file_discard(temporary);
    if (status != FV_OK) return status;
    if (why) return fail_writing(x, path, why, err);
    ++*x->files;
    return FV_OK;
}

static bool is_there(const char *path, uint64_t size)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size == size;
}

/* The name without folders, if nothing can go wrong with it; else NULL. */
static const char *plain_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    if (slash) name = slash + 1;
    if (!isalnum((unsigned char)*name) || strlen(name) > MAX_NAME) return NULL;
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p)) return NULL;
    }
    return name;
}

/* ---- Archives ---- */

static fv_status extract_entry(const extraction *x, const fv_tar *tar, const fv_tar_entry *e,
                               const char *folder, fv_error *err)
{
    char path[PATH_MAX];
    const char *name = plain_name(e->name);
    if (e->kind != FV_TAR_FILE) return FV_OK;
    if (!name) {
        return fv_fail(err, FV_ERR_FORMAT,
                       "%.300s: a file with the name \"%.100s\": not ImageNet's", folder, e->name);
    }
    FV_TRY(join(path, folder, name, err));
    return is_there(path, e->size) ? FV_OK : write_file(x, tar, e, path, err);
}

static fv_status check_stop(const extraction *x, fv_error *err)
{
    if (!x->o->stop || !*x->o->stop) return FV_OK;
    return fv_fail(err, FV_ERR_INTERRUPTED,
                   "interrupted, files unpacked: %lld; the same command goes on from here",
                   (long long)*x->files);
}

/* Pictures into one folder. */
static fv_status extract_pictures(const extraction *x, fv_tar *tar, const char *folder,
                                  fv_error *err)
{
    fv_tar_entry e;
    bool more = true;
    FV_TRY(fv_file_make_folder(folder, err));
    for (;;) {
        FV_TRY(fv_tar_next(tar, &e, &more, err));
        if (!more) return FV_OK;
        FV_TRY(extract_entry(x, tar, &e, folder, err));
        FV_TRY(check_stop(x, err));
        if (x->o->progress) {
            x->o->progress(x->o->ctx, x->what, (int64_t)(fv_tar_position(tar) / MB),
                           (int64_t)(fv_tar_bytes(tar) / MB));
        }
    }
}

/* "n01440764.tar" to "folder/n01440764"; false: not the archive of a class. */
static bool class_folder(char out[PATH_MAX], const char *folder, const char *name)
{
    uint32_t wnid;
    const char *slash = strrchr(name, '/');
    if (slash) name = slash + 1;
    if (!fv_wnid_read(name, &wnid) || strcasecmp(name + 9, ".tar") != 0) return false;
    char wnid_name[16];
    snprintf(wnid_name, sizeof(wnid_name), "n%08u", wnid);
    return fv_path_join(out, PATH_MAX, folder, wnid_name);
}

static fv_status extract_classes(const extraction *x, fv_tar *tar, const char *folder,
                                 fv_error *err)
{
    char into[PATH_MAX];
    fv_tar_entry e;
    bool more = true;
    for (;;) {
        FV_TRY(fv_tar_next(tar, &e, &more, err));
        if (!more) return FV_OK;
        if (e.kind != FV_TAR_FILE) continue;
        if (!class_folder(into, folder, e.name)) {
            return fv_fail(err, FV_ERR_FORMAT,
                           "\"%.100s\" in the archive of train: expected archives of classes, "
                           "n01440764.tar",
                           e.name);
        }
        fv_tar *inner = NULL;
        FV_TRY(fv_tar_open_inside(&inner, tar, &e, err));
        const fv_status status = extract_pictures(x, inner, into, err);
        fv_tar_close(inner);
        if (status != FV_OK) return status;
    }
}

/* A folder that already has something in it may hold most of it. */
static fv_status check_room(const fv_imagenet_place *place, const fv_tar *tar, fv_error *err)
{
    struct statvfs disk;
    if (fv_file_is_folder(place->path)) return FV_OK;
    FV_TRY(fv_file_make_folder(place->path, err));
    if (statvfs(place->path, &disk) != 0) return FV_OK;
    const uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize, need = fv_tar_bytes(tar);
    if (room >= need) return FV_OK;
    rmdir(place->path);
    return fv_fail(err, FV_ERR_IO,
                   "%.300s: the disk has too little room: %.3g GB are needed, %.3g GB are free",
                   place->path, (double)need / 1e9, (double)room / 1e9);
}

static fv_status extract_archive(const extraction *x, const fv_imagenet_place *place, int part,
                                 fv_error *err)
{
    fv_tar *tar = NULL;
    FV_TRY(fv_tar_open(&tar, place->tar, err));
    fv_status status = check_room(place, tar, err);
    if (status == FV_OK) {
        status = part == FV_IMAGENET_TRAIN ? extract_classes(x, tar, place->path, err)
                                           : extract_pictures(x, tar, place->path, err);
    }
    fv_tar_close(tar);
    return status;
}

/* Those that lie in the folder itself: train's archive was unpacked, but not its contents. */
static fv_status extract_beside(const extraction *x, const char *folder, fv_error *err)
{
    char path[PATH_MAX], into[PATH_MAX];
    fv_status status = FV_OK;
    DIR *dir = opendir(folder);
    if (!dir) return fv_fail(err, FV_ERR_IO, "%.300s: %s", folder, strerror(errno));
    for (struct dirent *entry; status == FV_OK && (entry = readdir(dir));) {
        fv_tar *tar = NULL;
        if (!class_folder(into, folder, entry->d_name)) continue;
        status = join(path, folder, entry->d_name, err);
        if (status == FV_OK) status = fv_tar_open(&tar, path, err);
        if (status == FV_OK) status = extract_pictures(x, tar, into, err);
        fv_tar_close(tar);
    }
    closedir(dir);
    return status;
}

fv_status fv_imagenet_extract(const fv_imagenet_place *place, const fv_imagenet_options *o,
                              int part, int64_t *files, fv_error *err)
{
    const extraction x = { .o = o,
                           .what = part == FV_IMAGENET_TRAIN ? "unpacking train, MB"
                                                             : "unpacking val, MB",
                           .chunk = fv_alloc(CHUNK),
                           .files = files };
    if (!x.chunk) return fv_fail(err, FV_ERR_NOMEM, "unpacking: out of memory");
    fv_status status = FV_OK;
    if (place->tar[0]) {
        status = extract_archive(&x, place, part, err);
    } else if (place->path[0]) {
        status = extract_beside(&x, place->path, err);
    }
    fv_free(x.chunk);
    return status;
}
