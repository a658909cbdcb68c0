/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tensors_impl.h"

#include "base/file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, MAX_HEADER = 8 << 20 };

static int compare_names(const void *a, const void *b)
{
    const fv_tensor_values *const *x = a, *const *y = b;
    return strcmp((*x)->info.name, (*y)->info.name);
}

/* {"dtype":"F32","shape":[...],"data_offsets":[begin,end]}; NULL: out of memory. */
static json_t *describe(const fv_tensor_info *info, uint64_t begin)
{
    json_t *shape = json_array();
    int failed = !shape;
    for (int d = 0; d < info->rank && !failed; d++)
        failed = json_array_append_new(shape, json_integer(info->dims[d]));
    if (failed) {
        json_decref(shape);
        return NULL;
    }
    const uint64_t end = begin + info->count * sizeof(float);
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)end);
}

/* The header without padding, from malloc(); NULL: out of memory, or text that is not UTF-8. */
static char *make_header(const fv_tensor_values *const *sorted, int count, const fv_meta *meta,
                         int meta_count)
{
    uint64_t at = 0;
    json_t *root = json_object(), *map = json_object();
    int failed = !root || !map;
    for (int i = 0; i < meta_count && !failed; i++)
        failed = json_object_set_new(map, meta[i].key, json_string(meta[i].value));
    if (!failed && meta_count) failed = json_object_set(root, "__metadata__", map);
    for (int i = 0; i < count && !failed; i++) {
        failed = json_object_set_new(root, sorted[i]->info.name, describe(&sorted[i]->info, at));
        at += sorted[i]->info.count * sizeof(float);
    }
    char *text = failed ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(map);
    json_decref(root);
    return text;
}

/* Little endian, whatever the machine. */
static void put_floats(unsigned char *out, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        for (int b = 0; b < 4; b++) out[4 * i + (size_t)b] = (unsigned char)(bits >> (8 * b));
    }
}

static fv_status write_image(const char *path, const fv_tensor_values *const *sorted, int count,
                             const char *header, size_t floats, fv_error *err)
{
    const size_t text = strlen(header), padded = (text + 7) / 8 * 8;
    if (padded > MAX_HEADER)
        return fv_fail(err, FV_ERR_FORMAT, "%s: the header would have %zu bytes, above %d", path,
                       padded, MAX_HEADER);
    const size_t bytes = LENGTH_BYTES + padded + floats * sizeof(float);
    unsigned char *image = fv_alloc(bytes);
    if (!image) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for %zu bytes", path, bytes);

    for (int i = 0; i < LENGTH_BYTES; i++) image[i] = (unsigned char)((uint64_t)padded >> (8 * i));
    unsigned char *at = image + LENGTH_BYTES;
    memset(at, ' ', padded);
    memcpy(at, header, text);
    at += padded;
    for (int i = 0; i < count; i++) {
        put_floats(at, sorted[i]->data, sorted[i]->info.count);
        at += sorted[i]->info.count * sizeof(float);
    }
    const fv_status status = fv_file_write(path, image, bytes, err);
    fv_free(image);
    return status;
}

fv_status fv_safetensors_save(const char *path, const fv_tensor_values *tensors, int count,
                              const fv_meta *meta, int meta_count, fv_error *err)
{
    size_t floats = 0;
    const fv_tensor_values **sorted = fv_alloc((size_t)count * sizeof(*sorted));
    if (!sorted) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    for (int i = 0; i < count; i++) {
        sorted[i] = &tensors[i];
        floats += tensors[i].info.count;
    }
    qsort(sorted, (size_t)count, sizeof(*sorted), compare_names);

    char *header = make_header(sorted, count, meta, meta_count);
    const fv_status status =
        header
            ? write_image(path, sorted, count, header, floats, err)
            : fv_fail(err, FV_ERR_FORMAT,
                      "%s: cannot make the header: a name or text is not utf-8, or memory is out",
                      path);
    free(header); /* by jansson, from malloc() */
    fv_free(sorted);
    return status;
}
