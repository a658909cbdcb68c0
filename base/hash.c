/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <string.h>

enum { BLOCK = 16 };

static const uint64_t FACTORS[2] = { 0x87c37b91114253d5u, 0x4cf5ad432745937fu };

static uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

/* Eight bytes, the first the lowest, on any machine. */
static uint64_t load(const uint8_t *p)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) word |= (uint64_t)p[i] << (8 * i);
    return word;
}

/* What is mixed into the first or second half of the state. */
static uint64_t scramble(uint64_t word, int half)
{
    word = rotate(word * FACTORS[half], half ? 33 : 31);
    return word * FACTORS[1 - half];
}

/* Every bit comes to depend on every other one. */
static uint64_t finish(uint64_t x)
{
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

fv_hash fv_hash_bytes(const void *bytes, size_t size, uint32_t seed)
{
    const uint8_t *p = bytes;
    uint64_t a = seed, b = seed;
    size_t left = size;
    for (; left >= BLOCK; left -= BLOCK, p += BLOCK) {
        a = (rotate(a ^ scramble(load(p), 0), 27) + b) * 5 + 0x52dce729;
        b = (rotate(b ^ scramble(load(p + 8), 1), 31) + a) * 5 + 0x38495ab5;
    }
    uint8_t rest[BLOCK] = { 0 };
    if (left) memcpy(rest, p, left);
    b ^= scramble(load(rest + 8), 1) ^ size;
    a ^= scramble(load(rest), 0) ^ size;
    a += b;
    b += a;
    a = finish(a);
    b = finish(b);
    a += b;
    return (fv_hash){ .high = a, .low = b + a };
}

int fv_hash_compare(const fv_hash *a, const fv_hash *b)
{
    if (a->high != b->high) return a->high < b->high ? -1 : 1;
    return a->low == b->low ? 0 : a->low < b->low ? -1 : 1;
}
