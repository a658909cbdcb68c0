/* SPDX-License-Identifier: Apache-2.0 */
/* data/transform.h - the operations a picture goes through, from a config's transform_ops.
 *
 * A pipeline is made once from a list such as
 *
 *     - DecodeImage: {to_rgb: True, channel_first: False}
 *     - RandCropImage: {size: 224}
 *     - RandFlipImage: {flip_code: 1}
 *     - NormalizeImage: {scale: 1.0/255.0, mean: [...], std: [...], order: ''}
 *
 * and then run on one picture at a time by any number of threads, each with a scratch of its
 * own. What is random comes from the stream that the caller passes, and from nothing else.
 * Semantics: PaddleClas 2.6, ppcls/data/preprocess; where it is broken, as it was meant.
 * Adding one: a row in the table of transform.c.
 */
#ifndef FV_DATA_TRANSFORM_H
#define FV_DATA_TRANSFORM_H

#include "base/config.h"
#include "base/random.h"
#include "data/resize.h"

typedef struct fv_pipeline fv_pipeline;

/* `ops` is the list (or NULL, an error naming `where`). The config must outlive the pipeline. The
 * pipeline must begin with DecodeImage and hold NormalizeImage (once) with sizes known by then. */
fv_status fv_pipeline_create(fv_pipeline **out, fv_config_node *ops, const char *where,
                             fv_error *err);

/* The same with pictures of side x side pixels coming out, which RandCropImage or RandomResizedCrop
 * decides; without one of these an error. */
fv_status fv_pipeline_create_sized(fv_pipeline **out, fv_config_node *ops, const char *where,
                                   int side, fv_error *err);

/* The usual evaluation pipeline, without a config (`predict --resize-short 256 --crop 224`). */
typedef struct fv_pipeline_options {
    fv_profile profile; /* also decides EXIF: opencv applies it */
    fv_filter filter;   /* FV_NEAREST is 0: set FV_BILINEAR */
    bool torchvision;   /* sizes and origins rounded as there; else as in PaddleClas */
    int resize_short;   /* pixels; 0: none */
    int crop;           /* pixels, centre; 0: none */
    float mean[3], std[3];
} fv_pipeline_options;
fv_status fv_pipeline_create_eval(fv_pipeline **out, const fv_pipeline_options *options,
                                  fv_error *err);
void fv_pipeline_destroy(fv_pipeline *pipeline); /* accepts NULL */

/* Height and width of what comes out, in pixels. */
void fv_pipeline_size(const fv_pipeline *pipeline, int *height, int *width);

/* One line that says what the pipeline does, stored in checkpoints and compared at evaluation, e.g.
 * "decode(opencv) resize_short(256,bilinear,opencv) crop(224) normalize(...)"; freed with
 * fv_free(). NULL: out of memory. */
char *fv_pipeline_describe(const fv_pipeline *pipeline);

/* True if nothing in it is random. */
bool fv_pipeline_is_fixed(const fv_pipeline *pipeline);

typedef struct fv_pipeline_scratch fv_pipeline_scratch; /* one per thread */
fv_status fv_pipeline_scratch_create(fv_pipeline_scratch **out, fv_error *err);
void fv_pipeline_scratch_destroy(fv_pipeline_scratch *scratch); /* accepts NULL */

/* From the bytes of a file to `out`: height * width * 3 floats, NHWC, dense. */
fv_status fv_pipeline_run(const fv_pipeline *pipeline, fv_pipeline_scratch *scratch,
                          const uint8_t *bytes, size_t size, fv_random *random, float *out,
                          fv_error *err);

/* Back from `floats`, in the form of what fv_pipeline_run() makes, to the nearest bytes, R G B. */
void fv_pipeline_restore(const fv_pipeline *pipeline, const float *floats, uint8_t *bytes);

#endif /* FV_DATA_TRANSFORM_H */
