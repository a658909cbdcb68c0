/* SPDX-License-Identifier: Apache-2.0 */
/* data/resize.h - resizing 8-bit RGB with the bytes of Pillow or of OpenCV.
 *
 * Two profiles, each exact to the last bit (the integer formulas are in the source):
 *   pillow: separable, antialiased: nearest, bilinear, bicubic, box, hamming, lanczos
 *   opencv: no antialiasing: nearest, bilinear (INTER_LINEAR), bicubic, area
 */
#ifndef FV_DATA_RESIZE_H
#define FV_DATA_RESIZE_H

#include "data/decode.h"
#include "kernels/kernels.h"

typedef enum fv_profile { FV_PILLOW, FV_OPENCV } fv_profile;

typedef enum fv_filter {
    FV_NEAREST,
    FV_BILINEAR,
    FV_BICUBIC,
    FV_BOX,
    FV_HAMMING,
    FV_LANCZOS,
    FV_AREA
} fv_filter;

/* Scratch that grows as needed; one per thread. */
typedef struct fv_resizer {
    void *memory;
    size_t bytes;
    fv_kernels kernels; /* chosen at the first use */
} fv_resizer;

void fv_resizer_deinit(fv_resizer *r); /* accepts an all-zero struct */

/* out = the part `rect` of a picture, cut out first, then resized to width x height; of which
 * `window` alone is made: the same bytes, less work. A window of all zeros is the whole. */
typedef struct fv_resize_job {
    const fv_picture *in;
    fv_rect held; /* the part of the picture that `in` holds; all zeros: the whole */
    fv_rect rect;
    int width, height;
    fv_profile profile;
    fv_filter filter;
    fv_rect window;
    fv_picture *out;
} fv_resize_job;

/* The part of the picture that is looked at: `in` need hold no more. It depends on rect, width,
 * height, filter and window, that must be as fv_resize() wants them. */
fv_rect fv_resize_reach(const fv_resize_job *job);

/* Fails for a filter that the profile does not have, for an empty rect or one outside, if `in` does
 * not hold what is looked at, for more than 178956970 pixels, and when out of memory. */
fv_status fv_resize(fv_resizer *r, const fv_resize_job *job, fv_error *err);

#endif /* FV_DATA_RESIZE_H */
