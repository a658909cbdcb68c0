/* SPDX-License-Identifier: Apache-2.0 */
/* data/decode.h - from the bytes of a file to 8-bit RGB.
 *
 * JPEG (libjpeg-turbo, accurate integer IDCT, fancy upsampling) and PNG (libpng), told apart by
 * their first bytes, never by a name. What comes out are Pillow's convert("RGB") bytes: grey
 * is replicated, CMYK and YCCK are converted (Adobe files un-inverted), alpha is dropped,
 * palettes are expanded, 16 bits keep the high byte. The bytes are hostile: sizes are
 * bounded before anything is allocated, and every error names what is wrong.
 */
#ifndef FV_DATA_DECODE_H
#define FV_DATA_DECODE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A picture: height rows of width * 3 bytes R, G, B, dense. The memory grows as needed and is
 * reused by the next decode into the same struct. */
typedef struct fv_picture {
    int width, height; /* pixels */
    uint8_t *data;     /* owned; fv_picture_deinit() frees it */
    size_t capacity;   /* bytes */
    bool damaged;      /* its file was, and what could not be read has been guessed */
} fv_picture;

/* Sets the size; the pixels are then arbitrary. Fails for a size < 1 and when out of memory. */
fv_status fv_picture_reserve(fv_picture *picture, int width, int height, fv_error *err);
void fv_picture_deinit(fv_picture *picture); /* accepts an all-zero struct */

/* A part of a picture, in its pixels. */
typedef struct fv_rect {
    int x, y, width, height;
} fv_rect;

typedef struct fv_decode_options {
    bool apply_exif; /* turn as the JPEG's EXIF orientation says (OpenCV does, Pillow does not) */
    int64_t max_pixels; /* refuse more; 0: 178956970, where Pillow refuses too */
    int shrink; /* 2, 4, 8: sides of a JPEG divided by that and rounded up, each block of 8 x 8 made
                   with so many pixels less; 0, 1: no. Of no influence on max_pixels */
} fv_decode_options;

/* Truncated data is an error, as in Pillow. Messages have no file name; callers prepend it.
 * `options` may be NULL: all zero. After an error the picture's pixels are arbitrary. */
fv_status fv_decode(fv_picture *picture, const uint8_t *bytes, size_t size,
                    const fv_decode_options *options, fv_error *err);

/* As fv_decode(), but of `part` alone if that is less work: the same bytes for less. `part` lies
 * inside the picture and becomes what has been decoded of it, at least what was asked for. Damage
 * elsewhere may go unseen, but not that the file ends too early. */
fv_status fv_decode_part(fv_picture *picture, const uint8_t *bytes, size_t size,
                         const fv_decode_options *options, fv_rect *part, fv_error *err);

typedef enum fv_format { FV_JPEG, FV_PNG } fv_format;

/* What the header says: of the picture that fv_decode() would make, and of what it is made from. */
typedef struct fv_decode_info {
    int width, height; /* pixels */
    bool shrinks;      /* fv_decode_options.shrink matters */
    fv_format format;
    int channels;    /* 1 grey, 3 colour, 4 CMYK or YCCK; without alpha */
    int bits;        /* per channel; of a palette's colours, not of its indices */
    int orientation; /* 1 to 8, of a JPEG's EXIF data, heeded or not; 1: upright, or not told */
    bool alpha;      /* transparency, which will be dropped */
    bool animated;   /* more pictures follow, which will not be read */
} fv_decode_info;
fv_status fv_decode_read_info(fv_decode_info *info, const uint8_t *bytes, size_t size,
                              const fv_decode_options *options, fv_error *err);

/* Reads the file and decodes; messages begin with the path. At most 256 MiB. */
fv_status fv_decode_file(fv_picture *picture, const char *path, const fv_decode_options *options,
                         fv_error *err);

#endif /* FV_DATA_DECODE_H */
