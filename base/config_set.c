/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_impl.h"

#include <stdio.h>
#include <string.h>

typedef struct override {
    const char *name;  /* "-o Key.Sub.0.X", begins messages */
    const char *value; /* what follows the first '=' */
    fv_error *err;
} override;

static fv_status no_room(const fv_config_node *node, const override *o)
{
    return fv_config_no_room(node->config, o->err);
}

/* ---- The way ----------------------------------------------------------------- */

static fv_status find_index(fv_config_node *list, const char *word, const override *o, int *index)
{
    fv_config_number number;
    const bool whole = fv_config_text_number(word, &number) && number.whole;
    if (list->count == 0)
        return fv_fail(o->err, FV_ERR_CONFIG, "%s: %s is an empty list", o->name,
                       fv_config_path_of(list).text);
    if (!whole)
        return fv_fail(o->err, FV_ERR_CONFIG,
                       "%s: %s is a list: expected an index in [0, %d], got %s", o->name,
                       fv_config_path_of(list).text, list->count - 1, fv_config_quote(word).text);
    if (number.value < 0.0 || number.value >= list->count)
        return fv_fail(o->err, FV_ERR_CONFIG, "%s: index %s of the list %s is outside [0, %d]",
                       o->name, word, fv_config_path_of(list).text, list->count - 1);
    *index = (int)number.integer;
    return FV_OK;
}

static fv_status no_children(fv_config_node *node, const char *word, const override *o)
{
    return fv_fail(o->err, FV_ERR_CONFIG, "%s: %s is %s, it has no key \"%s\"", o->name,
                   fv_config_path_of(node).text, fv_config_describe(node).text, word);
}

/* Puts copies of `value` at `key` or `index` of a map or list and of its twins. */
static fv_status place(fv_config_node *to, const char *key, int index, fv_config_node *value,
                       const override *o)
{
    const int depth = fv_config_depth(to) + 1;
    fv_config_node *twin = to;
    do {
        const fv_config_place at = { .parent = twin, .key = key, .overridden = true };
        fv_config_node *node = fv_config_new(to->config, &at);
        if (!node) return no_room(to, o);
        fv_config_node *old = key ? fv_config_find(twin, key) : twin->items[index];
        if (old) {
            node->index = old->index;
            twin->items[old->index] = node;
        } else if (!fv_config_append(node)) {
            return no_room(to, o);
        }
        FV_TRY(fv_config_copy(node, value, twin == to ? depth : fv_config_depth(node), o->err));
        twin = twin->twin;
    } while (twin != to);
    return FV_OK;
}

/* A key on the way that is not there: a slip if one is like it, else a map to be made. */
static fv_status make_map(fv_config_node *map, const char *word, const override *o)
{
    const char **keys =
        fv_arena_alloc(&map->config->arena, (size_t)(map->count + 1) * sizeof(*keys));
    if (!keys) return no_room(map, o);
    for (int i = 0; i < map->count; i++) keys[i] = map->items[i]->key;
    const char *near = fv_config_find(map, word) ? NULL : fv_config_nearest(word, keys);
    if (near)
        return fv_fail(o->err, FV_ERR_CONFIG, "%s: no key %s, did you mean \"%s\"?", o->name,
                       fv_config_quote(word).text, near);

    const fv_config_place at = { .parent = map, .key = word, .overridden = true };
    fv_config_node *made = fv_config_new(map->config, &at);
    if (!made) return no_room(map, o);
    made->type = FV_CONFIG_MAP;
    return place(map, word, 0, made, o);
}

/* One step down, to where `word` leads. */
static fv_status descend(fv_config_node **node, const char *word, const override *o)
{
    fv_config_node *at = *node;
    if (at->type == FV_CONFIG_LIST) {
        int index = 0;
        FV_TRY(find_index(at, word, o, &index));
        *node = at->items[index];
        return FV_OK;
    }
    if (at->type != FV_CONFIG_MAP) return no_children(at, word, o);
    if (fv_config_node_type(fv_config_find(at, word)) == FV_CONFIG_NULL)
        FV_TRY(make_map(at, word, o));
    *node = fv_config_find(at, word);
    return FV_OK;
}

/* ---- The value --------------------------------------------------------------- */

/* Lists, maps and quoted texts are YAML. All else is taken as it stands, so that names of files and
 * patterns such as *.bn need no quotes. */
static fv_status read_value(fv_config_node *value, const override *o)
{
    const char *text = o->value + strspn(o->value, " ");
    if (*text && strchr("[{\"'", *text)) return fv_config_parse_value(value, o->name, text, o->err);
    if (fv_config_text_null(text)) return FV_OK;
    value->text = fv_arena_join(&value->config->arena, "", "", text);
    if (!value->text) return no_room(value, o);
    value->type = FV_CONFIG_SCALAR;
    return FV_OK;
}

static fv_status assign(fv_config_node *to, const char *word, const override *o)
{
    int index = 0;
    const bool list = to->type == FV_CONFIG_LIST;
    if (!list && to->type != FV_CONFIG_MAP) return no_children(to, word, o);
    if (list) FV_TRY(find_index(to, word, o, &index));
    if (!list && !fv_config_find(to, word) && to->count >= FV_CONFIG_KEYS)
        return fv_fail(o->err, FV_ERR_CONFIG, "%s: more than %d keys in one map", o->name,
                       FV_CONFIG_KEYS);

    const fv_config_place at = { .parent = to, .key = list ? NULL : word, .overridden = true };
    fv_config_node *value = fv_config_new(to->config, &at);
    if (!value) return no_room(to, o);
    value->index = index;
    FV_TRY(read_value(value, o));
    return place(to, list ? NULL : word, index, value, o);
}

/* UTF-8 without control characters, which a dump could not give back. */
static bool printable(const char *text)
{
    for (const char *p = text; *p;) {
        const int c = fv_config_decode(&p);
        if (c < ' ' || c == 0x7f) return false;
    }
    return true;
}

fv_status fv_config_set(fv_config *config, const char *assignment, fv_error *err)
{
    if (!printable(assignment))
        return fv_fail(err, FV_ERR_CONFIG, "-o: an assignment is not printable UTF-8 text");
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return fv_fail(err, FV_ERR_CONFIG, "-o %.200s: expected Key.Sub.0.X=value", assignment);
    char *path = fv_arena_join(&config->arena, "", "", assignment);
    if (!path) return fv_config_no_room(config, err);
    path[equals - assignment] = '\0';
    const override o = { fv_arena_join(&config->arena, "-o", " ", path), equals + 1, err };
    if (!o.name) return fv_config_no_room(config, err);

    fv_config_node *node = config->root;
    for (char *word = path, *dot;; word = dot + 1) {
        dot = strchr(word, '.');
        if (dot) *dot = '\0';
        const size_t length = strlen(word);
        if (length == 0 || length > FV_CONFIG_KEY_BYTES)
            return fv_fail(err, FV_ERR_CONFIG, "%s: a key is %s", o.name,
                           length ? "too long" : "empty");
        if (!dot) return assign(node, word, &o);
        FV_TRY(descend(&node, word, &o));
    }
}
