/* SPDX-License-Identifier: Apache-2.0 */
/* data/packed.h - all pictures of a dataset in one file, for disks that are slow with small files.
 *
 * The file is HDF5 1.10; every array is stored contiguously, integers little-endian:
 *
 *     /pictures   uint8  [bytes]       the files, one behind the other; begins at byte 2^20
 *     /offsets    int64  [count + 1]   picture i is pictures[offsets[i] .. offsets[i + 1])
 *     /labels     int32  [count]
 *     /checks     uint32 [count]       CRC-32 of each picture's bytes
 *     /names      uint8  []            names, each ending with a zero
 *     /classes    uint8  []            names of classes, likewise; absent if none is known
 *     attributes  int64: fovea_pack (1), classes, index_check (CRC-32 of the other arrays, in this
 *                 order)
 *
 * So a picture is one read at a known place, and reading all of them in order is one long read.
 */
#ifndef FV_DATA_PACKED_H
#define FV_DATA_PACKED_H

#include "data/dataset.h"

#include <signal.h>

typedef struct fv_pack_options {
    int short_side; /* pixels: larger pictures are turned upright as their EXIF data say, shrunk
                       to it (Pillow's Lanczos) and written as JPEG; 0: files are taken as they
                       are */
    int quality;    /* of these JPEGs, 1 to 100; chroma at half the size */
    void (*progress)(void *ctx, int64_t done, int64_t total); /* or NULL */
    void *ctx;
    const volatile sig_atomic_t *stop; /* not 0: give up with FV_ERR_INTERRUPTED; or NULL */
} fv_pack_options;

typedef struct fv_pack_result {
    int64_t pictures, shrunk;
    int64_t unreadable; /* each named in the log, and left out */
    uint64_t bytes_read, bytes_written;
} fv_pack_result;

/* Writes `path`, atomically. Every picture is decoded to see whether it can be read. The file
 * depends on the pictures and the options alone. Fails if no picture is readable. */
fv_status fv_pack(const fv_dataset *dataset, const char *path, const fv_pack_options *options,
                  fv_pack_result *result, fv_error *err);

#endif /* FV_DATA_PACKED_H */
