/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/classifier.h"

#include "autograd/ops.h"
#include "base/cpu.h"
#include "base/memory.h"

struct fv_classifier {
    fv_classifier_options options;
    fv_kernels kernels;
    fv_params *params;
    fv_program *program;
};

void fv_classifier_build(fv_graph *g, fv_shape images, void *ctx, fv_bindings *out)
{
    const fv_classifier_options *o = ctx;
    const fv_model_options model = { .classes = o->classes };
    out->images = fv_input(g, images);
    out->output_count = o->model->build(g, out->images, o->model, &model, out->outputs);
    if (fv_graph_mode(g) == FV_EVAL) {
        out->output_count = 1; /* auxiliary heads are for the loss: plans leave them out */
        return;
    }
    out->targets = fv_input(g, (fv_shape){ images.n, 1, 1, 1 });
    for (int i = 0; i < out->output_count; i++) {
        fv_tensor *loss = fv_cross_entropy(g, out->outputs[i], out->targets, 0.0f);
        out->loss = out->loss ? fv_add(g, out->loss, loss) : loss;
    }
}

/* A graph that is built and thrown away leaves the parameters behind. */
static fv_status create_params(fv_classifier *c, fv_error *err)
{
    fv_graph *graph = NULL;
    FV_TRY(fv_graph_create(&graph, c->params, FV_EVAL, err));
    fv_bindings bindings = { .images = NULL };
    fv_classifier_build(graph, (fv_shape){ 1, c->options.height, c->options.width, 3 }, &c->options,
                        &bindings);
    const fv_status status = fv_graph_check(graph, err);
    fv_graph_destroy(graph);
    return status;
}

fv_status fv_classifier_create(fv_classifier **out, const fv_classifier_options *options,
                               fv_error *err)
{
    fv_classifier *c = fv_alloc(sizeof(*c));
    if (!c) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", options->model->name);
    c->options = *options;
    fv_kernels_init(&c->kernels, fv_cpu_detect());

    fv_status status = fv_params_create(&c->params, 0, err);
    if (status == FV_OK) status = create_params(c, err);
    if (status == FV_OK)
        status = fv_program_create(&c->program, c->params, &c->kernels, fv_classifier_build,
                                   &c->options, 0, err);
    if (status == FV_OK)
        *out = c;
    else
        fv_classifier_destroy(c);
    return status;
}

void fv_classifier_destroy(fv_classifier *classifier)
{
    if (!classifier) return;
    fv_program_destroy(classifier->program);
    fv_params_destroy(classifier->params);
    fv_free(classifier);
}

fv_status fv_classifier_load(fv_classifier *classifier, const fv_stored *stored, fv_error *err)
{
    const fv_load_options strict = { .model = classifier->options.model->name };
    return fv_weights_load_from(stored->file, classifier->params, &strict, NULL, err);
}

fv_program *fv_classifier_program(fv_classifier *classifier) { return classifier->program; }
fv_params *fv_classifier_params(fv_classifier *classifier) { return classifier->params; }
