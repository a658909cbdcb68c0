/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that are not random. Each has a struct of options, a table of fields, what it
 * does, and a row in fv_op_types[], as have those of transform_random.c. Sizes in configs are one
 * number or [width, height]. */
#include "base/compiler.h"
#include "data/transform_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const fv_op_profile_names[] = { "pil", "cv2", NULL }; /* fv_profile */
const char *const fv_op_filter_names[] = { "nearest", "bilinear", "bicubic", "box", "hamming",
                                           "lanczos", "area",     "random",  NULL };
static const char *const rounding_names[] = { "paddle", "torchvision", NULL };

/* ---- Options that several share ---- */

fv_config_node *fv_op_node(fv_config_node *map, const char *key)
{
    fv_config_node *node = fv_config_child(map, key);
    return node ? node : map;
}

fv_status fv_op_read_size(fv_op *op, const fv_floats *size, fv_config_node *map, fv_error *err)
{
    bool good = size->count == 1 || size->count == 2;
    for (int i = 0; i < size->count; i++) {
        good = good && size->values[i] == floor(size->values[i]);
    }
    if (!good) {
        return fv_config_fail(fv_op_node(map, "size"), err,
                              "must be one whole number or [width, height]");
    }
    op->width = (int)size->values[0];
    op->height = (int)size->values[size->count - 1];
    return FV_OK;
}

fv_status fv_op_read_filter(fv_op *op, int backend, int interpolation, fv_config_node *map,
                            fv_error *err)
{
    op->profile = (fv_profile)backend;
    op->filter = interpolation;
    if (interpolation == FV_FILTER_RANDOM ||
        fv_profile_has(op->profile, (fv_filter)interpolation)) {
        return FV_OK;
    }
    return fv_config_fail(fv_op_node(map, "interpolation"), err, "backend %s has no \"%s\"",
                          fv_op_profile_names[backend], fv_op_filter_names[interpolation]);
}

fv_filter fv_op_draw_filter(const fv_op *op, fv_random *random)
{
    if (op->filter != FV_FILTER_RANDOM) return (fv_filter)op->filter;
    return fv_random_int(random, 0, 1) ? FV_BICUBIC : FV_BILINEAR;
}

const char *fv_op_size_text(const fv_op *op, char *out, size_t size)
{
    if (op->width == op->height)
        snprintf(out, size, "%d", op->width);
    else
        snprintf(out, size, "%dx%d", op->width, op->height);
    return out;
}

fv_status fv_op_read_channels(float out[3], const fv_floats *given, const double otherwise[3],
                              const char *key, fv_config_node *map, fv_error *err)
{
    if (given->count != 0 && given->count != 1 && given->count != 3) {
        return fv_config_fail(fv_op_node(map, key), err, "must be one number or three, not %d",
                              given->count);
    }
    for (int c = 0; c < 3; c++) {
        const int i = given->count == 3 ? c : 0;
        out[c] = (float)(given->count ? given->values[i] : otherwise[c]);
    }
    return FV_OK;
}

fv_status fv_op_read_bytes(uint8_t out[3], const fv_floats *given, const uint8_t otherwise[3],
                           const char *key, fv_config_node *map, fv_error *err)
{
    const double defaults[3] = { otherwise[0], otherwise[1], otherwise[2] };
    float values[3];
    FV_TRY(fv_op_read_channels(values, given, defaults, key, map, err));
    for (int c = 0; c < 3; c++) {
        out[c] = (uint8_t)values[c];
        if ((float)out[c] != values[c])
            return fv_config_fail(fv_op_node(map, key), err, "must be whole numbers");
    }
    return FV_OK;
}

/* ---- What several draw ---- */

bool fv_op_draw_chance(double probability, fv_random *random)
{
    return fv_random_double(random) < probability;
}

double fv_op_draw(const double range[2], fv_random *random)
{
    return range[0] + (range[1] - range[0]) * fv_random_double(random);
}

double fv_op_draw_log(const double range[2], fv_random *random)
{
    const double logs[2] = { log(range[0]), log(range[1]) };
    return exp(fv_op_draw(logs, random));
}

/* ---- DecodeImage ---- */

typedef struct decode_options {
    bool to_rgb, channel_first, dct_scaling;
    int backend;
} decode_options;

static const fv_field decode_fields[] = {
    FV_FIELD_BOOL(decode_options, to_rgb, true),
    FV_FIELD_BOOL(decode_options, channel_first, false),
    FV_FIELD_BOOL(decode_options, dct_scaling, false),
    FV_FIELD_ENUM(decode_options, backend, "cv2", fv_op_profile_names),
    FV_FIELD_IGNORED("to_np", "pictures are always arrays here"),
    FV_FIELD_END,
};

