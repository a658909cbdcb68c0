/* SPDX-License-Identifier: Apache-2.0 */
#include "models/arch.h"

#include <string.h>
#include <strings.h>

static const char DISTILLATION[] = "DistillationModel";

typedef struct arch_settings {
    const char *name, *pretrained;
    int class_num;
} arch_settings;

static const fv_field fields[] = {
    FV_FIELD_STRING(arch_settings, name, FV_REQUIRED),
    FV_FIELD_INT(arch_settings, class_num, 0, 1, 1000000),
    FV_FIELD_STRING(arch_settings, pretrained, NULL),
    FV_FIELD_IGNORED("use_ssld", NULL), /* picks a download; there are none */
    FV_FIELD_IGNORED("infer_add_softmax", "\"fovea predict\" gives probabilities"),
    FV_FIELD_IGNORED("data_format", "memory is laid out as the kernels want it"),
    FV_FIELD_IGNORED("use_sync_bn", "there is one process, with the whole batch"),
    FV_FIELD_REFUSED("freeze_befor", "Global.freeze freezes by name"),
    FV_FIELD_REFUSED("stop_after", "models are there as a whole"),
    FV_FIELD_REFUSED("return_patterns", "models give logits only"),
    FV_FIELD_REFUSED("return_stages", "models give logits only"),
    FV_FIELD_END,
};

static fv_status read_model(const fv_model **out, fv_config_node *map, const char *name,
                            fv_error *err)
{
    *out = fv_model_find(name);
    if (*out) return FV_OK;
    fv_config_node *node = fv_config_child(map, "name");
    const char *nearest = fv_model_nearest(name);
    if (nearest)
        return fv_config_fail(node, err, "no model \"%s\", did you mean \"%s\"?", name, nearest);
    return fv_config_fail(node, err, "no model \"%s\": \"fovea info\" lists those there are", name);
}

/* A path, or False, or nothing. */
static fv_status read_weights(const char **out, fv_config_node *node, const char *text,
                              fv_error *err)
{
    *out = NULL;
    if (!text || strcasecmp(text, "false") == 0) return FV_OK;
    if (strcasecmp(text, "true") == 0)
        return fv_config_fail(
            node, err, "weights are not downloaded: give the path of a file instead of True");
    *out = text;
    return FV_OK;
}

/* One model: the whole section, or one of a DistillationModel. */
static fv_status read_one(fv_arch *out, fv_config_node *map, fv_error *err)
{
    arch_settings s;
    FV_TRY(fv_config_read(map, fields, &s, err));
    FV_TRY(read_model(&out->model, map, s.name, err));
    out->class_num = s.class_num;
    return read_weights(&out->weights, fv_config_child(map, "pretrained"), s.pretrained, err);
}

/* ---- DistillationModel ---- */

typedef struct distillation_settings {
    const char *name, *infer_model_name, *infer_model_key, *teacher_cache;
    int class_num, teacher_mode;
    fv_config_node *models, *freeze_params_list, *pretrained_list;
} distillation_settings;

static const char *const teacher_modes[] = { "train", "eval", NULL };

static const fv_field distillation_fields[] = {
    FV_FIELD_STRING(distillation_settings, name, FV_REQUIRED),
    FV_FIELD_STRING(distillation_settings, infer_model_name, NULL),
    FV_FIELD_STRING(distillation_settings, infer_model_key, NULL),
    FV_FIELD_STRING(distillation_settings, teacher_cache, NULL),
    FV_FIELD_INT(distillation_settings, class_num, 0, 1, 1000000),
    FV_FIELD_ENUM(distillation_settings, teacher_mode, "train", teacher_modes),
    FV_FIELD_NODE(distillation_settings, models),
    FV_FIELD_NODE(distillation_settings, freeze_params_list),
    FV_FIELD_NODE(distillation_settings, pretrained_list),
    FV_FIELD_IGNORED("pretrained", NULL), /* each model has its own */
    FV_FIELD_IGNORED("infer_output_key", NULL),
    FV_FIELD_IGNORED("infer_add_softmax", NULL),
    FV_FIELD_END,
};

int fv_arch_find(const fv_arch *arch, const char *name)
{
    for (int i = 0; i < arch->member_count; i++)
        if (strcmp(arch->members[i].name, name) == 0) return i;
    return -1;
}

static fv_status read_member(fv_arch *out, int *classes, fv_config_node *entry, fv_error *err)
{
    fv_arch one = { 0 };
    if (fv_config_node_type(entry) != FV_CONFIG_MAP || fv_config_count(entry) != 1)
        return fv_config_fail(entry, err,
                              "a model is a map of one name, e.g. Student: {name: DLA34}");
    const char *name = fv_config_key_at(entry, 0);
    if (fv_arch_find(out, name) >= 0)
        return fv_config_fail(entry, err, "a second model called \"%s\"", name);
    fv_config_node *map = fv_config_child(entry, name);
    FV_TRY(read_one(&one, map, err));
    if (one.class_num && *classes && one.class_num != *classes)
        return fv_config_fail(fv_config_child(map, "class_num"), err,
                              "%d classes, but there are %d above: networks that learn from each "
                              "other need the same",
                              one.class_num, *classes);
    if (one.class_num) *classes = one.class_num;
    out->members[out->member_count++] =
        (fv_arch_member){ .name = name, .model = one.model, .weights = one.weights };
    return FV_OK;
}

