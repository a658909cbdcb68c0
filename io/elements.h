/* SPDX-License-Identifier: Apache-2.0 */
/* io/elements.h - the elements of tensors in files, as floats; private to io. */
#ifndef FV_IO_ELEMENTS_H
#define FV_IO_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fv_element {
    FV_F64,
    FV_F32,
    FV_F16,
    FV_BF16,
    FV_I64,
    FV_I32,
    FV_I16,
    FV_I8,
    FV_U8,
    FV_BOOLEAN,
    FV_ELEMENT_COUNT
} fv_element;

size_t fv_element_bytes(fv_element type);

/* out[i] = element i of `bytes`, `count` of them, each with its least significant byte first, or
 * last if `big_endian`. */
void fv_elements_convert(fv_element type, bool big_endian, const unsigned char *bytes, size_t count,
                         float *out);

/* out = the elements of an array whose element (i, j, ...) stands at `from` + i * strides[0] + j *
 * strides[1] ..., the last index running fastest. */
void fv_elements_gather(const float *from, int rank, const int64_t *dims, const int64_t *strides,
                        float *out);

#endif /* FV_IO_ELEMENTS_H */
