/* SPDX-License-Identifier: Apache-2.0 */
/* models/res2net.h - the members of the Res2Net family, for the table of models. */
#ifndef FV_MODELS_RES2NET_H
#define FV_MODELS_RES2NET_H

#include "models/model.h"

typedef struct fv_res2net fv_res2net;

extern const fv_res2net fv_res2net50_26w_4s, fv_res2net50_14w_8s, fv_res2net50_vd_26w_4s,
    fv_res2net101_vd_26w_4s, fv_res2net200_vd_26w_4s;

fv_model_fn fv_res2net_build;

#endif /* FV_MODELS_RES2NET_H */
