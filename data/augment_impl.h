/* SPDX-License-Identifier: Apache-2.0 */
/* data/augment_impl.h - the options of the operations in augment_*.c. */
#ifndef FV_DATA_AUGMENT_IMPL_H
#define FV_DATA_AUGMENT_IMPL_H

#include "data/pixels.h"

typedef enum fv_jitter { FV_BRIGHTNESS, FV_CONTRAST, FV_SATURATION, FV_HUE, FV_JITTERS } fv_jitter;

typedef struct fv_jitter_options {
    double prob;
    bool used[FV_JITTERS];
    double range[FV_JITTERS][2]; /* of the factor; of the hue's shift, in circles */
} fv_jitter_options;

typedef struct fv_rotation_options {
    double prob, degrees[2];
    int interpolation; /* fv_filter */
    uint8_t fill[3];
} fv_rotation_options;

/* AutoAugment, RandAugment, TimmAutoAugment. */
typedef struct fv_policy_options {
    double prob;
    int layers;                  /* operations per picture */
    double magnitude, deviation; /* of 10; deviation: of a normal distribution */
    bool increasing;             /* a larger magnitude is a stronger effect in all operations */
    bool weighted;               /* operations are not equally likely, and not drawn twice */
    int interpolation;           /* fv_filter, or FV_FILTER_RANDOM */
    uint8_t fill[3];
} fv_policy_options;

typedef enum fv_erase_mode { FV_ERASE_CONST, FV_ERASE_RAND, FV_ERASE_PIXEL } fv_erase_mode;

typedef struct fv_erasing_options {
    double prob, area[2], aspect[2]; /* area: share of the picture */
    bool log_aspect;
    int attempts, mode;
    float mean[3];
} fv_erasing_options;

typedef struct fv_cutout_options {
    int holes, length;
    float fill[3];
} fv_cutout_options;

typedef struct fv_grid_options {
    int d1, d2, rotate, mode, ramp_epochs;
    double ratio, prob;
} fv_grid_options;

typedef union fv_augment_options {
    double prob;      /* RandomGrayscale */
    double deviation; /* PCALighting */
    fv_jitter_options jitter;
    fv_rotation_options rotation;
    fv_policy_options policy;
    fv_erasing_options erasing;
    fv_cutout_options cutout;
    fv_grid_options grid;
} fv_augment_options;

#endif /* FV_DATA_AUGMENT_IMPL_H */
