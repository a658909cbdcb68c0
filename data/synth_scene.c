/* SPDX-License-Identifier: Apache-2.0 */
/* One picture of data/synth.h.
 *
 * A scene is drawn from back to front: a background (a gradient between two colours, roughened by
 * value noise), clutter, the object, and slivers of clutter over it; then light that falls off across
 * the picture, and a camera's noise. Everything is a function of a point, so that each pixel is the
 * mean of a few points in it and edges come out smooth.
 */
#include "data/synth_impl.h"

#include "base/compiler.h"

#include <math.h>
#include <stdbool.h>

enum {
    LATTICE = 12,    /* nodes of the noise, per side */
    MAX_CLUTTER = 9, /* pieces */
    POINTS = 3,      /* per pixel and direction */
};

typedef struct rgb {
    float r, g, b; /* [0, 1] */
} rgb;

/* A line with round ends. */
typedef struct sliver {
    float x, y, dx, dy; /* start and extent, in short sides of the picture */
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

static rgb random_colour(fv_random *random, bool grey)
{
    const float r = fv_random_float(random), g = fv_random_float(random),
                b = fv_random_float(random);
    return grey ? (rgb){ g, g, g } : (rgb){ r, g, b };
}

/* How different two colours look, in [0, 1]; weights of brightness as in ITU-R BT.601. */
static float contrast(rgb a, rgb b)
{
    const float dr = a.r - b.r, dg = a.g - b.g, db = a.b - b.b;
    return sqrtf(0.299f * dr * dr + 0.587f * dg * dg + 0.114f * db * db);
}

static rgb blend(rgb a, rgb b, float t)
{
    return (rgb){ a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t };
}

/* A colour that stands out from both others by `enough`, or the last of some tries. */
static rgb distinct_colour(fv_random *random, bool grey, rgb a, rgb b, float enough)
{
    rgb colour = random_colour(random, grey);
    for (int i = 0; i < 16 && fminf(contrast(colour, a), contrast(colour, b)) < enough; i++)
        colour = random_colour(random, grey);
    return colour;
}

static void cast_ground(scene *s, fv_random *random)
{
    s->ground[0] = random_colour(random, s->grey);
    s->ground[1] = blend(s->ground[0], random_colour(random, s->grey), 0.6f);
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
            .radius = fv_random_uniform(random, 0.008f, i < s->behind ? 0.06f : 0.02f),
            .colour = random_colour(random, s->grey),
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
    s->ink[0] = distinct_colour(random, s->grey, s->ground[0], s->ground[1], 0.22f);
    s->ink[1] = distinct_colour(random, s->grey, s->ink[0], s->ink[0], 0.3f);
    const float wide = (float)s->width / s->unit, high = (float)s->height / s->unit;
    const float radius = fv_random_uniform(random, 0.22f, 0.46f), room = 0.8f * radius;
    s->centre_x = fv_random_uniform(random, room, wide - room);
    s->centre_y = fv_random_uniform(random, room, high - room);
    const float angle = fv_random_uniform(random, 0, 6.2831853f);
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
    s->noise = fv_random_uniform(random, 0.005f, 0.09f);
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
    const float px = x - c->x, py = y - c->y, square = c->dx * c->dx + c->dy * c->dy;
    const float t = fminf(fmaxf((px * c->dx + py * c->dy) / square, 0), 1);
    const float ex = px - t * c->dx, ey = py - t * c->dy;
    return ex * ex + ey * ey < c->radius * c->radius;
}

/* Coordinates in short sides of the picture. */
static rgb colour_at(const scene *s, float x, float y)
{
    for (int i = s->behind + s->before - 1; i >= s->behind; i--)
        if (in_sliver(&s->clutter[i], x, y)) return s->clutter[i].colour;
    const float ox = x - s->centre_x, oy = y - s->centre_y;
    const float u = s->turn[0][0] * ox + s->turn[0][1] * oy,
                v = s->turn[1][0] * ox + s->turn[1][1] * oy;
    if (u * u + v * v < 1.7f) {
        const int ink = s->class->ink(u, v, &s->look);
        if (ink) return s->ink[ink - 1];
    }
    for (int i = s->behind - 1; i >= 0; i--)
        if (in_sliver(&s->clutter[i], x, y)) return s->clutter[i].colour;
    const float along = 0.5f + 0.6f * ((x - 0.5f) * s->ground_dx + (y - 0.5f) * s->ground_dy);
    const float rough = s->roughness * noise_at(s, x, y);
    const rgb ground = blend(s->ground[0], s->ground[1], fminf(fmaxf(along, 0), 1));
    return (rgb){ ground.r + rough, ground.g + rough, ground.b + rough };
}

static rgb pixel_at(const scene *s, int column, int row)
{
    rgb sum = { 0, 0, 0 };
    for (int i = 0; i < POINTS * POINTS; i++) {
        const float x = (float)column + ((float)(i % POINTS) + 0.5f) / POINTS;
        const float y = (float)row + ((float)(i / POINTS) + 0.5f) / POINTS;
        const rgb c = colour_at(s, x / s->unit, y / s->unit);
        sum = (rgb){ sum.r + c.r, sum.g + c.g, sum.b + c.b };
    }
    const float x = (float)column / (float)s->width - 0.5f,
                y = (float)row / (float)s->height - 0.5f;
    const float light =
        (1 + s->light * (2 * (x * s->light_dx + y * s->light_dy) - 0.3f)) / (POINTS * POINTS);
    return (rgb){ sum.r * light, sum.g * light, sum.b * light };
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
            const float r = s.noise * fv_random_normal(random);
            const float g = s.grey ? r : s.noise * fv_random_normal(random);
            const float b = s.grey ? r : s.noise * fv_random_normal(random);
            bytes[0] = byte_of(c.r + r);
            bytes[1] = byte_of(c.g + g);
            bytes[2] = byte_of(c.b + b);
        }
    return FV_OK;
}
