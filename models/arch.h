/* SPDX-License-Identifier: Apache-2.0 */
/* models/arch.h - which model, or models: section Arch of a configuration.
 *
 *     Arch:
 *       name: MobileNetV2_x0_25
 *       class_num: 10
 *       pretrained: weights/mobilenetv2
 *
 * or, for one that learns from others,
 *
 *     Arch:
 *       name: DistillationModel
 *       freeze_params_list: [True, False]
 *       infer_model_name: Student
 *       models:
 *         - Teacher: {name: DLA34, class_num: 10, pretrained: weights/dla34}
 *         - Student: {name: MobileNetV2_x0_25, class_num: 10}
 *
 * Then the student is what is evaluated, saved and predicts: `infer_model_name`, else the one
 * called Student, else the only one that is not frozen.
 */
#ifndef FV_MODELS_ARCH_H
#define FV_MODELS_ARCH_H

#include "base/config.h"
#include "models/model.h"

enum { FV_MAX_MEMBERS = 4 };

/* One network of a DistillationModel; strings are borrowed from the config. */
typedef struct fv_arch_member {
    const char *name; /* "Teacher" */
    const fv_model *model;
    const char *weights; /* a path, or NULL */
    bool frozen;
} fv_arch_member;

typedef struct fv_arch {
    const fv_model *model;  /* of a DistillationModel: the student's, as the two below */
    int class_num;          /* 0: not given; counted from the training data */
    const char *weights;    /* `pretrained` given as a path, borrowed from the config; else NULL */
    int member_count;       /* 0: not a DistillationModel */
    int student;            /* index of `members` */
    bool teachers_evaluate; /* frozen members use their running statistics, not the batch's */
    const char *teacher_cache; /* a file for the logits of frozen members, or NULL */
    fv_arch_member members[FV_MAX_MEMBERS];
} fv_arch;

/* Fails without a map or a name, for an unknown model (naming the nearest), for "pretrained: True",
 * which asks for a download; and for a DistillationModel whose lists do not fit its models, whose
 * student is frozen or not to be told, or whose models have different numbers of classes. */
fv_status fv_arch_read(fv_arch *out, fv_config_node *map, fv_error *err);

/* The index of a member by its name; -1: none. */
int fv_arch_find(const fv_arch *arch, const char *name);

#endif /* FV_MODELS_ARCH_H */
