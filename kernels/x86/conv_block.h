/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_block.h - blocks of pixels for the gradient of the weights, and their
 * scratch. */
#ifndef FV_KERNELS_X86_CONV_BLOCK_H
#define FV_KERNELS_X86_CONV_BLOCK_H

#include "base/compiler.h"
#include "kernels/x86/conv_group.h"
#include "kernels/x86/conv_rows.h"

enum {
    BLOCK_MIN_PIXELS = 128,
    BLOCK_MAX_PIXELS = 1024,
    BLOCK_NARROW_PIXELS = 256, /* with narrow groups */
    BLOCK_MAX_ROWS = 128,
    BLOCK_SOURCE_BYTES = 512 * 1024, /* if there is but one tap to reuse them */
};

/* Neighbouring output pixels, all of which see the input through a tap. */
typedef struct outer_run {
    ptrdiff_t x;      /* floats from the first source pixel to what the first of them sees */
    int first, count; /* of the block */
} outer_run;

static inline int block_pixels(const fv_conv *c)
{
    const fv_window *w = &c->window;
    if (rows_worthwhile(c)) return fv_min(w->out_w, BLOCK_MAX_PIXELS);
    if (group_size(c)) return fv_min(BLOCK_NARROW_PIXELS, BLOCK_MAX_ROWS * w->out_w);
    int pixels = BLOCK_MAX_PIXELS;
    if (w->kernel_h * w->kernel_w == 1)
        pixels = fv_min(pixels, BLOCK_SOURCE_BYTES / (int)sizeof(float) / c->in_c);
    return fv_min(fv_max(pixels, BLOCK_MIN_PIXELS), BLOCK_MAX_ROWS * w->out_w);
}

/* Rows that a block can touch, and so runs that a tap can have. */
static inline int block_rows(const fv_conv *c)
{
    return (block_pixels(c) - 1) / c->window.out_w + 2;
}

static inline size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

static inline size_t runs_bytes(const fv_conv *c)
{
    const size_t taps = (size_t)c->window.kernel_h * (size_t)c->window.kernel_w;
    return aligned(taps * (size_t)block_rows(c) * sizeof(outer_run));
}

static inline size_t counts_bytes(const fv_conv *c)
{
    return aligned((size_t)c->window.kernel_h * (size_t)c->window.kernel_w * sizeof(int));
}

static inline size_t dy_bytes(const fv_conv *c)
{
    return aligned((size_t)block_pixels(c) * BLOCK_LANES * sizeof(float));
}

static inline size_t rows_bytes(const fv_conv *c)
{
    return rows_worthwhile(c) ? aligned(rows_floats(c, block_pixels(c)) * sizeof(float)) : 0;
}

/* Of the whole job. */
static inline size_t block_scratch_bytes(const fv_conv *c)
{
    return runs_bytes(c) + counts_bytes(c) + dy_bytes(c) + rows_bytes(c);
}

#endif /* FV_KERNELS_X86_CONV_BLOCK_H */
