/* SPDX-License-Identifier: Apache-2.0 */
/* ColorJitter, RandomGrayscale, PCALighting, RandomRotation. */
#include "base/compiler.h"
#include "data/transform_impl.h"

#include <math.h>
#include <stdio.h>

/* ---- ColorJitter ---- */

typedef struct jitter_options {
    double prob;
    fv_floats brightness, contrast, saturation, hue;
} jitter_options;

/* PaddleClas's default probability is 2: always. */
static const fv_field jitter_fields[] = {
    FV_FIELD_DOUBLE(jitter_options, prob, 2.0, 0.0, 2.0),
    FV_FIELD_FLOATS(jitter_options, brightness, 0.0, 100.0),
    FV_FIELD_FLOATS(jitter_options, contrast, 0.0, 100.0),
    FV_FIELD_FLOATS(jitter_options, saturation, 0.0, 100.0),
    FV_FIELD_FLOATS(jitter_options, hue, -0.5, 0.5),
    FV_FIELD_END,
};

static const char *const jitter_names[FV_JITTERS] = { "brightness", "contrast", "saturation",
                                                      "hue" };

static fv_status jitter_read_range(fv_jitter_options *j, int which, const fv_floats *given,
                                   fv_config_node *map, fv_error *err)
{
    const double v = given->count ? given->values[0] : 0.0;
    double *range = j->range[which];
    const bool hue = which == FV_HUE;
    if (given->count == 2) {
        range[0] = v;
        range[1] = given->values[1];
    } else {
        range[0] = hue ? -v : fmax(0.0, 1.0 - v);
        range[1] = hue ? v : 1.0 + v;
    }
    if (given->count > 2 || range[0] > range[1]) {
        return fv_config_fail(fv_op_node(map, jitter_names[which]), err,
                              "must be one number that is not negative, or [smallest, largest]");
    }
    const double nothing = hue ? 0.0 : 1.0;
    j->used[which] = range[0] != nothing || range[1] != nothing;
    return FV_OK;
}

static fv_status jitter_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    (void)state;
    jitter_options o = { 0 };
    fv_jitter_options *j = &op->augment.jitter;
    FV_TRY(fv_config_read(map, jitter_fields, &o, err));
    j->prob = o.prob;
    const fv_floats *const given[] = { &o.brightness, &o.contrast, &o.saturation, &o.hue };
    for (int i = 0; i < FV_JITTERS; i++) FV_TRY(jitter_read_range(j, i, given[i], map, err));
    return FV_OK;
}

static void jitter_one(const fv_jitter_options *j, int which, fv_picture *p, fv_random *random)
{
    const double drawn = fv_op_draw(j->range[which], random);
    if (which == FV_BRIGHTNESS) fv_pixels_brightness(p, (float)drawn);
    if (which == FV_CONTRAST) fv_pixels_contrast(p, (float)drawn);
    if (which == FV_SATURATION) fv_pixels_color(p, (float)drawn);
    if (which == FV_HUE) fv_pixels_hue(p, (int)(drawn * 255.0));
}

/* Those that are used, in a random order. */
static fv_status jitter_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random,
                            fv_error *err)
{
    const fv_jitter_options *j = &op->augment.jitter;
    int order[FV_JITTERS], count = 0;
    if (!fv_op_draw_chance(j->prob, random)) return FV_OK;
    for (int i = 0; i < FV_JITTERS; i++)
        if (j->used[i]) order[count++] = i;
    fv_picture *pixels, *next;
    FV_TRY(fv_scratch_pixels(s, &pixels, &next, err));
    for (int i = 0; i < count; i++) {
        const int k = fv_random_int(random, i, count - 1), which = order[k];
        order[k] = order[i];
        jitter_one(j, which, pixels, random);
    }
    return FV_OK;
}

static void jitter_describe(const fv_op *op, char *out, size_t size)
{
    const fv_jitter_options *j = &op->augment.jitter;
    snprintf(out, size, "color_jitter(%g,%g:%g,%g:%g,%g:%g,%g:%g)", fmin(j->prob, 1.0),
             j->range[0][0], j->range[0][1], j->range[1][0], j->range[1][1], j->range[2][0],
             j->range[2][1], j->range[3][0], j->range[3][1]);
}

/* ---- RandomGrayscale ---- */

typedef struct grayscale_options {
    double p;
} grayscale_options;

static const fv_field grayscale_fields[] = {
    FV_FIELD_DOUBLE(grayscale_options, p, 0.1, 0.0, 1.0),
    FV_FIELD_END,
};

static fv_status grayscale_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    (void)state;
    grayscale_options o;
    FV_TRY(fv_config_read(map, grayscale_fields, &o, err));
    op->augment.prob = o.p;
    return FV_OK;
}

static fv_status grayscale_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random,
                               fv_error *err)
{
    fv_picture *pixels, *next;
    if (!fv_op_draw_chance(op->augment.prob, random)) return FV_OK;
    FV_TRY(fv_scratch_pixels(s, &pixels, &next, err));
    fv_pixels_grayscale(pixels);
    return FV_OK;
}

static void grayscale_describe(const fv_op *op, char *out, size_t size)
{
    snprintf(out, size, "random_grayscale(%g)", op->augment.prob);
}

/* ---- PCALighting ---- */

