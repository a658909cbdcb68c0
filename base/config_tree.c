/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_impl.h"

#include <string.h>

fv_status fv_config_no_room(const fv_config *config, fv_error *err)
{
    if (config->nodes >= FV_CONFIG_NODES)
        return fv_fail(err, FV_ERR_CONFIG, "%s: more than %d values, aliases written out",
                       config->path, FV_CONFIG_NODES);
    return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", config->path);
}

fv_config_node *fv_config_new(fv_config *config, const fv_config_place *place)
{
    if (config->nodes >= FV_CONFIG_NODES) return NULL;
    fv_config_node *node = fv_arena_alloc(&config->arena, sizeof(*node));
    if (!node) return NULL;
    config->nodes++;
    *node = (fv_config_node){
        .config = config,
        .parent = place->parent,
        .twin = node,
        .line = place->line,
        .column = place->column,
        .overridden = place->overridden,
        .type = FV_CONFIG_NULL,
    };
    if (place->key) {
        node->key = fv_arena_join(&config->arena, "", "", place->key);
        if (!node->key) return NULL;
    }
    return node;
}

bool fv_config_append(fv_config_node *node)
{
    fv_config_node *to = node->parent;
    if (to->count == to->capacity) {
        const int larger = to->capacity ? 2 * to->capacity : 4;
        fv_config_node **moved =
            fv_arena_alloc(&node->config->arena, (size_t)larger * sizeof(*moved));
        if (!moved) return false;
        if (to->count) memcpy(moved, to->items, (size_t)to->count * sizeof(*moved));
        to->items = moved;
        to->capacity = larger;
    }
    node->index = to->count;
    to->items[to->count++] = node;
    return true;
}

fv_config_node *fv_config_find(const fv_config_node *map, const char *key)
{
    if (fv_config_node_type(map) != FV_CONFIG_MAP) return NULL;
    for (int i = 0; i < map->count; i++)
        if (strcmp(map->items[i]->key, key) == 0) return map->items[i];
    return NULL;
}

int fv_config_depth(const fv_config_node *node)
{
    int depth = 0;
    for (const fv_config_node *up = node->parent; up; up = up->parent) depth++;
    return depth;
}

fv_status fv_config_copy(fv_config_node *node, fv_config_node *from, int depth, fv_error *err)
{
    if (depth > FV_CONFIG_DEPTH)
        return fv_config_fail(node, err, "nested deeper than %d levels", FV_CONFIG_DEPTH);
    node->type = from->type;
    node->text = from->text;
    node->quoted = from->quoted;
    if (from->type != FV_CONFIG_MAP && from->type != FV_CONFIG_LIST) return FV_OK;

    node->twin = from->twin;
    from->twin = node;
    for (int i = 0; i < from->count; i++) {
        const fv_config_node *child = from->items[i];
        const fv_config_place place = { node, child->key, child->line, child->column,
                                        child->overridden };
        fv_config_node *copy = fv_config_new(node->config, &place);
        if (!copy || !fv_config_append(copy)) return fv_config_no_room(node->config, err);
        FV_TRY(fv_config_copy(copy, from->items[i], depth + 1, err));
    }
    return FV_OK;
}
