/* SPDX-License-Identifier: Apache-2.0 */
/* tests/tar_testing.h - tar archives, made byte by byte. */
#ifndef FV_TESTS_TAR_TESTING_H
#define FV_TESTS_TAR_TESTING_H

#include "testing.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum { TAR_BLOCK = 512 };

typedef struct tar_bytes {
    unsigned char *data;
    size_t size, room;
} tar_bytes;

/* Room for `more` zero bytes at the end, and where they begin. */
static inline unsigned char *tar_extend(tar_bytes *t, size_t more)
{
    if (t->size + more >= t->room) {
        t->room = 2 * t->room + more + 4096;
        unsigned char *bigger = fv_alloc(t->room);
        assert_non_null(bigger);
        if (t->size) memcpy(bigger, t->data, t->size);
        fv_free(t->data);
        t->data = bigger;
    }
    unsigned char *at = t->data + t->size;
    t->size += more;
    return at;
}

static inline void tar_sign(unsigned char *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < TAR_BLOCK; i++) sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
}

/* Header and content of one entry; the index of the header in t->data. */
static inline size_t tar_add(tar_bytes *t, char type, const char *name, const void *content,
                             size_t size)
{
    const size_t at = t->size;
    unsigned char *header = tar_extend(t, TAR_BLOCK);
    memcpy(header, name, strnlen(name, 100));
    snprintf((char *)header + 124, 12, "%011o", (unsigned)size);
    header[156] = (unsigned char)type;
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    tar_sign(header);
    unsigned char *body = tar_extend(t, (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK);
    if (size) memcpy(body, content, size);
    return at;
}

static inline void tar_end(tar_bytes *t) { tar_extend(t, (size_t)2 * TAR_BLOCK); }

/* Writes the archive and forgets it. */
static inline void tar_write(tar_bytes *t, const char *path)
{
    FILE *f = fopen(path, "w"); /* without the syncs of fv_file_write() */
    assert_non_null(f);
    assert_int_equal(fwrite(t->data, 1, t->size, f), t->size);
    assert_int_equal(fclose(f), 0);
    fv_free(t->data);
    *t = (tar_bytes){ .data = NULL };
}

#endif /* FV_TESTS_TAR_TESTING_H */
