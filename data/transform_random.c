/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that draw from the stream of the sample. */
#include "base/compiler.h"
#include "data/transform_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static fv_status read_pair(double out[2], const fv_floats *given, double low, double high,
                           const char *key, fv_config_node *map, fv_error *err)
{
    out[0] = given->count ? given->values[0] : low;
    out[1] = given->count ? given->values[given->count - 1] : high;
    if (given->count == 1 || given->count > 2 || out[0] > out[1]) {
        return fv_config_fail(fv_op_node(map, key), err, "must be [smallest, largest]");
    }
    return FV_OK;
}

/* ---- RandCropImage, RandomResizedCrop ---- */

typedef struct rand_crop_options {
    fv_floats size, scale, ratio;
    bool use_log_aspect;
    int interpolation, backend;
} rand_crop_options;

static const fv_field rand_crop_fields[] = {
    FV_OP_FIELD_SIZE(rand_crop_options),
    FV_FIELD_FLOATS(rand_crop_options, scale, 1e-6, 1),
    FV_FIELD_FLOATS(rand_crop_options, ratio, 1e-3, 1e3),
    FV_FIELD_BOOL(rand_crop_options, use_log_aspect, false),
    FV_FIELD_ENUM(rand_crop_options, interpolation, "bilinear", fv_op_filter_names),
    FV_FIELD_ENUM(rand_crop_options, backend, "cv2", fv_op_profile_names),
    FV_FIELD_END,
};

/* torchvision's: the aspect is always drawn from its logarithm, and Pillow resizes by default. */
static const fv_field resized_crop_fields[] = {
    FV_OP_FIELD_SIZE(rand_crop_options),
    FV_FIELD_FLOATS(rand_crop_options, scale, 1e-6, 1),
    FV_FIELD_FLOATS(rand_crop_options, ratio, 1e-3, 1e3),
    FV_FIELD_ENUM(rand_crop_options, interpolation, "bilinear", fv_op_filter_names),
    FV_FIELD_ENUM(rand_crop_options, backend, "pil", fv_op_profile_names),
    FV_FIELD_END,
};

static fv_status random_crop_parse(fv_op *op, const fv_field *fields, fv_config_node *map,
                                   fv_op_state *state, fv_error *err)
{
    rand_crop_options o = { 0 };
    FV_TRY(fv_config_read(map, fields, &o, err));
    FV_TRY(fv_op_read_size(op, &o.size, map, err));
    FV_TRY(fv_op_read_filter(op, o.backend, o.interpolation, map, err));
    FV_TRY(read_pair(op->scale, &o.scale, 0.08, 1.0, "scale", map, err));
    FV_TRY(read_pair(op->ratio, &o.ratio, 3.0 / 4.0, 4.0 / 3.0, "ratio", map, err));
    op->log_aspect = o.use_log_aspect;
    if (state->side) {
        op->width = op->height = state->side;
        state->sized = true;
    }
    state->width = op->width;
    state->height = op->height;
    return FV_OK;
}

static fv_status rand_crop_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    return random_crop_parse(op, rand_crop_fields, map, state, err);
}

static fv_status resized_crop_parse(fv_op *op, fv_config_node *map, fv_op_state *state,
                                    fv_error *err)
{
    return random_crop_parse(op, resized_crop_fields, map, state, err);
}

/* One attempt: the largest area that fits at the drawn aspect bounds the range of areas. */
static fv_status rand_crop_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random,
                               fv_error *err)
{
    const double w = s->view.width, h = s->view.height;
    const double aspect =
        op->log_aspect ? fv_op_draw_log(op->ratio, random) : fv_op_draw(op->ratio, random);
    const double bound = fmin(w / h / aspect, h / w * aspect);
    const double range[2] = { fmin(op->scale[0], bound), fmin(op->scale[1], bound) };
    const double side = sqrt(w * h * fv_op_draw(range, random)), stretch = sqrt(aspect);
    const int width = fv_max(1, fv_min((int)(side * stretch), s->view.width));
    const int height = fv_max(1, fv_min((int)(side / stretch), s->view.height));
    const int x = fv_random_int(random, 0, s->view.width - width);
    const int y = fv_random_int(random, 0, s->view.height - height);
    fv_scratch_crop(s, x, y, width, height);
    return fv_scratch_resize(s, op->width, op->height, op->profile, fv_op_draw_filter(op, random),
                             err);
}

