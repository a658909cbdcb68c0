/* SPDX-License-Identifier: Apache-2.0 */
/* cli/text.h - words of others, such as names of files, made fit for a terminal and for JSON. */
#ifndef FV_CLI_TEXT_H
#define FV_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct json_t;

/* A JSON string; bytes that are no UTF-8 become U+FFFD. NULL: out of memory. */
struct json_t *fv_json_text(const char *text);

/* Prints exactly `columns` columns: shorter text is padded on the right, longer text loses its
 * beginning ("...tail") if keep_end, else its end ("head..."). Control characters become '?', so
 * that no name can drive the terminal; a code point counts as one column. */
void fv_text_print(FILE *out, const char *text, int columns, bool keep_end);

int fv_text_columns(const char *text);

/* Width of the terminal behind `out`; 0: it is none, lines may be of any length. */
int fv_terminal_columns(FILE *out);

#endif /* FV_CLI_TEXT_H */
