/* SPDX-License-Identifier: Apache-2.0 */
/* models/arch.h - which model: section Arch of a configuration.
 *
 *     Arch:
 *       name: MobileNetV2_x0_25
 *       class_num: 10
 *       pretrained: weights/mobilenetv2
 */
#ifndef FV_MODELS_ARCH_H
#define FV_MODELS_ARCH_H

#include "base/config.h"
#include "models/model.h"

typedef struct fv_arch {
    const fv_model *model;
    int class_num;       /* 0: not given; counted from the training data */
    const char *weights; /* `pretrained` given as a path, borrowed from the config; else NULL */
} fv_arch;

/* Fails without a map or a name, for an unknown model (naming the nearest), and for
 * "pretrained: True", which asks for a download. */
fv_status fv_arch_read(fv_arch *out, fv_config_node *map, fv_error *err);

#endif /* FV_MODELS_ARCH_H */
