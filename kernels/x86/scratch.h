/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/scratch.h - a worker's scratch, cut into parts. */
#ifndef FV_KERNELS_X86_SCRATCH_H
#define FV_KERNELS_X86_SCRATCH_H

#include <stddef.h>

/* Cuts `bytes` off a block, in whole cache lines; with base NULL only counts them. */
static inline void *scratch_cut(char *base, size_t *used, size_t bytes)
{
    void *part = base ? base + *used : NULL;
    *used += (bytes + 63) / 64 * 64;
    return part;
}

#endif /* FV_KERNELS_X86_SCRATCH_H */
