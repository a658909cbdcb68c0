/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_impl.h"
#include "base/file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

typedef struct anchor {
    const char *name;
    fv_config_node *node;
    bool open; /* still being built: an alias to it would hold itself */
} anchor;

typedef struct builder {
    fv_config *config;
    yaml_parser_t yaml;
    const char *text;
    size_t bytes;
    const char *name; /* "-o Key.Sub" for the value of an override, else NULL */
    fv_error *err;
    int anchor_count;
    anchor anchors[FV_CONFIG_ANCHORS];
} builder;

/* ---- Errors ------------------------------------------------------------------ */

/* Fails at a line and column, both from 0. */
FV_PRINTF(4, 5)
static fv_status fail_at(builder *b, size_t line, size_t column, const char *format, ...)
{
    char text[sizeof(b->err->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (b->name) return fv_fail(b->err, FV_ERR_CONFIG, "%s: %s", b->name, text);
    return fv_fail(b->err, FV_ERR_CONFIG, "%s:%zu:%zu: %s", b->config->path, line + 1, column + 1,
                   text);
}

#define FAIL_MARK(b, mark, ...) fail_at(b, (mark).line, (mark).column, __VA_ARGS__)

/* Whether blanks before the text of a line hold a tab: libyaml's own message would not say so. */
static bool indented_with_tab(const builder *b, size_t line)
{
    const char *p = b->text, *end = b->text + b->bytes;
    for (; line > 0 && p < end; line--) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        if (!newline) return false;
        p = newline + 1;
    }
    while (p < end && *p == ' ') p++;
    return p < end && *p == '\t';
}

/* What libyaml found wrong. */
static fv_status syntax(builder *b)
{
    const yaml_parser_t *y = &b->yaml;
    const char *problem = y->problem ? y->problem : "not valid YAML";
    if (y->error == YAML_MEMORY_ERROR)
        return fv_fail(b->err, FV_ERR_NOMEM, "%s: out of memory", b->config->path);
    if (y->error == YAML_READER_ERROR) {
        /* The reader counts bytes; lines and characters are counted here. */
        size_t line = 0, column = 0;
        for (size_t i = 0; i < b->bytes && i < y->problem_offset; i++) {
            const bool newline = b->text[i] == '\n';
            const bool inside = ((unsigned char)b->text[i] & 0xc0u) == 0x80u; /* a character */
            column = newline ? 0 : column + !inside;
            line += newline;
        }
        return fail_at(b, line, column, "not valid UTF-8 text: %s", problem);
    }
    if (indented_with_tab(b, y->problem_mark.line))
        return FAIL_MARK(b, y->problem_mark, "indented with a tab, use blanks");
    if (y->context)
        return FAIL_MARK(b, y->problem_mark, "not valid YAML: %s, %s", y->context, problem);
    return FAIL_MARK(b, y->problem_mark, "not valid YAML: %s", problem);
}

static fv_status no_room(builder *b) { return fv_config_no_room(b->config, b->err); }

static fv_status next(builder *b, yaml_event_t *event)
{
    return yaml_parser_parse(&b->yaml, event) ? FV_OK : syntax(b);
}

/* ---- Anchors and tags -------------------------------------------------------- */

static const char *text_of(const yaml_char_t *s) { return (const char *)s; }

static fv_status open_anchor(builder *b, const yaml_char_t *name, fv_config_node *node,
                             yaml_mark_t mark, anchor **opened)
{
    if (b->anchor_count == FV_CONFIG_ANCHORS)
        return FAIL_MARK(b, mark, "more than %d anchors", FV_CONFIG_ANCHORS);
    anchor *a = &b->anchors[b->anchor_count];
    a->name = fv_arena_join(&b->config->arena, "", "", text_of(name));
    if (!a->name) return no_room(b);
    a->node = node;
    a->open = true;
    b->anchor_count++;
    *opened = a;
    return FV_OK;
}

static fv_status fill_alias(builder *b, fv_config_node *node, const yaml_event_t *event, int depth)
{
    const char *name = text_of(event->data.alias.anchor);
    int i = b->anchor_count - 1; /* the latest of a name counts */
    while (i >= 0 && strcmp(b->anchors[i].name, name) != 0) i--;
    if (i < 0)
        return FAIL_MARK(b, event->start_mark, "alias *%s: no anchor &%s before it", name, name);
    if (b->anchors[i].open)
        return FAIL_MARK(b, event->start_mark, "alias *%s: stands inside its own anchor", name);
    return fv_config_copy(node, b->anchors[i].node, depth, b->err);
}

/* Tags of the core schema say nothing new, but for !!str; others are for other programs. */
static fv_status check_tag(builder *b, const yaml_char_t *tag, yaml_mark_t mark)
{
    static const char *const core[] = { YAML_STR_TAG,  YAML_INT_TAG, YAML_FLOAT_TAG, YAML_BOOL_TAG,
                                        YAML_NULL_TAG, YAML_MAP_TAG, YAML_SEQ_TAG };
    if (!tag) return FV_OK;
    for (size_t i = 0; i < FV_ARRAY_LEN(core); i++)
        if (strcmp(text_of(tag), core[i]) == 0) return FV_OK;
    return FAIL_MARK(b, mark, "tag %s is not supported", fv_config_quote(text_of(tag)).text);
}

/* ---- Values ------------------------------------------------------------------ */

static fv_status fill(builder *b, fv_config_node *node, const yaml_event_t *event, int depth);

static fv_status fill_scalar(builder *b, fv_config_node *node, const yaml_event_t *event)
{
    const char *text = text_of(event->data.scalar.value);
    const yaml_char_t *tag = event->data.scalar.tag;
    FV_TRY(check_tag(b, tag, event->start_mark));
    if (strlen(text) != event->data.scalar.length)
        return FAIL_MARK(b, event->start_mark, "a text with a zero byte in it");
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
                   (tag && strcmp(text_of(tag), YAML_STR_TAG) == 0);
    if (!node->quoted && fv_config_text_null(text)) return FV_OK;
    node->text = fv_arena_join(&b->config->arena, "", "", text);
    if (!node->text) return no_room(b);
    node->type = FV_CONFIG_SCALAR;
    return FV_OK;
}

static fv_status fill_item(builder *b, fv_config_node *list, const yaml_event_t *event, int depth)
{
    const fv_config_place place = { .parent = list,
                                    .line = (int)event->start_mark.line + 1,
                                    .column = (int)event->start_mark.column + 1,
                                    .overridden = b->name != NULL };
    fv_config_node *item = fv_config_new(b->config, &place);
    if (!item || !fv_config_append(item)) return no_room(b);
    return fill(b, item, event, depth + 1);
}

static fv_status fill_list(builder *b, fv_config_node *list, int depth)
{
    list->type = FV_CONFIG_LIST;
    for (;;) {
        yaml_event_t event;
        FV_TRY(next(b, &event));
        const bool end = event.type == YAML_SEQUENCE_END_EVENT;
        const fv_status status = end ? FV_OK : fill_item(b, list, &event, depth);
        yaml_event_delete(&event);
        if (end || status != FV_OK) return status;
    }
}

/* ---- Maps -------------------------------------------------------------------- */

/* Checks a key and says what it is; `merges`: it is the "<<" of YAML 1.1. */
static fv_status check_key(builder *b, const fv_config_node *map, const yaml_event_t *event,
                           const fv_config_node *merged, bool *merges)
{
    const yaml_mark_t mark = event->start_mark;
    if (event->type != YAML_SCALAR_EVENT)
        return FAIL_MARK(b, mark, "a key must be a word, not a list, a map or an alias");
    const char *key = text_of(event->data.scalar.value);
    const size_t length = event->data.scalar.length;
    FV_TRY(check_tag(b, event->data.scalar.tag, mark));
    if (length == 0) return FAIL_MARK(b, mark, "a key is empty");
    if (length > FV_CONFIG_KEY_BYTES)
        return FAIL_MARK(b, mark, "a key of %zu bytes, at most %d are allowed", length,
                         FV_CONFIG_KEY_BYTES);
    if (strlen(key) != length) return FAIL_MARK(b, mark, "a key with a zero byte in it");
    if (map->count == FV_CONFIG_KEYS)
        return FAIL_MARK(b, mark, "more than %d keys in one map", FV_CONFIG_KEYS);

    *merges = strcmp(key, "<<") == 0 && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const fv_config_node *first = *merges ? merged : fv_config_find(map, key);
    if (first && b->name)
        return FAIL_MARK(b, mark, "key %s is given twice", fv_config_quote(key).text);
    if (first)
        return FAIL_MARK(b, mark, "key %s is given twice, first in line %d",
                         fv_config_quote(key).text, first->line);
    return FV_OK;
}

static fv_status fill_entry(builder *b, fv_config_node *map, const yaml_event_t *key_event,
                            fv_config_node **merged, int depth)
{
    bool merges = false;
    FV_TRY(check_key(b, map, key_event, *merged, &merges));
    const fv_config_place place = { map, text_of(key_event->data.scalar.value),
                                    (int)key_event->start_mark.line + 1,
                                    (int)key_event->start_mark.column + 1, b->name != NULL };
    fv_config_node *node = fv_config_new(b->config, &place);
    if (!node) return no_room(b);

    yaml_event_t event;
    FV_TRY(next(b, &event));
    const fv_status status = fill(b, node, &event, depth + 1);
    yaml_event_delete(&event);
    if (status != FV_OK) return status;
    if (merges)
        *merged = node;
    else if (!fv_config_append(node))
        return no_room(b);
    return FV_OK;
}

/* Adds the keys of `source` that `map` does not have. */
static fv_status merge_one(fv_config_node *map, fv_config_node *source, int depth, fv_error *err)
{
    fv_config *config = map->config;
    if (source->type != FV_CONFIG_MAP)
        return fv_config_fail(source, err, "expected a map or a list of maps, got %s",
                              fv_config_describe(source).text);
    for (int i = 0; i < source->count; i++) {
        fv_config_node *child = source->items[i];
        if (config->nodes >= FV_CONFIG_NODES) return fv_config_no_room(config, err);
        config->nodes++; /* also for a key that is there: the time to find it is bounded, too */
        if (fv_config_find(map, child->key)) continue;
        if (map->count == FV_CONFIG_KEYS)
            return fv_config_fail(map, err, "more than %d keys in one map", FV_CONFIG_KEYS);
        const fv_config_place place = { map, child->key, child->line, child->column,
                                        child->overridden };
        fv_config_node *node = fv_config_new(config, &place);
        if (!node || !fv_config_append(node)) return fv_config_no_room(config, err);
        FV_TRY(fv_config_copy(node, child, depth + 1, err));
    }
    return FV_OK;
}

static fv_status merge(fv_config_node *map, fv_config_node *merged, int depth, fv_error *err)
{
    if (merged->type != FV_CONFIG_LIST) return merge_one(map, merged, depth, err);
    for (int i = 0; i < merged->count; i++) FV_TRY(merge_one(map, merged->items[i], depth, err));
    return FV_OK;
}

static fv_status fill_map(builder *b, fv_config_node *map, int depth)
{
    fv_config_node *merged = NULL; /* value of "<<" */
    map->type = FV_CONFIG_MAP;
    for (;;) {
        yaml_event_t event;
        FV_TRY(next(b, &event));
        const bool end = event.type == YAML_MAPPING_END_EVENT;
        const fv_status status = end ? FV_OK : fill_entry(b, map, &event, &merged, depth);
        yaml_event_delete(&event);
        if (status != FV_OK) return status;
        if (end) return merged ? merge(map, merged, depth, b->err) : FV_OK;
    }
}

static fv_status fill_container(builder *b, fv_config_node *node, const yaml_event_t *event,
                                int depth)
{
    const bool list = event->type == YAML_SEQUENCE_START_EVENT;
    FV_TRY(check_tag(b, list ? event->data.sequence_start.tag : event->data.mapping_start.tag,
                     event->start_mark));
    return list ? fill_list(b, node, depth) : fill_map(b, node, depth);
}

/* Gives a null the value that begins with `event`. */
static fv_status fill(builder *b, fv_config_node *node, const yaml_event_t *event, int depth)
{
    if (depth > FV_CONFIG_DEPTH)
        return FAIL_MARK(b, event->start_mark, "nested deeper than %d levels", FV_CONFIG_DEPTH);
    if (event->type == YAML_ALIAS_EVENT) return fill_alias(b, node, event, depth);

    const bool scalar = event->type == YAML_SCALAR_EVENT;
    const yaml_char_t *name = scalar ? event->data.scalar.anchor
                            : event->type == YAML_SEQUENCE_START_EVENT
                                ? event->data.sequence_start.anchor
                                : event->data.mapping_start.anchor;
    anchor *opened = NULL;
    if (name) FV_TRY(open_anchor(b, name, node, event->start_mark, &opened));
    FV_TRY(scalar ? fill_scalar(b, node, event) : fill_container(b, node, event, depth));
    if (opened) opened->open = false;
    return FV_OK;
}

/* ---- Documents --------------------------------------------------------------- */

/* The one document of the stream, into `node`; an empty stream leaves it null. */
static fv_status fill_document(builder *b, fv_config_node *node)
{
    int documents = 0;
    for (;;) {
        yaml_event_t event;
        FV_TRY(next(b, &event));
        const yaml_event_type_t type = event.type;
        fv_status status = FV_OK;
        if (type == YAML_DOCUMENT_START_EVENT && documents++)
            status =
                FAIL_MARK(b, event.start_mark, "a second document begins here, one is allowed");
        else if (type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT ||
                 type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
            status = fill(b, node, &event, fv_config_depth(node));
        yaml_event_delete(&event);
        if (status != FV_OK || type == YAML_STREAM_END_EVENT) return status;
    }
}

static fv_status build(fv_config_node *node, const char *name, const char *text, size_t bytes,
                       fv_error *err)
{
    fv_error unseen;
    builder *b = fv_alloc(sizeof(*b));
    if (!b || !yaml_parser_initialize(&b->yaml)) {
        fv_free(b);
        return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", node->config->path);
    }
    b->config = node->config;
    b->name = name;
    b->text = text;
    b->bytes = bytes;
    b->err = err ? err : &unseen;
    yaml_parser_set_encoding(&b->yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b->yaml, (const unsigned char *)text, bytes);
    const fv_status status = fill_document(b, node);
    yaml_parser_delete(&b->yaml);
    fv_free(b);
    return status;
}

static fv_status parse_root(fv_config *config, const char *path, const char *text, size_t bytes,
                            fv_error *err)
{
    const fv_config_place place = { .line = 1, .column = 1 };
    config->path = fv_arena_join(&config->arena, "", "", path);
    config->root = config->path ? fv_config_new(config, &place) : NULL;
    if (!config->root) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    FV_TRY(build(config->root, NULL, text, bytes, err));
    if (config->root->type == FV_CONFIG_NULL) config->root->type = FV_CONFIG_MAP;
    if (config->root->type != FV_CONFIG_MAP)
        return fv_config_fail(config->root, err, "expected a map of settings, got %s",
                              fv_config_describe(config->root).text);
    return FV_OK;
}

static fv_status parse(fv_config **out, const char *path, const char *text, size_t bytes,
                       fv_error *err)
{
    if (bytes > FV_CONFIG_BYTES)
        return fv_fail(err, FV_ERR_CONFIG, "%s: %zu bytes, more than the %d allowed", path, bytes,
                       FV_CONFIG_BYTES);
    fv_config *config = fv_alloc(sizeof(*config));
    if (!config) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    const fv_status status = parse_root(config, path, text, bytes, err);
    if (status == FV_OK)
        *out = config;
    else
        fv_config_destroy(config);
    return status;
}

fv_status fv_config_parse(fv_config **out, const char *path, const char *text, fv_error *err)
{
    return parse(out, path, text, strlen(text), err);
}

fv_status fv_config_load(fv_config **out, const char *path, fv_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    FV_TRY(fv_file_read(path, FV_CONFIG_BYTES, &text, &bytes, err));
    const fv_status status = parse(out, path, text, bytes, err);
    fv_free(text);
    return status;
}

fv_status fv_config_parse_value(fv_config_node *node, const char *name, const char *text,
                                fv_error *err)
{
    return build(node, name, text, strlen(text), err);
}
