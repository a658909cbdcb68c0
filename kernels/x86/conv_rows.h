/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/conv_rows.h - few channels: whole rows of the window as one tap.
 *
 * With 3 channels the loop over the channels of a tap is too short to be fast. But where pixels are
 * dense, as inside a dense picture or else in a copy of its rows with zeros around, the kernel_w
 * pixels of a window's row are neighbours: kernel_w * in_c floats in the order of the packed
 * weights. So the convolution becomes one with kernel_h taps of that many channels.
 */
#ifndef FV_KERNELS_X86_CONV_ROWS_H
#define FV_KERNELS_X86_CONV_ROWS_H

#include "base/compiler.h"
#include "kernels/x86/conv_panel.h"

#include <string.h>

enum {
    ROWS_MAX_CHANNELS = 8,
    ROWS_NEAR_WEIGHTS = 4096, /* floats: more push the input's rows out of the first-level cache */
};

static inline bool rows_worthwhile(const fv_conv *c)
{
    return c->groups == 1 && c->in_c <= ROWS_MAX_CHANNELS && c->window.kernel_w > 1 &&
           c->window.dilation_w == 1;
}

/* The panels of such a convolution, whose taps are the rows of the window. */
static inline panel_shape rows_panels(const fv_conv *c)
{
    return (panel_shape){ 1, c->window.kernel_h, c->window.kernel_w * c->in_c, c->out_c };
}

/* Input pixels of a row that `count` neighbouring outputs see. */
static inline int rows_width(const fv_window *w, int count)
{
    return (count - 1) * w->stride_w + w->kernel_w;
}

/* Cuts outputs [ox, ox + *count) of a row to those that can be done together, and tells whether
 * they need the copy: dense pixels inside the picture are neighbours already. But where weights are
 * many, copies stay closer. */
static inline bool rows_cut(const fv_conv *c, ptrdiff_t x_stride, int ox, int *count)
{
    const fv_window *w = &c->window;
    const int weights = c->out_c * w->kernel_h * w->kernel_w * c->in_c;
    if (x_stride != c->in_c || weights > ROWS_NEAR_WEIGHTS || *count < 2 * TILE_PIXELS) return true;
    if (ox * w->stride_w < w->pad_w) {
        *count = TILE_PIXELS;
        return true;
    }
    const int room = w->in_w + w->pad_w - w->kernel_w - ox * w->stride_w;
    const int inside = room < 0 ? 0 : room / w->stride_w + 1;
    if (*count <= inside) return false;
    if (fv_min(inside, *count - TILE_PIXELS) < TILE_PIXELS) return true;
    *count = fv_min(inside, *count - TILE_PIXELS);
    return false;
}

/* Copies what outputs [ox, ox + count) of row (n, oy) see: kernel_h rows of rows_width() dense
 * pixels. Rows that are all padding are left alone. */
static inline void rows_copy(const fv_conv *c, const float *x, ptrdiff_t x_stride, int n, int oy,
                             int ox, int count, float *rows)
{
    const fv_window *w = &c->window;
    const int width = rows_width(w, count), first = ox * w->stride_w - w->pad_w;
    const int left = fv_min(fv_max(-first, 0), width);
    const int right = fv_max(fv_min(w->in_w - first, width), left);
    const size_t pixel = (size_t)c->in_c;
    for (int k = 0; k < w->kernel_h; k++) {
        const int iy = oy * w->stride_h - w->pad_h + k * w->dilation_h;
        if (iy < 0 || iy >= w->in_h) continue;
        const float *from = x + ((ptrdiff_t)n * w->in_h + iy) * w->in_w * x_stride;
        float *to = rows + (size_t)k * (size_t)width * pixel;
        memset(to, 0, (size_t)left * pixel * sizeof(float));
        if (x_stride == c->in_c && left < right)
            memcpy(to + (size_t)left * pixel, from + (first + left) * x_stride,
                   (size_t)(right - left) * pixel * sizeof(float));
        else
            for (int i = left; i < right; i++)
                memcpy(to + (size_t)i * pixel, from + (first + i) * x_stride,
                       pixel * sizeof(float));
        memset(to + (size_t)right * pixel, 0, (size_t)(width - right) * pixel * sizeof(float));
    }
}

#endif /* FV_KERNELS_X86_CONV_ROWS_H */