typedef struct lighting_options {
    double alphastd;
} lighting_options;

static const fv_field lighting_fields[] = {
    FV_FIELD_DOUBLE(lighting_options, alphastd, 0.1, 0.0, 100.0),
    FV_FIELD_END,
};

static fv_status lighting_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    (void)state;
    lighting_options o;
    FV_TRY(fv_config_read(map, lighting_fields, &o, err));
    op->augment.deviation = o.alphastd;
    return FV_OK;
}

/* ImageNet Classification with Deep Convolutional Neural Networks. Krizhevsky, Sutskever, Hinton,
 * NIPS 2012, section 4.1: along the principal components of ImageNet's pixels in [0, 1]. The floats
 * are shifted, so that nothing is rounded or cut off. */
static fv_status lighting_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random,
                              fv_error *err)
{
    static const double eigenvalues[3] = { 0.2175, 0.0188, 0.0045 };
    static const double eigenvectors[3][3] = { { -0.5675, 0.7192, 0.4009 },
                                               { -0.5808, -0.0045, -0.8140 },
                                               { -0.5836, -0.6948, 0.4203 } };
    (void)err;
    for (int k = 0; k < 3; k++) {
        const double alpha = op->augment.deviation * (double)fv_random_normal(random);
        for (int c = 0; c < 3; c++) s->shift[c] += eigenvectors[c][k] * eigenvalues[k] * alpha;
    }
    return FV_OK;
}

static void lighting_describe(const fv_op *op, char *out, size_t size)
{
    snprintf(out, size, "pca_lighting(%g)", op->augment.deviation);
}

/* ---- RandomRotation ---- */

typedef struct rotation_options {
    double prob;
    fv_floats degrees, fill;
    int interpolation;
} rotation_options;

/* fv_filter */
static const char *const rotation_filters[] = { "nearest", "bilinear", "bicubic", NULL };

static const fv_field rotation_fields[] = {
    FV_FIELD_DOUBLE(rotation_options, prob, 0.5, 0.0, 1.0),
    { .key = "degrees",
      .type = FV_FLOATS,
      .offset = offsetof(rotation_options, degrees),
      .min = -360.0,
      .max = 360.0,
      .otherwise_text = FV_REQUIRED },
    FV_FIELD_ENUM(rotation_options, interpolation, "nearest", rotation_filters),
    FV_FIELD_FLOATS(rotation_options, fill, 0.0, 255.0),
    FV_FIELD_END,
};

static fv_status rotation_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    static const uint8_t black[3] = { 0, 0, 0 };
    (void)state;
    rotation_options o = { 0 };
    fv_rotation_options *r = &op->augment.rotation;
    FV_TRY(fv_config_read(map, rotation_fields, &o, err));
    r->prob = o.prob;
    r->interpolation = o.interpolation;
    r->degrees[0] = o.degrees.count == 1 ? -o.degrees.values[0] : o.degrees.values[0];
    r->degrees[1] = o.degrees.values[o.degrees.count == 2];
    if (o.degrees.count < 1 || o.degrees.count > 2 || r->degrees[0] > r->degrees[1]) {
        return fv_config_fail(fv_op_node(map, "degrees"), err,
                              "must be one number that is not negative, or [smallest, largest]");
    }
    return fv_op_read_bytes(r->fill, &o.fill, black, "fill", map, err);
}

static fv_status rotation_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random,
                              fv_error *err)
{
    const fv_rotation_options *r = &op->augment.rotation;
    fv_picture *pixels, *next;
    if (!fv_op_draw_chance(r->prob, random)) return FV_OK;
    fv_warp warp = { .filter = (fv_filter)r->interpolation,
                     .fill = { r->fill[0], r->fill[1], r->fill[2] } };
    FV_TRY(fv_scratch_pixels(s, &pixels, &next, err));
    fv_warp_rotate(&warp, fv_op_draw(r->degrees, random), pixels->width, pixels->height);
    FV_TRY(fv_pixels_warp(pixels, &warp, next, err));
    fv_scratch_replace(s);
    return FV_OK;
}

static void rotation_describe(const fv_op *op, char *out, size_t size)
{
    const fv_rotation_options *r = &op->augment.rotation;
    snprintf(out, size, "random_rotation(%g,%g:%g,%s,fill %d:%d:%d)", r->prob, r->degrees[0],
             r->degrees[1], rotation_filters[r->interpolation], r->fill[0], r->fill[1], r->fill[2]);
}

/* ---- For the table in transform_ops.c ---- */

const fv_op_type fv_op_color_jitter = { .name = "ColorJitter",
                                        .random = true,
                                        .parse = jitter_parse,
                                        .run = jitter_run,
                                        .describe = jitter_describe };
const fv_op_type fv_op_grayscale = { .name = "RandomGrayscale",
                                     .random = true,
                                     .parse = grayscale_parse,
                                     .run = grayscale_run,
                                     .describe = grayscale_describe };
const fv_op_type fv_op_lighting = { .name = "PCALighting",
                                    .random = true,
                                    .parse = lighting_parse,
                                    .run = lighting_run,
                                    .describe = lighting_describe };
const fv_op_type fv_op_rotation = { .name = "RandomRotation",
                                    .random = true,
                                    .parse = rotation_parse,
                                    .run = rotation_run,
                                    .describe = rotation_describe };
