/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sampler.h"

#include "base/random.h"

enum { ROUNDS = 8 };

int64_t fv_sampler_batches(const fv_sampler *s)
{
    const int64_t whole = s->count / s->batch_size;
    return whole + (!s->drop_last && s->count % s->batch_size != 0);
}

int fv_sampler_batch_size(const fv_sampler *s, int64_t batch)
{
    const int64_t left = s->count - batch * s->batch_size;
    return left < s->batch_size ? (int)left : s->batch_size;
}

/* One pass of the network over numbers of 2 * half bits: a permutation of them, whatever the round
 * function is. */
static uint64_t permute(const fv_sampler *s, uint32_t epoch, uint64_t x, int half)
{
    const uint32_t key[2] = { (uint32_t)s->seed, (uint32_t)(s->seed >> 32) };
    const uint32_t mask = (uint32_t)((UINT64_C(1) << half) - 1);
    uint32_t left = (uint32_t)(x >> half), right = (uint32_t)x & mask;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t counter[4] = { right, epoch, round, (uint32_t)FV_RANDOM_SHUFFLE << 24 };
        uint32_t words[4];
        fv_random_philox(key, counter, words);
        const uint32_t next = left ^ (words[0] & mask);
        left = right;
        right = next;
    }
    return (uint64_t)left << half | right;
}

int64_t fv_sampler_index(const fv_sampler *s, uint32_t epoch, int64_t position)
{
    if (!s->shuffle) return position;
    int half = 1;
    while ((UINT64_C(1) << 2 * half) < (uint64_t)s->count) half++;
    /* Numbers beyond the count are sent on until one is within; at most three in four are. */
    uint64_t x = (uint64_t)position;
    do x = permute(s, epoch, x, half);
    while (x >= (uint64_t)s->count);
    return (int64_t)x;
}
