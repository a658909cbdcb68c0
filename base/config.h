/* SPDX-License-Identifier: Apache-2.0 */
/* base/config.h - settings from a YAML file, read through tables of fields.
 *
 * A configuration is a tree of maps, lists and scalars (libyaml; anchors and aliases are
 * resolved, bounded against alias bombs; a key given twice is an error). Each module
 * describes its options once, in a table of fv_field; the table gives the parser, the
 * defaults, the ranges and the list of known keys. Reading marks keys as known; what no
 * table asked for is an error at the end. Every message names file, line, column, the
 * path of the key, and where it helps the nearest known key:
 *
 *     configs/a.yaml:12:5: Optimizer.momentun: unknown key, did you mean "momentum"?
 *
 * Scalars are resolved as PaddleClas does: YAML 1.1 core, and a plain scalar that reads as
 * a Python literal is that literal: 1e-4 is a number, None is null, True is true.
 * Sums, products and quotients of numbers, in parentheses or not, such as 1.0/255.0, are numbers
 * where a table asks for a number, and "[0.5, 1/3]" or "(3./4., 4./3.)" are lists of numbers where
 * it asks for that; quoted or not. Nothing more general is ever evaluated.
 */
#ifndef FV_BASE_CONFIG_H
#define FV_BASE_CONFIG_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct fv_config fv_config;           /* owns all nodes and strings it hands out */
typedef struct fv_config_node fv_config_node; /* borrowed; a map, a list or a scalar */

fv_status fv_config_load(fv_config **out, const char *path, fv_error *err);
/* `path` is only for messages. */
fv_status fv_config_parse(fv_config **out, const char *path, const char *text, fv_error *err);
void fv_config_destroy(fv_config *config); /* accepts NULL */

/* Overrides one value from "Key.Sub.0.X=value", as given with -o. A value that begins with
 * [, {, " or ' is YAML ("[1, 5]"), any other is taken as it stands, as a plain scalar ("null",
 * "1e-4", "*.bn"); it may hold '='. Integers index lists; the element must exist. The key may
 * be new, and maps on the way to it are made, unless a key that exists is so like theirs that
 * it must be a slip: the schema decides whether they are known. Overriding an anchor's map
 * changes its aliases too. Messages begin with "-o Key.Sub.0.X". */
fv_status fv_config_set(fv_config *config, const char *assignment, fv_error *err);

typedef enum fv_config_type {
    FV_CONFIG_NULL,
    FV_CONFIG_SCALAR,
    FV_CONFIG_LIST,
    FV_CONFIG_MAP
} fv_config_type;

fv_config_node *fv_config_root(fv_config *config);
fv_config_type fv_config_node_type(const fv_config_node *node); /* FV_CONFIG_NULL for NULL */
const char *fv_config_node_text(const fv_config_node *node);    /* of a scalar, else NULL */
/* "configs/a.yaml:12:5: Optimizer.lr" for messages of one's own; valid with the config. */
const char *fv_config_node_where(fv_config_node *node);

/* Value of a key of a map; NULL if absent or null. Marks the key as known and read. */
fv_config_node *fv_config_child(fv_config_node *map, const char *key);
int fv_config_count(const fv_config_node *node); /* elements of a list or map, else 0 */
fv_config_node *fv_config_at(fv_config_node *node,
                             int i); /* element of a list or map; may be a null */
const char *fv_config_key_at(fv_config_node *map, int i); /* key of element i of a map */

typedef enum fv_field_type {
    FV_BOOL,    /* bool */
    FV_INT,     /* int */
    FV_LONG,    /* int64_t */
    FV_FLOAT,   /* float */
    FV_DOUBLE,  /* double */
    FV_STRING,  /* const char *, borrowed from the config */
    FV_ENUM,    /* int: index into `names` */
    FV_FLOATS,  /* fv_floats: a list of numbers, or one number */
    FV_NODE,    /* fv_config_node *: a map or list read by somebody else; NULL if absent */
    FV_IGNORED, /* known, of no consequence here; see `note` */
    FV_REFUSED  /* known, would change the result, not there; null and False are fine */
} fv_field_type;

/* At most 64 numbers. */
typedef struct fv_floats {
    int count;
    double values[64];
} fv_floats;

