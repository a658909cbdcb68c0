/* SPDX-License-Identifier: Apache-2.0 */
/* FMix: Enhancing Mixed Sample Data Augmentation. Harris, Marcu, Painter, Niranjan, Prugel-Bennett,
 * Hare, arXiv:2002.12047.
 *
 * Low-frequency noise: a normal complex number for each frequency f, times
 * 1 / max(|f|, 1 / longest side)^decay_power, transformed back. The share lambda of the pixels with
 * the largest values is kept. With max_soft > 0 the mask falls from 1 to 0 in a band of twice that
 * share of the pixels. */
#include "base/compiler.h"
#include "data/batch_impl.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct complex_number {
    double re, im;
} complex_number;

/* Frequencies of a real picture: all vertical ones, horizontal ones from 0 to half. */
static int columns_of(int width) { return width / 2 + 1; }

typedef struct workspace {
    complex_number *spectrum, *rows; /* [height][columns] each */
    complex_number *turns;           /* [longest side]: exp(2 pi i k / n) */
    uint64_t *order;                 /* [height * width] */
    float *mask;                     /* [height][width] */
} workspace;

static size_t mode_bytes(int height, int width)
{
    return (size_t)height * (size_t)columns_of(width) * sizeof(complex_number);
}

static size_t turn_bytes(int height, int width)
{
    return (size_t)fv_max(height, width) * sizeof(complex_number);
}

size_t fv_fmix_scratch(int height, int width)
{
    const size_t pixels = (size_t)height * (size_t)width;
    return 2 * mode_bytes(height, width) + turn_bytes(height, width) +
           pixels * (sizeof(uint64_t) + sizeof(float));
}

static workspace lay_out(int height, int width, void *scratch)
{
    char *const modes = scratch, *const turns = modes + 2 * mode_bytes(height, width);
    char *const order = turns + turn_bytes(height, width);
    return (workspace){
        .spectrum = scratch,
        .rows = (complex_number *)(void *)(modes + mode_bytes(height, width)),
        .turns = (complex_number *)(void *)turns,
        .order = (uint64_t *)(void *)order,
        .mask = (float *)(void *)(order + (size_t)height * (size_t)width * sizeof(uint64_t)),
    };
}

static void fill_turns(complex_number *turns, int n)
{
    const double two_pi = 6.283185307179586;
    for (int k = 0; k < n; k++)
        turns[k] = (complex_number){ cos(two_pi * k / n), sin(two_pi * k / n) };
}

static void draw_spectrum(const fv_batch_settings *s, int height, int width, complex_number *out,
                          fv_random *random)
{
    const double lowest = 1.0 / fv_max(height, width);
    for (int y = 0; y < height; y++) {
        const double fy = (double)(y <= height / 2 ? y : y - height) / height;
        for (int x = 0; x < columns_of(width); x++, out++) {
            const double f = fmax(hypot(fy, (double)x / width), lowest);
            const double scale = pow(f, -s->decay_power);
            out->re = scale * (double)fv_random_normal(random);
            out->im = scale * (double)fv_random_normal(random);
        }
    }
}

/* The columns transformed back: rows[y][x] = sum_k spectrum[k][x] exp(2 pi i k y / height). */
static void transform_columns(const workspace *w, int height, int width)
{
    const int columns = columns_of(width);
    fill_turns(w->turns, height);
    memset(w->rows, 0, (size_t)height * (size_t)columns * sizeof(*w->rows));
    for (int y = 0; y < height; y++) {
        complex_number *row = w->rows + (size_t)y * (size_t)columns;
        for (int k = 0, at = 0; k < height; k++, at = (at + y) % height) {
            const complex_number t = w->turns[at];
            const complex_number *from = w->spectrum + (size_t)k * (size_t)columns;
            for (int x = 0; x < columns; x++) {
                row[x].re += from[x].re * t.re - from[x].im * t.im;
                row[x].im += from[x].re * t.im + from[x].im * t.re;
            }
        }
    }
}

/* The rows, of which half the frequencies are given: the others are their conjugates. */
static void transform_rows(const workspace *w, int height, int width)
{
    const int columns = columns_of(width);
    fill_turns(w->turns, width);
    for (int y = 0; y < height; y++) {
        const complex_number *row = w->rows + (size_t)y * (size_t)columns;
        for (int x = 0; x < width; x++) {
            double sum = row[0].re;
            for (int k = 1, at = x; k < columns; k++, at = (at + x) % width) {
                const double twice = 2 * k == width ? 1.0 : 2.0;
                sum += twice * (row[k].re * w->turns[at].re - row[k].im * w->turns[at].im);
            }
            w->mask[(size_t)y * (size_t)width + (size_t)x] = (float)sum;
        }
    }
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Pixels from the largest value to the smallest, equal ones in their order: a float's bits, turned
 * so that they sort as the numbers do, above the pixel's number. */
static void sort_pixels(const workspace *w, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        uint32_t bits;
        memcpy(&bits, &w->mask[i], sizeof(bits));
        const uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
        w->order[i] = (uint64_t)~ascending << 32 | i;
    }
    qsort(w->order, pixels, sizeof(*w->order), compare);
}

void fv_fmix_draw(const fv_batch_settings *s, int height, int width, void *scratch,
                  fv_random *random, fv_blend *blend)
{
    const workspace w = lay_out(height, width, scratch);
    const int pixels = height * width;
    const double lambda = fv_draw_beta(random, s->alpha + (s->reformulate ? 1.0 : 0.0), s->alpha);
    draw_spectrum(s, height, width, w.spectrum, random);
    transform_columns(&w, height, width);
    transform_rows(&w, height, width);
    sort_pixels(&w, (size_t)pixels);

    const bool up = fv_random_int(random, 0, 1);
    const int kept = (int)(up ? ceil(lambda * pixels) : floor(lambda * pixels));
    const int soft = (int)(fmin(s->max_soft, fmin(lambda, 1.0 - lambda)) * pixels);
    const int low = fv_max(kept - soft, 0), high = fv_min(kept + soft, pixels);
    double sum = 0.0;
    for (int i = 0; i < pixels; i++) {
        float m = i < high ? 1.0f : 0.0f;
        if (i >= low && i < high && high - low > 1)
            m = 1.0f - (float)(i - low) / (float)(high - low - 1);
        w.mask[w.order[i] & 0xffffffffu] = m;
        sum += (double)m;
    }
    blend->mask = w.mask;
    blend->mean = sum / pixels;
}
