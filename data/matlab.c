/* SPDX-License-Identifier: Apache-2.0 */
/* MATLAB's "Level 5 MAT-File Format": a header of 128 bytes, then elements, each with a type, a
 * size and padding to 8 bytes; arrays are elements made of elements. */
#include "data/matlab.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

enum { HEADER = 128, BYTE_ORDER_MARK = 126, TAG = 8 };

/* Types of elements */
enum {
    INT8 = 1,
    UINT8 = 2,
    INT16 = 3,
    UINT16 = 4,
    INT32 = 5,
    UINT32 = 6,
    DOUBLE = 9,
    MATRIX = 14,
    COMPRESSED = 15,
    UTF8 = 16,
    UTF16 = 17
};

/* Classes of arrays: first those that are known by name, then the numeric ones */
enum { CLASS_STRUCT = 2, CLASS_CHAR = 4, CLASS_DOUBLE = 6, CLASS_UINT64 = 15 };

typedef struct bytes {
    const uint8_t *next, *end;
} bytes;

typedef struct element {
    uint32_t type;
    bytes content;
} element;

typedef struct array {
    int type; /* one of the classes */
    uint64_t count;
    bytes name, rest; /* rest: the elements after the name */
} array;

struct fv_matlab {
    char *file;        /* its bytes */
    uint8_t *unpacked; /* of a compressed variable, or NULL */
    char *path;        /* a copy */
    bytes field_names; /* each of name_bytes, zeros at the end */
    size_t name_bytes;
    int fields, count;
    bytes *cells; /* [count][fields]: contents of the arrays that are the values */
};

static fv_status damaged(const fv_matlab *m, fv_error *err, const char *what)
{
    return fv_fail(err, FV_ERR_FORMAT, "%.300s: damaged: %s", m->path, what);
}

/* ---- Elements ---- */

static uint32_t little32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static size_t left(const bytes *b) { return (size_t)(b->end - b->next); }

/* False at the end, or where no element fits. */
static bool next_element(bytes *b, element *e)
{
    if (left(b) < TAG) return false;
    const uint32_t word = little32(b->next);
    if (word >> 16) { /* the short form: type, size and up to 4 bytes within the tag */
        const uint32_t size = word >> 16;
        if (size > 4) return false;
        *e = (element){ word & 0xffff, { b->next + 4, b->next + 4 + size } };
        b->next += TAG;
        return true;
    }
    const size_t size = little32(b->next + 4);
    if (size > left(b) - TAG) return false;
    *e = (element){ word, { b->next + TAG, b->next + TAG + size } };
    b->next = e->content.end;
    const size_t padding = word == COMPRESSED ? 0 : (TAG - size % TAG) % TAG;
    b->next += padding < left(b) ? padding : left(b);
    return true;
}

/* Flags, dimensions and name of an array. */
static bool read_array(bytes content, array *out)
{
    element flags, dims, name;
    if (!next_element(&content, &flags) || flags.type != UINT32 || left(&flags.content) < 8 ||
        !next_element(&content, &dims) || dims.type != INT32 || left(&dims.content) < 8 ||
        !next_element(&content, &name) || name.type != INT8) {
        return false;
    }
    *out = (array){ .type = flags.content.next[0], .count = 1, .name = name.content };
    for (; left(&dims.content) >= 4; dims.content.next += 4) {
        out->count *= little32(dims.content.next);
        if (out->count > FV_MATLAB_MAX) return false;
    }
    out->rest = content;
    return true;
}

static bool has_name(const array *a, const char *name)
{
    return left(&a->name) == strlen(name) && memcmp(a->name.next, name, strlen(name)) == 0;
}

/* ---- Compressed variables ---- */

static void *zlib_alloc(void *ctx, unsigned items, unsigned size)
{
    (void)ctx;
    return fv_alloc((size_t)items * size);
}

static void zlib_free(void *ctx, void *block)
{
    (void)ctx;
    fv_free(block);
}

/* Unpacks into a block of `room` bytes. Z_BUF_ERROR: it was too small. */
static int unpack(bytes packed, uint8_t *out, size_t room, size_t *size)
{
    z_stream z = { .zalloc = zlib_alloc, .zfree = zlib_free };
    int result = inflateInit(&z);
    if (result != Z_OK) return result;
    z.next_in = (z_const Bytef *)(uintptr_t)packed.next; /* zlib does not write to it */
    z.avail_in = (unsigned)left(&packed);
    z.next_out = out;
    z.avail_out = (unsigned)room;
    result = inflate(&z, Z_FINISH);
    *size = room - z.avail_out;
    const bool full = z.avail_out == 0;
    inflateEnd(&z);
    if (result == Z_STREAM_END) return Z_OK;
    return result == Z_BUF_ERROR && !full ? Z_DATA_ERROR : result;
}

