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

/* The panels of a forward sweep. */
static inline panel_shape sweep_panels(const fv_conv *c)
{
    return rows_worthwhile(c) ? rows_panels(c) : panel_forward(c);
}

/* Input pixels of a row that `count` neighbouring outputs see. */
static inline int rows_width(const fv_window *w, int count)
{
    return (count - 1) * w->stride_w + w->kernel_w;
}

/* Outputs of a row that see pixels only: [first, last). */
typedef struct rows_inside {
    int first, last;
} rows_inside;

/* Dense pixels inside the picture are neighbours already. But where weights are many, copies stay
 * closer: then none are inside. */
static inline rows_inside rows_find_inside(const fv_conv *c, ptrdiff_t x_stride)
{
    const fv_window *w = &c->window;
    const int weights = c->out_c * w->kernel_h * w->kernel_w * c->in_c;
    const int room = w->in_w + w->pad_w - w->kernel_w;
    if (x_stride != c->in_c || weights > ROWS_NEAR_WEIGHTS || room < 0)
        return (rows_inside){ w->out_w, w->out_w };
    return (rows_inside){ (w->pad_w + w->stride_w - 1) / w->stride_w, room / w->stride_w + 1 };
}

/* Cuts outputs [ox, ox + *count) of a row to those that can be done together, not too few, and
 * tells whether they need the copy. */
static inline bool rows_cut(rows_inside inside, int ox, int *count)
{
    if (*count < 2 * TILE_PIXELS || inside.first >= inside.last) return true;
    if (ox < inside.first) {
        *count = TILE_PIXELS;
        return true;
    }
    if (ox + *count <= inside.last) return false;
    const int direct = fv_min(inside.last - ox, *count - TILE_PIXELS);
    if (direct < TILE_PIXELS) return true;
    *count = direct;
    return false;
}

/* Floats of the copy of `count` outputs' rows; whole vectors are stored, so there is room for one
 * more. */
static inline size_t rows_floats(const fv_conv *c, int count)
{
    const size_t row = (size_t)rows_width(&c->window, count) * (size_t)c->in_c;
    return (size_t)c->window.kernel_h * row + FV_LANES;
}

/* Zeros, where there is nothing to copy from. Writes past the end, less than a vector: masked
 * stores are slow to load from. */
static inline void rows_fill(float *to, const float *from, ptrdiff_t floats)
{
    for (; floats > 0; floats -= FV_LANES, to += FV_LANES) {
        fv_vec a = fv_vec_zero();
        if (from) {
            a = floats >= FV_LANES ? fv_vec_load(from) : fv_vec_load_n(from, (int)floats);
            from += FV_LANES;
        }
        fv_vec_store(to, a);
    }
}

/* Copies what outputs [ox, ox + count) of row oy of image n see: kernel_h rows of rows_width()
 * dense pixels. Rows that are all padding are left alone. */
static inline void rows_copy(const fv_conv *c, const float *x, ptrdiff_t x_stride, int n, int oy,
                             int ox, int count, float *rows)
{
    const fv_window *w = &c->window;
    const int width = rows_width(w, count), first = ox * w->stride_w - w->pad_w;
    const int left = fv_min(fv_max(-first, 0), width);
    const int right = fv_max(fv_min(w->in_w - first, width), left);
    const ptrdiff_t pixel = c->in_c;
    for (int k = 0; k < w->kernel_h; k++) {
        const int iy = oy * w->stride_h - w->pad_h + k * w->dilation_h;
        if (iy < 0 || iy >= w->in_h) continue;
        const float *from = x + ((ptrdiff_t)n * w->in_h + iy) * w->in_w * x_stride;
        float *to = rows + (ptrdiff_t)k * width * pixel;
        rows_fill(to, NULL, left * pixel);
        if (x_stride == pixel)
            rows_fill(to + left * pixel, from + (first + left) * pixel, (right - left) * pixel);
        else
            for (int i = left; i < right; i++)
                rows_fill(to + i * pixel, from + (first + i) * x_stride, pixel);
        rows_fill(to + right * pixel, NULL, (width - right) * pixel);
    }
}

#endif /* FV_KERNELS_X86_CONV_ROWS_H */
