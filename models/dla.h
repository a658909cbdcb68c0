/* SPDX-License-Identifier: Apache-2.0 */
/* models/dla.h - the members of the DLA family, for the table of models. */
#ifndef FV_MODELS_DLA_H
#define FV_MODELS_DLA_H

#include "models/model.h"

typedef struct fv_dla fv_dla;

extern const fv_dla fv_dla34, fv_dla46_c, fv_dla46x_c, fv_dla60, fv_dla60x, fv_dla60x_c, fv_dla102,
    fv_dla102x, fv_dla102x2, fv_dla169;

fv_model_fn fv_dla_build;

#endif /* FV_MODELS_DLA_H */
