/* SPDX-License-Identifier: Apache-2.0 */
/* io/tensors_impl.h - what the author of a tensor file format needs.
 *
 * To read: a function that fills an empty fv_tensors from its file. To write: a function that
 * takes all tensors at once.
 */
#ifndef FV_IO_TENSORS_IMPL_H
#define FV_IO_TENSORS_IMPL_H

#include "base/memory.h"
#include "io/hdf5.h"
#include "io/weights.h"

enum { FV_TENSORS_MAX_PATH = 4096 };

typedef struct fv_tensor_entry {
    fv_tensor_info info;
    int type;        /* of the elements; the format's own numbering */
    uint64_t offset; /* of the first byte in the file, where the format has such a thing */
} fv_tensor_entry;

struct fv_tensors {
    char path[FV_TENSORS_MAX_PATH];
    fv_arena arena;           /* of the entries, the metadata and all names */
    fv_tensor_entry *entries; /* in the order of the file */
    int count;
    fv_meta *meta;
    int meta_count;
    const fv_tensor_entry **by_name; /* sorted, for fv_tensors_find() */

    fv_status (*read)(fv_tensors *file, const fv_tensor_entry *entry, float *out, fv_error *err);
    int fd;           /* safetensors; -1: none */
    fv_h5_reader *h5; /* HDF5; NULL: none */
};

/* Copies into the arena; NULL: out of memory. */
char *fv_tensors_text(fv_tensors *file, const char *text);

/* The number of elements, or false if it, times 8 bytes, does not fit. */
bool fv_tensor_elements(int rank, const int64_t *dims, size_t *count);

/* The group of an HDF5 file that holds the tensors. */
#define FV_TENSORS_GROUP "model"

/* Fill an empty fv_tensors, whose path is set. On an error the caller closes it. */
fv_status fv_safetensors_open(fv_tensors *file, fv_error *err);
fv_status fv_tensors_open_h5(fv_tensors *file, fv_error *err);

fv_status fv_safetensors_save(const char *path, const fv_tensor_values *tensors, int count,
                              const fv_meta *meta, int meta_count, fv_error *err);

fv_status fv_tensors_save_h5(const char *path, const fv_tensor_values *tensors, int count,
                             const fv_meta *meta, int meta_count, fv_error *err);

#endif /* FV_IO_TENSORS_IMPL_H */
