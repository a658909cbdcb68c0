/* SPDX-License-Identifier: Apache-2.0 */
/* io/pickle.h - Python's pickles, protocols 2 to 5, as trees of values; private to io.
 *
 * A machine with a stack and a memo that can build lists, tuples, dicts, numbers and texts, and
 * nothing else: a call is not made but written down, as an object with what would be called and
 * its arguments, and only what the reader names in a table may be called at all. Every other
 * global and every opcode outside this subset is refused by name. Nothing recurses; the numbers of
 * steps, values and memo entries are bounded, and lengths are compared with the bytes that are
 * left.
 */
#ifndef FV_IO_PICKLE_H
#define FV_IO_PICKLE_H

#include "base/memory.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum fv_pickle_kind {
    FV_PICKLE_NONE,
    FV_PICKLE_BOOL,   /* integer */
    FV_PICKLE_INT,    /* integer */
    FV_PICKLE_FLOAT,  /* real */
    FV_PICKLE_TEXT,   /* bytes: UTF-8, not checked */
    FV_PICKLE_BYTES,  /* bytes */
    FV_PICKLE_LIST,   /* items */
    FV_PICKLE_TUPLE,  /* items */
    FV_PICKLE_DICT,   /* items: key, value, key, value, ... */
    FV_PICKLE_GLOBAL, /* id */
    FV_PICKLE_OBJECT, /* a call: id; items: its arguments, then the state or NULL */
    FV_PICKLE_OUTSIDE /* a persistent id: items[0] says which */
} fv_pickle_kind;

typedef struct fv_pickle_value fv_pickle_value;
struct fv_pickle_value {
    fv_pickle_kind kind;
    int id;    /* of a global, or of what an object calls: as in the table */
    int count; /* of items */
    int room;
    union {
        int64_t integer;
        double real;
        struct {
            const unsigned char *data; /* within the pickle */
            size_t size;
        } bytes;
        fv_pickle_value **items;
    };
};

/* A global that may occur. Ids are the reader's, from 0 on, FV_PICKLE_MAKES_DICT its own: a call of
 * that without arguments is an empty dict, and its state is dropped (collections.OrderedDict). */
typedef struct fv_pickle_global {
    const char *module, *name; /* NULL ends the table */
    int id;
} fv_pickle_global;

enum { FV_PICKLE_MAKES_DICT = -1 };

/* `data` must outlive the values, which live in `arena`. `where` begins messages. */
fv_status fv_pickle_read(fv_pickle_value **out, fv_arena *arena, const char *where,
                         const unsigned char *data, size_t size, const fv_pickle_global *globals,
                         fv_error *err);

/* Of a value that may be NULL. */
bool fv_pickle_is(const fv_pickle_value *value, fv_pickle_kind kind);
bool fv_pickle_is_object(const fv_pickle_value *value, int id);
/* Whether it is a text, or bytes, with these characters. */
bool fv_pickle_says(const fv_pickle_value *value, const char *text);
/* Item i of a list or tuple, argument i of an object; NULL: none. */
const fv_pickle_value *fv_pickle_at(const fv_pickle_value *value, int i);
/* What belongs to a key of a dict; the last one if there are several; NULL: none. */
const fv_pickle_value *fv_pickle_get(const fv_pickle_value *dict, const char *key);
/* The state of an object; NULL: none. */
const fv_pickle_value *fv_pickle_state(const fv_pickle_value *object);

#endif /* FV_IO_PICKLE_H */
