/* SPDX-License-Identifier: Apache-2.0 */
/* data/sampler.h - the order of an epoch, from (seed, epoch) alone.
 *
 * A shuffled epoch is a permutation of [0, count), found one element at a time without a
 * table: a Feistel network over the next even power of two, keyed by Philox, with cycle walking
 * (Black, Rogaway: Ciphers with Arbitrary Finite Domains, CT-RSA 2002).
 */
#ifndef FV_DATA_SAMPLER_H
#define FV_DATA_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct fv_sampler {
    int64_t count; /* samples */
    int batch_size;
    bool shuffle, drop_last;
    uint64_t seed;
} fv_sampler;

int64_t fv_sampler_batches(const fv_sampler *s);               /* per epoch */
int fv_sampler_batch_size(const fv_sampler *s, int64_t batch); /* the last one may be smaller */
int64_t fv_sampler_index(const fv_sampler *s, uint32_t epoch,
                         int64_t position); /* which sample stands there */

#endif /* FV_DATA_SAMPLER_H */
