/* SPDX-License-Identifier: Apache-2.0 */
#include "data/tar.h"

#include "base/compiler.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK = 512,
    MAX_NAME = PATH_MAX,   /* bytes with the final zero */
    MAX_RECORDS = 1 << 20, /* bytes of a pax header: room for the extended attributes of a file */
};

/* The fields of a header that are read: where, and how many bytes. */
enum {
    NAME = 0,
    NAME_BYTES = 100,
    SIZE = 124,
    SIZE_BYTES = 12,
    SUM = 148,
    SUM_BYTES = 8,
    TYPE = 156,
    MAGIC = 257,
    PREFIX = 345,
    PREFIX_BYTES = 155
};

struct fv_tar {
    char path[PATH_MAX]; /* for messages: of an inner archive "outer.tar/inner.tar" */
    int fd;
    bool owns_fd;
    uint64_t begin, end; /* of the archive, in the outermost file */
    uint64_t bytes;      /* of the outermost file */
    uint64_t next;       /* where the next header is */
    char name[MAX_NAME]; /* of the entry at hand */
    char *records;       /* of a pax header; MAX_RECORDS + 1 bytes, made when needed */
};

/* What headers before an entry say about it. */
typedef struct extras {
    bool has_name, has_size; /* the name is in tar->name */
    uint64_t size;
} extras;

static fv_status bad(const fv_tar *tar, uint64_t at, fv_error *err, const char *what)
{
    return fv_fail(err, FV_ERR_FORMAT, "%.300s: byte %llu: %s", tar->path,
                   (unsigned long long)(at - tar->begin), what);
}

/* ---- Numbers ---- */

/* Octal digits after blanks, ending at a blank, a zero byte or the end of the field; or, if the
 * first bit is set, base 256. Nothing but blanks is zero. False: neither, or too large. */
static bool read_number(const unsigned char *field, int bytes, uint64_t *out)
{
    uint64_t value = 0;
    int i = 0;
    if (field[0] & 0x80) {
        if (field[0] != 0x80) return false; /* negative, or above 2^63 */
        for (i = 1; i < bytes; i++) {
            if (value >> 55) return false;
            value = value << 8 | field[i];
        }
        *out = value;
        return true;
    }
    while (i < bytes && field[i] == ' ') i++;
    for (; i < bytes && field[i] >= '0' && field[i] <= '7'; i++) {
        value = value << 3 | (uint64_t)(field[i] - '0'); /* 12 digits at most */
    }
    *out = value;
    return i == bytes || field[i] == ' ' || field[i] == '\0';
}

/* Some old programs summed signed bytes. */
static bool sum_is_right(const unsigned char *header)
{
    uint64_t wanted;
    if (!read_number(header + SUM, SUM_BYTES, &wanted)) return false;
    int64_t plain = 0, with_sign = 0;
    for (int i = 0; i < BLOCK; i++) {
        const int byte = i >= SUM && i < SUM + SUM_BYTES ? ' ' : header[i];
        plain += byte;
        with_sign += byte < 128 ? byte : byte - 256;
    }
    return (int64_t)wanted == plain || (int64_t)wanted == with_sign;
}

static bool is_zero(const unsigned char *block)
{
    for (int i = 0; i < BLOCK; i++) {
        if (block[i]) return false;
    }
    return true;
}

/* ---- Names ---- */

/* Sets tar->name. */
static fv_status set_name(fv_tar *tar, uint64_t at, const char *name, size_t length, fv_error *err)
{
    if (length >= MAX_NAME) return bad(tar, at, err, "a name of more than 4095 bytes");
    memmove(tar->name, name, length);
    tar->name[length] = '\0';
    return FV_OK;
}

/* From the header itself. In GNU's format the place of the prefix holds other things. */
static void name_of_header(fv_tar *tar, const unsigned char *header)
{
    const char *text = (const char *)header;
    const bool prefixed = memcmp(text + MAGIC, "ustar\0", 6) == 0 && text[PREFIX];
    snprintf(tar->name, sizeof(tar->name), "%.*s%s%.*s", prefixed ? PREFIX_BYTES : 0, text + PREFIX,
             prefixed ? "/" : "", NAME_BYTES, text + NAME);
}

/* ---- Headers about the next header ---- */

static fv_status read_long_name(fv_tar *tar, uint64_t at, const fv_tar_entry *e, extras *x,
                                fv_error *err)
{
    if (e->size > MAX_NAME) return bad(tar, at, err, "a name of more than 4095 bytes");
    FV_TRY(fv_tar_read(tar, e->offset, tar->name, (size_t)e->size, err));
    FV_TRY(set_name(tar, at, tar->name, strnlen(tar->name, (size_t)e->size), err));
    x->has_name = true;
    return FV_OK;
}

static bool read_decimal(const char *text, size_t length, uint64_t *out)
{
    uint64_t value = 0;
    if (length == 0 || length > 18) return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = value;
    return true;
}

