/* SPDX-License-Identifier: Apache-2.0 */
#include "data/shards.h"

#include "base/compiler.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 100000, MAX_DIGITS = 9 };

typedef struct expansion {
    fv_list *names;
    fv_arena *memory;
    const char *root, *pattern; /* the pattern as given, for messages */
} expansion;

static fv_status bad(const expansion *x, fv_error *err, const char *what)
{
    return fv_fail(err, FV_ERR_CONFIG, "%.200s: %s", x->pattern, what);
}

static fv_status append(const expansion *x, const char *name, fv_error *err)
{
    if (x->names->count >= MAX_NAMES) return bad(x, err, "more than 100000 names");
    char *copy = fv_arena_join(x->memory, name, "", "");
    if (copy && fv_list_append(x->names, copy)) return FV_OK;
    return bad(x, err, "out of memory");
}

/* ---- Names in a folder ---- */

/* `text` with a backslash before whatever means something to glob(). False: no room. */
static bool escape(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text; text++) {
        if (n + 3 > size) return false;
        if (strchr("*?[]\\", *text)) out[n++] = '\\';
        out[n++] = *text;
    }
    out[n] = '\0';
    return true;
}

static fv_status match(const expansion *x, const char *pattern, fv_error *err)
{
    char root[2 * PATH_MAX], whole[3 * PATH_MAX];
    if (!escape(root, sizeof(root), x->root) || !fv_path_join(whole, sizeof(whole), root, pattern))
        return bad(x, err, "the path is too long");
    /* What was put before the pattern, and a slash unless it ends with one, is cut off again. */
    const size_t length = strlen(x->root);
    const bool joined = length && *pattern != '/';
    const size_t skip = joined ? length + (x->root[length - 1] != '/') : 0;

    glob_t found;
    const int code = glob(whole, GLOB_ERR, NULL, &found);
    if (code == GLOB_NOSPACE) return bad(x, err, "out of memory");
    if (code == GLOB_ABORTED) {
        const int why = errno;
        globfree(&found);
        return bad(x, err, strerror(why));
    }
    fv_status status = FV_OK;
    for (size_t i = 0; code == 0 && i < found.gl_pathc && status == FV_OK; i++)
        status = append(x, found.gl_pathv[i] + skip, err);
    if (code == 0) globfree(&found);
    return code == GLOB_NOMATCH ? bad(x, err, "no file has such a name") : status;
}

/* ---- Ranges ---- */

typedef struct range {
    long first, last;
    int digits;   /* at least */
    size_t bytes; /* of its text, braces included */
} range;

static const char *read_bound(const char *text, long *value)
{
    const char *p = text;
    while (isdigit((unsigned char)*p)) p++;
    if (p == text || p - text > MAX_DIGITS) return NULL;
    *value = strtol(text, NULL, 10);
    return p;
}

/* "{0000..0031}" */
static bool read_range(const char *text, range *out)
{
    const char *first = text + 1, *dots = read_bound(first, &out->first);
    if (!dots || strncmp(dots, "..", 2) != 0) return false;
    const char *last = dots + 2, *end = read_bound(last, &out->last);
    if (!end || *end != '}' || out->first > out->last) return false;
    out->digits = *first == '0' || *last == '0' ? (int)fv_max((int)(dots - first), 1) : 1;
    out->bytes = (size_t)(end + 1 - text);
    return true;
}

static fv_status expand(const expansion *x, const char *pattern, fv_error *err)
{
    char name[PATH_MAX];
    const char *brace = strchr(pattern, '{');
    if (!brace) {
        return strpbrk(pattern, "*?[") ? match(x, pattern, err) : append(x, pattern, err);
    }
    range r;
    if (!read_range(brace, &r))
        return bad(x, err, "braces hold a range of whole numbers, e.g. {0000..0031}");
    for (long i = r.first; i <= r.last; i++) {
        const int n = snprintf(name, sizeof(name), "%.*s%0*ld%s", (int)(brace - pattern), pattern,
                               r.digits, i, brace + r.bytes);
        if (n < 0 || (size_t)n >= sizeof(name)) return bad(x, err, "the path is too long");
        FV_TRY(expand(x, name, err));
    }
    return FV_OK;
}

fv_status fv_shards_expand(fv_list *names, fv_arena *memory, const char *root, const char *pattern,
                           fv_error *err)
{
    if (strlen(pattern) >= PATH_MAX)
        return fv_fail(err, FV_ERR_CONFIG, "%.200s...: the path is too long", pattern);
    const expansion x = { names, memory, root, pattern };
    return expand(&x, pattern, err);
}
