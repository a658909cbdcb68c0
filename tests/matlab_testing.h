/* SPDX-License-Identifier: Apache-2.0 */
/* tests/matlab_testing.h - MATLAB 5 files, made byte by byte: synsets as the devkit has them. */
#ifndef FV_TESTS_MATLAB_TESTING_H
#define FV_TESTS_MATLAB_TESTING_H

#include "tar_testing.h"

#include <zlib.h>

typedef struct mat_synset {
    double id;
    const char *wnid, *words;
    int children;
} mat_synset;

static inline void mat_put(tar_bytes *b, const void *bytes, size_t size)
{
    unsigned char *to = tar_extend(b, size);
    if (size) memcpy(to, bytes, size);
}

/* Small ones in the short form, as MATLAB writes them. */
static inline void mat_element(tar_bytes *b, uint32_t type, const void *bytes, size_t size)
{
    if (size > 0 && size <= 4) {
        const uint32_t tag = type | (uint32_t)size << 16;
        mat_put(b, &tag, 4);
        mat_put(b, bytes, size);
        tar_extend(b, 4 - size);
        return;
    }
    const uint32_t tag[2] = { type, (uint32_t)size };
    mat_put(b, tag, 8);
    mat_put(b, bytes, size);
    tar_extend(b, (8 - size % 8) % 8);
}

/* Flags, dimensions and name of an array; then its elements follow. */
static inline void mat_header(tar_bytes *b, uint32_t kind, int32_t rows, int32_t columns,
                              const char *name)
{
    const uint32_t flags[2] = { kind, 0 };
    const int32_t dims[2] = { rows, columns };
    mat_element(b, 6, flags, 8);
    mat_element(b, 5, dims, 8);
    mat_element(b, 1, name, strlen(name));
}

/* Appends `array` as an element of type miMATRIX, and forgets it. */
static inline void mat_matrix(tar_bytes *b, tar_bytes *array)
{
    mat_element(b, 14, array->data, array->size);
    fv_free(array->data);
    *array = (tar_bytes){ .data = NULL };
}

static inline void mat_text(tar_bytes *b, const char *text)
{
    tar_bytes a = { .data = NULL };
    uint16_t wide[256];
    const size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) wide[i] = (unsigned char)text[i]; /* Latin-1 */
    mat_header(&a, 4, 1, (int32_t)length, "");
    mat_element(&a, 4, wide, 2 * length);
    mat_matrix(b, &a);
}

static inline void mat_number(tar_bytes *b, double number)
{
    tar_bytes a = { .data = NULL };
    const uint16_t small = (uint16_t)number;
    mat_header(&a, 6, 1, 1, "");
    if ((double)small == number)
        mat_element(&a, 4, &small, 2); /* a double, stored as what it fits into */
    else
        mat_element(&a, 9, &number, 8);
    mat_matrix(b, &a);
}

/* The variable `synsets`, an element of type miMATRIX. */
static inline void mat_synsets(tar_bytes *b, const mat_synset *synsets, int count)
{
    enum { FIELDS = 5, NAME = 32 };
    static const char names[FIELDS][NAME] = { "ILSVRC2012_ID", "WNID", "words", "gloss",
                                              "num_children" };
    const int32_t length = NAME;
    tar_bytes a = { .data = NULL };
    mat_header(&a, 2, count, 1, "synsets");
    mat_element(&a, 5, &length, 4);
    mat_element(&a, 1, names, sizeof(names));
    for (int i = 0; i < count; i++) {
        mat_number(&a, synsets[i].id);
        mat_text(&a, synsets[i].wnid);
        mat_text(&a, synsets[i].words);
        mat_text(&a, "what it is");
        mat_number(&a, synsets[i].children);
    }
    mat_matrix(b, &a);
}

/* A file with the elements of `variables`, each of them compressed if asked for. */
static inline void mat_file(tar_bytes *out, const tar_bytes *variables, int count, bool compress_it)
{
    unsigned char *header = tar_extend(out, 128);
    memset(header, ' ', 116);
    memcpy(header, "MATLAB 5.0 MAT-file", 19);
    memcpy(header + 124, "\x00\x01IM", 4);
    for (int i = 0; i < count; i++) {
        if (!compress_it) {
            mat_put(out, variables[i].data, variables[i].size);
            continue;
        }
        uLongf size = compressBound(variables[i].size);
        unsigned char *packed = fv_alloc(size);
        assert_int_equal(compress(packed, &size, variables[i].data, variables[i].size), Z_OK);
        const uint32_t tag[2] = { 15, (uint32_t)size };
        mat_put(out, tag, 8);
        mat_put(out, packed, size); /* not padded */
        fv_free(packed);
    }
}

/* meta.mat: another variable, then the synsets. */
static inline void mat_write_meta(const char *path, const mat_synset *synsets, int count,
                                  bool compress_it)
{
    tar_bytes variables[2] = { { .data = NULL }, { .data = NULL } }, file = { .data = NULL };
    mat_number(&variables[0], 7.0);
    mat_synsets(&variables[1], synsets, count);
    mat_file(&file, variables, 2, compress_it);
    fv_free(variables[0].data);
    fv_free(variables[1].data);
    tar_write(&file, path);
}

#endif /* FV_TESTS_MATLAB_TESTING_H */
