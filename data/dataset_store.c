/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures that lie in other files. The first few of these files stay open; the others are opened
 * for each picture, since a process may not have as many open as there can be. */
#include "base/compiler.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/dataset_impl.h"
#include "data/decode_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { STAY_OPEN = 256 };

fv_status fv_dataset_add_container(fv_dataset *d, const char *path, fv_error *err)
{
    void *containers = d->containers;
    const size_t count = d->container_count;
    const fv_status status = fv_dataset_grow(&containers, sizeof(*d->containers), count, count + 1,
                                             &d->container_room, err);
    d->containers = containers;
    if (status != FV_OK) return status;
    fv_container *c = &d->containers[count];
    *c = (fv_container){ .path = fv_alloc(strlen(path) + 1), .fd = -1 };
    if (!c->path) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    memcpy(c->path, path, strlen(path) + 1);
    if (count < STAY_OPEN) c->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    d->container_count++;
    return FV_OK;
}

void fv_dataset_close_containers(fv_dataset *d)
{
    for (size_t i = 0; i < d->container_count; i++) {
        if (d->containers[i].fd >= 0) close(d->containers[i].fd);
        fv_free(d->containers[i].path);
    }
    fv_free(d->containers);
    fv_free(d->places);
    fv_free(d->checks);
}

/* From a place in a file. *why is an errno, 0: the file ends too early. */
static bool read_at(int fd, char *out, size_t bytes, uint64_t offset, int *why)
{
    for (size_t done = 0; done < bytes;) {
        const ssize_t n = pread(fd, out + done, bytes - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        *why = n < 0 ? errno : 0;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

static fv_status read_from(const fv_container *c, const fv_place *place, char *out, fv_error *err)
{
    const int fd = c->fd >= 0 ? c->fd : open(c->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int why = errno;
    const bool read = fd >= 0 && read_at(fd, out, place->bytes, place->offset, &why);
    if (fd >= 0 && c->fd < 0) close(fd);
    if (read) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%.300s: cannot read: %s", c->path,
                   why ? strerror(why) : "it has become shorter since it was opened");
}

fv_status fv_dataset_read_place(const fv_dataset *d, int64_t i, char **bytes, size_t *size,
                                fv_error *err)
{
    const fv_place *place = &d->places[i];
    char path[FV_DATASET_MAX_PATH];
    FV_TRY(fv_dataset_path(d, i, path, sizeof(path), err));
    if (place->bytes > FV_DECODE_MAX_FILE) {
        return fv_fail(err, FV_ERR_IO, "%.300s: %u bytes, more than the %d allowed", path,
                       place->bytes, (int)FV_DECODE_MAX_FILE);
    }
    char *block = fv_alloc((size_t)place->bytes + 1);
    if (!block) {
        return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory for %u bytes", path, place->bytes);
    }
    fv_status status = read_from(&d->containers[place->container], place, block, err);
    if (status == FV_OK && d->checks &&
        fv_crc32_add(&d->crc32, 0, block, place->bytes) != d->checks[i]) {
        status = fv_fail(err, FV_ERR_FORMAT, "%.300s: damaged: use another copy of the file", path);
    }
    if (status != FV_OK) {
        fv_free(block);
        return status;
    }
    *bytes = block;
    *size = place->bytes;
    return FV_OK;
}
