/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_impl.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fv_config_destroy(fv_config *config)
{
    if (!config) return;
    fv_arena_deinit(&config->arena);
    fv_free(config);
}

fv_config_node *fv_config_root(fv_config *config) { return config->root; }

/* ---- Nodes ------------------------------------------------------------------- */

fv_config_type fv_config_node_type(const fv_config_node *node)
{
    return node ? node->type : FV_CONFIG_NULL;
}

const char *fv_config_node_text(const fv_config_node *node)
{
    return fv_config_node_type(node) == FV_CONFIG_SCALAR ? node->text : NULL;
}

int fv_config_count(const fv_config_node *node) { return node ? node->count : 0; }

fv_config_node *fv_config_at(fv_config_node *node, int i)
{
    if (i < 0 || i >= fv_config_count(node)) return NULL;
    node->items[i]->known = true;
    return node->items[i];
}

const char *fv_config_key_at(fv_config_node *map, int i)
{
    return i >= 0 && i < fv_config_count(map) ? map->items[i]->key : NULL;
}

/* Remembers a key of the root for suggestions. Without memory there are fewer of them. */
static void remember(fv_config *config, const char *key)
{
    for (int i = 0; i < config->asked_count; i++)
        if (strcmp(config->asked[i], key) == 0) return;
    if (config->asked_count + 1 >= config->asked_capacity) {
        const int larger = config->asked_capacity ? 2 * config->asked_capacity : 16;
        const char **moved = fv_arena_alloc(&config->arena, (size_t)larger * sizeof(*moved));
        if (!moved) return;
        for (int i = 0; i < config->asked_count; i++) moved[i] = config->asked[i];
        config->asked = moved;
        config->asked_capacity = larger;
    }
    const char *copy = fv_arena_join(&config->arena, "", "", key);
    if (copy) config->asked[config->asked_count++] = copy; /* a NULL follows: arenas are zeroed */
}

fv_config_node *fv_config_child(fv_config_node *map, const char *key)
{
    if (fv_config_node_type(map) != FV_CONFIG_MAP) return NULL;
    if (!map->parent) remember(map->config, key);
    fv_config_node *child = fv_config_find(map, key);
    if (!child) return NULL;
    child->known = true;
    return child->type == FV_CONFIG_NULL ? NULL : child;
}

/* ---- Messages ---------------------------------------------------------------- */

/* Appends to a path, on one line; what does not fit is dropped. */
static void append(char *path, size_t size, const char *text)
{
    size_t length = strlen(path);
    for (; *text && length + 1 < size; text++)
        path[length++] = (unsigned char)*text < ' ' || *text == '\x7f' ? '?' : *text;
    path[length] = '\0';
}

fv_config_path fv_config_path_of(const fv_config_node *node)
{
    char number[16];
    fv_config_path path = { "" };
    if (!node->parent) return path;
    path = fv_config_path_of(node->parent);
    if (*path.text) append(path.text, sizeof(path.text), ".");
    snprintf(number, sizeof(number), "%d", node->index);
    append(path.text, sizeof(path.text), node->key ? node->key : number);
    return path;
}

const char *fv_config_node_where(fv_config_node *node)
{
    if (node->where) return node->where;
    char mark[32];
    const fv_config_path path = fv_config_path_of(node);
    fv_arena *arena = &node->config->arena;
    if (node->overridden) {
        node->where = fv_arena_join(arena, "-o", " ", path.text);
    } else {
        snprintf(mark, sizeof(mark), "%d:%d", node->line, node->column);
        const char *where = fv_arena_join(arena, node->config->path, ":", mark);
        if (where) node->where = *path.text ? fv_arena_join(arena, where, ": ", path.text) : where;
    }
    return node->where ? node->where : node->config->path;
}

fv_status(fv_config_fail)(fv_config_node *node, fv_error *err, const char *format, ...)
{
    char text[sizeof(err->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!node) return fv_fail(err, FV_ERR_CONFIG, "%s", text);
    return fv_fail(err, FV_ERR_CONFIG, "%s: %s", fv_config_node_where(node), text);
}

void fv_config_tell(fv_config_node *node, const char *format, ...)
{
    char text[sizeof(((fv_error *)NULL)->message)];
    if (node->told) return;
    node->told = true;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fv_log(FV_LOG_NOTICE, "%s: %s", fv_config_node_where(node), text);
}

fv_status fv_config_finish(fv_config *config, fv_error *err)
{
    for (int i = 0; i < config->root->count; i++) {
        fv_config_node *node = config->root->items[i];
        if (node->known) continue;
        const char *near = config->asked ? fv_config_nearest(node->key, config->asked) : NULL;
        if (near) return fv_config_fail(node, err, "unknown key, did you mean \"%s\"?", near);
        return fv_config_fail(node, err, "unknown key");
    }
    return FV_OK;
}
