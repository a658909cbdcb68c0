/* SPDX-License-Identifier: Apache-2.0 */
/* One picture of data/synth.h.
 *
 * A scene is drawn from back to front: a background (a gradient between two colours, roughened by
 * value noise), clutter, the object, and slivers of clutter over it; then light that falls off
 * across the picture, and a camera's noise. Everything is a function of a point, so that each
 * pixel is the mean of a few points in it and edges come out smooth.
 *
 * The object is bright and the background dim. With colours drawn freely the sign of every edge
 * would be a coin toss, and the smallest MobileNetV2 learns next to nothing in twenty epochs.
 */
#include "data/synth_impl.h"

#include "base/compiler.h"

#include <math.h>
#include <stdbool.h>

enum {
    LATTICE = 12,    /* nodes of the noise, per side */
    MAX_CLUTTER = 9, /* pieces */
    POINTS = 2,      /* per pixel and direction */
};

#define REACH 1.3f /* no ink lies farther from the middle of an object */

typedef struct rgb {
    float r, g, b; /* [0, 1] */
} rgb;

/* A line with round ends. */
typedef struct sliver {
    float x, y, dx, dy; /* start and extent, in short sides of the picture */
    float per_square;   /* 1 / (dx dx + dy dy) */
    float radius;
    rgb colour;
} sliver;

typedef struct scene {
    int width, height;
    float unit; /* pixels of the short side */
    rgb ground[2];
    float ground_dx, ground_dy; /* direction of the gradient */
    float lattice[LATTICE][LATTICE];
    float roughness;
    sliver clutter[MAX_CLUTTER];
    int behind, before; /* pieces of clutter behind the object, and in front of it */
    const fv_synth_class *class;
    fv_synth_look look;
    rgb ink[2];
    float centre_x, centre_y, turn[2][2]; /* from the picture to the object's own space */
    float light_dx, light_dy, light;
    float noise;
    bool grey;
} scene;

/* ---- Casting ---- */

static rgb blend(rgb a, rgb b, float t)
{
    return (rgb){ a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t };
}

/* Brightness, with the weights of ITU-R BT.601. */
static float luma(rgb c) { return 0.299f * c.r + 0.587f * c.g + 0.114f * c.b; }

static rgb random_colour(const scene *s, fv_random *random)
{
    const float r = fv_random_float(random), g = fv_random_float(random);
    const float b = fv_random_float(random);
    return s->grey ? (rgb){ g, g, g } : (rgb){ r, g, b };
}

/* Towards black until it is as bright as that, if it is brighter. */
static rgb dim_colour(const scene *s, fv_random *random)
{
    const rgb c = random_colour(s, random);
    const float wanted = fv_random_uniform(random, 0.05f, 0.45f);
    return blend((rgb){ 0, 0, 0 }, c, wanted / fmaxf(luma(c), wanted));
}

/* Towards white until it is as bright as that, if it is dimmer. */
static rgb bright_colour(const scene *s, fv_random *random)
{
    const rgb c = random_colour(s, random);
    const float wanted = 1 - fv_random_uniform(random, 0.6f, 0.9f);
    return blend((rgb){ 1, 1, 1 }, c, wanted / fmaxf(1 - luma(c), wanted));
}

static void cast_ground(scene *s, fv_random *random)
{
    for (int i = 0; i < 2; i++) s->ground[i] = dim_colour(s, random);
    const float angle = fv_random_uniform(random, 0, 6.2831853f);
    s->ground_dx = cosf(angle);
    s->ground_dy = sinf(angle);
    s->roughness = fv_random_uniform(random, 0, 0.35f);
    for (int i = 0; i < LATTICE; i++)
        for (int j = 0; j < LATTICE; j++) s->lattice[i][j] = fv_random_uniform(random, -1, 1);
}

