/* SPDX-License-Identifier: Apache-2.0 */
/* base/shape.h - every tensor is a matrix of pixels.
 *
 *              channel ->
 *            +--------------+----------+
 *   pixel 0  | c0 c1 c2 ... | not ours |    rows    = n * h * w pixels
 *   pixel 1  |              |          |    columns = c channels, contiguous
 *   ...      |              |          |    pixel_stride = floats per row, >= c
 *            +--------------+----------+
 *             <---- c ----->
 *             <----- pixel_stride ----->
 *
 * A block of columns is again such a matrix, with the same pixel_stride. That is
 * why channel concatenation and splitting move no data.
 */
#ifndef FV_BASE_SHAPE_H
#define FV_BASE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

/* Images, height, width, channels. A vector per image is [n, 1, 1, c]. */
typedef struct fv_shape {
    int n, h, w, c;
} fv_shape;

/* A shape, with memory under it. Does not own the memory. */
typedef struct fv_view {
    float *data; /* NULL: absent */
    fv_shape shape;
    ptrdiff_t pixel_stride; /* floats */
} fv_view;

static inline int fv_shape_pixels(fv_shape s) { return s.n * s.h * s.w; }

static inline size_t fv_shape_floats(fv_shape s)
{
    return (size_t)s.n * (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static inline bool fv_shape_equal(fv_shape a, fv_shape b)
{
    return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c;
}

/* Channels of pixel number `pixel`, counted over (n, h, w). */
static inline float *fv_pixel(fv_view v, int pixel) { return v.data + pixel * v.pixel_stride; }

/* First pixel of image n. */
static inline float *fv_image(fv_view v, int n)
{
    return v.data + (ptrdiff_t)n * v.shape.h * v.shape.w * v.pixel_stride;
}

#endif /* FV_BASE_SHAPE_H */
