/* SPDX-License-Identifier: Apache-2.0 */
/* base/config_impl.h - the tree behind base/config.h; private to base/config_*.c.
 *
 * Aliases are written out: each place has nodes of its own, so that each knows its path.
 * The maps and lists that an alias made equal form a ring of twins; an override of one of
 * them goes to all, as if they were the one object that they are in Python.
 */
#ifndef FV_BASE_CONFIG_IMPL_H
#define FV_BASE_CONFIG_IMPL_H

#include "base/config.h"
#include "base/memory.h"

#include <stdint.h>

/* Bounds on what a file may ask for. Real configurations stay far below. */
enum {
    FV_CONFIG_BYTES = 4 << 20,
    FV_CONFIG_DEPTH = 64,
    FV_CONFIG_NODES = 1000000, /* aliases written out, overrides included */
    FV_CONFIG_KEYS = 1000,     /* of one map */
    FV_CONFIG_KEY_BYTES = 256,
    FV_CONFIG_ANCHORS = 256,
};

struct fv_config_node {
    fv_config *config;
    fv_config_node *parent; /* NULL: the root */
    fv_config_node *twin;   /* next in the ring of a map or list; itself if alone */
    fv_config_node **items; /* of a map or list */
    const char *key;        /* in a map, else NULL */
    const char *text;       /* of a scalar */
    const char *where;      /* made on demand */
    int count, capacity;    /* of `items` */
    int index;              /* in `parent` */
    int line, column;       /* of the key, or of the value in a list; from 1 */
    fv_config_type type;
    bool quoted;     /* a scalar that was not plain */
    bool overridden; /* from the command line: line and column mean nothing */
    bool known;      /* somebody asked for this key */
    bool told;       /* a notice about it is in the log */
};

struct fv_config {
    fv_arena arena; /* of all nodes and strings */
    fv_config_node *root;
    const char *path;
    const char **asked; /* root keys that somebody asked for, to be suggested */
    int asked_count, asked_capacity;
    int nodes;
};

/* ---- config.c ---------------------------------------------------------------- */

/* "DataLoader.Train.dataset.transform_ops.1.RandCropImage.size"; empty for the root. On one line,
 * cut if it is longer than a message. */
typedef struct fv_config_path {
    char text[512];
} fv_config_path;
fv_config_path fv_config_path_of(const fv_config_node *node);

/* ---- config_tree.c ----------------------------------------------------------- */

/* Creation of a node; `key` NULL: in a list. */
typedef struct fv_config_place {
    fv_config_node *parent;
    const char *key; /* copied */
    int line, column;
    bool overridden;
} fv_config_place;

/* A null that nobody holds yet. NULL: out of memory, or of FV_CONFIG_NODES. */
fv_config_node *fv_config_new(fv_config *config, const fv_config_place *place);
/* Puts a node behind the last of its parent; false: out of memory. */
bool fv_config_append(fv_config_node *node);
fv_config_node *fv_config_find(const fv_config_node *map, const char *key); /* or NULL */
/* Gives `node` the value of `from`, whose twin it becomes. `depth` is that of `node`. */
fv_status fv_config_copy(fv_config_node *node, fv_config_node *from, int depth, fv_error *err);
int fv_config_depth(const fv_config_node *node);
/* For a NULL of fv_config_new(): says which of the two it is. */
fv_status fv_config_no_room(const fv_config *config, fv_error *err);

/* ---- config_parse.c ---------------------------------------------------------- */

/* Parses the value of an override into `node`, a null. `name` begins messages. */
fv_status fv_config_parse_value(fv_config_node *node, const char *name, const char *text,
                                fv_error *err);

/* ---- config_value.c ---------------------------------------------------------- */

typedef struct fv_config_number {
    double value;    /* may be infinite or NaN */
    int64_t integer; /* nearest to value, if `whole` */
    bool whole;      /* without point, exponent or quotient */
} fv_config_number;

/* Whether the text reads as that, and what it is. */
bool fv_config_text_null(const char *text);
bool fv_config_text_bool(const char *text, bool *value);
bool fv_config_text_number(const char *text, fv_config_number *number);
/* The numbers of "[0.5, 1/3]" or "(3./4., 4./3.)", at most `most`; how many, or -1: it is no such
 * list. */
int fv_config_text_numbers(const char *text, fv_config_number *numbers, int most);

/* The UTF-8 character at `*at`, which is moved behind it; -1 if it is none. */
int fv_config_decode(const char **at);

/* The text in double quotes, for a message: at most 60 bytes of it, on one line. */
typedef struct fv_config_quoted {
    char text[72];
} fv_config_quoted;
fv_config_quoted fv_config_quote(const char *text);
/* That of a scalar, else "a map", "a list" or "nothing". */
fv_config_quoted fv_config_describe(const fv_config_node *node);

#endif /* FV_BASE_CONFIG_IMPL_H */
