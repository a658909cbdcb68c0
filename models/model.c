/* SPDX-License-Identifier: Apache-2.0 */
#include "models/model.h"

#include "base/compiler.h"
#include "base/config.h"
#include "models/dla.h"
#include "models/res2net.h"
#include "models/xception.h"

#include <string.h>

fv_model_fn fv_mobilenet_v2, fv_googlenet, fv_inception_v3, fv_inception_v4;

/* Adding a model: one file, and its rows here. What the members of a family share comes first. */
/* clang-format off */
#define XCEPTION(name, variant) \
    { name, "arXiv:1610.02357", 299, { "_exit_flow._out." }, fv_xception_build, 0.0f, &variant }
#define DEEPLAB(name, variant) \
    { name, "arXiv:1802.02611", 299, { "_fc." }, fv_xception_deeplab_build, 0.0f, &variant }
#define MOBILENET_V2(name, width) \
    { name, "arXiv:1801.04381", 224, { "out." }, fv_mobilenet_v2, width, NULL }
#define RES2NET(name, variant) \
    { name, "arXiv:1904.01169", 224, { "out." }, fv_res2net_build, 0.0f, &variant }
#define DLA(name, variant) \
    { name, "arXiv:1707.06484", 224, { "fc." }, fv_dla_build, 0.0f, &variant }

static const fv_model models[] = {
    { "GoogLeNet", "arXiv:1409.4842", 224, { "_fc_out.", "_out1.", "_out2." }, fv_googlenet, 0.0f,
      NULL },
    { "InceptionV3", "arXiv:1512.00567", 299, { "fc." }, fv_inception_v3, 0.0f, NULL },
    { "InceptionV4", "arXiv:1602.07261", 299, { "out." }, fv_inception_v4, 0.0f, NULL },
    XCEPTION("Xception41", fv_xception41),
    XCEPTION("Xception65", fv_xception65),
    XCEPTION("Xception71", fv_xception71),
    DEEPLAB("Xception41_deeplab", fv_xception41),
    DEEPLAB("Xception65_deeplab", fv_xception65),
    MOBILENET_V2("MobileNetV2_x0_25", 0.25f),
    MOBILENET_V2("MobileNetV2_x0_5", 0.5f),
    MOBILENET_V2("MobileNetV2_x0_75", 0.75f),
    MOBILENET_V2("MobileNetV2", 1.0f),
    MOBILENET_V2("MobileNetV2_x1_5", 1.5f),
    MOBILENET_V2("MobileNetV2_x2_0", 2.0f),
    RES2NET("Res2Net50_26w_4s", fv_res2net50_26w_4s),
    RES2NET("Res2Net50_14w_8s", fv_res2net50_14w_8s),
    RES2NET("Res2Net50_vd_26w_4s", fv_res2net50_vd_26w_4s),
    RES2NET("Res2Net101_vd_26w_4s", fv_res2net101_vd_26w_4s),
    RES2NET("Res2Net200_vd_26w_4s", fv_res2net200_vd_26w_4s),
    DLA("DLA34", fv_dla34),
    DLA("DLA46_c", fv_dla46_c),
    DLA("DLA46x_c", fv_dla46x_c),
    DLA("DLA60", fv_dla60),
    DLA("DLA60x", fv_dla60x),
    DLA("DLA60x_c", fv_dla60x_c),
    DLA("DLA102", fv_dla102),
    DLA("DLA102x", fv_dla102x),
    DLA("DLA102x2", fv_dla102x2),
    DLA("DLA169", fv_dla169),
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
