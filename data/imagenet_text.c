/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of text files. */
#include "base/file.h"
#include "data/imagenet_impl.h"

#include <string.h>

enum { LIMIT = 256 << 20 /* bytes of a file */ };

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

fv_status fv_text_lines_open(fv_text_lines *lines, const char *path, fv_error *err)
{
    size_t bytes;
    *lines = (fv_text_lines){ .path = path };
    FV_TRY(fv_file_read(path, LIMIT, &lines->text, &bytes, err));
    if (memchr(lines->text, '\0', bytes)) {
        fv_text_lines_close(lines);
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: not a text file: it has a zero byte", path);
    }
    lines->next = lines->text;
    if (bytes >= 3 && memcmp(lines->text, "\xef\xbb\xbf", 3) == 0) lines->next += 3;
    return FV_OK;
}

char *fv_text_lines_next(fv_text_lines *lines)
{
    while (*lines->next) {
        char *begin = lines->next, *end = begin + strcspn(begin, "\n");
        lines->next = end + (*end == '\n');
        lines->number++;
        while (begin < end && is_blank(*begin)) begin++;
        while (end > begin && is_blank(end[-1])) end--;
        *end = '\0';
        if (*begin) return begin;
    }
    return NULL;
}

void fv_text_lines_close(fv_text_lines *lines)
{
    fv_free(lines->text);
    *lines = (fv_text_lines){ .path = NULL };
}
