/* SPDX-License-Identifier: Apache-2.0 */
/* data/sampler.h - the order of an epoch, from (seed, epoch) alone.
 *
 * A shuffled epoch is a permutation of [0, count), found one element at a time without a
 * table: a Feistel network over the next even power of two, keyed by Philox, with cycle walking
 * (Black, Rogaway: Ciphers with Arbitrary Finite Domains, CT-RSA 2002).
 *
 * A balanced epoch is as long, and has every class equally often, to within one: of a class its
 * samples one after the other in an order of the epoch, from the start again in another order when
 * they are through.
 */
#ifndef FV_DATA_SAMPLER_H
#define FV_DATA_SAMPLER_H

#include "data/class_table.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fv_sampler {
    int64_t count; /* samples */
    int batch_size;
    bool shuffle, drop_last;
    uint64_t seed;
    const fv_class_table *balance; /* borrowed; NULL: an epoch has every sample once */
} fv_sampler;

typedef struct fv_draw {
    int64_t sample;
    int64_t repeat; /* how often an epoch had all of its class before; 0 unless balanced */
} fv_draw;

int64_t fv_sampler_batches(const fv_sampler *s);               /* per epoch */
int fv_sampler_batch_size(const fv_sampler *s, int64_t batch); /* the last one may be smaller */
/* What stands at a position in [0, count) of an epoch. */
fv_draw fv_sampler_draw(const fv_sampler *s, uint32_t epoch, int64_t position);
int64_t fv_sampler_index(const fv_sampler *s, uint32_t epoch, int64_t position); /* its sample */

#endif /* FV_DATA_SAMPLER_H */
