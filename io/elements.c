/* SPDX-License-Identifier: Apache-2.0 */
#include "io/elements.h"

#include "io/weights.h"

#include <string.h>

size_t fv_element_bytes(fv_element type)
{
    static const unsigned char bytes[FV_ELEMENT_COUNT] = {
        [FV_F64] = 8, [FV_F32] = 4, [FV_F16] = 2, [FV_BF16] = 2, [FV_I64] = 8,
        [FV_I32] = 4, [FV_I16] = 2, [FV_I8] = 1,  [FV_U8] = 1,   [FV_BOOLEAN] = 1,
    };
    return bytes[type];
}

static float float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static float float_of_half(uint32_t half)
{
    const uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 31,
                   fraction = half & 0x3ff;
    if (exponent == 31) return float_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent) return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    const float magnitude = (float)fraction * 0x1p-24f; /* exact */
    return sign ? -magnitude : magnitude;
}

static double double_of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static float element(fv_element type, uint64_t bits)
{
    switch (type) {
    case FV_F64: return (float)double_of_bits(bits);
    case FV_F32: return float_of_bits((uint32_t)bits);
    case FV_F16: return float_of_half((uint32_t)bits);
    case FV_BF16: return float_of_bits((uint32_t)bits << 16);
    case FV_I64: return (float)(int64_t)bits;
    case FV_I32: return (float)(int32_t)(uint32_t)bits;
    case FV_I16: return (float)(int16_t)(uint16_t)bits;
    case FV_I8: return (float)(int8_t)(uint8_t)bits;
    case FV_BOOLEAN: return bits ? 1.0f : 0.0f;
    default: return (float)bits;
    }
}

void fv_elements_convert(fv_element type, bool big_endian, const unsigned char *bytes, size_t count,
                         float *out)
{
    const size_t size = fv_element_bytes(type);
    for (size_t i = 0; i < count; i++, bytes += size) {
        uint64_t bits = 0;
        for (size_t b = 0; b < size; b++)
            bits |= (uint64_t)bytes[b] << (8 * (big_endian ? size - 1 - b : b));
        out[i] = element(type, bits);
    }
}

void fv_elements_gather(const float *from, int rank, const int64_t *dims, const int64_t *strides,
                        float *out)
{
    int64_t at[FV_TENSOR_MAX_RANK] = { 0 }, place = 0;
    for (int d = 0; d < rank; d++)
        if (dims[d] == 0) return;
    for (int d = rank; d >= 0;) {
        *out++ = from[place];
        for (d = rank - 1; d >= 0; d--) {
            place += strides[d];
            if (++at[d] < dims[d]) break;
            place -= strides[d] * dims[d];
            at[d] = 0;
        }
    }
}
