/* SPDX-License-Identifier: Apache-2.0 */
/* data/pixels.h - what Pillow does to the pixels of 8-bit RGB, with its bytes.
 *
 * Names and arguments are those of ImageOps, ImageEnhance and Image.transform. Enhancing blends the
 * picture with a degenerate of it: d + factor * (x - d), cut off at 0 and 255; factor 1 changes
 * nothing, 0 gives the degenerate, less or more goes beyond. Nothing here can fail but those with
 * a result of their own, when out of memory.
 */
#ifndef FV_DATA_PIXELS_H
#define FV_DATA_PIXELS_H

#include "data/resize.h"

/* ---- In place ---- */

void fv_pixels_invert(fv_picture *p);
void fv_pixels_posterize(fv_picture *p, int bits);        /* that are kept, 0 to 8 */
void fv_pixels_solarize(fv_picture *p, double threshold); /* bytes from there on are inverted */
void fv_pixels_solarize_add(fv_picture *p, int add);      /* to bytes below 128 */
void fv_pixels_autocontrast(fv_picture *p);               /* each channel stretched to 0..255 */
void fv_pixels_equalize(fv_picture *p);                   /* each channel's histogram flattened */
void fv_pixels_grayscale(fv_picture *p);                  /* luma (BT.601) in all channels */
void fv_pixels_brightness(fv_picture *p, float factor);   /* degenerate: black */
void fv_pixels_contrast(fv_picture *p, float factor);     /* degenerate: the mean luma */
void fv_pixels_color(fv_picture *p, float factor);        /* degenerate: luma */
/* To HSV, `shift` added to the hue byte (256 are a full circle), and back: loses some bits even
 * for 0, as Pillow does. */
void fv_pixels_hue(fv_picture *p, int shift);

/* ---- Into another picture ---- */

/* Degenerate: smoothed by a 3 x 3 filter; the outermost pixels stay. */
fv_status fv_pixels_sharpness(const fv_picture *in, float factor, fv_picture *out, fv_error *err);

/* out(x, y) = in(m[0] x' + m[1] y' + m[2], m[3] x' + m[4] y' + m[5]), where x' and y' are the
 * centre of a pixel; of the same size, and `fill` where that is outside. */
typedef struct fv_warp {
    double m[6];
    fv_filter filter; /* FV_NEAREST, FV_BILINEAR or FV_BICUBIC */
    uint8_t fill[3];
} fv_warp;

fv_status fv_pixels_warp(const fv_picture *in, const fv_warp *warp, fv_picture *out, fv_error *err);

/* The matrix that turns a picture of this size about its centre, counter-clockwise. */
void fv_warp_rotate(fv_warp *warp, double degrees, int width, int height);

#endif /* FV_DATA_PIXELS_H */
