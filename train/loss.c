/* SPDX-License-Identifier: Apache-2.0 */
#include "train/loss.h"

#include "base/log.h"
#include "train/class_weights.h"
#include "train/loss_impl.h"

#include <stdio.h>
#include <string.h>

/* All keys of all losses. */
typedef struct loss_keys {
    float weight, epsilon, temperature, alpha, beta, gamma;
    int reduction, act, key;
    bool sum_across_class_dim, weight_ratio, use_target_as_gt;
    fv_config_node *model_names, *model_name_pairs, *class_weights;
} loss_keys;

static const char *const reductions[] = { "mean", NULL };
static const char *const activations[] = { "softmax", NULL };
static const char *const outputs[] = { "logits", NULL };

#define WEIGHT         FV_FIELD_FLOAT(loss_keys, weight, 1.0, 0.0, 1e6)
#define EPSILON        FV_FIELD_FLOAT(loss_keys, epsilon, 0.0, 0.0, 0.999)
#define TEMPERATURE(t) FV_FIELD_FLOAT(loss_keys, temperature, t, 1e-3, 1e3)
#define SHARE(name)    FV_FIELD_FLOAT(loss_keys, name, 1.0, 0.0, 1e6)
#define TEACHERS       FV_FIELD_BOOL(loss_keys, use_target_as_gt, false)
/* What is said of two models; a name for the log is of no consequence. */
#define OF_MODELS FV_FIELD_ENUM(loss_keys, key, "logits", outputs), FV_FIELD_IGNORED("name", NULL)
#define OF_PAIRS  FV_FIELD_NODE(loss_keys, model_name_pairs), OF_MODELS

static const fv_field ce_fields[] = {
    WEIGHT,
    EPSILON,
    FV_FIELD_NODE(loss_keys, class_weights),
    FV_FIELD_ENUM(loss_keys, reduction, "mean", reductions),
    FV_FIELD_END,
};
static const fv_field googlenet_fields[] = {
    WEIGHT,
    FV_FIELD_NODE(loss_keys, class_weights),
    FV_FIELD_ENUM(loss_keys, reduction, "mean", reductions),
    FV_FIELD_END,
};
static const fv_field gt_fields[] = {
    WEIGHT, EPSILON, FV_FIELD_NODE(loss_keys, model_names), OF_MODELS, FV_FIELD_END,
};
static const fv_field distill_ce_fields[] = { WEIGHT, EPSILON, OF_PAIRS, FV_FIELD_END };
static const fv_field kl_fields[] = { WEIGHT, TEMPERATURE(4.0), OF_PAIRS, FV_FIELD_END };
static const fv_field dml_fields[] = {
    WEIGHT,
    FV_FIELD_ENUM(loss_keys, act, "softmax", activations),
    FV_FIELD_BOOL(loss_keys, sum_across_class_dim, false),
    FV_FIELD_BOOL(loss_keys, weight_ratio, false),
    OF_PAIRS,
    FV_FIELD_END,
};
static const fv_field dkd_fields[] = {
    WEIGHT, TEMPERATURE(1.0), SHARE(alpha), SHARE(beta), TEACHERS, OF_PAIRS, FV_FIELD_END,
};
static const fv_field dist_fields[] = { WEIGHT, SHARE(beta), SHARE(gamma), OF_PAIRS, FV_FIELD_END };
static const fv_field wsl_fields[] = { WEIGHT, TEMPERATURE(2.0), TEACHERS, OF_PAIRS, FV_FIELD_END };

/* Adding a loss: a function in loss_build.c, its keys above, and one line here. */
static const fv_loss_kind kinds[] = {
    { "CELoss", ce_fields, fv_loss_ce, .labels = true },
    { "MixCELoss", ce_fields, fv_loss_ce, .labels = true },
    { "GoogLeNetLoss", googlenet_fields, fv_loss_googlenet, .labels = true },
    { "DistillationGTCELoss", gt_fields, fv_loss_distill_ce, FV_OF_MEMBERS, .labels = true },
    { "DistillationCELoss", distill_ce_fields, fv_loss_distill_ce, FV_OF_PAIRS, .labels = false },
    { "DistillationKLDivLoss", kl_fields, fv_loss_kl, FV_OF_PAIRS, .labels = false },
    { "DistillationDMLLoss", dml_fields, fv_loss_dml, FV_OF_PAIRS, .mutual = true },
    { "DistillationDKDLoss", dkd_fields, fv_loss_dkd, FV_OF_PAIRS, .labels = true },
    { "DistillationDISTLoss", dist_fields, fv_loss_dist, FV_OF_PAIRS, .mutual = true },
    { "DistillationWSLLoss", wsl_fields, fv_loss_wsl, FV_OF_PAIRS, .labels = true },
};

