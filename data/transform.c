/* SPDX-License-Identifier: Apache-2.0 */
#include "data/transform.h"

#include "base/compiler.h"
#include "base/memory.h"
#include "data/decode.h"
#include "data/transform_impl.h"

#include <math.h>
#include <string.h>

enum { DESCRIPTION = 160 /* bytes of one operation's */ };

struct fv_pipeline {
    int count;
    bool fixed;
    int width, height; /* of what comes out */
    fv_op ops[FV_TRANSFORM_MAX_OPS];
    const fv_op *normalize; /* one of them */
};

/* ---- Making a pipeline ---- */

static const fv_op_type *find_type(const char *name)
{
    for (int i = 0; fv_op_types[i]; i++) {
        if (strcmp(fv_op_types[i]->name, name) == 0) return fv_op_types[i];
    }
    return NULL;
}

/* Not to be taken for a misspelt name of one that is there: they do something else. */
static const char *const only_in_paddleclas[] = {
    "AugMix",
    "BlurImage",
    "CenterCrop",
    "CropImageAtRatio",
    "CropWithPadding",
    "Pad",
    "Padv2",
    "RandAugmentV2",
    "RandAugmentV3",
    "RandAugmentV4",
    "RandCropImageV2",
    "RandomCropImage",
    "RandomInterpolationAugment",
    "RandomRot90",
    "Resize",
};

static fv_status fail_unknown(fv_config_node *element, const char *name, fv_error *err)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(only_in_paddleclas); i++) {
        if (strcmp(only_in_paddleclas[i], name) != 0) continue;
        return fv_config_fail(element, err, "%s is PaddleClas's and not supported here", name);
    }
    const char *names[FV_TRANSFORM_MAX_OPS] = { NULL };
    for (int i = 0; fv_op_types[i] && i < FV_TRANSFORM_MAX_OPS - 1; i++) {
        names[i] = fv_op_types[i]->name;
    }
    const char *nearest = fv_config_nearest(name, names);
    return fv_config_fail(element, err, "unknown operation %s%s%s%s", name,
                          nearest ? ", did you mean \"" : "", nearest ? nearest : "",
                          nearest ? "\"?" : "");
}

static fv_status add_op(fv_pipeline *p, fv_config_node *element, fv_op_state *state, fv_error *err)
{
    if (fv_config_node_type(element) != FV_CONFIG_MAP || fv_config_count(element) != 1) {
        return fv_config_fail(element, err, "must be one operation, \"- Name: {options}\"");
    }
    const char *name = fv_config_key_at(element, 0);
    fv_config_child(element, name); /* marks it as known */
    const fv_op_type *type = find_type(name);
    if (!type) return fail_unknown(element, name, err);
    if ((p->count == 0) != (type == &fv_op_decode)) {
        return fv_config_fail(element, err,
                              "DecodeImage must be the first operation, and only that");
    }
    if (state->normalized && type->run) {
        return fv_config_fail(element, err, "%s must come before NormalizeImage", name);
    }
    if (!state->normalized && type->erase) {
        return fv_config_fail(element, err, "%s must come after NormalizeImage", name);
    }
    fv_op *op = &p->ops[p->count++];
    op->type = type;
    return type->parse(op, fv_config_at(element, 0), state, err);
}

static void finish(fv_pipeline *p)
{
    p->fixed = true;
    for (int i = 0; i < p->count; i++) {
        const fv_op *op = &p->ops[i];
        if (op->type->random || op->filter == FV_FILTER_RANDOM) p->fixed = false;
        if (op->type != &fv_op_normalize) continue;
        p->width = op->width;
        p->height = op->height;
        p->normalize = op;
    }
}

fv_status fv_pipeline_create(fv_pipeline **out, fv_config_node *ops, const char *where,
                             fv_error *err)
{
    return fv_pipeline_create_sized(out, ops, where, 0, err);
}

