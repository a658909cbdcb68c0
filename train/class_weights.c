/* SPDX-License-Identifier: Apache-2.0 */
#include "train/class_weights.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const char BALANCED[] = "balanced";
static const double LARGEST = 1e6;

static bool is_balanced(const fv_config_node *node)
{
    const char *text = fv_config_node_text(node);
    return text && strcmp(text, BALANCED) == 0;
}

static fv_status read_weight(double *out, fv_config_node *node, fv_error *err)
{
    const char *text = fv_config_node_text(node);
    char *end = NULL;
    *out = text ? strtod(text, &end) : 0.0;
    if (text && end != text && *end == '\0' && *out >= 0.0 && *out <= LARGEST) return FV_OK;
    return fv_config_fail(node, err, "must be a number from 0 to %g", LARGEST);
}

fv_status fv_class_weights_check(fv_config_node *node, fv_error *err)
{
    double weight, sum = 0.0;
    if (is_balanced(node)) return FV_OK;
    if (fv_config_node_type(node) != FV_CONFIG_LIST)
        return fv_config_fail(node, err, "must be \"%s\" or a list of one number for each class",
                              BALANCED);
    for (int i = 0; i < fv_config_count(node); i++) {
        FV_TRY(read_weight(&weight, fv_config_at(node, i), err));
        sum += weight;
    }
    if (sum > 0.0) return FV_OK;
    return fv_config_fail(node, err, "no class has a weight above 0");
}

static fv_status take_list(float *weights, fv_config_node *node, int classes, fv_error *err)
{
    if (fv_config_count(node) != classes)
        return fv_config_fail(node, err, "%d numbers for %d classes", fv_config_count(node),
                              classes);
    for (int i = 0; i < classes; i++) {
        double weight;
        FV_TRY(read_weight(&weight, fv_config_at(node, i), err));
        weights[i] = (float)weight;
    }
    return FV_OK;
}

static void tell_extremes(const float *weights, fv_config_node *node, int classes)
{
    int least = 0, most = 0;
    for (int c = 1; c < classes; c++) {
        if (weights[c] < weights[least]) least = c;
        if (weights[c] > weights[most]) most = c;
    }
    fv_log(FV_LOG_INFO, "%s: from %.4g for class %d to %.4g for class %d",
           fv_config_node_where(node), (double)weights[least], least, (double)weights[most], most);
}

/* In weights[] are counts first: exact up to 2^24 pictures of a class. */
static void balance(float *weights, fv_config_node *node, const fv_dataset *dataset, int classes)
{
    int64_t samples = 0;
    int present = 0;
    for (int64_t i = 0; i < fv_dataset_count(dataset); i++) {
        const int label = fv_dataset_label(dataset, i);
        if (label < 0 || label >= classes) continue; /* refused when its batch comes */
        weights[label] += 1.0f;
        samples++;
    }
    for (int c = 0; c < classes; c++) present += weights[c] > 0.0f;
    for (int c = 0; c < classes; c++)
        weights[c] =
            weights[c] > 0.0f ? (float)((double)samples / (present * (double)weights[c])) : 1.0f;
    tell_extremes(weights, node, classes);
}

fv_status fv_class_weights_create(float **out, fv_loss *loss, const fv_dataset *dataset,
                                  int classes, fv_error *err)
{
    int wanted = 0;
    *out = NULL;
    for (int i = 0; i < loss->count; i++) wanted += loss->terms[i].balance != NULL;
    if (wanted == 0) return FV_OK;
    float *weights = fv_alloc((size_t)wanted * (size_t)classes * sizeof(*weights));
    if (!weights) return fv_fail(err, FV_ERR_NOMEM, "class_weights: out of memory");
    *out = weights;
    for (int i = 0; i < loss->count; i++) {
        fv_loss_term *term = &loss->terms[i];
        if (!term->balance) continue;
        if (is_balanced(term->balance))
            balance(weights, term->balance, dataset, classes);
        else
            FV_TRY(take_list(weights, term->balance, classes, err));
        term->class_weights = weights;
        weights += classes;
    }
    return FV_OK;
}
