/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sampler.h"

#include "base/random.h"

enum { ROUND_BITS = 3, ROUNDS = 1 << ROUND_BITS };

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

/* Which of the many permutations. */
typedef struct stream {
    uint32_t epoch, group, repeat; /* group 0: of all samples; k + 1: of class k */
} stream;

/* One pass of the network over numbers of 2 * half bits: a permutation of them, whatever the round
 * function is. */
static uint64_t permute(const fv_sampler *s, stream t, uint64_t x, int half)
{
    const uint32_t key[2] = { (uint32_t)s->seed, (uint32_t)(s->seed >> 32) };
    const uint32_t mask = (uint32_t)((UINT64_C(1) << half) - 1);
    const uint32_t purpose = (uint32_t)FV_RANDOM_SHUFFLE << 24 | (t.repeat & 0xffffff);
    uint32_t left = (uint32_t)(x >> half), right = (uint32_t)x & mask;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t counter[4] = { right, t.epoch, round | t.group << ROUND_BITS, purpose };
        uint32_t words[4];
        fv_random_philox(key, counter, words);
        const uint32_t next = left ^ (words[0] & mask);
        left = right;
        right = next;
    }
    return (uint64_t)left << half | right;
}

/* Where a permutation of [0, count) puts a position. */
static int64_t shuffled(const fv_sampler *s, stream t, int64_t position, int64_t count)
{
    int half = 1;
    while ((UINT64_C(1) << 2 * half) < (uint64_t)count) half++;
    /* Numbers beyond the count are sent on until one is within; at most three in four are. */
    uint64_t x = (uint64_t)position;
    do x = permute(s, t, x, half);
    while (x >= (uint64_t)count);
    return (int64_t)x;
}

fv_draw fv_sampler_draw(const fv_sampler *s, uint32_t epoch, int64_t position)
{
    if (!s->shuffle) return (fv_draw){ .sample = position };
    const int64_t place = shuffled(s, (stream){ .epoch = epoch }, position, s->count);
    if (!s->balance) return (fv_draw){ .sample = place };
    const int k = (int)(place % s->balance->count);
    const int64_t rank = place / s->balance->count, size = fv_class_table_size(s->balance, k);
    const int64_t repeat = rank / size;
    const stream of_class = { epoch, (uint32_t)k + 1, (uint32_t)repeat };
    const int64_t at = shuffled(s, of_class, rank % size, size);
    return (fv_draw){ s->balance->samples[s->balance->start[k] + at], repeat };
}

int64_t fv_sampler_index(const fv_sampler *s, uint32_t epoch, int64_t position)
{
    return fv_sampler_draw(s, epoch, position).sample;
}
