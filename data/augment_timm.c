/* SPDX-License-Identifier: Apache-2.0 */
/* TimmAutoAugment: RandAugment as the timm library has it, told by a string such as
 * "rand-m9-n2-mstd0.5-inc1":
 *
 *     m9        magnitude, 0 to 10
 *     n2        how many actions are drawn for a picture; each is carried out one time in two
 *     mstd0.5   the magnitude's standard deviation; it is cut off at 0 and 10
 *     inc1      larger magnitudes are stronger effects in all actions
 *     w0        not all actions are equally likely, and none is drawn twice */
#include "base/compiler.h"
#include "data/augment_act.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 10, MAX_LAYERS = 15 };

/* ---- Reading ---- */

typedef struct timm_options {
    double prob;
    const char *config_str;
    int interpolation;
    fv_floats mean;
} timm_options;

static const char *const filters[] = { "bilinear", "bicubic", "random", NULL };
static const int filter_values[] = { FV_BILINEAR, FV_BICUBIC, FV_FILTER_RANDOM };

static const fv_field timm_fields[] = {
    FV_FIELD_DOUBLE(timm_options, prob, 1.0, 0.0, 1.0),
    FV_FIELD_STRING(timm_options, config_str, "rand-m9-mstd0.5-inc1"),
    FV_FIELD_ENUM(timm_options, interpolation, "bicubic", filters),
    FV_FIELD_FLOATS(timm_options, mean, 0.0, 1.0),
    FV_FIELD_IGNORED("img_size", NULL), /* of absolute translations, which are not drawn */
    FV_FIELD_END,
};

/* A part: its letters, then one number. */
typedef struct word {
    const char *name;
    double min, max;
    bool whole;
} word;

enum { MAGNITUDE, LAYERS, DEVIATION, INCREASING, WEIGHTED, WORDS };

static const word words[WORDS] = {
    { "m", 0.0, LEVELS, false }, { "n", 1.0, MAX_LAYERS, true }, { "mstd", 0.0, 100.0, false },
    { "inc", 0.0, 1.0, true },   { "w", 0.0, 0.0, true },
};

/* Which word the part [text, end) is, with its number, or -1. */
static int read_word(const char *text, const char *end, double *value)
{
    size_t letters = 0;
    while (text + letters < end && text[letters] >= 'a' && text[letters] <= 'z') letters++;
    char *stop;
    const char *number = text + letters;
    if (number == end || !((*number >= '0' && *number <= '9') || *number == '.')) return -1;
    *value = strtod(number, &stop);
    if (stop != end) return -1;
    for (int i = 0; i < WORDS; i++) {
        const word *w = &words[i];
        if (strlen(w->name) != letters || memcmp(w->name, text, letters) != 0) continue;
        const bool good = *value >= w->min && *value <= w->max;
        return good && (!w->whole || *value == floor(*value)) ? i : -1;
    }
    return -1;
}

static fv_status read_text(fv_policy_options *o, const char *text, fv_config_node *node,
                           fv_error *err)
{
    double values[WORDS] = { [MAGNITUDE] = LEVELS, [LAYERS] = 2.0 };
    bool seen[WORDS] = { false };
    const char *part = text + strcspn(text, "-");
    if (part - text != 4 || memcmp(text, "rand", 4) != 0) {
        return fv_config_fail(node, err, "\"%s\" is not known: only \"rand-...\" is", text);
    }
    while (*part) {
        const char *begin = part + 1, *end = begin + strcspn(begin, "-");
        double value;
        const int which = read_word(begin, end, &value);
        if (which < 0 || seen[which]) {
            return fv_config_fail(node, err,
                                  "\"%.*s\" in \"%s\": there may be m0 to m10, n1 to n15, mstd0.5,"
                                  " inc0 or inc1, and w0, each once",
                                  (int)(end - begin), begin, text);
        }
        values[which] = value;
        seen[which] = true;
        part = end;
    }
    o->magnitude = values[MAGNITUDE];
    o->layers = (int)values[LAYERS];
    o->deviation = values[DEVIATION];
    o->increasing = values[INCREASING] != 0.0;
    o->weighted = seen[WEIGHTED];
    return FV_OK;
}

static fv_status timm_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    static const double imagenet_mean[3] = { 0.485, 0.456, 0.406 };
    (void)state;
    timm_options o = { 0 };
    float mean[3];
    fv_policy_options *p = &op->augment.policy;
    FV_TRY(fv_config_read(map, timm_fields, &o, err));
    FV_TRY(fv_op_read_channels(mean, &o.mean, imagenet_mean, "mean", map, err));
    for (int c = 0; c < 3; c++) p->fill[c] = (uint8_t)rint(255.0 * (double)mean[c]);
    p->prob = o.prob;
    p->interpolation = filter_values[o.interpolation];
    return read_text(p, o.config_str ? o.config_str : "", fv_op_node(map, "config_str"), err);
}

/* ---- Drawing ---- */

typedef struct choice {
    fv_action action;
    double weight; /* of w0; they add up to 1 */
} choice;

