/* SPDX-License-Identifier: Apache-2.0 */
/* io/events.h - curves and histograms for TensorBoard.
 *
 * A folder holds one event file per session of a run. Each is a sequence of records (TFRecord), in
 * little endian:
 *
 *     uint64 length | uint32 checksum of the length | data[length] | uint32 checksum of the data
 *
 * A checksum is CRC-32C, turned right by 15 bits plus 0xa282ead8. The data are protocol buffers
 * of type tensorflow.Event. Each record is written at once, whole or not at all.
 */
#ifndef FV_IO_EVENTS_H
#define FV_IO_EVENTS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fv_events fv_events;

typedef struct fv_scalar {
    const char *tag; /* "train/loss": those before the slash stand together */
    double value;    /* written as a float; a NAN is left out */
} fv_scalar;

/* Starts a new file in `folder`, which is created if need be. What the files before it say of steps
 * from `step` on is void: TensorBoard drops it. */
fv_status fv_events_open(fv_events **out, const char *folder, int64_t step, fv_error *err);
void fv_events_close(fv_events *events); /* accepts NULL */

/* Removes all event files of ours from a folder; one that does not exist is fine. */
fv_status fv_events_clear(const char *folder, fv_error *err);

/* All at one step. Errors name the file. */
fv_status fv_events_scalars(fv_events *events, int64_t step, const fv_scalar *scalars, int count,
                            fv_error *err);

/* The distribution of the finite ones of `values`, in FV_EVENTS_BUCKETS equal parts of their range.
 * None is no error: nothing is written then. */
enum { FV_EVENTS_BUCKETS = 30 };
fv_status fv_events_histogram(fv_events *events, int64_t step, const char *tag, const float *values,
                              size_t count, fv_error *err);

/* CRC-32C (Castagnoli) of some bytes. */
uint32_t fv_crc32c(const void *data, size_t bytes);

#endif /* FV_IO_EVENTS_H */
