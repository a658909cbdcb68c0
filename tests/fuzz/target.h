/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/target.h - what libFuzzer calls, and calls back. */
#ifndef FV_TESTS_FUZZ_TARGET_H
#define FV_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* NOLINTBEGIN(readability-identifier-naming): the names are libFuzzer's */

/* Aborts if something is wrong; always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Changes `size` bytes, at most to `max_size`; returns how many there are then. The second is
 * libFuzzer's own, or replay.c's. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* NOLINTEND(readability-identifier-naming) */

#endif /* FV_TESTS_FUZZ_TARGET_H */