static void cast_clutter(scene *s, fv_random *random)
{
    s->behind = fv_random_int(random, 1, 6);
    s->before = fv_random_int(random, 0, 3);
    for (int i = 0; i < s->behind + s->before; i++) {
        const float angle = fv_random_uniform(random, 0, 6.2831853f);
        const float length = fv_random_uniform(random, 0.05f, i < s->behind ? 0.6f : 0.35f);
        s->clutter[i] = (sliver){
            .x = fv_random_uniform(random, 0, (float)s->width / s->unit),
            .y = fv_random_uniform(random, 0, (float)s->height / s->unit),
            .dx = length * cosf(angle),
            .dy = length * sinf(angle),
            .per_square = 1 / (length * length),
            .radius = fv_random_uniform(random, 0.008f, i < s->behind ? 0.06f : 0.02f),
            .colour = random_colour(s, random),
        };
    }
}

static void cast_object(scene *s, fv_random *random)
{
    fv_synth_look *look = &s->look;
    look->thickness = fv_random_float(random);
    look->frequency = fv_random_float(random);
    look->phase = fv_random_float(random);
    for (int i = 0; i < (int)FV_ARRAY_LEN(look->wobble); i++)
        look->wobble[i] = fv_random_float(random);
    s->ink[0] = bright_colour(s, random);
    s->ink[1] = dim_colour(s, random);
    const float wide = (float)s->width / s->unit, high = (float)s->height / s->unit;
    const float radius = fv_random_uniform(random, 0.3f, 0.48f);
    const float room = 0.55f - radius; /* near enough to the middle for a square cut */
    s->centre_x = 0.5f * wide + fv_random_uniform(random, -room, room);
    s->centre_y = 0.5f * high + fv_random_uniform(random, -room, room);
    const float angle = fv_random_uniform(random, -0.6f, 0.6f);
    const float stretch = fv_random_uniform(random, 0.85f, 1.18f);
    const float mirror = fv_random_u32(random) & 1 ? 1.0f : -1.0f;
    s->turn[0][0] = mirror * cosf(angle) * stretch / radius;
    s->turn[0][1] = mirror * sinf(angle) * stretch / radius;
    s->turn[1][0] = -sinf(angle) / (stretch * radius);
    s->turn[1][1] = cosf(angle) / (stretch * radius);
}

static void cast(scene *s, const fv_synth_class *class, fv_random *random)
{
    const int longer = fv_random_int(random, 64, 160);
    const int shorter = (int)((float)longer * fv_random_uniform(random, 0.75f, 1.0f));
    const bool upright = fv_random_u32(random) & 1;
    s->width = upright ? shorter : longer;
    s->height = upright ? longer : shorter;
    s->unit = (float)shorter;
    s->class = class;
    s->grey = fv_random_int(random, 0, 19) == 0;
    cast_ground(s, random);
    cast_clutter(s, random);
    cast_object(s, random);
    const float angle = fv_random_uniform(random, 0, 6.2831853f);
    s->light_dx = cosf(angle);
    s->light_dy = sinf(angle);
    s->light = fv_random_uniform(random, 0, 0.45f);
    s->noise = fv_random_uniform(random, 0.005f, 0.06f);
}

/* ---- Drawing ---- */

/* Value noise: the lattice over the picture, smoothly interpolated. */
static float noise_at(const scene *s, float x, float y)
{
    const float u = fminf(x * 6, LATTICE - 1.001f), v = fminf(y * 6, LATTICE - 1.001f);
    const int i = (int)v, j = (int)u;
    float fx = u - (float)j, fy = v - (float)i;
    fx *= fx * (3 - 2 * fx);
    fy *= fy * (3 - 2 * fy);
    const float *above = s->lattice[i], *below = s->lattice[i + 1];
    const float top = above[j] + (above[j + 1] - above[j]) * fx;
    return top + (below[j] + (below[j + 1] - below[j]) * fx - top) * fy;
}

