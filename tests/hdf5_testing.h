/* SPDX-License-Identifier: Apache-2.0 */
/* tests/hdf5_testing.h - a file with some of everything, written, and read to the last bit. */
#ifndef FV_TESTS_HDF5_TESTING_H
#define FV_TESTS_HDF5_TESTING_H

#include "testing.h"

#include "base/memory.h"
#include "io/hdf5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "<folder of this test>/name", valid until the call after next. */
static inline const char *in_folder(const char *name)
{
    static char paths[2][256];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", testing_folder(), name);
    return paths[turn];
}

/* Fails unless the call fails with this status and message, in which %s stands for the path. */
#define assert_fails(call, wanted_status, format, path) \
    do { \
        char expected[1024]; \
        snprintf(expected, sizeof(expected), format, path); \
        assert_int_equal(call, wanted_status); \
        assert_string_equal(testing_err.message, expected); \
    } while (0)

enum { SMALL = 6, LARGE = 300 * 1100 };

static float small[SMALL], large[LARGE];

/* A file with some of everything: tensors of all shapes, text, numbers. */
static inline fv_status write_all(const char *path, const char *text)
{
    static const float one = 0.5f, none = 0.0f;
    fv_h5_writer *w = NULL;
    testing_fill("small", small, SMALL);
    testing_fill("large", large, LARGE);
    small[0] = NAN;
    small[1] = -0.0f;
    FV_TRY(fv_h5_create(&w, path, &testing_err));
    fv_status status =
        fv_h5_write_floats(w, "model", "z.weight", 2, (int64_t[]){ 2, 3 }, small, &testing_err);
    if (status == FV_OK)
        status = fv_h5_write_floats(w, "optimizer", "velocity/z.weight", 1, (int64_t[]){ 6 }, small,
                                    &testing_err);
    if (status == FV_OK)
        status = fv_h5_write_floats(w, "model", "a 100%", 2, (int64_t[]){ 300, 1100 }, large,
                                    &testing_err);
    if (status == FV_OK) status = fv_h5_write_floats(w, "model", ".", 0, NULL, &one, &testing_err);
    if (status == FV_OK)
        status =
            fv_h5_write_floats(w, "model", "empty", 2, (int64_t[]){ 4, 0 }, &none, &testing_err);
    if (status == FV_OK) status = fv_h5_write_text(w, "classes", text, &testing_err);
    if (status == FV_OK) status = fv_h5_write_text(w, "empty", "", &testing_err);
    if (status == FV_OK) status = fv_h5_write_long(w, "step", INT64_MIN, &testing_err);
    if (status == FV_OK) status = fv_h5_write_double(w, "best", 0.1, &testing_err);
    if (status == FV_OK) return fv_h5_commit(w, &testing_err);
    fv_h5_discard(w);
    return status;
}

/* Reads all that write_all() wrote; FV_OK only if every bit of it is as written. */
static inline fv_status read_all(const char *path, const char *text)
{
    static float values[LARGE];
    fv_h5_reader *r = NULL;
    char **names = NULL, *got = NULL;
    int count = 0;
    int64_t step = 0;
    double best = 0;
    FV_TRY(fv_h5_open(&r, path, &testing_err));
    fv_status status = fv_h5_read_floats(r, "model", "z.weight", SMALL, values, &testing_err);
    bool same = memcmp(values, small, sizeof(small)) == 0;
    if (status == FV_OK)
        status =
            fv_h5_read_floats(r, "optimizer", "velocity/z.weight", SMALL, values, &testing_err);
    same = same && memcmp(values, small, sizeof(small)) == 0;
    if (status == FV_OK)
        status = fv_h5_read_floats(r, "model", "a 100%", LARGE, values, &testing_err);
    same = same && memcmp(values, large, sizeof(large)) == 0;
    if (status == FV_OK) status = fv_h5_read_floats(r, "model", ".", 1, values, &testing_err);
    same = same && values[0] == 0.5f;
    if (status == FV_OK) status = fv_h5_read_floats(r, "model", "empty", 0, values, &testing_err);
    if (status == FV_OK) status = fv_h5_read_text(r, "classes", &got, &testing_err);
    same = same && got && strcmp(got, text) == 0;
    if (status == FV_OK) status = fv_h5_read_long(r, "step", &step, &testing_err);
    if (status == FV_OK) status = fv_h5_read_double(r, "best", &best, &testing_err);
    same = same && step == INT64_MIN && best == 0.1;
    if (status == FV_OK) status = fv_h5_list(r, "model", &names, &count, &testing_err);
    same = same && count == 4 && strcmp(names[0], "z.weight") == 0 &&
           strcmp(names[1], "a 100%") == 0 && strcmp(names[2], ".") == 0 &&
           strcmp(names[3], "empty") == 0;
    fv_h5_names_free(names, count);
    fv_free(got);
    fv_h5_close(r);
    if (status == FV_OK && !same) fail_msg("%s: read without an error, but not as written", path);
    return status;
}

#endif /* FV_TESTS_HDF5_TESTING_H */
