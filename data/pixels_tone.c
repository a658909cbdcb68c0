/* SPDX-License-Identifier: Apache-2.0 */
/* Where a byte goes depends on the byte, and for some on the whole picture: tables of 256. */
#include "base/compiler.h"
#include "data/pixels.h"

#include <string.h>

static size_t pixels_of(const fv_picture *p) { return (size_t)p->width * (size_t)p->height; }

static uint8_t clip(int x) { return (uint8_t)fv_max(0, fv_min(x, 255)); }

/* ---- The same table for all channels ---- */

static void look_up(fv_picture *p, const uint8_t table[256])
{
    const size_t bytes = pixels_of(p) * 3;
    for (size_t i = 0; i < bytes; i++) p->data[i] = table[p->data[i]];
}

void fv_pixels_invert(fv_picture *p)
{
    const size_t bytes = pixels_of(p) * 3;
    for (size_t i = 0; i < bytes; i++) p->data[i] = (uint8_t)(255 - p->data[i]);
}

void fv_pixels_posterize(fv_picture *p, int bits)
{
    const size_t bytes = pixels_of(p) * 3;
    const uint8_t mask = (uint8_t)(0xff00 >> bits);
    for (size_t i = 0; i < bytes; i++) p->data[i] &= mask;
}

void fv_pixels_solarize(fv_picture *p, double threshold)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++) table[i] = (uint8_t)(i < threshold ? i : 255 - i);
    look_up(p, table);
}

void fv_pixels_solarize_add(fv_picture *p, int add)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++) table[i] = i < 128 ? clip(i + add) : (uint8_t)i;
    look_up(p, table);
}

/* ---- A table for each channel, from its histogram ---- */

typedef uint32_t histogram[256];

static void count(const fv_picture *p, histogram h[3])
{
    const size_t pixels = pixels_of(p);
    memset(h, 0, 3 * sizeof(histogram));
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++) h[c][p->data[3 * i + (size_t)c]]++;
}

static void look_up_channels(fv_picture *p, const uint8_t tables[3][256])
{
    const size_t pixels = pixels_of(p);
    uint8_t *q = p->data;
    for (size_t i = 0; i < pixels; i++, q += 3)
        for (int c = 0; c < 3; c++) q[c] = tables[c][q[c]];
}

static void stretch(const histogram h, uint8_t table[256])
{
    int low = 0, high = 255;
    while (low < 255 && !h[low]) low++;
    while (high > 0 && !h[high]) high--;
    const double scale = high > low ? 255.0 / (high - low) : 1.0;
    const double offset = high > low ? -low * scale : 0.0;
    for (int i = 0; i < 256; i++) table[i] = clip((int)(i * scale + offset));
}

static void flatten(const histogram h, uint8_t table[256])
{
    uint32_t sum = 0, last = 0;
    for (int i = 0; i < 256; i++) {
        sum += h[i];
        if (h[i]) last = h[i];
    }
    const uint32_t step = (sum - last) / 255;
    uint32_t n = step / 2;
    for (int i = 0; i < 256; i++) {
        table[i] = step ? (uint8_t)(n / step < 255 ? n / step : 255) : (uint8_t)i;
        n += h[i];
    }
}

static void by_histogram(fv_picture *p, void (*make)(const histogram h, uint8_t table[256]))
{
    histogram h[3];
    uint8_t tables[3][256];
    count(p, h);
    for (int c = 0; c < 3; c++) make(h[c], tables[c]);
    look_up_channels(p, (const uint8_t(*)[256])tables);
}

void fv_pixels_autocontrast(fv_picture *p) { by_histogram(p, stretch); }

void fv_pixels_equalize(fv_picture *p) { by_histogram(p, flatten); }

/* ---- Luma ---- */

static int luma(const uint8_t *q)
{
    return (q[0] * 19595 + q[1] * 38470 + q[2] * 7471 + 0x8000) >> 16;
}

void fv_pixels_grayscale(fv_picture *p)
{
    const size_t pixels = pixels_of(p);
    uint8_t *q = p->data;
    for (size_t i = 0; i < pixels; i++, q += 3) q[0] = q[1] = q[2] = (uint8_t)luma(q);
}

/* ---- Blending ---- */

/* In float, and cut off rather than rounded. */
static uint8_t blend(int degenerate, int x, float factor)
{
    const float y = (float)degenerate + factor * (float)(x - degenerate);
    return y <= 0.0f ? 0 : y >= 255.0f ? 255 : (uint8_t)y;
}

static void blend_with(fv_picture *p, int degenerate, float factor)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++) table[i] = blend(degenerate, i, factor);
    look_up(p, table);
}

void fv_pixels_brightness(fv_picture *p, float factor) { blend_with(p, 0, factor); }