static bool in_sliver(const sliver *c, float x, float y)
{
    const float px = x - c->x, py = y - c->y;
    const float t = fminf(fmaxf((px * c->dx + py * c->dy) * c->per_square, 0), 1);
    const float ex = px - t * c->dx, ey = py - t * c->dy;
    return ex * ex + ey * ey < c->radius * c->radius;
}

/* The background, which is smooth: once for each pixel. Coordinates in short sides of the
 * picture. */
static rgb ground_at(const scene *s, float x, float y)
{
    const float along = 0.5f + 0.6f * ((x - 0.5f) * s->ground_dx + (y - 0.5f) * s->ground_dy);
    const float rough = s->roughness * noise_at(s, x, y);
    const rgb ground = blend(s->ground[0], s->ground[1], fminf(fmaxf(along, 0), 1));
    return (rgb){ ground.r + rough, ground.g + rough, ground.b + rough };
}

/* What stands before the background: from front to back, the first that covers the point. */
static rgb colour_at(const scene *s, float x, float y, rgb ground)
{
    for (int i = s->behind + s->before - 1; i >= s->behind; i--)
        if (in_sliver(&s->clutter[i], x, y)) return s->clutter[i].colour;
    const float ox = x - s->centre_x, oy = y - s->centre_y;
    const float u = s->turn[0][0] * ox + s->turn[0][1] * oy;
    const float v = s->turn[1][0] * ox + s->turn[1][1] * oy;
    if (u * u + v * v < REACH * REACH) {
        const int ink = s->class->ink(u, v, &s->look);
        if (ink) return s->ink[ink - 1];
    }
    for (int i = s->behind - 1; i >= 0; i--)
        if (in_sliver(&s->clutter[i], x, y)) return s->clutter[i].colour;
    return ground;
}

static rgb pixel_at(const scene *s, int column, int row)
{
    const float x = ((float)column + 0.5f) / s->unit, y = ((float)row + 0.5f) / s->unit;
    const rgb ground = ground_at(s, x, y);
    rgb sum = { 0, 0, 0 };
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < POINTS; j++) {
            const float dx = ((float)j + 0.5f) / POINTS - 0.5f,
                        dy = ((float)i + 0.5f) / POINTS - 0.5f;
            const rgb c = colour_at(s, x + dx / s->unit, y + dy / s->unit, ground);
            sum = (rgb){ sum.r + c.r, sum.g + c.g, sum.b + c.b };
        }
    const float side = (x * s->unit / (float)s->width - 0.5f) * s->light_dx +
                       (y * s->unit / (float)s->height - 0.5f) * s->light_dy;
    const float light = (1 + s->light * (2 * side - 0.3f)) / (POINTS * POINTS);
    return (rgb){ sum.r * light, sum.g * light, sum.b * light };
}

/* Nearly normal, mean 0 and deviation 1: the sum of the four bytes of one word. */
static float grain(fv_random *random)
{
    const uint32_t word = fv_random_u32(random);
    const uint32_t sum = (word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24);
    return ((float)sum - 510) / 147.8f;
}

static uint8_t byte_of(float x) { return (uint8_t)(fminf(fmaxf(x, 0), 1) * 255 + 0.5f); }

fv_status fv_synth_draw(const fv_synth_class *class, fv_random *random, fv_picture *out,
                        fv_error *err)
{
    scene s = { .class = class };
    cast(&s, class, random);
    FV_TRY(fv_picture_reserve(out, s.width, s.height, err));
    uint8_t *bytes = out->data;
    for (int row = 0; row < s.height; row++)
        for (int column = 0; column < s.width; column++, bytes += 3) {
            const rgb c = pixel_at(&s, column, row);
            const float r = s.noise * grain(random);
            const float g = s.grey ? r : s.noise * grain(random);
            const float b = s.grey ? r : s.noise * grain(random);
            bytes[0] = byte_of(c.r + r);
            bytes[1] = byte_of(c.g + g);
            bytes[2] = byte_of(c.b + b);
        }
    return FV_OK;
}
