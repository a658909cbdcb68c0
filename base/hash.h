/* SPDX-License-Identifier: Apache-2.0 */
/* base/hash.h - 128 bits that stand for any number of bytes.
 *
 * Two files with the same hash are taken to be the same: among a million files chance makes such a
 * pair with a probability below 1e-26. Nobody is kept from making one on purpose. */
#ifndef FV_BASE_HASH_H
#define FV_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct fv_hash {
    uint64_t high, low;
} fv_hash;

/* MurmurHash3 (x64, 128 bits; the two halves in its order): several bytes per cycle. */
fv_hash fv_hash_bytes(const void *bytes, size_t size, uint32_t seed);

/* < 0, 0, > 0, in an order of no meaning. */
int fv_hash_compare(const fv_hash *a, const fv_hash *b);

#endif /* FV_BASE_HASH_H */
