/* SPDX-License-Identifier: Apache-2.0 */
#include "models/model.h"

#include "base/compiler.h"
#include "base/config.h"
#include "models/dla.h"
#include "models/res2net.h"
#include "models/xception.h"

#include <string.h>

fv_model_fn fv_mobilenet_v2, fv_googlenet, fv_inception_v3, fv_inception_v4;

/* Adding a model: one file, and its rows here. */
/* clang-format off */
static const fv_model models[] = {
    { "GoogLeNet",            "arXiv:1409.4842",  224, "_fc_out.",         fv_googlenet,              0.0f,  NULL },
    { "InceptionV3",          "arXiv:1512.00567", 299, "fc.",              fv_inception_v3,           0.0f,  NULL },
    { "InceptionV4",          "arXiv:1602.07261", 299, "out.",             fv_inception_v4,           0.0f,  NULL },
    { "Xception41",           "arXiv:1610.02357", 299, "_exit_flow._out.", fv_xception_build,         0.0f,  &fv_xception41 },
    { "Xception65",           "arXiv:1610.02357", 299, "_exit_flow._out.", fv_xception_build,         0.0f,  &fv_xception65 },
    { "Xception71",           "arXiv:1610.02357", 299, "_exit_flow._out.", fv_xception_build,         0.0f,  &fv_xception71 },
    { "Xception41_deeplab",   "arXiv:1802.02611", 299, "_fc.",             fv_xception_deeplab_build, 0.0f,  &fv_xception41 },
    { "Xception65_deeplab",   "arXiv:1802.02611", 299, "_fc.",             fv_xception_deeplab_build, 0.0f,  &fv_xception65 },
    { "MobileNetV2_x0_25",    "arXiv:1801.04381", 224, "out.",             fv_mobilenet_v2,           0.25f, NULL },
    { "MobileNetV2_x0_5",     "arXiv:1801.04381", 224, "out.",             fv_mobilenet_v2,           0.5f,  NULL },
    { "MobileNetV2_x0_75",    "arXiv:1801.04381", 224, "out.",             fv_mobilenet_v2,           0.75f, NULL },
    { "MobileNetV2",          "arXiv:1801.04381", 224, "out.",             fv_mobilenet_v2,           1.0f,  NULL },
    { "MobileNetV2_x1_5",     "arXiv:1801.04381", 224, "out.",             fv_mobilenet_v2,           1.5f,  NULL },
    { "MobileNetV2_x2_0",     "arXiv:1801.04381", 224, "out.",             fv_mobilenet_v2,           2.0f,  NULL },
    { "Res2Net50_26w_4s",     "arXiv:1904.01169", 224, "out.",             fv_res2net_build,          0.0f,  &fv_res2net50_26w_4s },
    { "Res2Net50_14w_8s",     "arXiv:1904.01169", 224, "out.",             fv_res2net_build,          0.0f,  &fv_res2net50_14w_8s },
    { "Res2Net50_vd_26w_4s",  "arXiv:1904.01169", 224, "out.",             fv_res2net_build,          0.0f,  &fv_res2net50_vd_26w_4s },
    { "Res2Net101_vd_26w_4s", "arXiv:1904.01169", 224, "out.",             fv_res2net_build,          0.0f,  &fv_res2net101_vd_26w_4s },
    { "Res2Net200_vd_26w_4s", "arXiv:1904.01169", 224, "out.",             fv_res2net_build,          0.0f,  &fv_res2net200_vd_26w_4s },
    { "DLA34",                "arXiv:1707.06484", 224, "fc.",              fv_dla_build,              0.0f,  &fv_dla34 },
    { "DLA46_c",              "arXiv:1707.06484", 224, "fc.",              fv_dla_build,              0.0f,  &fv_dla46_c },
    { "DLA46x_c",             "arXiv:1707.06484", 224, "fc.",              fv_dla_build,              0.0f,  &fv_dla46x_c },
    { "DLA60",                "arXiv:1707.06484", 224, "fc.",              fv_dla_build,              0.0f,  &fv_dla60 },
    { "DLA60x",               "arXiv:1707.06484", 224, "fc.",              fv_dla_build,              0.0f,  &fv_dla60x },
    { "DLA60x_c",             "arXiv:1707.06484", 224, "fc.",              fv_dla_build,              0.0f,  &fv_dla60x_c },
    { "DLA102",               "arXiv:1707.06484", 224, "fc.",              fv_dla_build,              0.0f,  &fv_dla102 },
    { "DLA102x",              "arXiv:1707.06484", 224, "fc.",              fv_dla_build,              0.0f,  &fv_dla102x },
    { "DLA102x2",             "arXiv:1707.06484", 224, "fc.",              fv_dla_build,              0.0f,  &fv_dla102x2 },
    { "DLA169",               "arXiv:1707.06484", 224, "fc.",              fv_dla_build,              0.0f,  &fv_dla169 },
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