void fv_pixels_contrast(fv_picture *p, float factor)
{
    const size_t pixels = pixels_of(p);
    uint64_t sum = 0;
    for (size_t i = 0; i < pixels; i++) sum += (uint64_t)luma(p->data + 3 * i);
    blend_with(p, (int)((double)sum / (double)pixels + 0.5), factor);
}

void fv_pixels_color(fv_picture *p, float factor)
{
    const size_t pixels = pixels_of(p);
    uint8_t *q = p->data;
    for (size_t i = 0; i < pixels; i++, q += 3) {
        const int gray = luma(q);
        for (int c = 0; c < 3; c++) q[c] = blend(gray, q[c], factor);
    }
}

static void sharpen_row(const fv_picture *in, int y, float factor, uint8_t *out)
{
    const ptrdiff_t row = (ptrdiff_t)in->width * 3;
    const uint8_t *q = in->data + y * row;
    for (ptrdiff_t i = 3; i < row - 3; i++) {
        int sum = 4 * q[i]; /* the filter is 1 1 1, 1 5 1, 1 1 1, over 13 */
        for (ptrdiff_t dx = -3; dx <= 3; dx += 3)
            sum += q[i + dx - row] + q[i + dx] + q[i + dx + row];
        out[i] = blend((2 * sum + 13) / 26, q[i], factor);
    }
}

fv_status fv_pixels_sharpness(const fv_picture *in, float factor, fv_picture *out, fv_error *err)
{
    FV_TRY(fv_picture_reserve(out, in->width, in->height, err));
    memcpy(out->data, in->data, pixels_of(in) * 3);
    for (int y = 1; y < in->height - 1; y++)
        sharpen_row(in, y, factor, out->data + (size_t)y * (size_t)in->width * 3);
    return FV_OK;
}

/* ---- Hue ---- */

typedef struct hsv {
    int h, s, v; /* bytes */
} hsv;

/* In float, but for the sixths of the circle, which are double. */
static hsv to_hsv(const uint8_t *q)
{
    const int r = q[0], g = q[1], b = q[2];
    const int most = fv_max(r, fv_max(g, b)), least = fv_min(r, fv_min(g, b));
    if (most == least) return (hsv){ 0, 0, most };
    const float range = (float)(most - least), s = range / (float)most;
    const float rc = (float)(most - r) / range, gc = (float)(most - g) / range;
    const float bc = (float)(most - b) / range;
    float h = bc - gc;
    if (r != most)
        h = (float)(g == most ? 2.0 + (double)rc - (double)bc : 4.0 + (double)gc - (double)rc);
    const double turned = (double)h / 6.0 + 1.0; /* in (0, 2) */
    h = (float)(turned >= 1.0 ? turned - 1.0 : turned);
    return (hsv){ (int)((double)h * 255.0), (int)((double)s * 255.0), most };
}

/* What a byte of hue, or of saturation, means. */
typedef struct hue_tables {
    int sector[256];
    float f[256], saturation[256]; /* f: where in its sector */
} hue_tables;

static void fill_hue_tables(hue_tables *t)
{
    for (int i = 0; i < 256; i++) {
        const double sixths = i * 6.0 / 255.0;
        const int whole = (int)(float)sixths;
        t->sector[i] = whole % 6;
        t->f[i] = (float)(sixths - whole);
        t->saturation[i] = (float)(i / 255.0);
    }
}

static uint8_t part(int v, double share) { return (uint8_t)(v * share + 0.5); }

static void to_rgb(const hue_tables *t, hsv x, uint8_t *q)
{
    /* For each sector, which of v, low, falling, rising goes to R, G, B. */
    static const uint8_t places[6][3] = { { 0, 3, 1 }, { 2, 0, 1 }, { 1, 0, 3 },
                                          { 1, 2, 0 }, { 3, 1, 0 }, { 0, 1, 2 } };
    const float f = t->f[x.h], s = t->saturation[x.s];
    const uint8_t values[4] = { (uint8_t)x.v, part(x.v, 1.0 - (double)s),
                                part(x.v, 1.0 - (double)(s * f)),
                                part(x.v, 1.0 - (double)s * (1.0 - (double)f)) };
    const uint8_t *place = places[t->sector[x.h]];
    for (int c = 0; c < 3; c++) q[c] = values[place[c]];
}

void fv_pixels_hue(fv_picture *p, int shift)
{
    const size_t pixels = pixels_of(p);
    uint8_t *q = p->data;
    hue_tables tables;
    fill_hue_tables(&tables);
    for (size_t i = 0; i < pixels; i++, q += 3) {
        hsv x = to_hsv(q);
        x.h = (x.h + shift) & 255;
        to_rgb(&tables, x, q);
    }
}