static fv_status read_members(fv_arch *out, int *classes, fv_config_node *map, fv_config_node *list,
                              fv_error *err)
{
    const int count = fv_config_count(list);
    if (fv_config_node_type(list) != FV_CONFIG_LIST || count < 2 || count > FV_MAX_MEMBERS)
        return fv_config_fail(
            list ? list : map, err,
            "models must be a list of 2 to %d models, e.g. [{Teacher: {name: DLA34}}, "
            "{Student: {name: MobileNetV2}}]",
            FV_MAX_MEMBERS);
    for (int i = 0; i < count; i++) FV_TRY(read_member(out, classes, fv_config_at(list, i), err));
    return FV_OK;
}

static fv_status check_length(const fv_arch *arch, fv_config_node *list, fv_error *err)
{
    if (fv_config_node_type(list) == FV_CONFIG_LIST && fv_config_count(list) == arch->member_count)
        return FV_OK;
    return fv_config_fail(list, err, "must be a list of %d, one for each model",
                          arch->member_count);
}

static fv_status read_flag(bool *out, fv_config_node *node, fv_error *err)
{
    const char *text = fv_config_node_text(node);
    *out = text && strcasecmp(text, "true") == 0;
    if (*out || (text && strcasecmp(text, "false") == 0)) return FV_OK;
    return fv_config_fail(node, err, "must be True or False");
}

static fv_status read_lists(fv_arch *out, const distillation_settings *s, fv_error *err)
{
    if (s->freeze_params_list) FV_TRY(check_length(out, s->freeze_params_list, err));
    if (s->pretrained_list) FV_TRY(check_length(out, s->pretrained_list, err));
    for (int i = 0; i < out->member_count; i++) {
        fv_arch_member *m = &out->members[i];
        if (s->freeze_params_list)
            FV_TRY(read_flag(&m->frozen, fv_config_at(s->freeze_params_list, i), err));
        if (!s->pretrained_list) continue;
        fv_config_node *weights = fv_config_at(s->pretrained_list, i);
        const char *text = fv_config_node_text(weights);
        if (text) FV_TRY(read_weights(&m->weights, weights, text, err));
    }
    return FV_OK;
}

static fv_status find_student(fv_arch *out, const distillation_settings *s, fv_config_node *map,
                              fv_error *err)
{
    const char *given = s->infer_model_name ? s->infer_model_name : s->infer_model_key;
    out->student = fv_arch_find(out, given ? given : "Student");
    if (given && out->student < 0)
        return fv_config_fail(
            fv_config_child(map, s->infer_model_name ? "infer_model_name" : "infer_model_key"), err,
            "no model \"%s\" among the models", given);
    int learning = 0;
    for (int i = 0; i < out->member_count; i++) {
        if (out->members[i].frozen) continue;
        learning++;
        if (out->student < 0 && learning == 1) out->student = i;
    }
    if (learning == 0)
        return fv_config_fail(map, err, "all models are frozen: nothing would learn");
    if (!given && learning > 1 && fv_arch_find(out, "Student") < 0)
        return fv_config_fail(map, err,
                              "which of the models is to be evaluated and saved? Say so with "
                              "infer_model_name");
    if (!out->members[out->student].frozen) return FV_OK;
    return fv_config_fail(map, err, "the student, \"%s\", is frozen",
                          out->members[out->student].name);
}

static fv_status read_distillation(fv_arch *out, fv_config_node *map, fv_error *err)
{
    distillation_settings s;
    FV_TRY(fv_config_read(map, distillation_fields, &s, err));
    int classes = 0;
    FV_TRY(read_members(out, &classes, map, s.models, err));
    FV_TRY(read_lists(out, &s, err));
    FV_TRY(find_student(out, &s, map, err));
    out->model = out->members[out->student].model;
    out->weights = out->members[out->student].weights;
    out->class_num = classes ? classes : s.class_num;
    out->teachers_evaluate = s.teacher_mode == 1;
    out->teacher_cache = s.teacher_cache;
    if (s.teacher_cache && !out->teachers_evaluate)
        return fv_config_fail(fv_config_child(map, "teacher_cache"), err,
                              "a teacher in training mode answers each batch differently: "
                              "teacher_mode must be eval");
    return FV_OK;
}

/* ---- Either ---- */

fv_status fv_arch_read(fv_arch *out, fv_config_node *map, fv_error *err)
{
    *out = (fv_arch){ 0 };
    if (!map)
        return fv_fail(err, FV_ERR_CONFIG,
                       "Arch: missing section: which model, e.g. "
                       "Arch: {name: MobileNetV2_x0_25}");
    const char *name = fv_config_node_type(map) == FV_CONFIG_MAP
                         ? fv_config_node_text(fv_config_child(map, "name"))
                         : NULL;
    const bool several = name && strcmp(name, DISTILLATION) == 0;
    return several ? read_distillation(out, map, err) : read_one(out, map, err);
}
