/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include "base/compiler.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <jansson.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

json_t *fv_json_text(const char *text)
{
    json_t *json = json_string(text);
    if (json) return json;
    char *fixed = fv_alloc(3 * strlen(text) + 1), *to = fixed;
    if (!fixed) return NULL;
    while (*text) {
        const int length = fv_utf8_sequence(text);
        memcpy(to, length ? text : FV_UTF8_REPLACEMENT, (size_t)(length ? length : 3));
        to += length ? length : 3;
        text += fv_max(length, 1);
    }
    json = json_string(fixed);
    fv_free(fixed);
    return json;
}

int fv_text_columns(const char *text)
{
    int columns = 0;
    for (; *text; columns++) text += fv_max(fv_utf8_sequence(text), 1);
    return columns;
}

/* Prints `columns` code points of text. */
static void print_columns(FILE *out, const char *text, int columns)
{
    for (; columns > 0 && *text; columns--) {
        const int length = fv_utf8_sequence(text);
        const unsigned char c = (unsigned char)text[0];
        const bool control =
            length == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[1] < 0xa0);
        if (control)
            fputc('?', out);
        else
            fwrite(text, 1, (size_t)length, out);
        text += fv_max(length, 1);
    }
}

void fv_text_print(FILE *out, const char *text, int columns, bool keep_end)
{
    const int have = fv_text_columns(text), dots = fv_min(3, columns);
    if (have <= columns) {
        print_columns(out, text, have);
        fprintf(out, "%*s", columns - have, "");
        return;
    }
    if (!keep_end) {
        print_columns(out, text, columns - dots);
        fprintf(out, "%.*s", dots, "...");
        return;
    }
    for (int skip = have - (columns - dots); skip > 0; skip--)
        text += fv_max(fv_utf8_sequence(text), 1);
    fprintf(out, "%.*s", dots, "...");
    print_columns(out, text, columns - dots);
}

int fv_terminal_columns(FILE *out)
{
    struct winsize size;
    const int file = fileno(out);
    if (!isatty(file)) return 0;
    return ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