typedef struct fv_field {
    const char *key; /* NULL ends the table */
    fv_field_type type;
    size_t offset;
    double otherwise, min, max; /* default and range, inclusive; of numbers */
    const char *otherwise_text; /* default of FV_STRING and FV_ENUM; FV_REQUIRED: must be given */
    const char *const *names;   /* of FV_ENUM: NULL-terminated */
    const char *note; /* of FV_IGNORED: why, told once in the log, unless it is False; NULL:
                         silently. Of FV_REFUSED: what to do instead */
} fv_field;

extern const char FV_REQUIRED[]; /* NOLINT(readability-identifier-naming): a constant */

/* The key is the name of the member, so that one search finds both. */
/* clang-format off */
#define FV_FIELD(s, m, type_)      .key = #m, .type = type_, .offset = offsetof(s, m)
#define FV_FIELD_RANGE(min_, max_) .min = min_, .max = max_
#define FV_FIELD_BOOL(s, m, otherwise_) \
    { FV_FIELD(s, m, FV_BOOL), .otherwise = otherwise_ }
#define FV_FIELD_INT(s, m, otherwise_, min_, max_) \
    { FV_FIELD(s, m, FV_INT), .otherwise = otherwise_, FV_FIELD_RANGE(min_, max_) }
#define FV_FIELD_LONG(s, m, otherwise_, min_, max_) \
    { FV_FIELD(s, m, FV_LONG), .otherwise = otherwise_, FV_FIELD_RANGE(min_, max_) }
#define FV_FIELD_FLOAT(s, m, otherwise_, min_, max_) \
    { FV_FIELD(s, m, FV_FLOAT), .otherwise = otherwise_, FV_FIELD_RANGE(min_, max_) }
#define FV_FIELD_DOUBLE(s, m, otherwise_, min_, max_) \
    { FV_FIELD(s, m, FV_DOUBLE), .otherwise = otherwise_, FV_FIELD_RANGE(min_, max_) }
#define FV_FIELD_STRING(s, m, text) \
    { FV_FIELD(s, m, FV_STRING), .otherwise_text = text }
#define FV_FIELD_ENUM(s, m, text, names_) \
    { FV_FIELD(s, m, FV_ENUM), .otherwise_text = text, .names = names_ }
#define FV_FIELD_FLOATS(s, m, min_, max_) \
    { FV_FIELD(s, m, FV_FLOATS), FV_FIELD_RANGE(min_, max_) }
#define FV_FIELD_NODE(s, m) \
    { FV_FIELD(s, m, FV_NODE) }
#define FV_FIELD_IGNORED(key_, note_) \
    { .key = key_, .type = FV_IGNORED, .note = note_ }
#define FV_FIELD_REFUSED(key_, note_) \
    { .key = key_, .type = FV_REFUSED, .note = note_ }
#define FV_FIELD_END \
    { .key = NULL }
/* clang-format on */

/* Fills *options from a map; `map` may be NULL (absent): then all defaults, unless a field is
 * required. Unknown keys of this map are an error here, with the nearest known key. */
fv_status fv_config_read(fv_config_node *map, const fv_field *fields, void *options, fv_error *err);

/* Fails with "<where>: <message>", the status being FV_ERR_CONFIG. */
fv_status fv_config_fail(fv_config_node *node, fv_error *err, const char *format, ...)
    FV_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* which does not see through the call */
#define fv_config_fail(node, err, ...) ((fv_config_fail)(node, err, __VA_ARGS__), FV_ERR_CONFIG)
#endif

/* A notice in the log, "<where>: <message>": the first one about this node, later ones are dropped,
 * so that settings can be read more than once. */
void fv_config_tell(fv_config_node *node, const char *format, ...) FV_PRINTF(2, 3);

/* The candidate nearest to `word` in edit distance if near enough to suggest, else NULL. */
const char *fv_config_nearest(const char *word, const char *const *candidates);

/* To be called last: keys of the root that nobody asked for are an error. */
fv_status fv_config_finish(fv_config *config, fv_error *err);

/* The tree as YAML, overrides applied, aliases written out; freed with fv_free(). Reading it
 * back gives the same tree. NULL: out of memory. */
char *fv_config_dump(const fv_config *config);

#endif /* FV_BASE_CONFIG_H */
