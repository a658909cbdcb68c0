/* SPDX-License-Identifier: Apache-2.0 */
/* cli/font.h - a small font for pictures: 5 x 8 dots a character, printable ASCII. */
#ifndef FV_CLI_FONT_H
#define FV_CLI_FONT_H

#include "data/decode.h"

enum {
    FV_FONT_DOT = 2,                   /* pixels on a side */
    FV_FONT_ADVANCE = 6 * FV_FONT_DOT, /* pixels from one character to the next */
    FV_FONT_LINE = 10 * FV_FONT_DOT    /* from one line to the next */
};

/* Writes the text with its upper left corner at (x, y), as far as whole characters fit into `width`
 * pixels; what is cut off shows as "..". Bytes that are no printable ASCII become '?', one for each
 * code point of UTF-8. */
void fv_font_draw(fv_picture *picture, int x, int y, int width, const char *text,
                  const uint8_t colour[3]);

#endif /* FV_CLI_FONT_H */
