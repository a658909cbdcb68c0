/* SPDX-License-Identifier: Apache-2.0 */
/* data/decode_impl.h - what decode.c and the decoders of the formats share. */
#ifndef FV_DATA_DECODE_IMPL_H
#define FV_DATA_DECODE_IMPL_H

#include "data/decode.h"

/* Limits that are not the format's own. */
enum {
    FV_DECODE_MAX_FILE = 256 << 20, /* bytes */
    FV_DECODE_MAX_SCANS = 100,      /* of a progressive JPEG; usual files have ten */
    FV_DECODE_MAX_PASSES = 24,      /* of all scans together over max_pixels: bounds the time */
    FV_DECODE_MAX_MEGABYTES = 1536  /* of libjpeg's own, for the coefficients of such a file */
};

/* One file on its way to pixels. */
typedef struct fv_decode_job {
    const uint8_t *bytes; /* they begin as the format does */
    size_t size;
    const fv_decode_options *options; /* max_pixels and shrink are set */
    fv_decode_info *info;             /* asked for if not NULL; else: */
    fv_picture *picture;
    fv_rect *part; /* or NULL: the whole */
} fv_decode_job;
fv_status fv_decode_jpeg(const fv_decode_job *asked, fv_error *err);
fv_status fv_decode_png(const fv_decode_job *asked, fv_error *err);

/* As fv_picture_reserve(), with room for so many bytes behind the pixels. */
fv_status fv_decode_reserve(fv_picture *picture, int width, int height, size_t more, fv_error *err);

/* Refuses more pixels than the options allow. */
fv_status fv_decode_check_size(uint64_t width, uint64_t height, const fv_decode_options *options,
                               fv_error *err);

#endif /* FV_DATA_DECODE_IMPL_H */
