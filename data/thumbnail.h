/* SPDX-License-Identifier: Apache-2.0 */
/* data/thumbnail.h - a picture for pages: small, upright, the bytes of a JPEG file. */
#ifndef FV_DATA_THUMBNAIL_H
#define FV_DATA_THUMBNAIL_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fv_thumbnail {
    uint8_t *bytes; /* owned */
    size_t size;
    int width, height; /* pixels */
} fv_thumbnail;

/* Of the picture in a file, its longer side `side` pixels or what it has if that is less. Messages
 * begin with the path. */
fv_status fv_thumbnail_make(fv_thumbnail *out, const char *path, int side, fv_error *err);
void fv_thumbnail_deinit(fv_thumbnail *thumbnail); /* accepts an all-zero struct */

#endif /* FV_DATA_THUMBNAIL_H */