static const fv_loss_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}

static fv_status fail_unknown(fv_config_node *entry, const char *name, fv_error *err)
{
    char known[320] = "";
    for (size_t i = 0; i < FV_ARRAY_LEN(kinds); i++) {
        const size_t used = strlen(known);
        const bool last = i + 1 == FV_ARRAY_LEN(kinds);
        snprintf(known + used, sizeof(known) - used, "%s%s",
                 i == 0 ? ""
                 : last ? " and "
                        : ", ",
                 kinds[i].name);
    }
    return fv_config_fail(entry, err, "no loss \"%s\": there are %s", name, known);
}

/* ---- Which models ---- */

static fv_status find_member(int *out, const fv_arch *arch, fv_config_node *node, fv_error *err)
{
    const char *name = fv_config_node_text(node);
    *out = name ? fv_arch_find(arch, name) : -1;
    if (*out >= 0) return FV_OK;
    return fv_config_fail(node, err, "no model \"%s\" among Arch.models", name ? name : "");
}

static fv_status read_pair(fv_loss_pair *out, const fv_loss_kind *kind, const fv_arch *arch,
                           fv_config_node *node, fv_error *err)
{
    out->teacher = -1;
    if (kind->of == FV_OF_MEMBERS) {
        FV_TRY(find_member(&out->learner, arch, node, err));
    } else {
        if (fv_config_node_type(node) != FV_CONFIG_LIST || fv_config_count(node) != 2)
            return fv_config_fail(node, err,
                                  "must be a pair of models, e.g. [\"Student\", \"Teacher\"]");
        FV_TRY(find_member(&out->learner, arch, fv_config_at(node, 0), err));
        FV_TRY(find_member(&out->teacher, arch, fv_config_at(node, 1), err));
        if (out->learner == out->teacher)
            return fv_config_fail(node, err, "a model does not learn from itself");
    }
    const fv_arch_member *learner = &arch->members[out->learner];
    if (!learner->frozen || (kind->mutual && !arch->members[out->teacher].frozen)) return FV_OK;
    return fv_config_fail(node, err, "\"%s\" is frozen and cannot learn", learner->name);
}

static fv_status read_pairs(fv_loss_term *out, fv_config_node *entry, fv_config_node *list,
                            const fv_arch *arch, fv_error *err)
{
    const bool pairs = out->kind->of == FV_OF_PAIRS;
    const int count = fv_config_count(list);
    if (fv_config_node_type(list) != FV_CONFIG_LIST || count < 1 || count > FV_MAX_PAIRS)
        return fv_config_fail(list ? list : entry, err, "%s needs %s, a list of 1 to %d, e.g. %s",
                              out->kind->name, pairs ? "model_name_pairs" : "model_names",
                              FV_MAX_PAIRS,
                              pairs ? "[[\"Student\", \"Teacher\"]]" : "[\"Student\"]");
    out->pair_count = count;
    for (int i = 0; i < count; i++)
        FV_TRY(read_pair(&out->pairs[i], out->kind, arch, fv_config_at(list, i), err));
    return FV_OK;
}

static fv_status check_fit(const fv_loss_term *t, fv_config_node *entry, const fv_arch *arch,
                           fv_error *err)
{
    if (t->kind->of == FV_OF_ONE && arch->member_count)
        return fv_config_fail(entry, err,
                              "%s is of one model; of a DistillationModel there is "
                              "DistillationGTCELoss: {model_names: [\"Student\"]}",
                              t->kind->name);
    if (t->kind->of != FV_OF_ONE && !arch->member_count)
        return fv_config_fail(entry, err,
                              "%s is of several models: Arch.name must be "
                              "DistillationModel",
                              t->kind->name);
    return FV_OK;
}

/* ---- Reading ---- */

