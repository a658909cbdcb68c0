/* SPDX-License-Identifier: Apache-2.0 */
/* AutoAugment, RandAugment. */
#include "base/compiler.h"
#include "data/augment_act.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const uint8_t gray[3] = { 128, 128, 128 };

/* Shears are smooth, everything else takes the nearest pixel. */
static fv_filter filter_of(fv_action action)
{
    return action == FV_ACT_SHEAR_X || action == FV_ACT_SHEAR_Y ? FV_BICUBIC : FV_NEAREST;
}

/* What an action does at a strength in [0, 1]; to which side is drawn, but not for rotations. */
static double value_at(fv_action action, double strength, fv_random *random)
{
    switch (action) {
    case FV_ACT_SHEAR_X:
    case FV_ACT_SHEAR_Y: return fv_augment_sign(0.3 * strength, random);
    case FV_ACT_TRANSLATE_X:
    case FV_ACT_TRANSLATE_Y: return fv_augment_sign(150.0 / 331.0 * strength, random);
    case FV_ACT_ROTATE: return 30.0 * strength;
    case FV_ACT_COLOR:
    case FV_ACT_CONTRAST:
    case FV_ACT_BRIGHTNESS:
    case FV_ACT_SHARPNESS: return 1.0 + fv_augment_sign(0.9 * strength, random);
    default: return 0.0;
    }
}

/* ---- AutoAugment ---- */

/* AutoAugment: Learning Augmentation Policies from Data. Cubuk, Zoph, Mane, Vasudevan, Le, CVPR
 * 2019, arXiv:1805.09501, table 9: the policy for ImageNet. A row is drawn, and its two actions are
 * carried out, each with its probability (in tenths) and level (0 to 9). */
typedef struct step {
    uint8_t action, tenths, level;
} step;

#define AUTO  FV_ACT_AUTOCONTRAST
#define COLOR FV_ACT_COLOR
#define CONTR FV_ACT_CONTRAST
#define EQUAL FV_ACT_EQUALIZE
#define INVER FV_ACT_INVERT
#define POSTE FV_ACT_POSTERIZE
#define ROTAT FV_ACT_ROTATE
#define SHARP FV_ACT_SHARPNESS
#define SHEAR FV_ACT_SHEAR_X
#define SOLAR FV_ACT_SOLARIZE

/* clang-format off */
static const step policy[][2] = {
    { { POSTE, 4, 8 }, { ROTAT, 6, 9 } },  { { SOLAR, 6, 5 }, { AUTO, 6, 5 } },
    { { EQUAL, 8, 8 }, { EQUAL, 6, 3 } },  { { POSTE, 6, 7 }, { POSTE, 6, 6 } },
    { { EQUAL, 4, 7 }, { SOLAR, 2, 4 } },  { { EQUAL, 4, 4 }, { ROTAT, 8, 8 } },
    { { SOLAR, 6, 3 }, { EQUAL, 6, 7 } },  { { POSTE, 8, 5 }, { EQUAL, 10, 2 } },
    { { ROTAT, 2, 3 }, { SOLAR, 6, 8 } },  { { EQUAL, 6, 8 }, { POSTE, 4, 6 } },
    { { ROTAT, 8, 8 }, { COLOR, 4, 0 } },  { { ROTAT, 4, 9 }, { EQUAL, 6, 2 } },
    { { EQUAL, 0, 7 }, { EQUAL, 8, 8 } },  { { INVER, 6, 4 }, { EQUAL, 10, 8 } },
    { { COLOR, 6, 4 }, { CONTR, 10, 8 } }, { { ROTAT, 8, 8 }, { COLOR, 10, 2 } },
    { { COLOR, 8, 8 }, { SOLAR, 8, 7 } },  { { SHARP, 4, 7 }, { INVER, 6, 8 } },
    { { SHEAR, 6, 5 }, { EQUAL, 10, 9 } }, { { COLOR, 4, 0 }, { EQUAL, 6, 3 } },
    { { EQUAL, 4, 7 }, { SOLAR, 2, 4 } },  { { SOLAR, 6, 5 }, { AUTO, 6, 5 } },
    { { INVER, 6, 4 }, { EQUAL, 10, 8 } }, { { COLOR, 6, 4 }, { CONTR, 10, 8 } },
    { { EQUAL, 8, 8 }, { EQUAL, 6, 3 } },
};
/* clang-format on */

typedef struct colour_options {
    fv_floats fillcolor;
} colour_options;

static const fv_field auto_fields[] = {
    FV_FIELD_FLOATS(colour_options, fillcolor, 0.0, 255.0),
    FV_FIELD_END,
};

