/* SPDX-License-Identifier: Apache-2.0 */
/* data/inspect.h - what one file is, beyond its pixels: for those who check a data set. */
#ifndef FV_DATA_INSPECT_H
#define FV_DATA_INSPECT_H

#include "base/hash.h"
#include "data/decode.h"

enum {
    FV_TINY_SIDE = 32,  /* pixels; a picture with a shorter side is tiny */
    FV_LONG_ASPECT = 4, /* a picture with sides more unequal than 1 to this is long */
    FV_HUGE_PIXELS = 50000000
};

/* What is unusual about a file that can be read. Name for programs, and what is the matter. */
#define FV_ODDITY_LIST(X) \
    X(FV_ODD_DAMAGED, "damaged", "data damaged: part of the picture is guessed") \
    X(FV_ODD_EXTENSION, "wrong_extension", "JPEG named .png, or PNG named .jpg") \
    X(FV_ODD_CMYK, "cmyk", "CMYK or YCCK: converted to RGB") \
    X(FV_ODD_TURNED, "exif_orientation", "EXIF says that it must be turned") \
    X(FV_ODD_BITS, "sixteen_bit", "16 bits per channel: 8 are used") \
    X(FV_ODD_ANIMATED, "animated", "animated: the first frame is used") \
    X(FV_ODD_ALPHA, "alpha", "transparency: dropped") \
    X(FV_ODD_GREY, "grey", "grey: one channel, used three times") \
    X(FV_ODD_TINY, "tiny", "a side below 32 pixels") \
    X(FV_ODD_LONG, "extreme_aspect", "one side is more than 4 times the other") \
    X(FV_ODD_HUGE, "huge", "more than 50 million pixels: slow to read")

typedef enum fv_oddity {
#define X(name, key, text) name,
    FV_ODDITY_LIST(X)
#undef X
        FV_ODDITIES
} fv_oddity;

typedef struct fv_inspection {
    int width, height; /* pixels, as they lie in the file; 0: not even the header can be read */
    uint32_t oddities; /* bits 1 << fv_oddity */
    fv_hash file;      /* of its bytes */
    fv_hash pixels;    /* of size and pixels, as they lie */
    /* Over the pixels, of R, G, B from 0 to 255: their sum and that of their squares. */
    uint64_t sum[3], squares[3];
} fv_inspection;

/* Decodes into `scratch`, that is kept from file to file and then holds the picture, not turned.
 * `name` tells what the file says it is. If it fails, `file` is set all the same; messages have no
 * name. */
fv_status fv_inspect(fv_inspection *out, fv_picture *scratch, const char *name,
                     const uint8_t *bytes, size_t size, fv_error *err);

#endif /* FV_DATA_INSPECT_H */
