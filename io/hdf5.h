/* SPDX-License-Identifier: Apache-2.0 */
/* io/hdf5.h - a small part of HDF5: groups of float datasets, and attributes.
 *
 * Tensor names may hold '/', which separates groups in HDF5: it is stored as "%2F" (and '%' as
 * "%25"), so that one tensor is one dataset of the group it is put in. Files are replaced
 * atomically (base/file.h); every dataset carries HDF5's Fletcher32 checksum, so that damage is an
 * error and not a different model. Text is stored as datasets of the group "text", numbers as
 * attributes. A writer holds its file in memory until it is committed.
 *
 * The HDF5 library is not thread-safe: only one thread at a time may be in any of these functions.
 */
#ifndef FV_IO_HDF5_H
#define FV_IO_HDF5_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fv_h5_writer fv_h5_writer;

/* Checks that the folder is writable; the target appears only with fv_h5_commit(). */
fv_status fv_h5_create(fv_h5_writer **out, const char *path, fv_error *err);
fv_status fv_h5_write_floats(fv_h5_writer *w, const char *group, const char *name, int rank,
                             const int64_t *dims, const float *data, fv_error *err);
fv_status fv_h5_write_text(fv_h5_writer *w, const char *name, const char *text, fv_error *err);
fv_status fv_h5_write_long(fv_h5_writer *w, const char *name, int64_t value, fv_error *err);
fv_status fv_h5_write_double(fv_h5_writer *w, const char *name, double value, fv_error *err);
/* Write, fsync, rename. Destroys the writer in any case; on failure the old file is still there and
 * the message says so. */
fv_status fv_h5_commit(fv_h5_writer *w, fv_error *err);
void fv_h5_discard(fv_h5_writer *w); /* accepts NULL */

typedef struct fv_h5_reader fv_h5_reader;
fv_status fv_h5_open(fv_h5_reader **out, const char *path, fv_error *err);
void fv_h5_close(fv_h5_reader *r); /* accepts NULL */
/* `dims` has room for 8; the dataset must hold float32. */
fv_status fv_h5_shape(fv_h5_reader *r, const char *group, const char *name, int *rank,
                      int64_t *dims, fv_error *err);
/* Fails if the dataset does not hold exactly `count` floats. */
fv_status fv_h5_read_floats(fv_h5_reader *r, const char *group, const char *name, size_t count,
                            float *data, fv_error *err);
fv_status fv_h5_read_text(fv_h5_reader *r, const char *name, char **text,
                          fv_error *err); /* fv_free() it */
fv_status fv_h5_read_long(fv_h5_reader *r, const char *name, int64_t *value, fv_error *err);
fv_status fv_h5_read_double(fv_h5_reader *r, const char *name, double *value, fv_error *err);
bool fv_h5_has_group(const fv_h5_reader *r, const char *group);
/* Names of the datasets of a group, in order of creation: freed with fv_h5_names_free(). */
fv_status fv_h5_list(fv_h5_reader *r, const char *group, char ***names, int *count, fv_error *err);
void fv_h5_names_free(char **names, int count);

#endif /* FV_IO_HDF5_H */
