/* SPDX-License-Identifier: Apache-2.0 */
#include "train/loss.h"

#include "autograd/ops.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* Adding a loss that is a weighted sum over a model's outputs: one line in `kinds`. */
struct fv_loss_kind {
    const char *name;
    int outputs;                   /* that the model must have */
    float weights[FV_MAX_OUTPUTS]; /* of each output's cross entropy */
    bool smooths;                  /* takes epsilon */
};

static const fv_loss_kind kinds[] = {
    { "CELoss", 1, { 1.0f }, true },
    { "MixCELoss", 1, { 1.0f }, true },
    { "GoogLeNetLoss", 3, { 1.0f, 0.3f, 0.3f }, false },
};

/* ---- Reading ---- */

typedef struct loss_settings {
    float weight, epsilon;
    int reduction;
} loss_settings;

static const char *const reductions[] = { "mean", NULL };

static const fv_field fields[] = {
    FV_FIELD_FLOAT(loss_settings, weight, 1.0, 0.0, 1e6),
    FV_FIELD_FLOAT(loss_settings, epsilon, 0.0, 0.0, 0.999),
    FV_FIELD_ENUM(loss_settings, reduction, "mean", reductions),
    FV_FIELD_END,
};

static const fv_loss_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}

static fv_status read_term(fv_loss_term *out, fv_config_node *entry, fv_error *err)
{
    if (fv_config_node_type(entry) != FV_CONFIG_MAP || fv_config_count(entry) != 1)
        return fv_config_fail(entry, err,
                              "a loss is a map of one name, e.g. CELoss: {weight: 1.0}");
    const char *name = fv_config_key_at(entry, 0);
    out->kind = find_kind(name);
    if (!out->kind)
        return fv_config_fail(
            entry, err, "no loss \"%s\": there are CELoss, MixCELoss and GoogLeNetLoss", name);
    loss_settings s;
    FV_TRY(fv_config_read(fv_config_child(entry, name), fields, &s, err));
    if (s.epsilon > 0.0f && !out->kind->smooths)
        return fv_config_fail(entry, err, "%s takes no epsilon", name);
    out->weight = s.weight;
    out->epsilon = s.epsilon;
    return FV_OK;
}

fv_status fv_loss_read(fv_loss *out, fv_config_node *list, fv_error *err)
{
    *out = (fv_loss){ .count = 1, .terms = { { .kind = &kinds[0], .weight = 1.0f } } };
    if (!list) return FV_OK;
    const int count = fv_config_count(list);
    if (fv_config_node_type(list) != FV_CONFIG_LIST || count < 1 || count > FV_MAX_LOSSES)
        return fv_config_fail(list, err, "must be a list of 1 to %d losses", FV_MAX_LOSSES);
    out->count = count;
    for (int i = 0; i < count; i++) FV_TRY(read_term(&out->terms[i], fv_config_at(list, i), err));
    if (count == 1 && out->terms[0].weight != 1.0f) {
        fv_log(FV_LOG_NOTICE, "%s: the weight %g of the only loss is ignored, as PaddleClas does",
               fv_config_node_where(list), (double)out->terms[0].weight);
        out->terms[0].weight = 1.0f;
    }
    return FV_OK;
}

/* ---- Building ---- */

static fv_tensor *add_weighted(fv_graph *g, fv_tensor *sum, fv_tensor *x, float weight)
{
    if (weight != 1.0f) x = fv_scale(g, x, weight);
    return sum ? fv_add(g, sum, x) : x;
}

static fv_tensor *build_term(fv_graph *g, const fv_loss_term *term, fv_tensor *const outputs[],
                             int output_count, fv_tensor *targets)
{
    const fv_loss_kind *kind = term->kind;
    if (output_count != kind->outputs)
        return fv_graph_fail(g, "%s is for models with %d output%s, this one has %d", kind->name,
                             kind->outputs, kind->outputs == 1 ? "" : "s", output_count);
    fv_tensor *sum = NULL;
    for (int i = 0; i < output_count; i++) {
        fv_tensor *x = fv_cross_entropy(g, outputs[i], targets, term->epsilon);
        sum = add_weighted(g, sum, x, kind->weights[i]);
    }
    return sum;
}

fv_tensor *fv_loss_build(fv_graph *g, const fv_loss *loss, fv_tensor *const outputs[],
                         int output_count, fv_tensor *targets)
{
    fv_tensor *sum = NULL;
    for (int i = 0; i < loss->count; i++) {
        const fv_loss_term *term = &loss->terms[i];
        fv_tensor *x = build_term(g, term, outputs, output_count, targets);
        sum = add_weighted(g, sum, x, term->weight);
    }
    return sum;
}
