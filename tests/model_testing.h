/* SPDX-License-Identifier: Apache-2.0 */
/* tests/model_testing.h - models to look at and to run, for their tests. */
#ifndef FV_TESTS_MODEL_TESTING_H
#define FV_TESTS_MODEL_TESTING_H

#include "testing.h"

#include "autograd/program.h"
#include "base/compiler.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "models/model.h"

#include <string.h>

enum { CLASSES = 7, MAX_LOGITS = 5 * CLASSES * FV_MAX_OUTPUTS };

/* One member of each family, and a size small enough to compute with. */
static const struct {
    const char *name;
    int height, width, outputs;
} members[] = {
    { "GoogLeNet", 189, 200, 3 },
    { "InceptionV3", 128, 107, 1 },
    { "InceptionV4", 107, 128, 1 },
    { "Xception41", 65, 48, 1 },
    { "Xception41_deeplab", 33, 64, 1 },
    { "MobileNetV2_x0_25", 33, 70, 1 },
    { "Res2Net50_vd_26w_4s", 65, 50, 1 },
    { "Res2Net50_14w_8s", 33, 64, 1 },
    { "DLA46x_c", 64, 95, 1 },
};

static inline bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static inline bool is_of_head(const fv_model *model, const char *name)
{
    for (int h = 0; model->heads[h]; h++)
        if (begins(name, model->heads[h])) return true;
    return false;
}

/* A model, its parameters and its programs. */
typedef struct subject {
    const fv_model *model;
    fv_model_options options;
    bool skip_dropout;
    fv_params *params;
    fv_kernels kernels;
    fv_program *program;
} subject;

static inline void build(fv_graph *g, fv_shape images, void *ctx, fv_bindings *out)
{
    const subject *s = ctx;
    out->images = fv_input(g, images);
    if (s->skip_dropout) fv_graph_skip_dropout(g);
    out->output_count = s->model->build(g, out->images, s->model, &s->options, out->outputs);
}

static inline void open_subject(subject *s, const char *name, int classes)
{
    *s = (subject){ .model = fv_model_find(name), .options = { classes } };
    assert_non_null(s->model);
    fv_kernels_init(&s->kernels, fv_cpu_detect());
    assert_ok(fv_params_create(&s->params, 11, &testing_err));
    assert_ok(fv_program_create(&s->program, s->params, &s->kernels, build, s, 5, &testing_err));
}

static inline void close_subject(subject *s)
{
    fv_program_destroy(s->program);
    fv_params_destroy(s->params);
}

/* Captures and forgets; the parameters stay. `visit` may be NULL. */
static inline fv_status capture(subject *s, int height, int width,
                                void (*visit)(const fv_graph *, void *), void *ctx)
{
    fv_graph *graph = NULL;
    fv_bindings bindings = { 0 };
    FV_TRY(fv_graph_create(&graph, s->params, FV_EVAL, &testing_err));
    build(graph, (fv_shape){ 1, height, width, 3 }, s, &bindings);
    const fv_status status = fv_graph_check(graph, &testing_err);
    if (status == FV_OK && visit) visit(graph, ctx);
    fv_graph_destroy(graph);
    return status;
}

/* Logits of all outputs, one after another; `images` is [batch, height, width, 3]. */
static inline void run(subject *s, fv_mode mode, fv_shape images, const float *data, float *logits)
{
    fv_plan *plan;
    const fv_bindings *b;
    assert_ok(fv_program_plan(s->program, mode, images, &plan, &b, &testing_err));
    fv_plan_feed(plan, b->images, data);
    fv_plan_forward(plan);
    const size_t floats = (size_t)images.n * (size_t)s->options.classes;
    for (int o = 0; o < b->output_count; o++) {
        const fv_view y = fv_plan_value(plan, b->outputs[o]);
        assert_int_equal(y.shape.n, images.n);
        assert_int_equal(y.shape.h * y.shape.w, 1);
        assert_int_equal(y.shape.c, s->options.classes);
        for (int n = 0; n < images.n; n++)
            memcpy(logits + (size_t)o * floats + (size_t)(n * y.shape.c), fv_pixel(y, n),
                   (size_t)y.shape.c * sizeof(float));
    }
}

static inline float *random_images(fv_shape shape)
{
    const size_t count = (size_t)fv_shape_pixels(shape) * (size_t)shape.c;
    float *images = fv_alloc(count * sizeof(float));
    assert_non_null(images);
    testing_fill("images", images, count);
    return images;
}

#endif /* FV_TESTS_MODEL_TESTING_H */
