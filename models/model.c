/* SPDX-License-Identifier: Apache-2.0 */
#include "models/model.h"

#include "base/compiler.h"
#include "base/config.h"

#include <string.h>

fv_model_fn fv_mobilenet_v2;

/* Adding a model: one file, and its rows here. */
/* clang-format off */
static const fv_model models[] = {
    { "MobileNetV2_x0_25", "arXiv:1801.04381", 224, "out.", fv_mobilenet_v2, 0.25f, NULL },
    { "MobileNetV2_x0_5",  "arXiv:1801.04381", 224, "out.", fv_mobilenet_v2, 0.5f,  NULL },
    { "MobileNetV2_x0_75", "arXiv:1801.04381", 224, "out.", fv_mobilenet_v2, 0.75f, NULL },
    { "MobileNetV2",       "arXiv:1801.04381", 224, "out.", fv_mobilenet_v2, 1.0f,  NULL },
    { "MobileNetV2_x1_5",  "arXiv:1801.04381", 224, "out.", fv_mobilenet_v2, 1.5f,  NULL },
    { "MobileNetV2_x2_0",  "arXiv:1801.04381", 224, "out.", fv_mobilenet_v2, 2.0f,  NULL },
};
/* clang-format on */

const fv_model *fv_model_at(int i) { return i < (int)FV_ARRAY_LEN(models) ? &models[i] : NULL; }

const fv_model *fv_model_find(const char *name)
{
    for (int i = 0; i < (int)FV_ARRAY_LEN(models); i++)
        if (strcmp(models[i].name, name) == 0) return &models[i];
    return NULL;
}

const char *fv_model_nearest(const char *name)
{
    const char *names[FV_ARRAY_LEN(models) + 1] = { NULL };
    for (int i = 0; i < (int)FV_ARRAY_LEN(models); i++) names[i] = models[i].name;
    return fv_config_nearest(name, names);
}
