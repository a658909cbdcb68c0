/* SPDX-License-Identifier: Apache-2.0 */
/* models/xception.h - the members of the Xception family, for the table of models. */
#ifndef FV_MODELS_XCEPTION_H
#define FV_MODELS_XCEPTION_H

#include "models/model.h"

typedef struct fv_xception fv_xception;

extern const fv_xception fv_xception41, fv_xception65, fv_xception71;

fv_model_fn fv_xception_build, fv_xception_deeplab_build;

#endif /* FV_MODELS_XCEPTION_H */
