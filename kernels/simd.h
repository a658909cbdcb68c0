/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd.h - one vocabulary for the vectors of several instruction sets.
 *
 * Only the files kernels/<machine>/<family>_vector.c include it. They are compiled once for each
 * instruction set, with FV_ISA_AVX2 or FV_ISA_AVX512 defined and FV_ISA as the last word of their
 * init function's name: FV_VARIANT(fv_conv) is fv_conv_avx512. Everything else in them, and
 * everything here, is static, so that no copy for one processor can be linked in for another.
 *
 * A mask names lanes, fv_mask_first(n) the first n <= FV_LANES; others are not touched and load 0.
 */
#ifndef FV_KERNELS_SIMD_H
#define FV_KERNELS_SIMD_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define FV_VARIANT_PASTE(name, isa)  name##_##isa
#define FV_VARIANT_EXPAND(name, isa) FV_VARIANT_PASTE(name, isa)
#define FV_VARIANT(name)             FV_VARIANT_EXPAND(name, FV_ISA)

#if defined(__has_feature)
#define FV_SANITIZED __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FV_SANITIZED 1
#else
#define FV_SANITIZED 0
#endif

#define FV_NOINLINE __attribute__((noinline))

/* FV_ALWAYS_INLINE: for micro-kernels whose tile sizes must be constants in every copy.
 * FV_UNROLL: before a loop with a constant count of at most 16: written out in full, so that small
 * arrays of vectors live in registers. With sanitizers, whose checks would make the copies a
 * hundred times as long, both are left to the compiler. */
#if FV_SANITIZED
#define FV_ALWAYS_INLINE static inline
#define FV_UNROLL
#elif defined(__clang__)
#define FV_ALWAYS_INLINE static inline __attribute__((always_inline))
#define FV_UNROLL        _Pragma("clang loop unroll(full)")
#else
#define FV_ALWAYS_INLINE static inline __attribute__((always_inline))
#define FV_UNROLL        _Pragma("GCC unroll 16")
#endif

#if defined(FV_ISA_AVX512)

enum { FV_LANES = 16, FV_VECTOR_REGISTERS = 32 };
typedef __m512 fv_vec;
typedef __mmask16 fv_mask;

