/* SPDX-License-Identifier: Apache-2.0 */
/* io/protobuf.h - messages in the wire format of Protocol Buffers, written field by field.
 *
 * A message grows in memory by appending. The first failure (out of memory) sticks: later calls do
 * nothing, and `failed` says so at the end. `field` is the field's number, at least 1.
 */
#ifndef FV_IO_PROTOBUF_H
#define FV_IO_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fv_message {
    uint8_t *data; /* owned */
    size_t bytes, room;
    bool failed;
} fv_message;

void fv_message_clear(fv_message *message);  /* empty again, its memory kept */
void fv_message_deinit(fv_message *message); /* accepts an all-zero struct */

void fv_message_integer(fv_message *message, int field, int64_t value); /* int32, int64, enum */
void fv_message_float(fv_message *message, int field, float value);
void fv_message_double(fv_message *message, int field, double value);
/* string, bytes, or a message that is encoded already. */
void fv_message_bytes(fv_message *message, int field, const void *bytes, size_t size);
void fv_message_nested(fv_message *message, int field, const fv_message *nested);
void fv_message_doubles(fv_message *message, int field, const double *values, size_t count);

#endif /* FV_IO_PROTOBUF_H */
