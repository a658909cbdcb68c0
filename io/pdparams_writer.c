/* SPDX-License-Identifier: Apache-2.0 */
/* .pdparams as paddle.load() and NumPy read it: a pickle of protocol 4, a dict of arrays. */
#include "base/file.h"
#include "io/tensors_impl.h"

#include <string.h>

/* A block that is filled from its beginning; without one, only counted. */
typedef struct sink {
    unsigned char *block;
    size_t used;
} sink;

static void put(sink *s, const void *bytes, size_t count)
{
    if (s->block) memcpy(s->block + s->used, bytes, count);
    s->used += count;
}

/* Opcodes and what is text in them. */
#define PUT(s, text) put(s, text, sizeof(text) - 1)

/* A number of `size` bytes, the lowest first. */
static void put_number(sink *s, uint64_t number, int size)
{
    unsigned char bytes[8];
    for (int i = 0; i < size; i++) bytes[i] = (unsigned char)(number >> (8 * i));
    put(s, bytes, (size_t)size);
}

static void put_name(sink *s, const char *name)
{
    PUT(s, "X");
    put_number(s, strlen(name), 4);
    put(s, name, strlen(name));
}

static void put_shape(sink *s, const fv_tensor_info *info)
{
    PUT(s, "(");
    for (int d = 0; d < info->rank; d++) {
        PUT(s, "\x8a\x08");
        put_number(s, (uint64_t)info->dims[d], 8);
    }
    PUT(s, "t");
}

static void put_floats(sink *s, const float *values, size_t count)
{
    PUT(s, "\x8e");
    put_number(s, count * sizeof(float), 8);
    if (!s->block) s->used += count * sizeof(float);
    for (size_t i = 0; s->block && i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        put_number(s, bits, 4);
    }
}

/* _reconstruct(ndarray, (0,), b"b"), its state being (1, shape, dtype, False, bytes); the state of
 * dtype("f4", False, True) says that the lowest byte comes first. */
static void put_tensor(sink *s, const fv_tensor_values *t)
{
    put_name(s, t->info.name);
    PUT(s, "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85"
           "C\1b\x87R(K\1");
    put_shape(s, &t->info);
    PUT(s, "cnumpy\ndtype\nX\2\0\0\0f4\x89\x88\x87R(K\3X\1\0\0\0<"
           "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
           "\x89");
    put_floats(s, t->data, t->info.count);
    PUT(s, "tbs");
}

static void put_all(sink *s, const fv_tensor_values *tensors, int count)
{
    PUT(s, "\x80\4}");
    for (int i = 0; i < count; i++) put_tensor(s, &tensors[i]);
    PUT(s, ".");
}

fv_status fv_pdparams_save(const char *path, const fv_tensor_values *tensors, int count,
                           fv_error *err)
{
    sink s = { .block = NULL };
    put_all(&s, tensors, count);
    s.block = fv_alloc(s.used);
    if (!s.block)
        return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for %zu bytes", path, s.used);
    s.used = 0;
    put_all(&s, tensors, count);
    const fv_status status = fv_file_write(path, s.block, s.used, err);
    fv_free(s.block);
    return status;
}