static fv_status decode_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    decode_options o;
    FV_TRY(fv_config_read(map, decode_fields, &o, err));
    if (o.channel_first) {
        return fv_config_fail(fv_op_node(map, "channel_first"), err,
                              "must be False: pictures are rows of pixels here");
    }
    op->profile = (fv_profile)o.backend;
    op->swap_channels = !o.to_rgb;
    op->dct_scaling = o.dct_scaling;
    state->width = state->height = 0;
    return FV_OK;
}

static void decode_describe(const fv_op *op, char *out, size_t size)
{
    snprintf(out, size, "decode(%s%s%s)", fv_profile_name(op->profile),
             op->swap_channels ? ",bgr" : "", op->dct_scaling ? ",dct_scaling" : "");
}

/* ---- ResizeImage ---- */

/* `rounding` is an extension: how the long side follows the short one. paddle: both sides times
 * short / smaller side, rounded half to even. torchvision: the long side cut down to an integer. */
typedef struct resize_options {
    fv_floats size;
    int resize_short, interpolation, backend, rounding;
} resize_options;

static const fv_field resize_fields[] = {
    FV_FIELD_FLOATS(resize_options, size, 1, FV_OP_MAX_SIDE),
    FV_FIELD_INT(resize_options, resize_short, 0, 1, FV_OP_MAX_SIDE),
    FV_FIELD_ENUM(resize_options, interpolation, "bilinear", fv_op_filter_names),
    FV_FIELD_ENUM(resize_options, backend, "cv2", fv_op_profile_names),
    FV_FIELD_ENUM(resize_options, rounding, "paddle", rounding_names),
    FV_FIELD_IGNORED("return_numpy", "pictures are always arrays here"),
    FV_FIELD_END,
};

static fv_status resize_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    resize_options o;
    FV_TRY(fv_config_read(map, resize_fields, &o, err));
    FV_TRY(fv_op_read_filter(op, o.backend, o.interpolation, map, err));
    op->torchvision = o.rounding == 1;
    op->resize_short = o.resize_short;
    state->width = state->height = 0;
    if (o.resize_short) return FV_OK;
    if (!o.size.count) return fv_config_fail(map, err, "needs size or resize_short");
    FV_TRY(fv_op_read_size(op, &o.size, map, err));
    state->width = op->width;
    state->height = op->height;
    return FV_OK;
}

static fv_status resize_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random,
                            fv_error *err)
{
    int width = op->width, height = op->height;
    if (op->resize_short) {
        const double w = s->view.width, h = s->view.height, to = op->resize_short;
        const double smaller = fmin(w, h), scale = to / smaller;
        width = (int)fmin(rint(w * scale), INT32_MAX);
        height = (int)fmin(rint(h * scale), INT32_MAX);
        if (op->torchvision && w > h) width = (int)fmin(to * w / h, INT32_MAX);
        if (op->torchvision && h > w) height = (int)fmin(to * h / w, INT32_MAX);
    }
    return fv_scratch_resize(s, width, height, op->profile, fv_op_draw_filter(op, random), err);
}

static void resize_describe(const fv_op *op, char *out, size_t size)
{
    char to[32];
    if (op->resize_short)
        snprintf(to, sizeof(to), "%d", op->resize_short);
    else
        fv_op_size_text(op, to, sizeof(to));
    snprintf(out, size, "%s(%s,%s,%s%s)", op->resize_short ? "resize_short" : "resize", to,
             fv_op_filter_names[op->filter], fv_profile_name(op->profile),
             op->torchvision ? ",torchvision" : "");
}

/* ---- CropImage ---- */

/* The centre. `rounding` is an extension. The first pixel is (picture - size) / 2, paddle: rounded
 * down; torchvision: half to even. */
typedef struct crop_options {
    fv_floats size;
    int rounding;
} crop_options;

static const fv_field crop_fields[] = {
    FV_OP_FIELD_SIZE(crop_options),
    FV_FIELD_ENUM(crop_options, rounding, "paddle", rounding_names),
    FV_FIELD_END,
};

static fv_status crop_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    crop_options o;
    FV_TRY(fv_config_read(map, crop_fields, &o, err));
    FV_TRY(fv_op_read_size(op, &o.size, map, err));
    op->torchvision = o.rounding == 1;
    if (state->width && (op->width > state->width || op->height > state->height)) {
        return fv_config_fail(fv_op_node(map, "size"), err,
                              "%d x %d is larger than the picture, %d x %d by then", op->width,
                              op->height, state->width, state->height);
    }
    state->width = op->width;
    state->height = op->height;
    return FV_OK;
}