fv_status fv_pipeline_create_sized(fv_pipeline **out, fv_config_node *ops, const char *where,
                                   int side, fv_error *err)
{
    *out = NULL;
    if (!ops) {
        return fv_fail(err, FV_ERR_CONFIG,
                       "%s: transform_ops: missing: a list of operations is needed", where);
    }
    const int count = fv_config_count(ops);
    if (fv_config_node_type(ops) != FV_CONFIG_LIST || count < 1) {
        return fv_config_fail(ops, err, "must be a list of operations");
    }
    if (count > FV_TRANSFORM_MAX_OPS) {
        return fv_config_fail(ops, err, "%d operations: the limit is %d", count,
                              FV_TRANSFORM_MAX_OPS);
    }
    fv_pipeline *p = fv_alloc(sizeof(*p));
    if (!p) return fv_fail(err, FV_ERR_NOMEM, "pipeline: out of memory");
    fv_op_state state = { .side = side };
    fv_status status = FV_OK;
    for (int i = 0; i < count && status == FV_OK; i++) {
        status = add_op(p, fv_config_at(ops, i), &state, err);
    }
    if (status == FV_OK && !state.normalized) {
        status = fv_config_fail(ops, err, "NormalizeImage is missing");
    }
    if (status == FV_OK && side && !state.sized) {
        status = fv_config_fail(ops, err,
                                "pictures can grow only where RandCropImage or RandomResizedCrop "
                                "decides their size");
    }
    finish(p);
    if (status == FV_OK && p->fixed && p->ops[0].dct_scaling) {
        fv_config_node *options = fv_config_at(fv_config_at(ops, 0), 0);
        status = fv_config_fail(fv_op_node(options, "dct_scaling"), err,
                                "is for training: nothing here is random");
    }
    if (status != FV_OK) {
        fv_free(p);
        return status;
    }
    *out = p;
    return FV_OK;
}

fv_status fv_pipeline_create_eval(fv_pipeline **out, const fv_pipeline_options *o, fv_error *err)
{
    *out = NULL;
    if (o->crop < 1 || o->crop > FV_OP_MAX_SIDE || o->resize_short < 0 ||
        o->resize_short > FV_OP_MAX_SIDE) {
        return fv_fail(err, FV_ERR_CONFIG,
                       "pipeline: crop %d, resize_short %d: a crop of 1 to %d pixels is needed, and"
                       " resize_short no larger",
                       o->crop, o->resize_short, (int)FV_OP_MAX_SIDE);
    }
    if (!fv_profile_has(o->profile, o->filter)) {
        return fv_fail(err, FV_ERR_CONFIG, "pipeline: profile %s has no filter %s",
                       fv_profile_name(o->profile), fv_filter_name(o->filter));
    }
    fv_pipeline *p = fv_alloc(sizeof(*p));
    if (!p) return fv_fail(err, FV_ERR_NOMEM, "pipeline: out of memory");
    p->ops[p->count++] = (fv_op){ .type = &fv_op_decode, .profile = o->profile };
    if (o->resize_short) {
        p->ops[p->count++] = (fv_op){ .type = &fv_op_resize,
                                      .profile = o->profile,
                                      .filter = (int)o->filter,
                                      .torchvision = o->torchvision,
                                      .resize_short = o->resize_short };
    }
    p->ops[p->count++] = (fv_op){
        .type = &fv_op_crop, .torchvision = o->torchvision, .width = o->crop, .height = o->crop
    };
    fv_op *normalize = &p->ops[p->count++];
    *normalize = (fv_op){ .type = &fv_op_normalize,
                          .width = o->crop,
                          .height = o->crop,
                          .factor = (float)(1.0 / 255.0) };
    memcpy(normalize->mean, o->mean, sizeof(o->mean));
    memcpy(normalize->std, o->std, sizeof(o->std));
    finish(p);
    *out = p;
    return FV_OK;
}

void fv_pipeline_destroy(fv_pipeline *pipeline) { fv_free(pipeline); }

void fv_pipeline_size(const fv_pipeline *pipeline, int *height, int *width)
{
    *height = pipeline->height;
    *width = pipeline->width;
}

char *fv_pipeline_describe(const fv_pipeline *pipeline)
{
    char *out = fv_alloc((size_t)pipeline->count * DESCRIPTION);
    if (!out) return NULL;
    size_t used = 0;
    for (int i = 0; i < pipeline->count; i++) {
        const fv_op *op = &pipeline->ops[i];
        if (!op->type->describe) continue;
        if (used) out[used++] = ' ';
        op->type->describe(op, out + used, DESCRIPTION - 1);
        used += strlen(out + used);
    }
    return out;
}