static fv_status auto_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    (void)state;
    colour_options o = { 0 };
    FV_TRY(fv_config_read(map, auto_fields, &o, err));
    return fv_op_read_bytes(op->augment.policy.fill, &o.fillcolor, gray, "fillcolor", map, err);
}

static fv_status auto_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random, fv_error *err)
{
    static const uint8_t bits[] = { 8, 8, 7, 7, 6, 6, 5, 5, 4, 4 };
    const step *row = policy[fv_random_int(random, 0, (int)FV_ARRAY_LEN(policy) - 1)];
    for (int i = 0; i < 2; i++) {
        const fv_action action = (fv_action)row[i].action;
        if (!fv_op_draw_chance(row[i].tenths / 10.0, random)) continue;
        fv_act act = { .action = action,
                       .value = value_at(action, row[i].level / 9.0, random),
                       .filter = filter_of(action),
                       .fill = op->augment.policy.fill };
        if (action == FV_ACT_POSTERIZE) act.value = bits[row[i].level];
        if (action == FV_ACT_SOLARIZE) act.value = 256.0 - row[i].level * (256.0 / 9.0);
        FV_TRY(fv_augment_act(s, &act, err));
    }
    return FV_OK;
}

static void auto_describe(const fv_op *op, char *out, size_t size)
{
    const uint8_t *fill = op->augment.policy.fill;
    snprintf(out, size, "auto_augment(imagenet,fill %d:%d:%d)", fill[0], fill[1], fill[2]);
}

/* ---- RandAugment ---- */

/* RandAugment: Practical Automated Data Augmentation with a Reduced Search Space. Cubuk, Zoph,
 * Shlens, Le, NeurIPS 2020, arXiv:1909.13719. */
static const fv_action rand_actions[] = {
    FV_ACT_SHEAR_X,  FV_ACT_SHEAR_Y,   FV_ACT_TRANSLATE_X, FV_ACT_TRANSLATE_Y,
    FV_ACT_ROTATE,   FV_ACT_COLOR,     FV_ACT_POSTERIZE,   FV_ACT_SOLARIZE,
    FV_ACT_CONTRAST, FV_ACT_SHARPNESS, FV_ACT_BRIGHTNESS,  FV_ACT_AUTOCONTRAST,
    FV_ACT_EQUALIZE, FV_ACT_INVERT,
};

typedef struct rand_options {
    int num_layers;
    double magnitude;
    fv_floats fillcolor;
} rand_options;

static const fv_field rand_fields[] = {
    FV_FIELD_INT(rand_options, num_layers, 2, 1, 100),
    FV_FIELD_DOUBLE(rand_options, magnitude, 5.0, 0.0, 10.0),
    FV_FIELD_FLOATS(rand_options, fillcolor, 0.0, 255.0),
    FV_FIELD_END,
};

static fv_status rand_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    (void)state;
    rand_options o = { 0 };
    FV_TRY(fv_config_read(map, rand_fields, &o, err));
    op->augment.policy.layers = o.num_layers;
    op->augment.policy.magnitude = o.magnitude;
    return fv_op_read_bytes(op->augment.policy.fill, &o.fillcolor, gray, "fillcolor", map, err);
}

static fv_status rand_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random, fv_error *err)
{
    const fv_policy_options *o = &op->augment.policy;
    const double strength = o->magnitude / 10.0;
    for (int i = 0; i < o->layers; i++) {
        const int drawn = fv_random_int(random, 0, (int)FV_ARRAY_LEN(rand_actions) - 1);
        const fv_action action = rand_actions[drawn];
        fv_act act = { .action = action,
                       .value = value_at(action, strength, random),
                       .filter = filter_of(action),
                       .fill = o->fill };
        if (action == FV_ACT_POSTERIZE) act.value = floor(4.0 * strength);
        if (action == FV_ACT_SOLARIZE) act.value = 256.0 * strength;
        FV_TRY(fv_augment_act(s, &act, err));
    }
    return FV_OK;
}

static void rand_describe(const fv_op *op, char *out, size_t size)
{
    const fv_policy_options *o = &op->augment.policy;
    snprintf(out, size, "rand_augment(%d,%g,fill %d:%d:%d)", o->layers, o->magnitude, o->fill[0],
             o->fill[1], o->fill[2]);
}

/* ---- For the table in transform_ops.c ---- */

const fv_op_type fv_op_auto_augment = { .name = "AutoAugment",
                                        .random = true,
                                        .parse = auto_parse,
                                        .run = auto_run,
                                        .describe = auto_describe };
const fv_op_type fv_op_rand_augment = { .name = "RandAugment",
                                        .random = true,
                                        .parse = rand_parse,
                                        .run = rand_run,
                                        .describe = rand_describe };
