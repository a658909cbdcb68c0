/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char FV_REQUIRED[] = "required"; /* NOLINT(readability-identifier-naming): a constant */

/* ---- Storing ----------------------------------------------------------------- */

static void *member(const fv_field *f, void *options) { return (char *)options + f->offset; }

static int index_of(const char *const *names, const char *text)
{
    int i = 0;
    while (names[i] && strcmp(names[i], text) != 0) i++;
    return names[i] ? i : -1;
}

static void store_default(const fv_field *f, void *options)
{
    const char *text = f->otherwise_text == FV_REQUIRED ? NULL : f->otherwise_text;
    switch (f->type) {
    case FV_BOOL: *(bool *)member(f, options) = f->otherwise != 0.0; break;
    case FV_INT: *(int *)member(f, options) = (int)f->otherwise; break;
    case FV_LONG: *(int64_t *)member(f, options) = (int64_t)f->otherwise; break;
    case FV_FLOAT: *(float *)member(f, options) = (float)f->otherwise; break;
    case FV_DOUBLE: *(double *)member(f, options) = f->otherwise; break;
    case FV_STRING: *(const char **)member(f, options) = text; break;
    case FV_ENUM: *(int *)member(f, options) = text ? index_of(f->names, text) : 0; break;
    case FV_FLOATS: *(fv_floats *)member(f, options) = (fv_floats){ 0 }; break;
    case FV_NODE: *(fv_config_node **)member(f, options) = NULL; break;
    case FV_IGNORED:
    case FV_REFUSED: break;
    }
}

/* ---- Values ------------------------------------------------------------------ */

static fv_status unexpected(fv_config_node *node, const char *wanted, fv_error *err)
{
    return fv_config_fail(node, err, "expected %s, got %s", wanted, fv_config_describe(node).text);
}

static fv_status outside(fv_config_node *node, const fv_field *f, fv_error *err)
{
    return fv_config_fail(node, err, "%.60s is outside [%.10g, %.10g]", node->text, f->min, f->max);
}

static fv_status check_number(fv_config_node *node, const fv_field *f, double value, fv_error *err)
{
    if (!isfinite(value)) return unexpected(node, "a finite number", err);
    return value < f->min || value > f->max ? outside(node, f, err) : FV_OK;
}

static fv_status read_number(fv_config_node *node, const fv_field *f, double *value, fv_error *err)
{
    fv_config_number number;
    if (node->type != FV_CONFIG_SCALAR || !fv_config_text_number(node->text, &number))
        return unexpected(node, "a number", err);
    *value = number.value;
    return check_number(node, f, number.value, err);
}

static fv_status read_whole(fv_config_node *node, const fv_field *f, int64_t *value, fv_error *err)
{
    fv_config_number number;
    if (node->type != FV_CONFIG_SCALAR || !fv_config_text_number(node->text, &number) ||
        !number.whole)
        return unexpected(node, "an integer", err);
    /* Numbers beyond 64 bits were clamped; 2^63 as a double is beyond, too. */
    if (number.value < f->min || number.value > f->max || fabs(number.value) >= 0x1p63)
        return outside(node, f, err);
    *value = number.integer;
    return FV_OK;
}

static fv_status read_int(fv_config_node *node, const fv_field *f, int *value, fv_error *err)
{
    int64_t wide = 0;
    FV_TRY(read_whole(node, f, &wide, err));
    if (wide < INT32_MIN || wide > INT32_MAX) return outside(node, f, err);
    *value = (int)wide;
    return FV_OK;
}

static fv_status read_float(fv_config_node *node, const fv_field *f, float *value, fv_error *err)
{
    double wide = 0.0;
    FV_TRY(read_number(node, f, &wide, err));
    if (!isfinite((float)wide))
        return fv_config_fail(node, err, "%.60s is too large for a 32-bit number", node->text);
    *value = (float)wide;
    return FV_OK;
}

static fv_status read_bool(fv_config_node *node, bool *value, fv_error *err)
{
    if (node->type != FV_CONFIG_SCALAR || !fv_config_text_bool(node->text, value))
        return unexpected(node, "true or false", err);
    return FV_OK;
}

static fv_status read_string(fv_config_node *node, const char **value, fv_error *err)
{
    if (node->type != FV_CONFIG_SCALAR) return unexpected(node, "a text", err);
    *value = node->text;
    return FV_OK;
}

/* Joins words with ", "; returns how many fitted. */
static int join(char *out, size_t size, const char *const *words)
{
    size_t length = 0;
    int i = 0;
    out[0] = '\0';
    for (; words[i]; i++) {
        const int n = snprintf(out + length, size - length, "%s%s", i ? ", " : "", words[i]);
        if (n < 0 || (size_t)n >= size - length) {
            out[length] = '\0';
            break;
        }
        length += (size_t)n;
    }
    return i;
}

static fv_status read_enum(fv_config_node *node, const fv_field *f, int *value, fv_error *err)
{
    const char *text = NULL;
    FV_TRY(read_string(node, &text, err));
    const int i = index_of(f->names, text);
    if (i >= 0) {
        *value = i;
        return FV_OK;
    }
    char names[200];
    const bool all = !f->names[join(names, sizeof(names), f->names)];
    const char *near = fv_config_nearest(text, f->names), *more = all ? "" : ", ...";
    if (near)
        return fv_config_fail(node, err, "expected one of %s%s, got %s, did you mean \"%s\"?",
                              names, more, fv_config_quote(text).text, near);
    return fv_config_fail(node, err, "expected one of %s%s, got %s", names, more,
                          fv_config_quote(text).text);
}

