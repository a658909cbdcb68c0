/* SPDX-License-Identifier: Apache-2.0 */
/* data/resize_impl.h - what resize.c and the two profiles share. */
#ifndef FV_DATA_RESIZE_IMPL_H
#define FV_DATA_RESIZE_IMPL_H

#include "data/resize.h"

/* Vector code for the processor at hand, without a file of its own: a loop that the compiler
 * vectorises is inlined into a plain function and into one for AVX2. */
#if defined(__GNUC__) && defined(__x86_64__)
#define FV_RESIZE_AVX2 1
#define FV_TARGET_AVX2 __attribute__((target("avx2")))
#define FV_INLINE      static inline __attribute__((always_inline))
#else
#define FV_RESIZE_AVX2 0
#define FV_INLINE      static inline
#endif

bool fv_profile_has(fv_profile profile, fv_filter filter);
const char *fv_profile_name(fv_profile profile); /* "pillow" */
const char *fv_filter_name(fv_filter filter);    /* "bilinear" */

/* The profiles; the job has been checked, the window is not empty. */
fv_status fv_resize_pillow(fv_resizer *r, const fv_resize_job *job, fv_error *err);
fv_status fv_resize_opencv(fv_resizer *r, const fv_resize_job *job, fv_error *err);
fv_status fv_resize_opencv_area(fv_resizer *r, const fv_resize_job *job, fv_error *err);

/* At least `bytes` of scratch, aligned, arbitrary contents. NULL: out of memory. */
void *fv_resizer_reserve(fv_resizer *r, size_t bytes);

/* Rounded up, so that blocks of scratch stay aligned. */
static inline size_t fv_resize_align(size_t bytes) { return (bytes + 63) / 64 * 64; }

static inline const uint8_t *fv_resize_row(const fv_resize_job *job, int y)
{
    const size_t row = (size_t)(job->rect.y + y), column = (size_t)job->rect.x;
    return job->in->data + (row * (size_t)job->in->width + column) * 3;
}

/* Every output pixel is one input pixel: columns[x], rows[y] of the rect. */
void fv_resize_pick(const fv_resize_job *job, const int *columns, const int *rows);

#endif /* FV_DATA_RESIZE_IMPL_H */
