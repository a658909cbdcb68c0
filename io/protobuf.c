/* SPDX-License-Identifier: Apache-2.0 */
#include "io/protobuf.h"

#include "base/memory.h"

#include <string.h>

enum { VARINT = 0, FIXED64 = 1, SIZED = 2, FIXED32 = 5 }; /* wire types */

static void append(fv_message *m, const void *bytes, size_t size)
{
    if (m->failed) return;
    if (m->room - m->bytes < size) {
        const size_t room = 2 * m->room + size + 256;
        uint8_t *grown = fv_alloc(room);
        m->failed = !grown;
        if (!grown) return;
        if (m->bytes) memcpy(grown, m->data, m->bytes);
        fv_free(m->data);
        m->data = grown;
        m->room = room;
    }
    if (size) memcpy(m->data + m->bytes, bytes, size);
    m->bytes += size;
}

/* Seven bits a byte, the low ones first. */
static void append_varint(fv_message *m, uint64_t value)
{
    uint8_t bytes[10];
    size_t count = 0;
    for (; value >= 0x80; value >>= 7) bytes[count++] = (uint8_t)(value | 0x80);
    bytes[count++] = (uint8_t)value;
    append(m, bytes, count);
}

static void append_little_endian(fv_message *m, uint64_t bits, int size)
{
    uint8_t bytes[8];
    for (int i = 0; i < size; i++) bytes[i] = (uint8_t)(bits >> (8 * i));
    append(m, bytes, (size_t)size);
}

static void append_double(fv_message *m, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    append_little_endian(m, bits, 8);
}

static void append_key(fv_message *m, int field, int type)
{
    append_varint(m, (uint64_t)field << 3 | (uint64_t)type);
}

void fv_message_clear(fv_message *m)
{
    m->bytes = 0;
    m->failed = false;
}

void fv_message_deinit(fv_message *m)
{
    fv_free(m->data);
    *m = (fv_message){ 0 };
}

void fv_message_integer(fv_message *m, int field, int64_t value)
{
    append_key(m, field, VARINT);
    append_varint(m, (uint64_t)value);
}

void fv_message_float(fv_message *m, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    append_key(m, field, FIXED32);
    append_little_endian(m, bits, 4);
}

void fv_message_double(fv_message *m, int field, double value)
{
    append_key(m, field, FIXED64);
    append_double(m, value);
}

void fv_message_bytes(fv_message *m, int field, const void *bytes, size_t size)
{
    append_key(m, field, SIZED);
    append_varint(m, size);
    append(m, bytes, size);
}

void fv_message_nested(fv_message *m, int field, const fv_message *nested)
{
    m->failed = m->failed || nested->failed;
    fv_message_bytes(m, field, nested->data, nested->bytes);
}

void fv_message_doubles(fv_message *m, int field, const double *values, size_t count)
{
    append_key(m, field, SIZED);
    append_varint(m, 8 * count);
    for (size_t i = 0; i < count; i++) append_double(m, values[i]);
}
