/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/target.h - what libFuzzer calls, and calls back. */
#ifndef FV_TESTS_FUZZ_TARGET_H
#define FV_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Aborts if something is wrong; always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Changes `size` bytes, at most to `max_size`; returns how many there are then. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size,
                        size_t max_size); /* of libFuzzer, of replay.c */

#endif /* FV_TESTS_FUZZ_TARGET_H */