static const choice choices[] = {
    { FV_ACT_AUTOCONTRAST, 0.025 }, { FV_ACT_EQUALIZE, 0.005 },  { FV_ACT_INVERT, 0.0 },
    { FV_ACT_ROTATE, 0.3 },         { FV_ACT_POSTERIZE, 0.0 },   { FV_ACT_SOLARIZE, 0.005 },
    { FV_ACT_SOLARIZE_ADD, 0.005 }, { FV_ACT_COLOR, 0.025 },     { FV_ACT_CONTRAST, 0.005 },
    { FV_ACT_BRIGHTNESS, 0.005 },   { FV_ACT_SHARPNESS, 0.025 }, { FV_ACT_SHEAR_X, 0.2 },
    { FV_ACT_SHEAR_Y, 0.2 },        { FV_ACT_TRANSLATE_X, 0.1 }, { FV_ACT_TRANSLATE_Y, 0.1 },
};

/* One that has not been taken yet, by weight; those without weight come last. */
static int draw_weighted(bool taken[], fv_random *random)
{
    double sum = 0.0;
    int drawn = -1;
    for (size_t i = 0; i < FV_ARRAY_LEN(choices); i++) sum += taken[i] ? 0.0 : choices[i].weight;
    double left = sum * fv_random_double(random);
    for (size_t i = 0; i < FV_ARRAY_LEN(choices); i++) {
        if (taken[i]) continue;
        if (drawn < 0 || choices[i].weight > 0.0) drawn = (int)i;
        if (left < choices[i].weight) break;
        left -= choices[i].weight;
    }
    taken[drawn] = true;
    return drawn;
}

/* All that are drawn are known before the first is carried out. */
static void draw_actions(const fv_policy_options *o, fv_action actions[MAX_LAYERS],
                         fv_random *random)
{
    bool taken[FV_ARRAY_LEN(choices)] = { false };
    for (int i = 0; i < o->layers; i++) {
        const int drawn = o->weighted ? draw_weighted(taken, random)
                                      : fv_random_int(random, 0, (int)FV_ARRAY_LEN(choices) - 1);
        actions[i] = choices[drawn].action;
    }
}

static double draw_level(const fv_policy_options *o, fv_random *random)
{
    double level = o->magnitude;
    if (o->deviation > 0.0) level += o->deviation * (double)fv_random_normal(random);
    return fmax(0.0, fmin(level, LEVELS));
}

static double value_of(const fv_policy_options *o, fv_action action, double level,
                       fv_random *random)
{
    const double strength = level / LEVELS;
    switch (action) {
    case FV_ACT_ROTATE: return fv_augment_sign(30.0 * strength, random);
    case FV_ACT_SHEAR_X:
    case FV_ACT_SHEAR_Y: return fv_augment_sign(0.3 * strength, random);
    case FV_ACT_TRANSLATE_X:
    case FV_ACT_TRANSLATE_Y: return fv_augment_sign(0.45 * strength, random);
    case FV_ACT_COLOR:
    case FV_ACT_CONTRAST:
    case FV_ACT_BRIGHTNESS:
    case FV_ACT_SHARPNESS:
        return o->increasing ? 1.0 + fv_augment_sign(0.9 * strength, random) : 1.8 * strength + 0.1;
    case FV_ACT_POSTERIZE:
        return o->increasing ? 4.0 - floor(4.0 * strength) : floor(4.0 * strength);
    case FV_ACT_SOLARIZE:
        return o->increasing ? 256.0 - floor(256.0 * strength) : floor(256.0 * strength);
    case FV_ACT_SOLARIZE_ADD: return floor(110.0 * strength);
    default: return 0.0;
    }
}

static fv_status timm_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random, fv_error *err)
{
    const fv_policy_options *o = &op->augment.policy;
    fv_action actions[MAX_LAYERS] = { FV_ACT_SHEAR_X };
    if (!fv_op_draw_chance(o->prob, random)) return FV_OK;
    draw_actions(o, actions, random);
    for (int i = 0; i < o->layers; i++) {
        if (!fv_op_draw_chance(0.5, random)) continue;
        const double level = draw_level(o, random);
        fv_act act = { .action = actions[i],
                       .value = value_of(o, actions[i], level, random),
                       .filter = (fv_filter)o->interpolation,
                       .fill = o->fill };
        if (o->interpolation == FV_FILTER_RANDOM)
            act.filter = fv_random_int(random, 0, 1) ? FV_BICUBIC : FV_BILINEAR;
        FV_TRY(fv_augment_act(s, &act, err));
    }
    return FV_OK;
}

static void timm_describe(const fv_op *op, char *out, size_t size)
{
    const fv_policy_options *o = &op->augment.policy;
    snprintf(out, size, "timm(%g,rand-m%g-n%d-mstd%g-inc%d%s,%s,fill %d:%d:%d)", o->prob,
             o->magnitude, o->layers, o->deviation, o->increasing, o->weighted ? "-w0" : "",
             fv_op_filter_names[o->interpolation], o->fill[0], o->fill[1], o->fill[2]);
}

const fv_op_type fv_op_timm = { .name = "TimmAutoAugment",
                                .random = true,
                                .parse = timm_parse,
                                .run = timm_run,
                                .describe = timm_describe };