FV_ALWAYS_INLINE fv_mask fv_mask_first(int n) { return (fv_mask)((1u << n) - 1u); }
FV_ALWAYS_INLINE fv_vec fv_vec_zero(void) { return _mm512_setzero_ps(); }
FV_ALWAYS_INLINE fv_vec fv_vec_set1(float a) { return _mm512_set1_ps(a); }
FV_ALWAYS_INLINE fv_vec fv_vec_load(const float *p) { return _mm512_loadu_ps(p); }
FV_ALWAYS_INLINE fv_vec fv_vec_load_mask(const float *p, fv_mask m)
{
    return _mm512_maskz_loadu_ps(m, p);
}
FV_ALWAYS_INLINE void fv_vec_store(float *p, fv_vec a) { _mm512_storeu_ps(p, a); }
FV_ALWAYS_INLINE void fv_vec_store_mask(float *p, fv_mask m, fv_vec a)
{
    _mm512_mask_storeu_ps(p, m, a);
}
FV_ALWAYS_INLINE fv_vec fv_vec_add(fv_vec a, fv_vec b) { return _mm512_add_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_sub(fv_vec a, fv_vec b) { return _mm512_sub_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_mul(fv_vec a, fv_vec b) { return _mm512_mul_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_div(fv_vec a, fv_vec b) { return _mm512_div_ps(a, b); }
/* max(a, b) = a > b ? a : b, so that b wins over NaN; min likewise. */
FV_ALWAYS_INLINE fv_vec fv_vec_max(fv_vec a, fv_vec b) { return _mm512_max_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_min(fv_vec a, fv_vec b) { return _mm512_min_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_sqrt(fv_vec a) { return _mm512_sqrt_ps(a); }
/* a * b + c, rounded once. */
FV_ALWAYS_INLINE fv_vec fv_vec_fma(fv_vec a, fv_vec b, fv_vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}
/* Comparisons are false where an operand is NaN. */
FV_ALWAYS_INLINE fv_mask fv_vec_gt(fv_vec a, fv_vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
FV_ALWAYS_INLINE fv_mask fv_vec_lt(fv_vec a, fv_vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
FV_ALWAYS_INLINE fv_mask fv_vec_eq(fv_vec a, fv_vec b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
FV_ALWAYS_INLINE fv_mask fv_mask_and(fv_mask a, fv_mask b) { return (fv_mask)(a & b); }
FV_ALWAYS_INLINE fv_mask fv_mask_or(fv_mask a, fv_mask b) { return (fv_mask)(a | b); }
/* m ? a : b, lane by lane. */
FV_ALWAYS_INLINE fv_vec fv_vec_select(fv_mask m, fv_vec a, fv_vec b)
{
    return _mm512_mask_blend_ps(m, b, a);
}
FV_ALWAYS_INLINE fv_vec fv_vec_of_pair(int64_t bits)
{
    return _mm512_castsi512_ps(_mm512_set1_epi64(bits));
}
/* Sums of neighbouring lanes: first those of a, then those of b. */
FV_ALWAYS_INLINE fv_vec fv_vec_sum_pairs(fv_vec a, fv_vec b)
{
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_add_ps(_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b));
}

#elif defined(FV_ISA_AVX2)

enum { FV_LANES = 8, FV_VECTOR_REGISTERS = 16 };
typedef __m256 fv_vec;
typedef __m256i fv_mask;

FV_ALWAYS_INLINE fv_mask fv_mask_first(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
FV_ALWAYS_INLINE fv_vec fv_vec_zero(void) { return _mm256_setzero_ps(); }
FV_ALWAYS_INLINE fv_vec fv_vec_set1(float a) { return _mm256_set1_ps(a); }
FV_ALWAYS_INLINE fv_vec fv_vec_load(const float *p) { return _mm256_loadu_ps(p); }
FV_ALWAYS_INLINE fv_vec fv_vec_load_mask(const float *p, fv_mask m)
{
    return _mm256_maskload_ps(p, m);
}
FV_ALWAYS_INLINE void fv_vec_store(float *p, fv_vec a) { _mm256_storeu_ps(p, a); }
FV_ALWAYS_INLINE void fv_vec_store_mask(float *p, fv_mask m, fv_vec a)
{
    _mm256_maskstore_ps(p, m, a);
}
FV_ALWAYS_INLINE fv_vec fv_vec_add(fv_vec a, fv_vec b) { return _mm256_add_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_sub(fv_vec a, fv_vec b) { return _mm256_sub_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_mul(fv_vec a, fv_vec b) { return _mm256_mul_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_div(fv_vec a, fv_vec b) { return _mm256_div_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_max(fv_vec a, fv_vec b) { return _mm256_max_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_min(fv_vec a, fv_vec b) { return _mm256_min_ps(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_sqrt(fv_vec a) { return _mm256_sqrt_ps(a); }
FV_ALWAYS_INLINE fv_vec fv_vec_fma(fv_vec a, fv_vec b, fv_vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}
FV_ALWAYS_INLINE fv_mask fv_vec_gt(fv_vec a, fv_vec b)
{
    return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_GT_OQ));
}
FV_ALWAYS_INLINE fv_mask fv_vec_lt(fv_vec a, fv_vec b)
{
    return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
FV_ALWAYS_INLINE fv_mask fv_vec_eq(fv_vec a, fv_vec b)
{
    return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_EQ_OQ));
}
FV_ALWAYS_INLINE fv_mask fv_mask_and(fv_mask a, fv_mask b) { return _mm256_and_si256(a, b); }
FV_ALWAYS_INLINE fv_mask fv_mask_or(fv_mask a, fv_mask b) { return _mm256_or_si256(a, b); }
FV_ALWAYS_INLINE fv_vec fv_vec_select(fv_mask m, fv_vec a, fv_vec b)
{
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(m));
}
FV_ALWAYS_INLINE fv_vec fv_vec_of_pair(int64_t bits)
{
    return _mm256_castsi256_ps(_mm256_set1_epi64x(bits));
}
FV_ALWAYS_INLINE fv_vec fv_vec_sum_pairs(fv_vec a, fv_vec b)
{
    const __m256d sums = _mm256_castps_pd(_mm256_hadd_ps(a, b)); /* a, b, a, b: two of each */
    return _mm256_castpd_ps(_mm256_permute4x64_pd(sums, 0xd8));
}

#else
#error "compile this file for an instruction set: FV_ISA_AVX2 or FV_ISA_AVX512"
#endif

FV_ALWAYS_INLINE fv_vec fv_vec_load_n(const float *p, int n)
{
    return fv_vec_load_mask(p, fv_mask_first(n));
}
FV_ALWAYS_INLINE void fv_vec_store_n(float *p, int n, fv_vec a)
{
    fv_vec_store_mask(p, fv_mask_first(n), a);
}
/* p[0] in all even lanes, p[1] in all odd ones. */
FV_ALWAYS_INLINE fv_vec fv_vec_set1_pair(const float *p)
{
    int64_t pair;
    memcpy(&pair, p, sizeof(pair));
    return fv_vec_of_pair(pair);
}
/* p[0] in all even lanes, 0 in the odd ones. */
FV_ALWAYS_INLINE fv_vec fv_vec_set1_even(const float *p)
{
    int32_t bits;
    memcpy(&bits, p, sizeof(bits));
    return fv_vec_of_pair((int64_t)(uint32_t)bits);
}

#endif /* FV_KERNELS_SIMD_H */
