/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_impl.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { INDENT = 2, COLUMNS = 100 };

/* A growing text. Once out of memory it stays NULL and takes no more. */
typedef struct writer {
    char *text;
    size_t length, capacity;
    bool failed;
} writer;

static void put(writer *w, const char *text, size_t length)
{
    if (w->failed) return;
    if (w->capacity - w->length <= length) {
        const size_t larger = 2 * (w->length + length) + 256;
        char *moved = fv_alloc(larger);
        if (moved && w->length) memcpy(moved, w->text, w->length);
        fv_free(w->text);
        w->text = moved;
        w->capacity = larger;
        w->failed = !moved;
        if (!moved) return;
    }
    memcpy(w->text + w->length, text, length);
    w->length += length;
    w->text[w->length] = '\0';
}

static void put_text(writer *w, const char *text) { put(w, text, strlen(text)); }

static void put_line(writer *w, int indent)
{
    put(w, "\n", w->length > 0);
    for (int i = 0; i < indent; i++) put(w, " ", 1);
}

/* ---- Scalars ----------------------------------------------------------------- */

/* Whether a text may stand without quotes: nothing in it means anything to YAML. */
static bool plain(const char *text)
{
    const size_t length = strlen(text);
    const unsigned char first = (unsigned char)*text;
    if (fv_config_text_null(text) || text[length - 1] == ' ') return false;
    if (!isalnum(first) && !strchr("_./(+", first) &&
        !(first == '-' && isdigit((unsigned char)text[1])))
        return false;
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_./()+-*= ", *p)) return false;
    return strcmp(text, "...") != 0;
}

/* Whether a quoted text would be something else without its quotes, here or for other readers. */
static bool resolves(const char *text)
{
    bool value;
    return isdigit((unsigned char)*text) || strchr("+-.", *text) ||
           fv_config_text_bool(text, &value);
}

/* What a reader would refuse, or take for a line break or a byte order mark. */
static bool needs_escape(int c)
{
    return c < ' ' || (c >= 0x7f && c <= 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
           c == 0xfffe || c == 0xffff;
}

static void put_quoted(writer *w, const char *text)
{
    put_text(w, "\"");
    for (const char *p = text; *p;) {
        const char *begin = p;
        const int c = fv_config_decode(&p);
        char escape[16];
        if (c == '\n') {
            put_text(w, "\\n");
        } else if (c == '"' || c == '\\') {
            put_text(w, "\\");
            put(w, begin, 1);
        } else if (needs_escape(c)) {
            snprintf(escape, sizeof(escape), "\\u%04X", (unsigned)c);
            put_text(w, escape);
        } else {
            put(w, begin, (size_t)(p - begin));
        }
    }
    put_text(w, "\"");
}

static void put_scalar(writer *w, const fv_config_node *node)
{
    if (node->type == FV_CONFIG_NULL)
        put_text(w, "null");
    else if (plain(node->text) && !(node->quoted && resolves(node->text)))
        put_text(w, node->text);
    else
        put_quoted(w, node->text);
}

static void put_key(writer *w, const char *key)
{
    if (plain(key))
        put_text(w, key);
    else
        put_quoted(w, key);
    put_text(w, ":");
}

/* ---- Containers -------------------------------------------------------------- */

static bool is_leaf(const fv_config_node *node)
{
    return node->type == FV_CONFIG_NULL || node->type == FV_CONFIG_SCALAR || node->count == 0;
}

/* A list of scalars that fits on a line, and all that is empty or not a container. */
static bool fits(const fv_config_node *node)
{
    if (is_leaf(node)) return true;
    size_t columns = (size_t)INDENT * (size_t)fv_config_depth(node);
    if (node->type != FV_CONFIG_LIST) return false;
    for (int i = 0; i < node->count && columns < COLUMNS; i++) {
        const fv_config_node *item = node->items[i];
        if (!is_leaf(item)) return false;
        columns += 2 + (item->text ? strlen(item->text) : 4);
    }
    return columns < COLUMNS;
}

static void put_inline(writer *w, const fv_config_node *node)
{
    if (node->type == FV_CONFIG_MAP) {
        put_text(w, "{}");
    } else if (node->type == FV_CONFIG_LIST) {
        put_text(w, "[");
        for (int i = 0; i < node->count; i++) {
            if (i) put_text(w, ", ");
            put_inline(w, node->items[i]);
        }
        put_text(w, "]");
    } else {
        put_scalar(w, node);
    }
}

/* The entries of a map or list that does not fit on a line. `started`: the first goes on the line
 * that has been begun. */
static void put_block(writer *w, const fv_config_node *node, int indent, bool started)
{
    for (int i = 0; i < node->count; i++) {
        const fv_config_node *child = node->items[i];
        const bool map = node->type == FV_CONFIG_MAP;
        if (i || !started) put_line(w, indent);
        if (map)
            put_key(w, child->key);
        else
            put_text(w, "-");
        if (fits(child)) {
            put_text(w, " ");
            put_inline(w, child);
        } else if (!map) {
            put_text(w, " ");
            put_block(w, child, indent + INDENT, true);
        } else {
            put_block(w, child, indent + INDENT, false);
        }
    }
}

char *fv_config_dump(const fv_config *config)
{
    writer w = { 0 };
    if (fits(config->root))
        put_inline(&w, config->root);
    else
        put_block(&w, config->root, 0, false);
    put_text(&w, "\n");
    return w.text;
}
