/* SPDX-License-Identifier: Apache-2.0 */
/* data/resize_impl.h - what resize.c and the two profiles share. */
#ifndef FV_DATA_RESIZE_IMPL_H
#define FV_DATA_RESIZE_IMPL_H

#include "data/resize.h"

bool fv_profile_has(fv_profile profile, fv_filter filter);
const char *fv_profile_name(fv_profile profile); /* "pillow" */
const char *fv_filter_name(fv_filter filter);    /* "bilinear" */

/* The profiles; the job has been checked, the window is not empty. */
fv_status fv_resize_pillow(fv_resizer *r, const fv_resize_job *job, fv_error *err);
fv_status fv_resize_opencv(fv_resizer *r, const fv_resize_job *job, fv_error *err);
fv_status fv_resize_opencv_area(fv_resizer *r, const fv_resize_job *job, fv_error *err);

/* At least `bytes` of scratch, aligned, arbitrary contents. NULL: out of memory. */
void *fv_resizer_reserve(fv_resizer *r, size_t bytes);

/* The table for the processor at hand. */
const fv_kernels *fv_resizer_kernels(fv_resizer *r);

/* Rounded up, so that blocks of scratch stay aligned. */
static inline size_t fv_resize_align(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* What is held of the rect, in its pixels. */
fv_rect fv_resize_held(const fv_resize_job *job);

/* Pixel (x, y) of the rect, which must be held; rows are in->width pixels apart. */
static inline const uint8_t *fv_resize_pixel(const fv_resize_job *job, int x, int y)
{
    const size_t row = (size_t)(job->rect.y + y - job->held.y);
    const size_t column = (size_t)(job->rect.x + x - job->held.x);
    return job->in->data + (row * (size_t)job->in->width + column) * 3;
}

/* Every output pixel is one input pixel: columns[x], rows[y] of the rect. */
void fv_resize_pick(const fv_resize_job *job, const int *columns, const int *rows);

#endif /* FV_DATA_RESIZE_IMPL_H */
