/* SPDX-License-Identifier: Apache-2.0 */
/* The classes of data/synth.h: each a function from a point to the ink that lies there. */
#include "data/synth_impl.h"

#include "base/compiler.h"
#include "data/synth.h"

#include <math.h>
#include <stdbool.h>

static const float pi = 3.14159265f;

/* Nearest distance in the ring of real numbers modulo 1 to 0, in [0, 0.5]. */
static float from_whole(float x) { return fabsf(x - roundf(x)); }

static float length(float x, float y) { return sqrtf(x * x + y * y); }

static float mix(float low, float high, float t) { return low + (high - low) * t; }

/* Even-odd rule. `xy` holds `count` corners. */
static bool in_polygon(float x, float y, const float (*xy)[2], int count)
{
    bool inside = false;
    for (int i = 0, j = count - 1; i < count; j = i++) {
        const float xi = xy[i][0], yi = xy[i][1], xj = xy[j][0], yj = xy[j][1];
        if ((yi > y) != (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi) inside = !inside;
    }
    return inside;
}

/* Inside a figure with `corners` equal parts whose radius swings between `inner` and 1 along
 * straight edges: a star, or a regular polygon where inner = cos(pi / corners). */
static bool in_star(float x, float y, int corners, float inner)
{
    const float step = pi / (float)corners;
    float angle = fmodf(atan2f(x, -y) + 4 * pi, 2 * step);
    if (angle > step) angle = 2 * step - angle;
    const float r = length(x, y), px = r * sinf(angle), py = r * cosf(angle);
    const float ix = inner * sinf(step), iy = inner * cosf(step);
    return px * (1 - iy) + py * ix < ix; /* below the edge from (0, 1) to (ix, iy) */
}

/* ---- Shapes ---- */

static int disc(float x, float y, const fv_synth_look *look)
{
    (void)look;
    return length(x, y) < 0.9f;
}

static int ring(float x, float y, const fv_synth_look *look)
{
    const float r = length(x, y);
    return r < 0.95f && r > mix(0.72f, 0.45f, look->thickness);
}

static int square(float x, float y, const fv_synth_look *look)
{
    (void)look;
    return fmaxf(fabsf(x), fabsf(y)) < 0.78f;
}

static int triangle(float x, float y, const fv_synth_look *look)
{
    (void)look;
    return in_star(x, y, 3, 0.5f);
}

static int star(float x, float y, const fv_synth_look *look)
{
    return in_star(x, y, 5, mix(0.36f, 0.5f, look->thickness));
}

static int cross(float x, float y, const fv_synth_look *look)
{
    const float arm = mix(0.18f, 0.34f, look->thickness), ax = fabsf(x), ay = fabsf(y);
    return fmaxf(ax, ay) < 0.92f && fminf(ax, ay) < arm;
}

static int crescent(float x, float y, const fv_synth_look *look)
{
    const float shift = mix(0.3f, 0.5f, look->thickness);
    return length(x, y) < 0.95f && length(x - shift, y) > 0.8f;
}

static int heart(float x, float y, const fv_synth_look *look)
{
    (void)look;
    const float u = 1.2f * x, v = 0.15f - 1.2f * y, s = u * u + v * v - 1;
    return s * s * s < u * u * v * v * v;
}

static int hexagon(float x, float y, const fv_synth_look *look)
{
    (void)look;
    return in_star(x, y, 6, 0.866f);
}

static int arrow(float x, float y, const fv_synth_look *look)
{
    const float shaft = mix(0.14f, 0.26f, look->thickness);
    const float corners[][2] = { { 0, -1 },        { 0.7f, -0.15f },  { shaft, -0.15f },
                                 { shaft, 0.95f }, { -shaft, 0.95f }, { -shaft, -0.15f },
                                 { -0.7f, -0.15f } };
    return in_polygon(x, y, corners, FV_ARRAY_LEN(corners));
}

static int gear(float x, float y, const fv_synth_look *look)
{
    const float r = length(x, y), tooth = cosf(9 * atan2f(y, x));
    return r < (tooth > 0 ? 0.97f : 0.75f) && r > mix(0.2f, 0.35f, look->thickness);
}

static int flower(float x, float y, const fv_synth_look *look)
{
    const float r = length(x, y);
    if (r < mix(0.16f, 0.26f, look->thickness)) return 2;
    return r < 0.35f + 0.6f * fabsf(cosf(2.5f * atan2f(y, x)));
}

static int drop(float x, float y, const fv_synth_look *look)
{
    (void)look;
    if (length(x, y - 0.35f) < 0.6f) return 1;
    return y > -1 && y < 0.2f && fabsf(x) < 0.55f * (y + 1) / 1.15f;
}

static int bolt(float x, float y, const fv_synth_look *look)
{
    (void)look;
    static const float corners[][2] = { { 0.3f, -1 }, { -0.5f, 0.15f },  { -0.02f, 0.15f },
                                        { -0.3f, 1 }, { 0.55f, -0.25f }, { 0.06f, -0.25f } };
    return in_polygon(x, y, corners, FV_ARRAY_LEN(corners));
}

/* ---- Textures, in patches ---- */

/* A round patch with a wavy outline. */
static bool in_patch(float x, float y, const fv_synth_look *look)
{
    const float angle = atan2f(y, x);
    const float r = 0.88f + 0.1f * (look->wobble[0] * sinf(2 * angle + 6 * look->wobble[1]) +
                                    look->wobble[2] * sinf(3 * angle + 6 * look->wobble[3]));
    return length(x, y) < r;
}

/* Periods across a unit of length. */
static float periods(const fv_synth_look *look) { return mix(1.6f, 3.2f, look->frequency); }

static int stripes(float x, float y, const fv_synth_look *look)
{
    if (!in_patch(x, y, look)) return 0;
    return from_whole(x * periods(look) + look->phase) < 0.25f ? 1 : 2;
}

static int checkerboard(float x, float y, const fv_synth_look *look)
{
    if (!in_patch(x, y, look)) return 0;
    const float f = periods(look);
    const int i = (int)floorf(x * f + look->phase), j = (int)floorf(y * f - look->phase);
    return ((i + j) & 1) ? 1 : 2;
}

static int dots(float x, float y, const fv_synth_look *look)
{
    if (!in_patch(x, y, look)) return 0;
    const float f = periods(look), u = x * f + look->phase, v = y * f - look->phase;
    return length(from_whole(u), from_whole(v)) < mix(0.24f, 0.36f, look->thickness) ? 1 : 2;
}

static int spiral(float x, float y, const fv_synth_look *look)
{
    if (!in_patch(x, y, look)) return 0;
    const float turns = 0.7f * periods(look) * length(x, y) + atan2f(y, x) / (2 * pi);
    return from_whole(turns + look->phase) < 0.25f ? 1 : 2;
}

static int target(float x, float y, const fv_synth_look *look)
{
    if (!in_patch(x, y, look)) return 0;
    return from_whole(0.8f * periods(look) * length(x, y)) < 0.25f ? 1 : 2;
}

static int waves(float x, float y, const fv_synth_look *look)
{
    if (!in_patch(x, y, look)) return 0;
    const float shift = 0.16f * sinf(7 * y + 6 * look->phase);
    return from_whole((x + shift) * periods(look) + look->phase) < 0.25f ? 1 : 2;
}

static int zigzag(float x, float y, const fv_synth_look *look)
{
    if (!in_patch(x, y, look)) return 0;
    const float shift = 0.8f * from_whole(1.3f * y + look->phase);
    return from_whole((x + shift) * periods(look)) < 0.25f ? 1 : 2;
}

static int grid(float x, float y, const fv_synth_look *look)
{
    if (!in_patch(x, y, look)) return 0;
    const float f = periods(look), u = from_whole(x * f + look->phase), v = from_whole(y * f);
    return fminf(u, v) < mix(0.08f, 0.14f, look->thickness) ? 1 : 2;
}

static int bricks(float x, float y, const fv_synth_look *look)
{
    if (!in_patch(x, y, look)) return 0;
    const float v = y * periods(look) * 1.2f + look->phase;
    const float u = 0.6f * x * periods(look) + 0.5f * floorf(v);
    const bool mortar = from_whole(v) < 0.12f || from_whole(u) < 0.06f;
    return mortar ? 2 : 1;
}

static int rays(float x, float y, const fv_synth_look *look)
{
    if (!in_patch(x, y, look)) return 0;
    return from_whole(8 * atan2f(y, x) / (2 * pi)) < 0.25f ? 1 : 2;
}

/* The default ten come first. */
const fv_synth_class fv_synth_classes[FV_SYNTH_MAX_CLASSES] = {
    { "disc", disc },       { "ring", ring },
    { "square", square },   { "triangle", triangle },
    { "star", star },       { "cross", cross },
    { "stripes", stripes }, { "checkerboard", checkerboard },
    { "dots", dots },       { "spiral", spiral },
    { "heart", heart },     { "crescent", crescent },
    { "arrow", arrow },     { "hexagon", hexagon },
    { "gear", gear },       { "flower", flower },
    { "drop", drop },       { "bolt", bolt },
    { "target", target },   { "waves", waves },
    { "zigzag", zigzag },   { "grid", grid },
    { "bricks", bricks },   { "rays", rays },
};