/* The array that a compressed element holds, into m->unpacked. */
static fv_status unpack_variable(fv_matlab *m, bytes packed, bytes *out, fv_error *err)
{
    size_t room = (size_t)64 << 10, size = 0;
    for (int result = Z_BUF_ERROR; result != Z_OK;) {
        fv_free(m->unpacked);
        m->unpacked = fv_alloc(room);
        if (!m->unpacked) return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory", m->path);
        result = unpack(packed, m->unpacked, room, &size);
        if (result == Z_MEM_ERROR) {
            return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory", m->path);
        }
        if (result != Z_OK && result != Z_BUF_ERROR) {
            return damaged(m, err, "what is compressed cannot be unpacked");
        }
        if (result == Z_BUF_ERROR && room >= FV_MATLAB_MAX) {
            return damaged(m, err, "a variable of more than 64 MiB");
        }
        room *= 8;
        if (room > FV_MATLAB_MAX) room = FV_MATLAB_MAX;
    }
    *out = (bytes){ m->unpacked, m->unpacked + size };
    return FV_OK;
}

/* ---- The variable ---- */

static fv_status find_variable(fv_matlab *m, bytes file, const char *name, array *out,
                               fv_error *err)
{
    element e;
    while (next_element(&file, &e)) {
        if (e.type == COMPRESSED) {
            bytes inner;
            FV_TRY(unpack_variable(m, e.content, &inner, err));
            if (!next_element(&inner, &e)) return damaged(m, err, "an empty variable");
        }
        if (e.type != MATRIX) continue;
        if (!read_array(e.content, out)) return damaged(m, err, "a variable without a header");
        if (has_name(out, name)) return FV_OK;
    }
    if (left(&file)) return damaged(m, err, "it was cut");
    return fv_fail(err, FV_ERR_FORMAT, "%.300s: no variable \"%s\" in it", m->path, name);
}

static fv_status read_cells(fv_matlab *m, array variable, const char *name, fv_error *err)
{
    element length, names, cell;
    if (variable.type != CLASS_STRUCT) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: \"%s\" is no array of structures", m->path,
                       name);
    }
    bytes *rest = &variable.rest;
    if (!next_element(rest, &length) || length.type != INT32 || left(&length.content) != 4 ||
        !next_element(rest, &names) || names.type != INT8) {
        return damaged(m, err, "structures without names of fields");
    }
    m->name_bytes = little32(length.content.next);
    if (m->name_bytes < 1 || m->name_bytes > 64 || left(&names.content) % m->name_bytes) {
        return damaged(m, err, "structures without names of fields");
    }
    m->field_names = names.content;
    const uint64_t fields = left(&names.content) / m->name_bytes;
    if (fields * variable.count > left(rest) / TAG) {
        return damaged(m, err, "more structures than bytes");
    }
    m->fields = (int)fields;
    m->count = (int)variable.count;
    m->cells = fv_alloc((size_t)(fields * variable.count) * sizeof(*m->cells));
    if (!m->cells) return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory", m->path);
    for (uint64_t i = 0; i < fields * variable.count; i++) {
        if (!next_element(rest, &cell) || cell.type != MATRIX) {
            return damaged(m, err, "a field that is no array");
        }
        m->cells[i] = cell.content;
    }
    return FV_OK;
}

static fv_status open_file(fv_matlab *m, const char *path, const char *variable, fv_error *err)
{
    size_t size = 0;
    array found;
    const size_t length = strlen(path) + 1;
    m->path = fv_alloc(length);
    if (!m->path) return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory", path);
    memcpy(m->path, path, length);
    FV_TRY(fv_file_read(path, FV_MATLAB_MAX, &m->file, &size, err));
    const uint8_t *begin = (const uint8_t *)m->file;
    if (size < HEADER || memcmp(begin, "MATLAB 5.0", 10) != 0 ||
        memcmp(begin + BYTE_ORDER_MARK, "IM", 2) != 0) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: not a little-endian MATLAB 5 file", path);
    }
    FV_TRY(find_variable(m, (bytes){ begin + HEADER, begin + size }, variable, &found, err));
    return read_cells(m, found, variable, err);
}

fv_status fv_matlab_open(fv_matlab **out, const char *path, const char *variable, fv_error *err)
{
    *out = NULL;
    fv_matlab *m = fv_alloc(sizeof(*m));
    if (!m) return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory", path);
    const fv_status status = open_file(m, path, variable, err);
    if (status == FV_OK) {
        *out = m;
    } else {
        fv_matlab_close(m);
    }
    return status;
}

