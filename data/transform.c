/* SPDX-License-Identifier: Apache-2.0 */
#include "data/transform.h"

#include "base/compiler.h"
#include "base/memory.h"
#include "data/decode.h"
#include "data/transform_impl.h"

#include <math.h>
#include <string.h>

enum {
    DESCRIPTION = 160,    /* bytes of one operation's */
    KEPT_BYTES = 64 << 20 /* of a picture's memory from one picture to the next */
};

struct fv_pipeline {
    int count;
    bool fixed;
    int width, height; /* of what comes out */
    fv_op ops[FV_TRANSFORM_MAX_OPS];
    float values[3][256]; /* NormalizeImage of every byte, by channel */
};

/* ---- The picture in the making ---- */

static void see_all(fv_pipeline_scratch *s, int width, int height)
{
    s->view = (fv_rect){ 0, 0, width, height };
    s->is_pending = s->mirror_x = s->mirror_y = false;
}

void fv_scratch_crop(fv_pipeline_scratch *s, int x, int y, int width, int height)
{
    s->view.x += s->mirror_x ? s->view.width - width - x : x;
    s->view.y += s->mirror_y ? s->view.height - height - y : y;
    s->view.width = width;
    s->view.height = height;
}

fv_status fv_scratch_settle(fv_pipeline_scratch *s, fv_error *err)
{
    if (!s->is_pending) return FV_OK;
    const int next = 1 - s->current;
    s->pending.in = &s->pictures[s->current];
    s->pending.window = s->view;
    s->pending.out = &s->pictures[next];
    FV_TRY(fv_resize(&s->resizer, &s->pending, err));
    s->current = next;
    s->is_pending = false;
    s->view = (fv_rect){ 0, 0, s->view.width, s->view.height };
    return FV_OK;
}

/* Copies what is seen, mirrored, so that it is the picture. */
static fv_status copy_view(fv_pipeline_scratch *s, fv_error *err)
{
    const fv_picture *in = &s->pictures[s->current];
    fv_picture *out = &s->pictures[1 - s->current];
    const fv_rect v = s->view;
    FV_TRY(fv_picture_reserve(out, v.width, v.height, err));
    uint8_t *q = out->data;
    for (int y = 0; y < v.height; y++) {
        const int row = v.y + (s->mirror_y ? v.height - 1 - y : y);
        for (int x = 0; x < v.width; x++, q += 3) {
            const int column = v.x + (s->mirror_x ? v.width - 1 - x : x);
            memcpy(q, in->data + ((size_t)row * (size_t)in->width + (size_t)column) * 3, 3);
        }
    }
    fv_scratch_replace(s);
    return FV_OK;
}

/* A resize of mirrored pixels is not always the mirrored resize. */
static fv_status settle_mirrors(fv_pipeline_scratch *s, fv_error *err)
{
    return s->mirror_x || s->mirror_y ? copy_view(s, err) : FV_OK;
}

fv_status fv_scratch_pixels(fv_pipeline_scratch *s, fv_picture **pixels, fv_picture **next,
                            fv_error *err)
{
    FV_TRY(fv_scratch_settle(s, err));
    const fv_picture *p = &s->pictures[s->current];
    const bool whole = s->view.width == p->width && s->view.height == p->height;
    if (!whole || s->mirror_x || s->mirror_y) FV_TRY(copy_view(s, err));
    *pixels = &s->pictures[s->current];
    *next = &s->pictures[1 - s->current];
    return FV_OK;
}

void fv_scratch_replace(fv_pipeline_scratch *s)
{
    s->current = 1 - s->current;
    see_all(s, s->pictures[s->current].width, s->pictures[s->current].height);
}

fv_status fv_scratch_resize(fv_pipeline_scratch *s, int width, int height, fv_profile profile,
                            fv_filter filter, fv_error *err)
{
    FV_TRY(fv_scratch_settle(s, err));
    FV_TRY(settle_mirrors(s, err));
    s->pending = (fv_resize_job){
        .rect = s->view, .width = width, .height = height, .profile = profile, .filter = filter
    };
    see_all(s, width, height);
    s->is_pending = true;
    return FV_OK;
}

fv_status fv_pipeline_scratch_create(fv_pipeline_scratch **out, fv_error *err)
{
    *out = fv_alloc(sizeof(**out));
    return *out ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "pipeline: out of memory");
}

void fv_pipeline_scratch_destroy(fv_pipeline_scratch *scratch)
{
    if (!scratch) return;
    fv_picture_deinit(&scratch->pictures[0]);
    fv_picture_deinit(&scratch->pictures[1]);
    fv_resizer_deinit(&scratch->resizer);
    fv_free(scratch);
}

/* ---- Making a pipeline ---- */

static const fv_op_type *find_type(const char *name)
{
    for (int i = 0; fv_op_types[i]; i++) {
        if (strcmp(fv_op_types[i]->name, name) == 0) return fv_op_types[i];
    }
    return NULL;
}