/* One "key=value" of a pax header. */
static fv_status read_record(fv_tar *tar, uint64_t at, const char *key, size_t length, extras *x,
                             fv_error *err)
{
    const char *equals = memchr(key, '=', length);
    if (!equals) return bad(tar, at, err, "a pax record without \"=\"");
    const char *value = equals + 1;
    const size_t key_length = (size_t)(equals - key), value_length = length - key_length - 1;
    if (key_length == 4 && memcmp(key, "path", 4) == 0) {
        if (memchr(value, '\0', value_length)) {
            return bad(tar, at, err, "a name with a zero byte in it");
        }
        FV_TRY(set_name(tar, at, value, value_length, err));
        x->has_name = true;
    } else if (key_length == 4 && memcmp(key, "size", 4) == 0) {
        if (!read_decimal(value, value_length, &x->size)) {
            return bad(tar, at, err, "a pax record with a size that is no number");
        }
        x->has_size = true;
    } else if (key_length >= 11 && memcmp(key, "GNU.sparse.", 11) == 0) {
        return bad(tar, at, err, "a sparse file, which is not supported: pack it without --sparse");
    }
    return FV_OK;
}

/* Records "25 path=...\n"; the number is the length of all of it. */
static fv_status read_records(fv_tar *tar, uint64_t at, const fv_tar_entry *e, extras *x,
                              fv_error *err)
{
    if (e->size > MAX_RECORDS) return bad(tar, at, err, "a pax header of more than 1 MiB");
    if (!tar->records) tar->records = fv_alloc(MAX_RECORDS + 1);
    if (!tar->records) return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory", tar->path);
    FV_TRY(fv_tar_read(tar, e->offset, tar->records, (size_t)e->size, err));
    const char *p = tar->records, *end = p + e->size;
    while (p < end && *p) {
        const char *blank = memchr(p, ' ', (size_t)(end - p));
        uint64_t length = 0;
        if (!blank || !read_decimal(p, (size_t)(blank - p), &length) ||
            length > (uint64_t)(end - p) || length < (uint64_t)(blank - p) + 2 ||
            p[length - 1] != '\n') {
            return bad(tar, at, err, "a pax record of a wrong length");
        }
        FV_TRY(read_record(tar, at, blank + 1, (size_t)(p + length - 1 - (blank + 1)), x, err));
        p += length;
    }
    return FV_OK;
}

/* ---- Entries ---- */

/* Reads the header at tar->next. *more = false: the end mark. */
static fv_status read_header(fv_tar *tar, unsigned char *header, bool *more, fv_error *err)
{
    *more = false;
    if (tar->next == tar->end) {
        fv_log(FV_LOG_WARNING, "%s: no end mark: the archive may have been cut", tar->path);
        return FV_OK;
    }
    if (tar->end - tar->next < BLOCK) {
        return bad(tar, tar->next, err, "the archive ends within a header: it was cut");
    }
    FV_TRY(fv_tar_read(tar, tar->next, header, BLOCK, err));
    if (is_zero(header)) return FV_OK;
    if (!sum_is_right(header)) {
        return bad(tar, tar->next, err, "not a header of tar, or a damaged one: wrong checksum");
    }
    *more = true;
    return FV_OK;
}

static fv_tar_kind kind_of(const fv_tar *tar, char type)
{
    if (type == '5') return FV_TAR_FOLDER;
    if (type != '0' && type != '\0' && type != '7') return FV_TAR_OTHER;
    const size_t length = strlen(tar->name);
    return length && tar->name[length - 1] == '/' ? FV_TAR_FOLDER : FV_TAR_FILE;
}

/* Size and place of the content that follows a header, and where the next header is. */
static fv_status place(fv_tar *tar, const unsigned char *header, const extras *x, fv_tar_entry *e,
                       fv_error *err)
{
    const char type = (char)header[TYPE];
    const bool about_next = strchr("LKxg", type) && type;
    uint64_t size;
    if (type == 'S') {
        return bad(tar, tar->next, err,
                   "a sparse file, which is not supported: pack it without --sparse");
    }
    if (!read_number(header + SIZE, SIZE_BYTES, &size)) {
        return bad(tar, tar->next, err, "the size of an entry is no number");
    }
    if (x->has_size && !about_next) size = x->size;
    if (type >= '1' && type <= '6') size = 0; /* links, devices and folders have no content */
    const uint64_t offset = tar->next + BLOCK, room = tar->end - offset;
    if (size > room) {
        return fv_fail(err, FV_ERR_FORMAT,
                       "%.300s: byte %llu: an entry of %llu bytes, but only %llu are left: the "
                       "archive was cut",
                       tar->path, (unsigned long long)(tar->next - tar->begin),
                       (unsigned long long)size, (unsigned long long)room);
    }
    *e = (fv_tar_entry){ .name = tar->name, .size = size, .offset = offset };
    const uint64_t padded = (size + BLOCK - 1) / BLOCK * BLOCK;
    tar->next = offset + (padded < room ? padded : room);
    return FV_OK;
}

