/* SPDX-License-Identifier: Apache-2.0 */
/* data/augment_act.h - the actions that policies of augmentation choose from. */
#ifndef FV_DATA_AUGMENT_ACT_H
#define FV_DATA_AUGMENT_ACT_H

#include "data/transform_impl.h"

/* What its value is. */
typedef enum fv_action {
    FV_ACT_SHEAR_X,     /* pixels per row */
    FV_ACT_SHEAR_Y,     /* pixels per column */
    FV_ACT_TRANSLATE_X, /* share of the width */
    FV_ACT_TRANSLATE_Y, /* share of the height */
    FV_ACT_ROTATE,      /* degrees, counter-clockwise */
    FV_ACT_COLOR,       /* factor; so for the next three */
    FV_ACT_CONTRAST,
    FV_ACT_BRIGHTNESS,
    FV_ACT_SHARPNESS,
    FV_ACT_POSTERIZE,    /* bits that are kept */
    FV_ACT_SOLARIZE,     /* threshold */
    FV_ACT_SOLARIZE_ADD, /* what is added */
    FV_ACT_AUTOCONTRAST, /* none; so for the next two */
    FV_ACT_EQUALIZE,
    FV_ACT_INVERT,
    FV_ACTIONS
} fv_action;

typedef struct fv_act {
    fv_action action;
    double value;
    fv_filter filter;    /* of the first five */
    const uint8_t *fill; /* [3], likewise */
} fv_act;

fv_status fv_augment_act(fv_pipeline_scratch *s, const fv_act *act, fv_error *err);

/* x or -x. */
double fv_augment_sign(double x, fv_random *random);

#endif /* FV_DATA_AUGMENT_ACT_H */
