/* SPDX-License-Identifier: Apache-2.0 */
#include "models/arch.h"

#include <strings.h>

typedef struct arch_settings {
    const char *name, *pretrained;
    int class_num;
} arch_settings;

static const fv_field fields[] = {
    FV_FIELD_STRING(arch_settings, name, FV_REQUIRED),
    FV_FIELD_INT(arch_settings, class_num, 0, 1, 1000000),
    FV_FIELD_STRING(arch_settings, pretrained, NULL),
    FV_FIELD_IGNORED("use_ssld", NULL),          /* picks a download; there are none */
    FV_FIELD_IGNORED("infer_add_softmax", NULL), /* of exported models */
    FV_FIELD_END,
};

static fv_status read_model(fv_arch *out, fv_config_node *map, const char *name, fv_error *err)
{
    out->model = fv_model_find(name);
    if (out->model) return FV_OK;
    fv_config_node *node = fv_config_child(map, "name");
    const char *nearest = fv_model_nearest(name);
    if (nearest)
        return fv_config_fail(node, err, "no model \"%s\", did you mean \"%s\"?", name, nearest);
    return fv_config_fail(node, err, "no model \"%s\": \"fovea info\" lists those there are", name);
}

fv_status fv_arch_read(fv_arch *out, fv_config_node *map, fv_error *err)
{
    *out = (fv_arch){ 0 };
    if (!map)
        return fv_fail(err, FV_ERR_CONFIG,
                       "Arch: missing section: which model, e.g. "
                       "Arch: {name: MobileNetV2_x0_25}");
    arch_settings s;
    FV_TRY(fv_config_read(map, fields, &s, err));
    FV_TRY(read_model(out, map, s.name, err));
    out->class_num = s.class_num;
    if (!s.pretrained || strcasecmp(s.pretrained, "false") == 0) return FV_OK;
    if (strcasecmp(s.pretrained, "true") == 0)
        return fv_config_fail(
            fv_config_child(map, "pretrained"), err,
            "weights are not downloaded: give the path of a file instead of True");
    out->weights = s.pretrained;
    return FV_OK;
}
