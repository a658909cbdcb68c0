/* SPDX-License-Identifier: Apache-2.0 */
/* RandomErasing, Cutout, GridMask, HideAndSeek: parts of the normalised picture are replaced, where
 * 0 is the mean colour. */
#include "base/compiler.h"
#include "data/transform_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Columns [left, right) of rows [top, bottom). */
static void fill(float *out, int width, fv_rect r, const float colour[3])
{
    for (int y = r.y; y < r.y + r.height; y++) {
        float *q = out + ((size_t)y * (size_t)width + (size_t)r.x) * 3;
        for (int x = 0; x < r.width; x++, q += 3) memcpy(q, colour, 3 * sizeof(*q));
    }
}

/* ---- RandomErasing ---- */

/* Random Erasing Data Augmentation. Zhong, Zheng, Kang, Li, Yang, AAAI 2020, arXiv:1708.04896. */
typedef struct erasing_options {
    double EPSILON, sl, sh, r1;
    fv_floats mean;
    int attempt, mode;
    bool use_log_aspect;
} erasing_options;

static const char *const erase_modes[] = { "const", "rand", "pixel", NULL }; /* fv_erase_mode */

static const fv_field erasing_fields[] = {
    FV_FIELD_DOUBLE(erasing_options, EPSILON, 0.5, 0.0, 1.0),
    FV_FIELD_DOUBLE(erasing_options, sl, 0.02, 0.0, 1.0),
    FV_FIELD_DOUBLE(erasing_options, sh, 0.4, 0.0, 1.0),
    FV_FIELD_DOUBLE(erasing_options, r1, 0.3, 0.001, 1.0),
    FV_FIELD_FLOATS(erasing_options, mean, -1e6, 1e6),
    FV_FIELD_INT(erasing_options, attempt, 100, 1, 10000),
    FV_FIELD_BOOL(erasing_options, use_log_aspect, false),
    FV_FIELD_ENUM(erasing_options, mode, "const", erase_modes),
    FV_FIELD_END,
};

static fv_status erasing_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    static const double zero[3] = { 0.0, 0.0, 0.0 };
    (void)state;
    erasing_options o = { 0 };
    FV_TRY(fv_config_read(map, erasing_fields, &o, err));
    if (o.sl > o.sh) {
        return fv_config_fail(fv_op_node(map, "sl"), err, "%g is larger than sh, %g", o.sl, o.sh);
    }
    fv_erasing_options *e = &op->augment.erasing;
    *e = (fv_erasing_options){ .prob = o.EPSILON,
                               .area = { o.sl, o.sh },
                               .aspect = { o.r1, 1.0 / o.r1 },
                               .log_aspect = o.use_log_aspect,
                               .attempts = o.attempt,
                               .mode = o.mode };
    return fv_op_read_channels(e->mean, &o.mean, zero, "mean", map, err);
}

/* A rectangle smaller than the picture both ways; false: none was found. */
static bool draw_rectangle(const fv_erasing_options *e, int height, int width, fv_random *random,
                           fv_rect *out)
{
    for (int i = 0; i < e->attempts; i++) {
        const double area = fv_op_draw(e->area, random) * height * width;
        const double aspect =
            e->log_aspect ? fv_op_draw_log(e->aspect, random) : fv_op_draw(e->aspect, random);
        const double h = rint(sqrt(area * aspect)), w = rint(sqrt(area / aspect));
        if (h >= height || w >= width) continue;
        out->height = (int)h;
        out->width = (int)w;
        out->y = fv_random_int(random, 0, height - out->height);
        out->x = fv_random_int(random, 0, width - out->width);
        return true;
    }
    return false;
}

static void erasing_erase(const fv_op *op, float *out, int height, int width, fv_random *random)
{
    const fv_erasing_options *e = &op->augment.erasing;
    float colour[3];
    fv_rect r;
    if (!fv_op_draw_chance(e->prob, random)) return;
    if (!draw_rectangle(e, height, width, random, &r)) return;
    memcpy(colour, e->mean, sizeof(colour));
    for (int c = 0; c < 3 && e->mode == FV_ERASE_RAND; c++) colour[c] = fv_random_normal(random);
    if (e->mode != FV_ERASE_PIXEL) {
        fill(out, width, r, colour);
        return;
    }
    for (int y = r.y; y < r.y + r.height; y++) {
        float *q = out + ((size_t)y * (size_t)width + (size_t)r.x) * 3;
        for (int i = 0; i < r.width * 3; i++) q[i] = fv_random_normal(random);
    }
}

