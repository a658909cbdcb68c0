/* SPDX-License-Identifier: Apache-2.0 */
/* From the config's Optimizer map to an optimizer. */
#include "optim/optimizer_impl.h"

#include <string.h>

/* Adding an optimizer: its type, and its name. */
static const fv_optimizer_type *const types[] = {
    &fv_optimizer_sgd,   &fv_optimizer_momentum, &fv_optimizer_adam,
    &fv_optimizer_adamw, &fv_optimizer_rms_prop, &fv_optimizer_lars,
};
static const char KNOWN_NAMES[] = "SGD, Momentum, Adam, AdamW, RMSProp, LARS";

static const fv_optimizer_type *find_type(const char *name)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(types); i++)
        if (strcmp(types[i]->name, name) == 0) return types[i];
    return NULL;
}

/* ---- Decay ---- */

typedef struct regularizer_settings {
    int name;
    double coeff;
} regularizer_settings;

static fv_status read_regularizer(fv_optimizer_settings *settings, const fv_optimizer_type *type,
                                  fv_error *err)
{
    enum { L1, L2 };
    static const char *const names[] = { "L1", "L2", NULL };
    static const fv_field fields[] = {
        FV_FIELD_ENUM(regularizer_settings, name, FV_REQUIRED, names),
        FV_FIELD_DOUBLE(regularizer_settings, coeff, 0, 0, 10),
        FV_FIELD_END,
    };
    settings->l2 = (float)settings->weight_decay;
    if (!settings->regularizer) return FV_OK;

    regularizer_settings regularizer;
    FV_TRY(fv_config_read(settings->regularizer, fields, &regularizer, err));
    if (type->knows_weight_decay_only)
        return fv_config_fail(settings->regularizer, err,
                              "%s decays weights apart from their gradients: give weight_decay",
                              type->name);
    if (regularizer.name == L1 && !type->knows_l1)
        return fv_config_fail(settings->regularizer, err, "%s knows only L2", type->name);
    if (settings->weight_decay != 0)
        fv_config_tell(settings->regularizer,
                       "both regularizer and weight_decay are given: the regularizer counts, "
                       "weight_decay %g is ignored",
                       settings->weight_decay);
    settings->l1 = regularizer.name == L1 ? (float)regularizer.coeff : 0.0f;
    settings->l2 = regularizer.name == L2 ? (float)regularizer.coeff : 0.0f;
    return FV_OK;
}

/* ---- Clipping ---- */

typedef struct clip_settings {
    int name;
    double clip_norm, min, max; /* 0: not given */
} clip_settings;

static fv_status check_clip(const clip_settings *s, fv_config_node *map, fv_error *err)
{
    const bool by_value = s->name == FV_CLIP_VALUE;
    fv_config_node *norm = fv_config_child(map, "clip_norm");
    fv_config_node *min = fv_config_child(map, "min"), *max = fv_config_child(map, "max");
    if (by_value && norm) return fv_config_fail(norm, err, "ClipGradByValue takes min and max");
    if (by_value && !max) return fv_config_fail(map, err, "ClipGradByValue needs max");
    if (by_value && min && s->min > s->max)
        return fv_config_fail(min, err, "%g is above max, %g", s->min, s->max);
    if (by_value && !min && s->max < 0.0)
        return fv_config_fail(max, err, "%g is below 0: give min too", s->max);
    if (!by_value && (min || max))
        return fv_config_fail(min ? min : max, err, "is for ClipGradByValue alone");
    if (!by_value && !norm) return fv_config_fail(map, err, "clip_norm is missing");
    return FV_OK;
}

static fv_status read_clip(fv_optimizer_settings *settings, fv_error *err)
{
    static const char *const names[] = { [FV_CLIP_VALUE] = "ClipGradByValue",
                                         [FV_CLIP_NORM] = "ClipGradByNorm",
                                         [FV_CLIP_GLOBAL_NORM] = "ClipGradByGlobalNorm",
                                         [FV_CLIP_NONE] = NULL };
    static const fv_field fields[] = {
        FV_FIELD_ENUM(clip_settings, name, FV_REQUIRED, names),
        FV_FIELD_DOUBLE(clip_settings, clip_norm, 0, 1e-12, 1e12),
        FV_FIELD_DOUBLE(clip_settings, min, 0, -1e12, 1e12),
        FV_FIELD_DOUBLE(clip_settings, max, 0, -1e12, 1e12),
        FV_FIELD_END,
    };
    const double norm = settings->clip_norm;
    settings->clipping =
        (fv_clip){ .kind = norm > 0.0 ? FV_CLIP_NORM : FV_CLIP_NONE, .norm = norm };
    if (!settings->clip) return FV_OK;
    if (norm > 0.0)
        return fv_config_fail(settings->clip, err,
                              "clip_norm is given too: it means ClipGradByNorm, keep one of them");
    clip_settings s;
    FV_TRY(fv_config_read(settings->clip, fields, &s, err));
    FV_TRY(check_clip(&s, settings->clip, err));
    const bool symmetric = !fv_config_child(settings->clip, "min");
    settings->clipping = (fv_clip){ .kind = (fv_clip_kind)s.name,
                                    .norm = s.clip_norm,
                                    .min = symmetric ? -s.max : s.min,
                                    .max = s.max };
    return FV_OK;
}

/* ---- All of it ---- */

static fv_status read_type(const fv_optimizer_type **out, fv_config_node *map, fv_error *err)
{
    if (!map) return fv_fail(err, FV_ERR_CONFIG, "Optimizer: missing: give name and lr");
    if (fv_config_node_type(map) != FV_CONFIG_MAP)
        return fv_config_fail(map, err,
                              "one map with name and lr is expected, not a list or a value");
    fv_config_node *name = fv_config_child(map, "name");
    const char *text = name ? fv_config_node_text(name) : NULL;
    *out = find_type(text ? text : "");
    if (!name) return fv_config_fail(map, err, "name is missing, known are %s", KNOWN_NAMES);
    if (*out) return FV_OK;
    return fv_config_fail(name, err, "unknown optimizer \"%.60s\", known are %s", text ? text : "",
                          KNOWN_NAMES);
}

fv_status fv_optimizer_create(fv_optimizer **out, fv_config_node *map, fv_params *params,
                              const fv_kernels *kernels, fv_error *err)
{
    const fv_optimizer_type *type = NULL;
    FV_TRY(read_type(&type, map, err));
    fv_optimizer_settings settings = { 0 };
    FV_TRY(fv_config_read(map, type->fields, &settings, err));
    FV_TRY(read_regularizer(&settings, type, err));
    FV_TRY(read_clip(&settings, err));
    fv_optimizer *optimizer;
    FV_TRY(fv_optimizer_create_from(&optimizer, type, &settings, params, kernels, err));
    const fv_status status = fv_optimizer_apply_rules(optimizer, err);
    if (status == FV_OK)
        *out = optimizer;
    else
        fv_optimizer_destroy(optimizer);
    return status;
}
