/* SPDX-License-Identifier: Apache-2.0 */
#include "io/pickle.h"

#include <string.h>

bool fv_pickle_is(const fv_pickle_value *v, fv_pickle_kind kind) { return v && v->kind == kind; }

bool fv_pickle_is_object(const fv_pickle_value *v, int id)
{
    return fv_pickle_is(v, FV_PICKLE_OBJECT) && v->id == id;
}

bool fv_pickle_says(const fv_pickle_value *v, const char *text)
{
    return (fv_pickle_is(v, FV_PICKLE_TEXT) || fv_pickle_is(v, FV_PICKLE_BYTES)) &&
           v->bytes.size == strlen(text) && memcmp(v->bytes.data, text, v->bytes.size) == 0;
}

const fv_pickle_value *fv_pickle_at(const fv_pickle_value *v, int i)
{
    if (fv_pickle_is(v, FV_PICKLE_OBJECT)) v = v->items[0];
    const bool is_list = fv_pickle_is(v, FV_PICKLE_LIST) || fv_pickle_is(v, FV_PICKLE_TUPLE);
    return is_list && i >= 0 && i < v->count ? v->items[i] : NULL;
}

const fv_pickle_value *fv_pickle_get(const fv_pickle_value *dict, const char *key)
{
    if (!fv_pickle_is(dict, FV_PICKLE_DICT)) return NULL;
    for (int i = dict->count - 2; i >= 0; i -= 2)
        if (fv_pickle_says(dict->items[i], key)) return dict->items[i + 1];
    return NULL;
}

const fv_pickle_value *fv_pickle_state(const fv_pickle_value *object)
{
    return fv_pickle_is(object, FV_PICKLE_OBJECT) ? object->items[1] : NULL;
}
