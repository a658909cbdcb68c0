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

/* As fv_decode(), for bytes that begin as the format does; `options` has its max_pixels set. */
fv_status fv_decode_jpeg(fv_picture *picture, const uint8_t *bytes, size_t size,
                         const fv_decode_options *options, fv_error *err);
fv_status fv_decode_png(fv_picture *picture, const uint8_t *bytes, size_t size,
                        const fv_decode_options *options, fv_error *err);

/* Refuses more pixels than the options allow. */
fv_status fv_decode_check_size(uint64_t width, uint64_t height, const fv_decode_options *options,
                               fv_error *err);

#endif /* FV_DATA_DECODE_IMPL_H */