static fv_status fail_unknown(fv_config_node *element, const char *name, fv_error *err)
{
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

/* Looks up what NormalizeImage makes of every byte: float arithmetic in its order. */
static void finish(fv_pipeline *p)
{
    p->fixed = true;
    for (int i = 0; i < p->count; i++) {
        const fv_op *op = &p->ops[i];
        if (op->type->random || op->filter == FV_FILTER_RANDOM) p->fixed = false;
        if (op->type != &fv_op_normalize) continue;
        p->width = op->width;
        p->height = op->height;
        for (int c = 0; c < 3; c++) {
            for (int v = 0; v < 256; v++) {
                p->values[c][v] = ((float)v * op->factor - op->mean[c]) / op->std[c];
            }
        }
    }
}

fv_status fv_pipeline_create(fv_pipeline **out, fv_config_node *ops, const char *where,
                             fv_error *err)
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
    fv_op_state state = { 0 };
    fv_status status = FV_OK;
    for (int i = 0; i < count && status == FV_OK; i++) {
        status = add_op(p, fv_config_at(ops, i), &state, err);
    }
    if (status == FV_OK && !state.normalized) {
        status = fv_config_fail(ops, err, "NormalizeImage is missing");
    }
    if (status != FV_OK) {
        fv_free(p);
        return status;
    }
    finish(p);
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
                                      .resize_short = o->resize_short };
    }
    p->ops[p->count++] = (fv_op){ .type = &fv_op_crop, .width = o->crop, .height = o->crop };
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

/* out[y][x][c] = values[c][byte of the view], mirrored and with channels swapped as asked. */
static void write_floats(const fv_pipeline *p, const fv_pipeline_scratch *s, float *out)
{
    const fv_picture *in = &s->pictures[s->current];
    const fv_rect v = s->view;
    const int first = p->ops[0].swap_channels ? 2 : 0, third = 2 - first;
    const ptrdiff_t step = s->mirror_x ? -3 : 3;
    const int column = s->mirror_x ? v.x + v.width - 1 : v.x;
    for (int y = 0; y < v.height; y++) {
        const int row = v.y + (s->mirror_y ? v.height - 1 - y : y);
        const uint8_t *q = in->data + ((size_t)row * (size_t)in->width + (size_t)column) * 3;
        for (int x = 0; x < v.width; x++, out += 3, q += step) {
            out[0] = p->values[0][q[first]];
            out[1] = p->values[1][q[1]];
            out[2] = p->values[2][q[third]];
        }
    }
}

/* What PCALighting drew, in the order and scale of the floats. */
static void add_shift(const fv_pipeline *p, const double shift[3], const fv_op *normalize,
                      float *out)
{
    float add[3];
    for (int c = 0; c < 3; c++) {
        const double bytes = 255.0 * shift[p->ops[0].swap_channels ? 2 - c : c];
        add[c] = (float)(bytes * (double)normalize->factor / (double)normalize->std[c]);
    }
    const size_t pixels = (size_t)p->width * (size_t)p->height;
    for (size_t i = 0; i < pixels; i++, out += 3)
        for (int c = 0; c < 3; c++) out[c] += add[c];
}

/* All that comes after the pictures have their size. */
static void finish_floats(const fv_pipeline *p, const fv_pipeline_scratch *s, fv_random *random,
                          float *out)
{
    write_floats(p, s, out);
    for (int i = 0; i < p->count; i++) {
        const fv_op *op = &p->ops[i];
        const bool shifted = s->shift[0] != 0.0 || s->shift[1] != 0.0 || s->shift[2] != 0.0;
        if (op->type == &fv_op_normalize && shifted) add_shift(p, s->shift, op, out);
        if (op->type->erase) op->type->erase(op, out, p->height, p->width, random);
    }
}

fv_status fv_pipeline_run(const fv_pipeline *pipeline, fv_pipeline_scratch *scratch,
                          const uint8_t *bytes, size_t size, fv_random *random, float *out,
                          fv_error *err)
{
    fv_pipeline_scratch *s = scratch;
    const fv_decode_options decoding = { .apply_exif = pipeline->ops[0].profile == FV_OPENCV };
    s->current = 0;
    memset(s->shift, 0, sizeof(s->shift));
    fv_status status = fv_decode(&s->pictures[0], bytes, size, &decoding, err);
    if (status == FV_OK) see_all(s, s->pictures[0].width, s->pictures[0].height);
    for (int i = 1; i < pipeline->count && status == FV_OK; i++) {
        const fv_op *op = &pipeline->ops[i];
        if (op->type->run) status = op->type->run(op, s, random, err);
    }
    if (status == FV_OK) status = fv_scratch_settle(s, err);
    if (status == FV_OK) finish_floats(pipeline, s, random, out);
    for (int i = 0; i < 2; i++) {
        if (s->pictures[i].capacity > KEPT_BYTES) fv_picture_deinit(&s->pictures[i]);
    }
    if (s->resizer.bytes > KEPT_BYTES) fv_resizer_deinit(&s->resizer);
    return status;
}

void fv_pipeline_restore(const fv_pipeline *pipeline, const float *floats, uint8_t *bytes)
{
    const fv_pipeline *p = pipeline;
    const size_t pixels = (size_t)p->width * (size_t)p->height;
    const fv_op *normalize = p->ops;
    while (normalize->type != &fv_op_normalize) normalize++;
    for (size_t i = 0; i < pixels; i++, floats += 3, bytes += 3) {
        for (int c = 0; c < 3; c++) {
            const float x =
                (floats[c] * normalize->std[c] + normalize->mean[c]) / normalize->factor;
            const int to = p->ops[0].swap_channels ? 2 - c : c;
            bytes[to] = x > 0.0f ? (uint8_t)(fminf(x, 255.0f) + 0.5f) : 0;
        }
    }
}
