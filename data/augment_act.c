/* SPDX-License-Identifier: Apache-2.0 */
#include "data/augment_act.h"

static fv_status act_warp(fv_pipeline_scratch *s, const fv_act *act, fv_picture *pixels,
                          fv_picture *next, fv_error *err)
{
    const double v = act->value;
    fv_warp warp = { .m = { 1.0, 0.0, 0.0, 0.0, 1.0, 0.0 },
                     .filter = act->filter,
                     .fill = { act->fill[0], act->fill[1], act->fill[2] } };
    switch (act->action) {
    case FV_ACT_SHEAR_X: warp.m[1] = v; break;
    case FV_ACT_SHEAR_Y: warp.m[3] = v; break;
    case FV_ACT_TRANSLATE_X: warp.m[2] = v * pixels->width; break;
    case FV_ACT_TRANSLATE_Y: warp.m[5] = v * pixels->height; break;
    default: fv_warp_rotate(&warp, v, pixels->width, pixels->height);
    }
    FV_TRY(fv_pixels_warp(pixels, &warp, next, err));
    fv_scratch_replace(s);
    return FV_OK;
}

static void act_in_place(const fv_act *act, fv_picture *p)
{
    switch (act->action) {
    case FV_ACT_COLOR: fv_pixels_color(p, (float)act->value); break;
    case FV_ACT_CONTRAST: fv_pixels_contrast(p, (float)act->value); break;
    case FV_ACT_BRIGHTNESS: fv_pixels_brightness(p, (float)act->value); break;
    case FV_ACT_POSTERIZE: fv_pixels_posterize(p, (int)act->value); break;
    case FV_ACT_SOLARIZE: fv_pixels_solarize(p, act->value); break;
    case FV_ACT_SOLARIZE_ADD: fv_pixels_solarize_add(p, (int)act->value); break;
    case FV_ACT_AUTOCONTRAST: fv_pixels_autocontrast(p); break;
    case FV_ACT_EQUALIZE: fv_pixels_equalize(p); break;
    default: fv_pixels_invert(p);
    }
}

fv_status fv_augment_act(fv_pipeline_scratch *s, const fv_act *act, fv_error *err)
{
    fv_picture *pixels, *next;
    FV_TRY(fv_scratch_pixels(s, &pixels, &next, err));
    if (act->action <= FV_ACT_ROTATE) return act_warp(s, act, pixels, next, err);
    if (act->action == FV_ACT_SHARPNESS) {
        FV_TRY(fv_pixels_sharpness(pixels, (float)act->value, next, err));
        fv_scratch_replace(s);
        return FV_OK;
    }
    act_in_place(act, pixels);
    return FV_OK;
}

double fv_augment_sign(double x, fv_random *random) { return fv_random_int(random, 0, 1) ? x : -x; }
