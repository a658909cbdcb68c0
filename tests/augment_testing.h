/* SPDX-License-Identifier: Apache-2.0 */
/* tests/augment_testing.h - one picture, through a pipeline with an operation to test. */
#ifndef FV_TESTS_AUGMENT_TESTING_H
#define FV_TESTS_AUGMENT_TESTING_H

#include "picture_testing.h"
#include "pipeline_testing.h"

#include "base/compiler.h"
#include "data/pixels.h"

#include <math.h>

enum { SIDE = 40, FLOATS = SIDE * SIDE * 3, ROUNDS = 600 };

/* The floats are the bytes, so that 0 comes from erasing alone: no byte of the picture is 0. */
#define BEFORE "- DecodeImage: {backend: pil}\n"
#define AFTER  "- NormalizeImage: {scale: 1, mean: 0, std: 1}\n"

static uint8_t *file;
static size_t file_bytes;
static fv_picture plain; /* what the pipelines see */

static inline int make_file(void **state)
{
    (void)state;
    fv_picture p = { 0 };
    testing_picture(&p, SIDE, SIDE, "augment");
    for (int i = 0; i < FLOATS; i++) p.data[i] = (uint8_t)(40 + p.data[i] / 2);
    testing_jpeg(&p, false, &file, &file_bytes);
    assert_ok(fv_decode(&plain, file, file_bytes, NULL, &testing_err));
    fv_picture_deinit(&p);
    return 0;
}

static inline int free_file(void **state)
{
    (void)state;
    fv_picture_deinit(&plain);
    fv_free(file);
    return 0;
}

static inline run *open_ops(const char *before, const char *after)
{
    static char text[1024];
    snprintf(text, sizeof(text), BEFORE "%s- CropImage: {size: 40}\n" AFTER "%s", before, after);
    run *r = malloc(sizeof(*r));
    open_run(r, text);
    return r;
}

static inline void close_ops(run *r)
{
    close_run(r);
    free(r);
}

static inline void apply_in(run *r, uint32_t epoch, uint64_t sample)
{
    fv_random random = fv_random_stream(3, FV_RANDOM_AUGMENT, epoch, sample);
    assert_ok(
        fv_pipeline_run(r->pipeline, r->scratch, file, file_bytes, &random, r->out, &testing_err));
}

static inline void apply(run *r, uint64_t sample) { apply_in(r, 0, sample); }

static inline bool equals(const run *r, const fv_picture *p)
{
    for (int i = 0; i < FLOATS; i++)
        if (r->out[i] != (float)p->data[i]) return false;
    return true;
}

static inline bool near_share(int count, double share)
{
    return fabs((double)count / ROUNDS - share) < 0.06;
}

#endif /* FV_TESTS_AUGMENT_TESTING_H */
