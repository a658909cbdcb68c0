/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <math.h>

void fv_random_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];

    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xd2511f53u * c0;
        const uint64_t p1 = (uint64_t)0xcd9e8d57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

fv_random fv_random_stream(uint64_t seed, fv_purpose purpose, uint32_t epoch, uint64_t index)
{
    return (fv_random){
        .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
        .counter = { 0, epoch, (uint32_t)index,
                     (uint32_t)(index >> 32 & 0xffffffu) | (uint32_t)purpose << 24 },
        .used = 4,
    };
}

uint32_t fv_random_epoch(const fv_random *r) { return r->counter[1]; }

uint32_t fv_random_u32(fv_random *r)
{
    if (r->used == 4) {
        fv_random_philox(r->key, r->counter, r->block);
        r->counter[0]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

float fv_random_float(fv_random *r) { return (float)(fv_random_u32(r) >> 8) * 0x1p-24f; }

double fv_random_double(fv_random *r)
{
    const uint64_t high = fv_random_u32(r) >> 5, low = fv_random_u32(r) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

float fv_random_uniform(fv_random *r, float low, float high)
{
    const float x = low + fv_random_float(r) * (high - low);
    return x < high || low >= high ? x : nextafterf(high, low); /* the sum may round up to high */
}

/* Box-Muller, the cosine half: the sine half would be state that a copy of the stream lacks. */
float fv_random_normal(fv_random *r)
{
    const double two_pi = 6.283185307179586;
    const double above_zero = ((double)fv_random_u32(r) + 1.0) * 0x1p-32; /* (0, 1] */
    const double turn = (double)fv_random_u32(r) * 0x1p-32;
    return (float)(sqrt(-2.0 * log(above_zero)) * cos(two_pi * turn));
}

/* The high word of a product, rejecting the few low words that would favour some results
 * (Lemire, arXiv:1805.10941). */
int fv_random_int(fv_random *r, int low, int high)
{
    const uint32_t range = (uint32_t)high - (uint32_t)low + 1u;
    if (range == 0) return (int)((int64_t)low + fv_random_u32(r)); /* all of int */

    const uint32_t rejected = (0u - range) % range;
    uint64_t product = (uint64_t)fv_random_u32(r) * range;
    while ((uint32_t)product < rejected) product = (uint64_t)fv_random_u32(r) * range;
    return (int)((int64_t)low + (int64_t)(product >> 32));
}

uint64_t fv_random_hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *p = name; *p; p++) h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return (h >> 56) ^ (h & 0xffffffffffffffu);
}
