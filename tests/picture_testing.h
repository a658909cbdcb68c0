/* SPDX-License-Identifier: Apache-2.0 */
/* tests/picture_testing.h - pictures and files of pictures, made on the spot. */
#ifndef FV_TESTS_PICTURE_TESTING_H
#define FV_TESTS_PICTURE_TESTING_H

#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "data/decode.h"
#include "data/encode.h"
#include "data/resize.h"

#include <stdio.h>
#include <string.h>

/* The same on every machine: smooth, with some noise, different in all channels. */
static inline void testing_picture(fv_picture *p, int width, int height, const char *name)
{
    assert_ok(fv_picture_reserve(p, width, height, &testing_err));
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash(name));
    const int slope = fv_random_int(&r, 1, 5), shift = fv_random_int(&r, 0, 255);
    uint8_t *q = p->data;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            for (int c = 0; c < 3; c++) {
                const int noise = (int)(fv_random_u32(&r) % 32);
                *q++ = (uint8_t)((x * slope + y * (c + 1) + shift * c + noise) & 255);
            }
        }
    }
}

static inline void testing_noise(fv_picture *p, int width, int height, const char *name)
{
    assert_ok(fv_picture_reserve(p, width, height, &testing_err));
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash(name));
    for (int i = 0; i < width * height * 3; i++) p->data[i] = (uint8_t)fv_random_u32(&r);
}

static inline void testing_jpeg(const fv_picture *p, bool subsample, uint8_t **bytes, size_t *size)
{
    const fv_jpeg_options options = { .quality = 90, .subsample = subsample };
    assert_ok(fv_encode_jpeg(p, &options, bytes, size, &testing_err));
}

/* The whole picture. */
static inline void testing_resize(const fv_picture *in, int width, int height, fv_profile profile,
                                  fv_filter filter, fv_picture *out)
{
    fv_resizer resizer = { 0 };
    const fv_resize_job job = { .in = in,
                                .rect = { 0, 0, in->width, in->height },
                                .width = width,
                                .height = height,
                                .profile = profile,
                                .filter = filter,
                                .out = out };
    assert_ok(fv_resize(&resizer, &job, &testing_err));
    fv_resizer_deinit(&resizer);
}

/* folder/name, in the test's folder; the path in a static buffer. */
static inline const char *testing_path(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", testing_folder(), name);
    return path;
}

/* Without the syncs of fv_file_write(). */
static inline void testing_write(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(testing_path(name), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* A JPEG of its own for every name. */
static inline void testing_write_jpeg(const char *name, int width, int height)
{
    fv_picture p = { 0 };
    uint8_t *bytes = NULL;
    size_t size = 0;
    testing_picture(&p, width, height, name);
    testing_jpeg(&p, true, &bytes, &size);
    testing_write(name, bytes, size);
    fv_free(bytes);
    fv_picture_deinit(&p);
}

static inline uint32_t testing_crc32(const uint8_t *p, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

#endif /* FV_TESTS_PICTURE_TESTING_H */