static void erasing_describe(const fv_op *op, char *out, size_t size)
{
    const fv_erasing_options *e = &op->augment.erasing;
    snprintf(out, size, "random_erasing(%g,area %g:%g,aspect %g:%g%s,%s,mean %g:%g:%g)", e->prob,
             e->area[0], e->area[1], e->aspect[0], e->aspect[1], e->log_aspect ? ",log" : "",
             erase_modes[e->mode], (double)e->mean[0], (double)e->mean[1], (double)e->mean[2]);
}

/* ---- Cutout ---- */

/* Improved Regularization of Convolutional Neural Networks with Cutout. DeVries, Taylor,
 * arXiv:1708.04552: squares about any pixel, as far as they lie inside. */
typedef struct cutout_options {
    int n_holes, length;
    fv_floats fill_value;
} cutout_options;

static const fv_field cutout_fields[] = {
    FV_FIELD_INT(cutout_options, n_holes, 1, 1, 1000),
    FV_FIELD_INT(cutout_options, length, 112, 1, FV_OP_MAX_SIDE),
    FV_FIELD_FLOATS(cutout_options, fill_value, -1e6, 1e6),
    FV_FIELD_END,
};

static fv_status cutout_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    static const double zero[3] = { 0.0, 0.0, 0.0 };
    (void)state;
    cutout_options o = { 0 };
    fv_cutout_options *c = &op->augment.cutout;
    FV_TRY(fv_config_read(map, cutout_fields, &o, err));
    c->holes = o.n_holes;
    c->length = o.length;
    return fv_op_read_channels(c->fill, &o.fill_value, zero, "fill_value", map, err);
}

static void cutout_erase(const fv_op *op, float *out, int height, int width, fv_random *random)
{
    const fv_cutout_options *o = &op->augment.cutout;
    for (int i = 0; i < o->holes; i++) {
        const int y = fv_random_int(random, 0, height - 1) - o->length / 2;
        const int x = fv_random_int(random, 0, width - 1) - o->length / 2;
        const int top = fv_max(y, 0), bottom = fv_min(y + o->length, height);
        const int left = fv_max(x, 0), right = fv_min(x + o->length, width);
        fill(out, width, (fv_rect){ left, top, right - left, bottom - top }, o->fill);
    }
}

static void cutout_describe(const fv_op *op, char *out, size_t size)
{
    const fv_cutout_options *o = &op->augment.cutout;
    snprintf(out, size, "cutout(%d,%d,fill %g:%g:%g)", o->holes, o->length, (double)o->fill[0],
             (double)o->fill[1], (double)o->fill[2]);
}

/* ---- GridMask ---- */

/* GridMask Data Augmentation. Chen, Liu, Zhao, Jia, arXiv:2001.04086. Stripes of the width
 * ratio * d, one every d pixels, both ways, turned together; mode 0 erases the stripes, mode 1
 * all but the stripes. */
static const fv_field grid_fields[] = {
    FV_FIELD_INT(fv_grid_options, d1, 96, 1, FV_OP_MAX_SIDE),
    FV_FIELD_INT(fv_grid_options, d2, 224, 2, FV_OP_MAX_SIDE),
    FV_FIELD_INT(fv_grid_options, rotate, 1, 1, 360),
    FV_FIELD_DOUBLE(fv_grid_options, ratio, 0.5, 0.0, 1.0),
    FV_FIELD_INT(fv_grid_options, mode, 0, 0, 1),
    FV_FIELD_DOUBLE(fv_grid_options, prob, 1.0, 0.0, 1.0),
    FV_FIELD_INT(fv_grid_options, ramp_epochs, 240, 0, 1000000),
    FV_FIELD_END,
};

static fv_status grid_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    (void)state;
    fv_grid_options *g = &op->augment.grid;
    FV_TRY(fv_config_read(map, grid_fields, g, err));
    if (g->d1 >= g->d2) {
        return fv_config_fail(fv_op_node(map, "d1"), err, "%d is not below d2, %d", g->d1, g->d2);
    }
    return FV_OK;
}

