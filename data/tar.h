/* SPDX-License-Identifier: Apache-2.0 */
/* data/tar.h - what lies where in a tar archive.
 *
 * Headers are read, contents are skipped: to read a file, fv_tar_read() its bytes. Known are the
 * formats of POSIX (ustar, pax) and GNU (long names, sizes in base 256), and the old one before
 * them. Archives are of others: every number is checked against the size of the file.
 */
#ifndef FV_DATA_TAR_H
#define FV_DATA_TAR_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fv_tar fv_tar;

typedef enum fv_tar_kind {
    FV_TAR_FILE,
    FV_TAR_FOLDER,
    FV_TAR_OTHER /* a link, a device, something unknown */
} fv_tar_kind;

typedef struct fv_tar_entry {
    const char *name; /* as the archive says, "../x" and "/x" included; never empty; valid until
                         the next fv_tar_next() */
    fv_tar_kind kind;
    uint64_t size;   /* bytes of content */
    uint64_t offset; /* where the content begins in the outermost file */
} fv_tar_entry;

/* A compressed archive is refused with a message that says so. */
fv_status fv_tar_open(fv_tar **out, const char *path, fv_error *err);

/* An archive that is a file in another one, which must outlive it. Offsets stay those of the
 * outermost file. */
fv_status fv_tar_open_inside(fv_tar **out, const fv_tar *outer, const fv_tar_entry *entry,
                             fv_error *err);
void fv_tar_close(fv_tar *tar); /* accepts NULL */

/* The next entry, or *more = false at the end. An archive without its end mark gets a warning in
 * the log; one that ends within an entry is an error, as is any header that makes no sense.
 * Messages begin with the path and name the byte of the header. */
fv_status fv_tar_next(fv_tar *tar, fv_tar_entry *entry, bool *more, fv_error *err);

/* `bytes` from `offset` of the outermost file on. Safe from several threads at once. */
fv_status fv_tar_read(const fv_tar *tar, uint64_t offset, void *out, size_t bytes, fv_error *err);

/* Size of the outermost file, and how far its headers have been read: for a progress bar. */
uint64_t fv_tar_bytes(const fv_tar *tar);
uint64_t fv_tar_position(const fv_tar *tar);

#endif /* FV_DATA_TAR_H */
