/* SPDX-License-Identifier: Apache-2.0 */
/* io/tensors_impl.h - what the author of a tensor file format needs.
 *
 * To read: a function that fills an empty fv_tensors from its file. To write: a function that
 * takes all tensors at once.
 */
#ifndef FV_IO_TENSORS_IMPL_H
#define FV_IO_TENSORS_IMPL_H

#include "base/memory.h"
#include "io/elements.h"
#include "io/pickle.h"
#include "io/weights.h"

enum { FV_TENSORS_MAX_PATH = 4096 };

/* What happens to the elements of a file on their way to the reader; all zero: nothing. */
typedef struct fv_tensor_change {
    enum { FV_MADE_NOT, FV_MADE_CONSTANT, FV_MADE_IDENTITY } made; /* not in the file at all */
    bool transposed;       /* a matrix; `dims` are those after it */
    double divisor, shift; /* x / divisor, if that is not 0, + shift; FV_MADE_CONSTANT: shift */
} fv_tensor_change;

typedef struct fv_tensor_entry {
    fv_tensor_info info;
    fv_element type;    /* of the elements, where the format does not hide it */
    uint64_t offset;    /* of the first byte in the file, where the format has such a thing */
    const void *detail; /* the format's own, in the arena */
    fv_tensor_change change;
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
    int fd;                      /* -1: none */
    void *held;                  /* what else the format keeps open; NULL: none */
    void (*release)(void *held); /* closes it */
    bool of_torch;               /* from a .pth */
    bool adopted;                /* fv_tensors_adopt() has been here */
};

/* Copies into the arena; NULL: out of memory. */
char *fv_tensors_text(fv_tensors *file, const char *text);

/* A name of `length` bytes goes into messages and terminals: it is printable and not too long. */
fv_status fv_tensors_check_name(const fv_tensors *file, const char *name, size_t length,
                                fv_error *err);

/* fv_tensors_check_name() of a text of a pickle without its first `skip` bytes, and a copy. */
fv_status fv_tensors_take_name(fv_tensors *file, const fv_pickle_value *text, size_t skip,
                               const char **out, fv_error *err);

/* Sorts the names, for fv_tensors_find(); refuses one that occurs twice. */
fv_status fv_tensors_sort(fv_tensors *file, fv_error *err);

/* The number of elements, or false if it, times 8 bytes, does not fit. */
bool fv_tensor_elements(int rank, const int64_t *dims, size_t *count);

/* The group of an HDF5 file that holds the tensors. */
#define FV_TENSORS_GROUP "model"

/* Fill an empty fv_tensors, whose path is set. On an error the caller closes it. */
fv_status fv_safetensors_open(fv_tensors *file, fv_error *err);
fv_status fv_tensors_open_h5(fv_tensors *file, fv_error *err);
fv_status fv_pdparams_open(fv_tensors *file, fv_error *err);
fv_status fv_pth_open(fv_tensors *file, fv_error *err);

/* Without the metadata, which the format has no place for. */
fv_status fv_pdparams_save(const char *path, const fv_tensor_values *tensors, int count,
                           fv_error *err);

fv_status fv_safetensors_save(const char *path, const fv_tensor_values *tensors, int count,
                              const fv_meta *meta, int meta_count, fv_error *err);

fv_status fv_tensors_save_h5(const char *path, const fv_tensor_values *tensors, int count,
                             const fv_meta *meta, int meta_count, fv_error *err);

#endif /* FV_IO_TENSORS_IMPL_H */