/* The probability rises to `prob` over the first ramp_epochs epochs. */
static double grid_probability(const fv_grid_options *g, fv_random *random)
{
    if (g->ramp_epochs == 0) return g->prob;
    return g->prob * fmin(1.0, (double)fv_random_epoch(random) / g->ramp_epochs);
}

static bool in_stripe(double x, int start, int d, int stripe)
{
    const int at = ((int)floor(x) - start) % d;
    return (at < 0 ? at + d : at) < stripe;
}

static void grid_erase(const fv_op *op, float *out, int height, int width, fv_random *random)
{
    const fv_grid_options *g = &op->augment.grid;
    if (!fv_op_draw_chance(grid_probability(g, random), random)) return;
    const int d = fv_random_int(random, g->d1, g->d2 - 1), stripe = (int)(d * g->ratio + 0.5);
    const int start_y = fv_random_int(random, 0, d - 1), start_x = fv_random_int(random, 0, d - 1);
    fv_warp turn;
    fv_warp_rotate(&turn, fv_random_int(random, 0, g->rotate - 1), width, height);
    const double *m = turn.m;
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++, out += 3) {
            const double xc = column + 0.5, yc = row + 0.5;
            const double x = m[0] * xc + m[1] * yc + m[2], y = m[3] * xc + m[4] * yc + m[5];
            const bool striped =
                in_stripe(x, start_x, d, stripe) || in_stripe(y, start_y, d, stripe);
            if (striped == (g->mode == 0)) memset(out, 0, 3 * sizeof(*out));
        }
    }
}

static void grid_describe(const fv_op *op, char *out, size_t size)
{
    const fv_grid_options *g = &op->augment.grid;
    snprintf(out, size, "grid_mask(%g over %d,%d:%d,rotate %d,ratio %g,mode %d)", g->prob,
             g->ramp_epochs, g->d1, g->d2, g->rotate, g->ratio, g->mode);
}

/* ---- HideAndSeek ---- */

/* Hide-and-Seek: A Data Augmentation Technique for Weakly-Supervised Localization and Beyond.
 * Singh, Yu, Sarmasi, Pradeep, Lee, arXiv:1811.02545. */
static fv_status hide_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    static const fv_field none[] = { FV_FIELD_END };
    char unused;
    (void)op;
    (void)state;
    return fv_config_read(map, none, &unused, err);
}

static void hide_erase(const fv_op *op, float *out, int height, int width, fv_random *random)
{
    static const int sizes[] = { 0, 16, 32, 44, 56 };
    static const float zero[3] = { 0.0f, 0.0f, 0.0f };
    (void)op;
    const int side = sizes[fv_random_int(random, 0, (int)FV_ARRAY_LEN(sizes) - 1)];
    for (int y = 0; y < height && side; y += side) {
        for (int x = 0; x < width; x += side) {
            const fv_rect r = { x, y, fv_min(side, width - x), fv_min(side, height - y) };
            if (fv_op_draw_chance(0.5, random)) fill(out, width, r, zero);
        }
    }
}

static void hide_describe(const fv_op *op, char *out, size_t size)
{
    (void)op;
    snprintf(out, size, "hide_and_seek");
}

/* ---- For the table in transform_ops.c ---- */

const fv_op_type fv_op_erasing = { .name = "RandomErasing",
                                   .random = true,
                                   .parse = erasing_parse,
                                   .describe = erasing_describe,
                                   .erase = erasing_erase };
const fv_op_type fv_op_cutout = { .name = "Cutout",
                                  .random = true,
                                  .parse = cutout_parse,
                                  .describe = cutout_describe,
                                  .erase = cutout_erase };
const fv_op_type fv_op_grid_mask = { .name = "GridMask",
                                     .random = true,
                                     .parse = grid_parse,
                                     .describe = grid_describe,
                                     .erase = grid_erase };
const fv_op_type fv_op_hide_and_seek = { .name = "HideAndSeek",
                                         .random = true,
                                         .parse = hide_parse,
                                         .describe = hide_describe,
                                         .erase = hide_erase };