/* One number, or several in the text of one scalar. */
static fv_status read_floats_text(fv_config_node *node, const fv_field *f, fv_floats *value,
                                  fv_error *err)
{
    fv_config_number numbers[FV_ARRAY_LEN(value->values)];
    int count = -1;
    if (!fv_config_text_number(node->text, &numbers[0]))
        count = fv_config_text_numbers(node->text, numbers, (int)FV_ARRAY_LEN(numbers));
    if (count < 0) {
        value->count = 1;
        return read_number(node, f, &value->values[0], err);
    }
    for (int i = 0; i < count; i++) {
        FV_TRY(check_number(node, f, numbers[i].value, err));
        value->values[i] = numbers[i].value;
    }
    value->count = count;
    return FV_OK;
}

static fv_status read_floats(fv_config_node *node, const fv_field *f, fv_floats *value,
                             fv_error *err)
{
    const int most = (int)FV_ARRAY_LEN(value->values);
    if (node->type == FV_CONFIG_SCALAR) return read_floats_text(node, f, value, err);
    if (node->type != FV_CONFIG_LIST) return unexpected(node, "a list of numbers", err);
    if (node->count > most)
        return fv_config_fail(node, err, "%d numbers, at most %d are allowed", node->count, most);
    for (int i = 0; i < node->count; i++)
        FV_TRY(read_number(fv_config_at(node, i), f, &value->values[i], err));
    value->count = node->count;
    return FV_OK;
}

static bool is_off(const fv_config_node *node)
{
    bool on;
    return node->type == FV_CONFIG_SCALAR && fv_config_text_bool(node->text, &on) && !on;
}

static fv_status read_value(fv_config_node *node, const fv_field *f, void *options, fv_error *err)
{
    void *at = member(f, options);
    switch (f->type) {
    case FV_BOOL: return read_bool(node, at, err);
    case FV_INT: return read_int(node, f, at, err);
    case FV_LONG: return read_whole(node, f, at, err);
    case FV_FLOAT: return read_float(node, f, at, err);
    case FV_DOUBLE: return read_number(node, f, at, err);
    case FV_STRING: return read_string(node, at, err);
    case FV_ENUM: return read_enum(node, f, at, err);
    case FV_FLOATS: return read_floats(node, f, at, err);
    case FV_NODE: *(fv_config_node **)at = node; break;
    case FV_IGNORED:
        if (f->note && !is_off(node)) fv_config_tell(node, "ignored, %s", f->note);
        break;
    case FV_REFUSED:
        if (!is_off(node)) return fv_config_fail(node, err, "not supported: %s", f->note);
        break;
    }
    return FV_OK;
}

/* ---- Maps -------------------------------------------------------------------- */

enum { FEW = 8 };

static fv_status unknown(fv_config_node *node, const fv_field *fields, fv_error *err)
{
    int count = 0;
    while (fields[count].key) count++;
    const char **keys = fv_arena_alloc(&node->config->arena, (size_t)(count + 1) * sizeof(*keys));
    if (!keys) return fv_config_fail(node, err, "unknown key");
    for (int i = 0; i < count; i++) keys[i] = fields[i].key;

    char known[200];
    const char *near = fv_config_nearest(node->key, keys);
    if (near) return fv_config_fail(node, err, "unknown key, did you mean \"%s\"?", near);
    if (count == 0) return fv_config_fail(node, err, "unknown key, there are none here");
    if (count <= FEW && join(known, sizeof(known), keys) == count)
        return fv_config_fail(node, err, "unknown key, known here: %s", known);
    return fv_config_fail(node, err, "unknown key");
}

static fv_status missing(fv_config_node *map, const char *key, fv_error *err)
{
    if (!map) return fv_fail(err, FV_ERR_CONFIG, "%s: must be given", key);
    return fv_fail(err, FV_ERR_CONFIG, "%s%s%s: must be given", fv_config_node_where(map),
                   map->parent ? "." : ": ", key);
}

static fv_status check_required(fv_config_node *map, const fv_field *fields, fv_error *err)
{
    for (const fv_field *f = fields; f->key; f++)
        if (f->otherwise_text == FV_REQUIRED &&
            fv_config_node_type(fv_config_find(map, f->key)) == FV_CONFIG_NULL)
            return missing(map, f->key, err);
    return FV_OK;
}

fv_status fv_config_read(fv_config_node *map, const fv_field *fields, void *options, fv_error *err)
{
    for (const fv_field *f = fields; f->key; f++) store_default(f, options);
    if (fv_config_node_type(map) == FV_CONFIG_NULL) return check_required(map, fields, err);
    if (map->type != FV_CONFIG_MAP) return unexpected(map, "a map of settings", err);

    for (int i = 0; i < map->count; i++) {
        fv_config_node *child = map->items[i];
        const fv_field *f = fields;
        while (f->key && strcmp(f->key, child->key) != 0) f++;
        if (!f->key && child->known) continue;
        if (!f->key) return unknown(child, fields, err);
        child->known = true;
        if (child->type != FV_CONFIG_NULL) FV_TRY(read_value(child, f, options, err));
    }
    return check_required(map, fields, err);
}
