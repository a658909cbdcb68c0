/* SPDX-License-Identifier: Apache-2.0 */
/* base/random.h - random numbers as a function of what they are for.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as
 * 1, 2, 3, SC 2011) is a counter-based generator: a block of four words is a pure
 * function of a key and a counter. The key is the seed; the counter is (purpose,
 * epoch, index, block). So the numbers that augment sample 17 in epoch 3 are the same
 * whatever thread draws them, in whatever order, before or after a resume.
 */
#ifndef FV_BASE_RANDOM_H
#define FV_BASE_RANDOM_H

#include <stdint.h>

/* What the numbers are for. Streams of different purposes are independent. The values
 * are part of what makes a run repeatable: append, never renumber. */
typedef enum fv_purpose {
    FV_RANDOM_INIT = 1,    /* index: fv_random_hash() of the parameter's name */
    FV_RANDOM_SHUFFLE = 2, /* order of an epoch */
    FV_RANDOM_AUGMENT = 3, /* index: sample */
    FV_RANDOM_BATCH = 4,   /* mixup and its kin; index: batch */
    FV_RANDOM_DROPOUT = 5, /* epoch: step; index: node */
    FV_RANDOM_SYNTH = 6,   /* index: picture */
    FV_RANDOM_TEST = 7,
    FV_RANDOM_SPLIT = 8, /* index: fv_random_hash() of the name of a picture */
} fv_purpose;

/* A stream. Copying it copies its position. */
typedef struct fv_random {
    uint32_t key[2];
    uint32_t counter[4]; /* block, epoch, index low, index high (24 bits) and purpose (8) */
    uint32_t block[4];
    int used; /* words of `block` already handed out */
} fv_random;

/* index < 2^56. */
fv_random fv_random_stream(uint64_t seed, fv_purpose purpose, uint32_t epoch, uint64_t index);

uint32_t fv_random_epoch(const fv_random *r); /* that the stream was made for */
uint32_t fv_random_u32(fv_random *r);
float fv_random_float(fv_random *r);                          /* [0, 1), 24 bits */
double fv_random_double(fv_random *r);                        /* [0, 1), 53 bits */
float fv_random_uniform(fv_random *r, float low, float high); /* [low, high) */
float fv_random_normal(fv_random *r);                         /* mean 0, deviation 1 */
int fv_random_int(fv_random *r, int low, int high);           /* [low, high], unbiased */

/* FNV-1a of a name, folded to 56 bits: an index for fv_random_stream(). */
uint64_t fv_random_hash(const char *name);

/* The four words of one block, for code that needs many at known places. */
void fv_random_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

#endif /* FV_BASE_RANDOM_H */
