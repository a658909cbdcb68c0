/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/bytes.h - vectors of integers, seen as blocks of 16 bytes.
 *
 * A block holds a pixel of some row, or a few. Most instructions on bytes stay inside a block; here
 * all do but those that load and store. Words have 16 bits, numbers 32.
 */
#ifndef FV_KERNELS_X86_BYTES_H
#define FV_KERNELS_X86_BYTES_H

#include "kernels/simd.h"

#if defined(FV_ISA_AVX512)

enum { FV_BLOCKS = 4, FV_VECTOR_BYTES = 64 };
typedef __m512i fv_ivec;

FV_ALWAYS_INLINE fv_ivec fv_ivec_zero(void) { return _mm512_setzero_si512(); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_set1(int32_t a) { return _mm512_set1_epi32(a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_set1_word(int a) { return _mm512_set1_epi16((int16_t)a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_load(const void *p) { return _mm512_loadu_si512(p); }
FV_ALWAYS_INLINE void fv_ivec_store(void *p, fv_ivec a) { _mm512_storeu_si512(p, a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_repeat(__m128i a) { return _mm512_broadcast_i32x4(a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_join(const __m128i b[FV_BLOCKS])
{
    const __m512i low = _mm512_inserti32x4(_mm512_castsi128_si512(b[0]), b[1], 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(low, b[2], 2), b[3], 3);
}
FV_ALWAYS_INLINE void fv_ivec_split(fv_ivec a, __m128i b[FV_BLOCKS])
{
    b[0] = _mm512_castsi512_si128(a);
    b[1] = _mm512_extracti32x4_epi32(a, 1);
    b[2] = _mm512_extracti32x4_epi32(a, 2);
    b[3] = _mm512_extracti32x4_epi32(a, 3);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_add(fv_ivec a, fv_ivec b) { return _mm512_add_epi32(a, b); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_add_words(fv_ivec a, fv_ivec b) { return _mm512_add_epi16(a, b); }
/* Numbers: a[2i] * b[2i] + a[2i + 1] * b[2i + 1] of words. */
FV_ALWAYS_INLINE fv_ivec fv_ivec_madd(fv_ivec a, fv_ivec b) { return _mm512_madd_epi16(a, b); }
/* Words: a * b >> 16. */
FV_ALWAYS_INLINE fv_ivec fv_ivec_mul_high(fv_ivec a, fv_ivec b) { return _mm512_mulhi_epi16(a, b); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_shift_left(fv_ivec a, unsigned n)
{
    return _mm512_slli_epi32(a, n);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_shift_right(fv_ivec a, unsigned n)
{
    return _mm512_srai_epi32(a, n);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_shift_right_words(fv_ivec a, unsigned n)
{
    return _mm512_srai_epi16(a, n);
}
/* Byte i of a block becomes its byte order[i], or 0 where that is negative. */
FV_ALWAYS_INLINE fv_ivec fv_ivec_shuffle(fv_ivec a, fv_ivec order)
{
    return _mm512_shuffle_epi8(a, order);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_zip_low(fv_ivec a, fv_ivec b)
{
    return _mm512_unpacklo_epi8(a, b);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_zip_high(fv_ivec a, fv_ivec b)
{
    return _mm512_unpackhi_epi8(a, b);
}
/* Numbers to words, words to bytes, cut off at their ends: first those of a's block, then b's. */
FV_ALWAYS_INLINE fv_ivec fv_ivec_pack(fv_ivec a, fv_ivec b) { return _mm512_packs_epi32(a, b); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_pack_words(fv_ivec a, fv_ivec b)
{
    return _mm512_packus_epi16(a, b);
}
/* Number i becomes number order[i] of the whole vector. */
FV_ALWAYS_INLINE fv_ivec fv_ivec_permute(fv_ivec a, fv_ivec order)
{
    return _mm512_permutexvar_epi32(order, a);
}
FV_ALWAYS_INLINE fv_vec fv_ivec_to_float(fv_ivec a) { return _mm512_cvtepi32_ps(a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_round(fv_vec a) { return _mm512_cvtps_epi32(a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_of_bytes(__m128i a) { return _mm512_cvtepu8_epi32(a); }
FV_ALWAYS_INLINE __m128i fv_load_12(const void *p) { return _mm_maskz_loadu_epi32(7, p); }
FV_ALWAYS_INLINE void fv_store_12(void *p, __m128i a) { _mm_mask_storeu_epi32(p, 7, a); }

#else

enum { FV_BLOCKS = 2, FV_VECTOR_BYTES = 32 };
typedef __m256i fv_ivec;

FV_ALWAYS_INLINE fv_ivec fv_ivec_zero(void) { return _mm256_setzero_si256(); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_set1(int32_t a) { return _mm256_set1_epi32(a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_set1_word(int a) { return _mm256_set1_epi16((int16_t)a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_load(const void *p) { return _mm256_loadu_si256(p); }
FV_ALWAYS_INLINE void fv_ivec_store(void *p, fv_ivec a) { _mm256_storeu_si256(p, a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_repeat(__m128i a) { return _mm256_broadcastsi128_si256(a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_join(const __m128i b[FV_BLOCKS])
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(b[0]), b[1], 1);
}
FV_ALWAYS_INLINE void fv_ivec_split(fv_ivec a, __m128i b[FV_BLOCKS])
{
    b[0] = _mm256_castsi256_si128(a);
    b[1] = _mm256_extracti128_si256(a, 1);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_add(fv_ivec a, fv_ivec b) { return _mm256_add_epi32(a, b); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_add_words(fv_ivec a, fv_ivec b) { return _mm256_add_epi16(a, b); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_madd(fv_ivec a, fv_ivec b) { return _mm256_madd_epi16(a, b); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_mul_high(fv_ivec a, fv_ivec b) { return _mm256_mulhi_epi16(a, b); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_shift_left(fv_ivec a, int n) { return _mm256_slli_epi32(a, n); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_shift_right(fv_ivec a, int n) { return _mm256_srai_epi32(a, n); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_shift_right_words(fv_ivec a, int n)
{
    return _mm256_srai_epi16(a, n);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_shuffle(fv_ivec a, fv_ivec order)
{
    return _mm256_shuffle_epi8(a, order);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_zip_low(fv_ivec a, fv_ivec b)
{
    return _mm256_unpacklo_epi8(a, b);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_zip_high(fv_ivec a, fv_ivec b)
{
    return _mm256_unpackhi_epi8(a, b);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_pack(fv_ivec a, fv_ivec b) { return _mm256_packs_epi32(a, b); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_pack_words(fv_ivec a, fv_ivec b)
{
    return _mm256_packus_epi16(a, b);
}
FV_ALWAYS_INLINE fv_ivec fv_ivec_permute(fv_ivec a, fv_ivec order)
{
    return _mm256_permutevar8x32_epi32(a, order);
}
FV_ALWAYS_INLINE fv_vec fv_ivec_to_float(fv_ivec a) { return _mm256_cvtepi32_ps(a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_round(fv_vec a) { return _mm256_cvtps_epi32(a); }
FV_ALWAYS_INLINE fv_ivec fv_ivec_of_bytes(__m128i a) { return _mm256_cvtepu8_epi32(a); }
/* No byte beyond the twelve is read or written; those of the block are 0. */
FV_ALWAYS_INLINE __m128i fv_load_12(const void *p)
{
    int32_t last;
    memcpy(&last, (const char *)p + 8, sizeof(last));
    return _mm_insert_epi32(_mm_loadl_epi64(p), last, 2);
}
FV_ALWAYS_INLINE void fv_store_12(void *p, __m128i a)
{
    const int32_t last = _mm_extract_epi32(a, 2);
    _mm_storel_epi64(p, a);
    memcpy((char *)p + 8, &last, sizeof(last));
}

#endif

/* p[0], p[1] in every pair of words. */
FV_ALWAYS_INLINE fv_ivec fv_ivec_set1_pair(const int16_t *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof(pair));
    return fv_ivec_set1(pair);
}

/* Floats to the nearest bytes, as many as there are lanes. */
FV_ALWAYS_INLINE void fv_store_bytes(uint8_t *p, fv_vec a)
{
    const fv_ivec numbers = fv_ivec_round(a), words = fv_ivec_pack(numbers, numbers);
    __m128i block[FV_BLOCKS];
    fv_ivec_split(fv_ivec_pack_words(words, words), block);
    FV_UNROLL
    for (int b = 0; b < FV_BLOCKS; b++) {
        const int32_t four = _mm_cvtsi128_si32(block[b]);
        memcpy(p + (size_t)4 * b, &four, sizeof(four));
    }
}

#endif /* FV_KERNELS_X86_BYTES_H */