void fv_matlab_close(fv_matlab *matlab)
{
    if (!matlab) return;
    fv_free(matlab->file);
    fv_free(matlab->unpacked);
    fv_free(matlab->path);
    fv_free(matlab->cells);
    fv_free(matlab);
}

int fv_matlab_count(const fv_matlab *matlab) { return matlab->count; }

/* ---- Fields ---- */

/* The array that is the value, and its first element, left as it is if there is none. */
static fv_status find_value(const fv_matlab *m, int i, const char *field, array *value,
                            element *data, fv_error *err)
{
    const size_t length = strlen(field);
    for (int f = 0; f < m->fields; f++) {
        const uint8_t *name = m->field_names.next + (size_t)f * m->name_bytes;
        if (length >= m->name_bytes || memcmp(name, field, length + 1) != 0) continue;
        if (!read_array(m->cells[i * m->fields + f], value)) {
            return damaged(m, err, "a value without a header");
        }
        bytes rest = value->rest;
        next_element(&rest, data); /* an empty array has none */
        return FV_OK;
    }
    return fv_fail(err, FV_ERR_FORMAT, "%.300s: its structures have no field \"%s\"", m->path,
                   field);
}

/* Appends a code point in UTF-8; false: it does not fit. */
static bool append(char **to, const char *end, unsigned code)
{
    if (code < 0x20 || code == 0x7f) code = ' ';
    if (end - *to < 4) return false;
    if (code < 0x80) {
        *(*to)++ = (char)code;
    } else if (code < 0x800) {
        *(*to)++ = (char)(0xc0 | code >> 6);
        *(*to)++ = (char)(0x80 | (code & 0x3f));
    } else {
        *(*to)++ = (char)(0xe0 | code >> 12);
        *(*to)++ = (char)(0x80 | (code >> 6 & 0x3f));
        *(*to)++ = (char)(0x80 | (code & 0x3f));
    }
    return true;
}

fv_status fv_matlab_text(const fv_matlab *matlab, int i, const char *field, char *out, size_t size,
                         fv_error *err)
{
    array value = { .type = 0 };
    element data = { .type = 0 };
    FV_TRY(find_value(matlab, i, field, &value, &data, err));
    const bool wide = data.type == UINT16 || data.type == UTF16;
    const bool utf8 = data.type == UTF8 || data.type == INT8 || data.type == UINT8;
    const bool none = value.count == 0;
    if (value.type != CLASS_CHAR || (!wide && !utf8 && !none)) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: %s of structure %d is no text", matlab->path,
                       field, i + 1);
    }
    char *to = out;
    const char *end = out + size;
    bool fits = true;
    const uint8_t *p = data.content.next;
    for (; fits && !none && p + wide < data.content.end; p += 1 + wide) {
        if (utf8 && *p >= 0x80) { /* a byte of a longer sequence */
            fits = end - to > 1;
            if (fits) *to++ = (char)*p;
        } else {
            fits = append(&to, end, wide ? (unsigned)p[0] | (unsigned)p[1] << 8 : *p);
        }
    }
    if (!fits) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: %s of structure %d is too long", matlab->path,
                       field, i + 1);
    }
    *to = '\0';
    return FV_OK;
}

fv_status fv_matlab_number(const fv_matlab *matlab, int i, const char *field, double *out,
                           fv_error *err)
{
    array value = { .type = 0 };
    element data = { .type = 0 };
    FV_TRY(find_value(matlab, i, field, &value, &data, err));
    const uint8_t *p = data.content.next;
    const size_t size = left(&data.content);
    bool known = value.type >= CLASS_DOUBLE && value.type <= CLASS_UINT64 && value.count == 1;
    if (known && data.type == UINT8 && size == 1) {
        *out = p[0];
    } else if (known && data.type == INT8 && size == 1) {
        *out = (int8_t)p[0];
    } else if (known && data.type == UINT16 && size == 2) {
        *out = p[0] | p[1] << 8;
    } else if (known && data.type == INT16 && size == 2) {
        *out = (int16_t)(p[0] | p[1] << 8);
    } else if (known && data.type == INT32 && size == 4) {
        *out = (int32_t)little32(p);
    } else if (known && data.type == UINT32 && size == 4) {
        *out = little32(p);
    } else if (known && data.type == DOUBLE && size == 8) {
        const uint64_t bits = (uint64_t)little32(p + 4) << 32 | little32(p);
        memcpy(out, &bits, sizeof(*out));
    } else {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: %s of structure %d is not one number",
                       matlab->path, field, i + 1);
    }
    return FV_OK;
}
