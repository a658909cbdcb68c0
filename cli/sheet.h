/* SPDX-License-Identifier: Apache-2.0 */
/* cli/sheet.h - a contact sheet: pictures of one size in rows, two lines of text below each.
 *
 * Pictures that are small are drawn enlarged, pixel by pixel, so that the text below has room.
 */
#ifndef FV_CLI_SHEET_H
#define FV_CLI_SHEET_H

#include "data/decode.h"

typedef struct fv_sheet {
    fv_picture page; /* owned */
    int columns, width, height, scale;
} fv_sheet;

/* For `count` pictures of width x height, in at most `columns` columns. Fails for a page of more
 * than 2^28 pixels, and when out of memory. */
fv_status fv_sheet_init(fv_sheet *out, int count, int columns, int width, int height,
                        fv_error *err);
void fv_sheet_deinit(fv_sheet *sheet); /* accepts an all-zero struct */

/* Number i; pixels are height * width * 3 bytes R G B. */
void fv_sheet_put(fv_sheet *sheet, int i, const uint8_t *pixels, const char *first,
                  const char *second);

#endif /* FV_CLI_SHEET_H */
