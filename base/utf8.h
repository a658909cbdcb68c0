/* SPDX-License-Identifier: Apache-2.0 */
/* base/utf8.h - which bytes are text. */
#ifndef FV_BASE_UTF8_H
#define FV_BASE_UTF8_H

/* U+FFFD, that stands for bytes which are no text. */
#define FV_UTF8_REPLACEMENT "\xef\xbf\xbd"

/* Bytes of the UTF-8 sequence that `s`, which ends with a zero, begins with; 0 if it is none (too
 * long, cut off, a surrogate, above U+10FFFF). */
int fv_utf8_sequence(const char *s);

#endif /* FV_BASE_UTF8_H */
