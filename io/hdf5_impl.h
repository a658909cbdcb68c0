/* SPDX-License-Identifier: Apache-2.0 */
/* io/hdf5_impl.h - what the writer and the reader of HDF5 agree on.
 *
 *     /<group>/<escaped name>   a dataset of float32, Fletcher32, chunks of at most 1 MiB
 *     /text/<escaped name>      a dataset of one string, Fletcher32
 *     attributes of /           int64 and float64 scalars
 *
 * The file format is that of HDF5 1.10, in which the library's own tables carry checksums too:
 * no byte of a file counts that none protects. Tensors of rank 0 or without elements, which
 * cannot have chunks, are stored inside such a table.
 */
#ifndef FV_IO_HDF5_IMPL_H
#define FV_IO_HDF5_IMPL_H

#include "io/hdf5.h"

#include <hdf5.h>

#define FV_H5_TEXT_GROUP "text"

enum {
    FV_H5_MAX_RANK = 8,
    FV_H5_MAX_NAME = 512,          /* bytes of a name as it is stored, with its zero */
    FV_H5_MAX_ENTRIES = 100000,    /* datasets of a group */
    FV_H5_MAX_TEXT = 16 << 20,     /* bytes */
    FV_H5_CHUNK_FLOATS = 256 << 10 /* of 4 bytes: 1 MiB */
};

/* The library prints what fails, unless told once per thread not to; we say it ourselves. */
void fv_h5_quiet(void);

/* Fails if the stored name would be longer than FV_H5_MAX_NAME. */
bool fv_h5_escape(const char *name, char stored[FV_H5_MAX_NAME]);
/* In place. False: not a name that fv_h5_escape() could have written. */
bool fv_h5_unescape(char *stored);

#endif /* FV_IO_HDF5_IMPL_H */
