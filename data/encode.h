/* SPDX-License-Identifier: Apache-2.0 */
/* data/encode.h - 8-bit RGB to the bytes of a baseline JPEG file (libjpeg-turbo), or of a PNG file
 * (libpng). */
#ifndef FV_DATA_ENCODE_H
#define FV_DATA_ENCODE_H

#include "data/decode.h"

typedef struct fv_jpeg_options {
    int quality;    /* 1 to 100 */
    bool subsample; /* chroma at half the size both ways (4:2:0), else at full size (4:4:4) */
} fv_jpeg_options;

/* `*bytes` is freed by the caller with fv_free(). Fails when out of memory, and for a picture that
 * is empty or has a side above 65500 pixels. */
fv_status fv_encode_jpeg(const fv_picture *image, const fv_jpeg_options *options, uint8_t **bytes,
                         size_t *size, fv_error *err);

/* The same, without loss. */
fv_status fv_encode_png(const fv_picture *image, uint8_t **bytes, size_t *size, fv_error *err);

#endif /* FV_DATA_ENCODE_H */
