/* SPDX-License-Identifier: Apache-2.0 */
/* tests/conv_specimen.h - convolutions drawn at random, and what they are by definition.
 *
 * Buffers are laid out to catch what usually goes wrong. Pixel strides exceed the channels: the gap
 * holds NaN in inputs, which would spread, and a guard value in outputs, which must survive; so
 * does the memory after the end. Pointers are off every alignment but a float's.
 */
#ifndef FV_TESTS_CONV_SPECIMEN_H
#define FV_TESTS_CONV_SPECIMEN_H

#include "base/random.h"
#include "kernels/kernels.h"

#define SPECIMEN_GUARD 12345.0f

typedef struct plane {
    float *block, *at; /* the first pixel lies off alignment in its block */
    int pixels, channels, stride;
    size_t floats; /* from `at` to the end */
} plane;

typedef struct specimen {
    fv_conv c;
    int taps, group_in, group_out;
    plane x, y, residual; /* inputs; y stands for dy too */
    float *w, *bias;
    size_t weights;
    fv_activation act;
    bool with_bias, with_residual, accumulate;
} specimen;

/* Values in [-1, 1), and `gap` where no channel is. Free `block`. */
plane plane_make(fv_random *r, int pixels, int channels, float gap);
plane plane_copy(const plane *from);

specimen specimen_make(fv_random *r);
specimen specimen_of(fv_random *r, fv_conv c); /* of a given shape */
void specimen_free(specimen *s);

/* The definition, summed in double: y, dx and dw hold what was there before, and are replaced, or
 * added to if the specimen says so. */
void specimen_forward(const specimen *s, plane *y);
void specimen_data(const specimen *s, plane *dx);
void specimen_weights(const specimen *s, float *dw);

/* Fail with the shape of the specimen. Close: to a rounding error for each of `products`. */
void specimen_assert_close(const specimen *s, const char *what, double expected, double actual,
                           double products, size_t at);
void specimen_assert_planes(const specimen *s, const char *what, const plane *expected,
                            const plane *actual, double products);
/* Bit for bit. */
void specimen_assert_same(const specimen *s, const char *what, const float *a, const float *b,
                          size_t floats);

#endif /* FV_TESTS_CONV_SPECIMEN_H */
