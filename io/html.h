/* SPDX-License-Identifier: Apache-2.0 */
/* io/html.h - a page for people: one file that refers to nothing outside itself.
 *
 * A page grows in memory by appending. The first failure (out of memory) sticks: later calls do
 * nothing, and fv_html_end() reports it. What comes from outside goes in through fv_html_text()
 * or fv_html_image() and cannot become markup.
 *
 * The style sheet follows the reader's choice of light or dark, fits narrow screens, and knows:
 *
 *     <div class=cards><div class=card>   a figure in <b>, its meaning in <span>
 *     <div class=charts>                  charts side by side where there is room
 *     <div class=scroll><table>           numbers in cells with class=n, a bar in class=bar
 *     <table class=matrix>                numbers in a square; <div class=map>: a picture of one
 *     <div class=thumbs><figure>          pictures with captions; class=path: may break anywhere
 *     <p class="verdict good">            or bad: the answer in a sentence
 *     <span class="tag bad">              or good, note: a word in a coloured box
 */
#ifndef FV_IO_HTML_H
#define FV_IO_HTML_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fv_html {
    char *text; /* owned; ends with a zero */
    size_t bytes, room;
    bool failed;
} fv_html;

/* From the doctype to the heading, which is `title`, escaped. */
void fv_html_begin(fv_html *html, const char *title);
/* Closes the page: text[0 .. bytes) is then whole. FV_ERR_NOMEM if anything failed. */
fv_status fv_html_end(fv_html *html, fv_error *err);
void fv_html_deinit(fv_html *html); /* accepts an all-zero struct */

/* Markup as it stands. The arguments of the second are numbers and words of our own. */
void fv_html_raw(fv_html *html, const char *markup);
void fv_html_rawf(fv_html *html, const char *format, ...) FV_PRINTF(2, 3);

/* Text of anybody's, in an element or in a quoted attribute: < > & " ' are escaped, control
 * characters but newline and tab, and bytes that are no UTF-8, become U+FFFD. */
void fv_html_text(fv_html *html, const char *text);
void fv_html_textf(fv_html *html, const char *format, ...) FV_PRINTF(2, 3); /* 1 KiB at most */

/* "1,281,167" */
void fv_html_count(fv_html *html, int64_t number);

/* <img> with the bytes of a file of `type` ("image/jpeg") in it. */
void fv_html_image(fv_html *html, const char *type, const uint8_t *bytes, size_t size, int width,
                   int height, const char *alt);

#endif /* FV_IO_HTML_H */