bool fv_pipeline_is_fixed(const fv_pipeline *pipeline) { return pipeline->fixed; }

/* ---- Running it ---- */

/* NormalizeImage of the view, mirrored and with channels swapped as asked. */
static void write_floats(const fv_pipeline *p, fv_pipeline_scratch *s, float *out)
{
    const fv_picture *in = &s->pictures[s->current];
    const fv_rect v = s->view;
    const ptrdiff_t stride = (ptrdiff_t)in->width * FV_IMAGE_CHANNELS;
    const ptrdiff_t row = s->mirror_y ? v.y + v.height - 1 : v.y;
    const fv_op *op = p->normalize;
    const fv_normalize job = { .width = v.width,
                               .height = v.height,
                               .in = in->data + row * stride + (ptrdiff_t)v.x * FV_IMAGE_CHANNELS,
                               .in_stride = s->mirror_y ? -stride : stride,
                               .mirror = s->mirror_x,
                               .swap = p->ops[0].swap_channels,
                               .factor = op->factor,
                               .mean = { op->mean[0], op->mean[1], op->mean[2] },
                               .std = { op->std[0], op->std[1], op->std[2] },
                               .out = out };
    fv_resizer_kernels(&s->resizer)->normalize(&job);
}

/* What PCALighting drew, in the order and scale of the floats. */
static void add_shift(const fv_pipeline *p, const double shift[3], float *out)
{
    float add[3];
    for (int c = 0; c < 3; c++) {
        const double bytes = 255.0 * shift[p->ops[0].swap_channels ? 2 - c : c];
        add[c] = (float)(bytes * (double)p->normalize->factor / (double)p->normalize->std[c]);
    }
    const size_t pixels = (size_t)p->width * (size_t)p->height;
    for (size_t i = 0; i < pixels; i++, out += 3)
        for (int c = 0; c < 3; c++) out[c] += add[c];
}

/* All that comes after the pictures have their size. */
static void finish_floats(const fv_pipeline *p, fv_pipeline_scratch *s, fv_random *random,
                          float *out)
{
    write_floats(p, s, out);
    if (s->shift[0] != 0.0 || s->shift[1] != 0.0 || s->shift[2] != 0.0) add_shift(p, s->shift, out);
    for (int i = 0; i < p->count; i++) {
        const fv_op *op = &p->ops[i];
        if (op->type->erase) op->type->erase(op, out, p->height, p->width, random);
    }
}

fv_status fv_pipeline_run(const fv_pipeline *pipeline, fv_pipeline_scratch *scratch,
                          const uint8_t *bytes, size_t size, fv_random *random, float *out,
                          fv_error *err)
{
    fv_pipeline_scratch *s = scratch;
    const fv_op *decode = &pipeline->ops[0];
    const fv_decode_options decoding = { .apply_exif = decode->profile == FV_OPENCV };
    memset(s->shift, 0, sizeof(s->shift));
    fv_status status = fv_scratch_open(s, bytes, size, &decoding, decode->dct_scaling, err);
    for (int i = 1; i < pipeline->count && status == FV_OK; i++) {
        const fv_op *op = &pipeline->ops[i];
        if (op->type->run) status = op->type->run(op, s, random, err);
    }
    if (status == FV_OK) status = fv_scratch_settle(s, err);
    if (status == FV_OK) finish_floats(pipeline, s, random, out);
    fv_scratch_close(s);
    return status;
}

void fv_pipeline_restore(const fv_pipeline *pipeline, const float *floats, uint8_t *bytes)
{
    const fv_pipeline *p = pipeline;
    const size_t pixels = (size_t)p->width * (size_t)p->height;
    const fv_op *normalize = p->normalize;
    for (size_t i = 0; i < pixels; i++, floats += 3, bytes += 3) {
        for (int c = 0; c < 3; c++) {
            const float x =
                (floats[c] * normalize->std[c] + normalize->mean[c]) / normalize->factor;
            const int to = p->ops[0].swap_channels ? 2 - c : c;
            bytes[to] = x > 0.0f ? (uint8_t)lroundf(fminf(x, 255.0f)) : 0;
        }
    }
}
