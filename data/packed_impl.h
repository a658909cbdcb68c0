/* SPDX-License-Identifier: Apache-2.0 */
/* data/packed_impl.h - what the writer and the reader of data/packed.h agree on, and the writer. */
#ifndef FV_DATA_PACKED_IMPL_H
#define FV_DATA_PACKED_IMPL_H

#include "base/crc32.h"
#include "data/dataset_impl.h"

#include <hdf5.h>

#define FV_PACK_PICTURES    "pictures"
#define FV_PACK_OFFSETS     "offsets"
#define FV_PACK_LABELS      "labels"
#define FV_PACK_CHECKS      "checks"
#define FV_PACK_NAMES       "names"
#define FV_PACK_CLASSES     "classes"
#define FV_PACK_VERSION     "fovea_pack"
#define FV_PACK_INDEX_CHECK "index_check"

enum {
    FV_PACK_BEGIN = 1 << 20, /* byte of the file at which the pictures begin */
    FV_PACK_LEAST = 64 << 10 /* bytes of the array of pictures: with zeros at its end if need be */
};

/* How files are opened, to be closed with H5Pclose(). */
hid_t fv_pack_access(void);

typedef struct fv_pack_writer {
    char path[FV_DATASET_MAX_PATH], temporary[FV_DATASET_MAX_PATH];
    int fd; /* of the temporary file, or -1 */
    int64_t count;
    int64_t *offsets;
    int32_t *labels;
    uint32_t *checks;
    char *names;
    size_t names_bytes;
    fv_crc32 crc32;
} fv_pack_writer;

/* Room for the index of the whole dataset; the file is made beside its target. */
fv_status fv_pack_writer_create(fv_pack_writer **out, const fv_dataset *dataset, const char *path,
                                fv_error *err);
fv_status fv_pack_writer_add(fv_pack_writer *w, const char *name, int label, const void *bytes,
                             size_t size, fv_error *err);
/* Completes the file and renames it. Destroy the writer all the same. */
fv_status fv_pack_writer_commit(fv_pack_writer *w, const fv_dataset *dataset, fv_error *err);
void fv_pack_writer_destroy(fv_pack_writer *w); /* accepts NULL; removes what is not committed */

#endif /* FV_DATA_PACKED_IMPL_H */