fv_status fv_tar_next(fv_tar *tar, fv_tar_entry *entry, bool *more, fv_error *err)
{
    unsigned char header[BLOCK];
    extras x = { .has_name = false };
    for (;;) {
        const uint64_t at = tar->next;
        FV_TRY(read_header(tar, header, more, err));
        if (!*more) return FV_OK;
        FV_TRY(place(tar, header, &x, entry, err));
        const char type = (char)header[TYPE];
        if (type == 'L') {
            FV_TRY(read_long_name(tar, at, entry, &x, err));
        } else if (type == 'x') {
            FV_TRY(read_records(tar, at, entry, &x, err));
        } else if (type != 'K' && type != 'g') { /* names of links, words about all entries */
            if (!x.has_name) name_of_header(tar, header);
            if (!tar->name[0]) return bad(tar, at, err, "an entry without a name");
            entry->kind = kind_of(tar, type);
            return FV_OK;
        }
    }
}

/* ---- Opening, reading ---- */

fv_status fv_tar_read(const fv_tar *tar, uint64_t offset, void *out, size_t bytes, fv_error *err)
{
    char *to = out;
    while (bytes > 0) {
        const ssize_t n = pread(tar->fd, to, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            return fv_fail(err, FV_ERR_IO, "%.300s: cannot read: %s", tar->path, strerror(errno));
        }
        if (n == 0) return fv_fail(err, FV_ERR_IO, "%.300s: it has become shorter", tar->path);
        to += n;
        bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return FV_OK;
}

/* The first block must be a header or the end mark, so that other files are told at once. */
static fv_status check_begin(fv_tar *tar, fv_error *err)
{
    static const struct {
        const char *magic, *name;
    } packers[] = { { "\x1f\x8b", "gzip" },
                    { "BZh", "bzip2" },
                    { "\xfd"
                      "7zXZ",
                      "xz" },
                    { "\x28\xb5\x2f\xfd", "zstd" } };
    unsigned char header[BLOCK] = { 0 };
    const uint64_t bytes = tar->end - tar->begin;
    FV_TRY(fv_tar_read(tar, tar->begin, header, bytes < BLOCK ? (size_t)bytes : BLOCK, err));
    for (size_t i = 0; i < FV_ARRAY_LEN(packers); i++) {
        if (memcmp(header, packers[i].magic, strlen(packers[i].magic)) == 0) {
            return fv_fail(err, FV_ERR_FORMAT, "%.300s: compressed with %s: decompress it first",
                           tar->path, packers[i].name);
        }
    }
    if (bytes >= BLOCK && (is_zero(header) || sum_is_right(header))) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%.300s: not a tar archive", tar->path);
}

static fv_status open_file(fv_tar *tar, const char *path, fv_error *err)
{
    struct stat info;
    if (snprintf(tar->path, sizeof(tar->path), "%s", path) >= (int)sizeof(tar->path)) {
        return fv_fail(err, FV_ERR_IO, "%.80s...: the path is too long", path);
    }
    /* Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever. */
    tar->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (tar->fd < 0) {
        return fv_fail(err, FV_ERR_IO, "%.300s: cannot open: %s", path, strerror(errno));
    }
    tar->owns_fd = true;
    if (fstat(tar->fd, &info) != 0) {
        return fv_fail(err, FV_ERR_IO, "%.300s: cannot read: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return fv_fail(err, FV_ERR_IO, "%.300s: not a regular file", path);
    }
    tar->end = tar->bytes = (uint64_t)info.st_size;
    return check_begin(tar, err);
}

static fv_status open_inside(fv_tar *tar, const fv_tar *outer, const fv_tar_entry *entry,
                             fv_error *err)
{
    const int length = snprintf(tar->path, sizeof(tar->path), "%s/%s", outer->path, entry->name);
    if (length < 0 || length >= (int)sizeof(tar->path)) {
        return fv_fail(err, FV_ERR_IO, "%.80s...: the path is too long", outer->path);
    }
    tar->fd = outer->fd;
    tar->bytes = outer->bytes;
    tar->begin = tar->next = entry->offset;
    tar->end = entry->offset + entry->size;
    return check_begin(tar, err);
}

static fv_status finish_open(fv_tar **out, fv_tar *tar, fv_status status)
{
    if (status == FV_OK) {
        *out = tar;
    } else {
        fv_tar_close(tar);
    }
    return status;
}

fv_status fv_tar_open(fv_tar **out, const char *path, fv_error *err)
{
    *out = NULL;
    fv_tar *tar = fv_alloc(sizeof(*tar));
    if (!tar) return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory", path);
    return finish_open(out, tar, open_file(tar, path, err));
}

fv_status fv_tar_open_inside(fv_tar **out, const fv_tar *outer, const fv_tar_entry *entry,
                             fv_error *err)
{
    *out = NULL;
    fv_tar *tar = fv_alloc(sizeof(*tar));
    if (!tar) return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory", outer->path);
    return finish_open(out, tar, open_inside(tar, outer, entry, err));
}

void fv_tar_close(fv_tar *tar)
{
    if (!tar) return;
    if (tar->owns_fd) close(tar->fd);
    fv_free(tar->records);
    fv_free(tar);
}

uint64_t fv_tar_bytes(const fv_tar *tar) { return tar->bytes; }
uint64_t fv_tar_position(const fv_tar *tar) { return tar->next; }