/* A loss and its keys, but for the models. */
static fv_status read_term(fv_loss_term *out, loss_keys *keys, fv_config_node *entry, fv_error *err)
{
    if (fv_config_node_type(entry) != FV_CONFIG_MAP || fv_config_count(entry) != 1)
        return fv_config_fail(entry, err,
                              "a loss is a map of one name, e.g. CELoss: {weight: 1.0}");
    const char *name = fv_config_key_at(entry, 0);
    fv_config_node *map = fv_config_child(entry, name);
    *keys = (loss_keys){ .model_names = NULL };
    out->kind = find_kind(name);
    if (!out->kind) return fail_unknown(entry, name, err);
    FV_TRY(fv_config_read(map, out->kind->fields, keys, err));
    if (keys->weight_ratio)
        return fv_config_fail(fv_config_child(map, "weight_ratio"), err,
                              "must be False: pictures have one label");
    if (out->kind == find_kind("DistillationCELoss") && keys->epsilon > 0.0f)
        fv_config_tell(fv_config_child(map, "epsilon"),
                       "smooths the teacher's probabilities; PaddleClas would smooth its logits");
    if (keys->class_weights) FV_TRY(fv_class_weights_check(keys->class_weights, err));
    out->balance = keys->class_weights;
    out->weight = keys->weight;
    out->epsilon = keys->epsilon;
    out->temperature = keys->temperature;
    out->alpha = keys->alpha;
    out->beta = keys->beta;
    out->gamma = keys->gamma;
    out->over_classes = keys->sum_across_class_dim;
    out->teachers_choice = keys->use_target_as_gt;
    return FV_OK;
}

static fv_status check_list(fv_config_node *list, fv_error *err)
{
    const int count = fv_config_count(list);
    if (fv_config_node_type(list) == FV_CONFIG_LIST && count >= 1 && count <= FV_MAX_LOSSES)
        return FV_OK;
    return fv_config_fail(list, err, "must be a list of 1 to %d losses", FV_MAX_LOSSES);
}

/* What PaddleClas does not do with a single loss. */
static void tell_single(fv_loss_term *term, fv_config_node *list)
{
    if (term->pair_count > 1)
        fv_config_tell(list, "all %d pairs count; PaddleClas takes only the first of a single loss",
                       term->pair_count);
    if (term->weight == 1.0f) return;
    fv_log(FV_LOG_NOTICE, "%s: the weight %g of the only loss is ignored, as PaddleClas does",
           fv_config_node_where(list), (double)term->weight);
    term->weight = 1.0f;
}

fv_status fv_loss_read(fv_loss *out, fv_config_node *list, const fv_arch *arch, fv_error *err)
{
    *out = (fv_loss){ .count = 1, .terms = { { .kind = &kinds[0], .weight = 1.0f } } };
    if (!list && arch->member_count)
        return fv_fail(err, FV_ERR_CONFIG,
                       "Loss.Train: missing: it says what the models of a DistillationModel learn");
    if (!list) return FV_OK;
    FV_TRY(check_list(list, err));
    out->count = fv_config_count(list);
    for (int i = 0; i < out->count; i++) {
        fv_config_node *entry = fv_config_at(list, i);
        fv_loss_term *term = &out->terms[i];
        loss_keys keys;
        FV_TRY(read_term(term, &keys, entry, err));
        FV_TRY(check_fit(term, entry, arch, err));
        if (term->kind->of == FV_OF_ONE) continue;
        fv_config_node *names =
            term->kind->of == FV_OF_PAIRS ? keys.model_name_pairs : keys.model_names;
        FV_TRY(read_pairs(term, entry, names, arch, err));
    }
    if (out->count == 1) tell_single(&out->terms[0], list);
    return FV_OK;
}

fv_status fv_loss_check(fv_config_node *list, fv_error *err)
{
    if (!list) return FV_OK;
    FV_TRY(check_list(list, err));
    for (int i = 0; i < fv_config_count(list); i++) {
        fv_loss_term term;
        loss_keys keys;
        FV_TRY(read_term(&term, &keys, fv_config_at(list, i), err));
    }
    return FV_OK;
}

bool fv_loss_needs_labels(const fv_loss *loss)
{
    for (int i = 0; i < loss->count; i++)
        if (loss->terms[i].kind->labels && !loss->terms[i].teachers_choice) return true;
    return false;
}