static fv_status crop_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random, fv_error *err)
{
    (void)random;
    const int w = s->view.width, h = s->view.height;
    if (op->width > w || op->height > h) {
        return fv_fail(
            err, FV_ERR_SHAPE,
            "CropImage: a picture of %d x %d pixels is smaller than the crop %d x %d: resize it"
            " first",
            w, h, op->width, op->height);
    }
    int x = (w - op->width) / 2, y = (h - op->height) / 2;
    if (op->torchvision) {
        x = (int)rint((w - op->width) / 2.0);
        y = (int)rint((h - op->height) / 2.0);
    }
    fv_scratch_crop(s, x, y, op->width, op->height);
    return FV_OK;
}

static void crop_describe(const fv_op *op, char *out, size_t size)
{
    char to[32];
    snprintf(out, size, "crop(%s%s)", fv_op_size_text(op, to, sizeof(to)),
             op->torchvision ? ",torchvision" : "");
}

/* ---- NormalizeImage ---- */

/* (x * scale - mean) / std in float. In PaddleClas `order` says how mean and std are laid out;
 * here they go by channel, whatever it says. */
typedef struct normalize_options {
    float scale;
    fv_floats mean, std;
    int order, channel_num;
    bool output_fp16;
} normalize_options;

static const char *const order_names[] = { "chw", "hwc", "", NULL };

static const fv_field normalize_fields[] = {
    FV_FIELD_FLOAT(normalize_options, scale, 1.0 / 255.0, -1e6, 1e6),
    FV_FIELD_FLOATS(normalize_options, mean, -1e6, 1e6),
    FV_FIELD_FLOATS(normalize_options, std, 1e-6, 1e6),
    FV_FIELD_ENUM(normalize_options, order, "chw", order_names),
    FV_FIELD_BOOL(normalize_options, output_fp16, false),
    FV_FIELD_INT(normalize_options, channel_num, 3, 3, 4),
    FV_FIELD_END,
};

static fv_status normalize_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    static const double imagenet_mean[3] = { 0.485, 0.456, 0.406 };
    static const double imagenet_std[3] = { 0.229, 0.224, 0.225 };
    normalize_options o;
    FV_TRY(fv_config_read(map, normalize_fields, &o, err));
    if (state->normalized) return fv_config_fail(map, err, "must be given once only");
    if (o.output_fp16)
        fv_config_tell(fv_op_node(map, "output_fp16"), "taken as False, everything is float32");
    if (o.channel_num != 3) return fv_config_fail(fv_op_node(map, "channel_num"), err, "must be 3");
    if (!state->width) {
        return fv_config_fail(map, err,
                              "the pictures still differ in size here: put CropImage, or"
                              " ResizeImage with size, before");
    }
    op->factor = o.scale;
    op->width = state->width;
    op->height = state->height;
    state->normalized = true;
    FV_TRY(fv_op_read_channels(op->mean, &o.mean, imagenet_mean, "mean", map, err));
    return fv_op_read_channels(op->std, &o.std, imagenet_std, "std", map, err);
}

static void normalize_describe(const fv_op *op, char *out, size_t size)
{
    snprintf(out, size, "normalize(%.9g,mean %.9g:%.9g:%.9g,std %.9g:%.9g:%.9g)",
             (double)op->factor, (double)op->mean[0], (double)op->mean[1], (double)op->mean[2],
             (double)op->std[0], (double)op->std[1], (double)op->std[2]);
}

/* ---- ToCHWImage ---- */

static fv_status chw_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    static const fv_field none[] = { FV_FIELD_END };
    (void)op;
    (void)state;
    char unused;
    return fv_config_read(map, none, &unused, err);
}

/* ---- The table ---- */

const fv_op_type fv_op_decode = { .name = "DecodeImage",
                                  .parse = decode_parse,
                                  .describe = decode_describe };
const fv_op_type fv_op_resize = {
    .name = "ResizeImage", .parse = resize_parse, .run = resize_run, .describe = resize_describe
};
const fv_op_type fv_op_crop = {
    .name = "CropImage", .parse = crop_parse, .run = crop_run, .describe = crop_describe
};
const fv_op_type fv_op_normalize = { .name = "NormalizeImage",
                                     .parse = normalize_parse,
                                     .describe = normalize_describe };
/* Accepted for PaddleClas's Infer pipelines: the engine keeps pictures as rows of pixels, so
 * nothing is to be done. */
static const fv_op_type to_chw = { .name = "ToCHWImage", .parse = chw_parse };

const fv_op_type *const fv_op_types[] = {
    &fv_op_decode,
    &fv_op_resize,
    &fv_op_crop,
    &fv_op_rand_crop,
    &fv_op_resized_crop,
    &fv_op_flip,
    &fv_op_color_jitter,
    &fv_op_grayscale,
    &fv_op_lighting,
    &fv_op_rotation,
    &fv_op_auto_augment,
    &fv_op_rand_augment,
    &fv_op_timm,
    &fv_op_normalize,
    &fv_op_erasing,
    &fv_op_cutout,
    &fv_op_grid_mask,
    &fv_op_hide_and_seek,
    &to_chw,
    NULL,
};