/* The largest part in the centre whose aspect is within the range. */
static void crop_fallback(const fv_op *op, fv_pipeline_scratch *s)
{
    const int w = s->view.width, h = s->view.height;
    const double aspect = (double)w / h;
    int width = w, height = h;
    if (aspect < op->ratio[0])
        height = fv_max(1, (int)rint(w / op->ratio[0]));
    else if (aspect > op->ratio[1])
        width = fv_max(1, (int)rint(h * op->ratio[1]));
    fv_scratch_crop(s, (w - width) / 2, (h - height) / 2, width, height);
}

/* As torchvision's: ten attempts, then the centre. */
static fv_status resized_crop_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random,
                                  fv_error *err)
{
    enum { ATTEMPTS = 10 };
    const double w = s->view.width, h = s->view.height;
    bool found = false;
    for (int i = 0; i < ATTEMPTS && !found; i++) {
        const double area = w * h * fv_op_draw(op->scale, random),
                     aspect = fv_op_draw_log(op->ratio, random);
        const double width = rint(sqrt(area * aspect)), height = rint(sqrt(area / aspect));
        found = width >= 1.0 && width <= w && height >= 1.0 && height <= h;
        if (!found) continue;
        const int y = fv_random_int(random, 0, (int)(h - height));
        const int x = fv_random_int(random, 0, (int)(w - width));
        fv_scratch_crop(s, x, y, (int)width, (int)height);
    }
    if (!found) crop_fallback(op, s);
    return fv_scratch_resize(s, op->width, op->height, op->profile, fv_op_draw_filter(op, random),
                             err);
}

static void random_crop_describe(const fv_op *op, char *out, size_t size)
{
    char to[32];
    snprintf(out, size, "%s(%s,scale %g:%g,ratio %g:%g%s,%s,%s)",
             strcmp(op->type->name, "RandCropImage") == 0 ? "rand_crop" : "random_resized_crop",
             fv_op_size_text(op, to, sizeof(to)), op->scale[0], op->scale[1], op->ratio[0],
             op->ratio[1], op->log_aspect ? ",log" : "", fv_op_filter_names[op->filter],
             fv_profile_name(op->profile));
}

/* ---- RandFlipImage ---- */

typedef struct flip_options {
    int flip_code; /* 1: left and right, 0: top and bottom, -1: both */
} flip_options;

static const fv_field flip_fields[] = {
    FV_FIELD_INT(flip_options, flip_code, 1, -1, 1),
    FV_FIELD_END,
};

static fv_status flip_parse(fv_op *op, fv_config_node *map, fv_op_state *state, fv_error *err)
{
    (void)state;
    flip_options o;
    FV_TRY(fv_config_read(map, flip_fields, &o, err));
    op->flip_code = o.flip_code;
    return FV_OK;
}

static fv_status flip_run(const fv_op *op, fv_pipeline_scratch *s, fv_random *random, fv_error *err)
{
    (void)err;
    if (!fv_random_int(random, 0, 1)) return FV_OK;
    if (op->flip_code != 0) s->mirror_x = !s->mirror_x;
    if (op->flip_code != 1) s->mirror_y = !s->mirror_y;
    return FV_OK;
}

static void flip_describe(const fv_op *op, char *out, size_t size)
{
    snprintf(out, size, "rand_flip(%d)", op->flip_code);
}

/* ---- For the table in transform_ops.c ---- */

const fv_op_type fv_op_rand_crop = { .name = "RandCropImage",
                                     .random = true,
                                     .parse = rand_crop_parse,
                                     .run = rand_crop_run,
                                     .describe = random_crop_describe };
const fv_op_type fv_op_resized_crop = { .name = "RandomResizedCrop",
                                        .random = true,
                                        .parse = resized_crop_parse,
                                        .run = resized_crop_run,
                                        .describe = random_crop_describe };
const fv_op_type fv_op_flip = { .name = "RandFlipImage",
                                .random = true,
                                .parse = flip_parse,
                                .run = flip_run,
                                .describe = flip_describe };
