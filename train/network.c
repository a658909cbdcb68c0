/* SPDX-License-Identifier: Apache-2.0 */
#include "train/network.h"

#include <string.h>

/* What each member gives; of a model alone the first. */
typedef struct members {
    fv_tensor *outputs[FV_MAX_MEMBERS][FV_MAX_OUTPUTS];
    fv_loss_model models[FV_MAX_MEMBERS];
} members;

static void build_student(fv_graph *g, const fv_network *n, fv_bindings *out)
{
    const fv_model_options options = { .classes = n->classes };
    const fv_model *model = n->arch->model;
    out->output_count = model->build(g, out->images, model, &options, out->outputs);
}

static void build_member(fv_graph *g, const fv_network *n, int i, fv_bindings *out, members *all)
{
    const fv_arch_member *m = &n->arch->members[i];
    if (m->frozen) {
        out->others[i] =
            fv_input(g, (fv_shape){ fv_tensor_shape(out->images).n, 1, 1, n->classes });
        all->outputs[i][0] = out->others[i];
        all->models[i] = (fv_loss_model){ all->outputs[i], 1 };
        return;
    }
    const fv_model_options options = { .classes = n->classes };
    fv_scope_push(g, m->name);
    const int count = m->model->build(g, out->images, m->model, &options, all->outputs[i]);
    fv_scope_pop(g);
    all->models[i] = (fv_loss_model){ all->outputs[i], count };
}

void fv_network_build(fv_graph *g, fv_shape images, void *ctx, fv_bindings *out)
{
    const fv_network *n = ctx;
    members all;
    out->images = fv_input(g, images);
    build_student(g, n, out);
    if (fv_graph_mode(g) != FV_TRAIN) {
        out->output_count = 1; /* auxiliary heads are for the loss: plans leave them out */
        return;
    }
    for (int i = 0; i < n->arch->member_count; i++)
        if (i != n->arch->student) build_member(g, n, i, out, &all);
    all.models[n->arch->student] = (fv_loss_model){ out->outputs, out->output_count };
    out->targets = fv_input(g, (fv_shape){ images.n, 1, 1, n->mixed ? n->classes : 1 });
    out->loss = fv_loss_build(g, n->loss, all.models, out->targets);
}

/* ---- Parameters ---- */

static fv_status capture(fv_params *params, const fv_network *network, fv_mode mode,
                         fv_shape images, fv_error *err)
{
    fv_graph *graph = NULL;
    fv_bindings unused = { .images = NULL };
    fv_network copy = *network;
    FV_TRY(fv_graph_create(&graph, params, mode, err));
    fv_network_build(graph, images, &copy, &unused);
    const fv_status status = fv_graph_check(graph, err);
    fv_graph_destroy(graph);
    return status;
}

/* The name of a member must not be that of a part of the student. */
static fv_status check_names(const fv_params *params, const fv_arch *arch, fv_error *err)
{
    for (int i = 0; i < arch->member_count; i++) {
        const char *name = arch->members[i].name;
        const size_t length = strlen(name);
        for (int k = 0; k < fv_params_count(params) && i != arch->student; k++) {
            const char *param = fv_params_at(params, k)->name;
            if (strncmp(param, name, length) == 0 && param[length] == '.')
                return fv_fail(err, FV_ERR_CONFIG,
                               "Arch.models: a model cannot be called \"%s\", as a part of the "
                               "student is",
                               name);
        }
    }
    return FV_OK;
}

fv_status fv_network_params(fv_params **out, int *student_count, const fv_network *network,
                            int height, int width, uint64_t seed, fv_error *err)
{
    fv_params *params = NULL;
    const fv_shape images = { 1, height, width, 3 };
    FV_TRY(fv_params_create(&params, seed, err));
    fv_status status = capture(params, network, FV_EVAL, images, err);
    *student_count = fv_params_count(params);
    if (status == FV_OK) status = check_names(params, network->arch, err);
    if (status == FV_OK) status = capture(params, network, FV_TRAIN, images, err);
    if (status == FV_OK)
        *out = params;
    else
        fv_params_destroy(params);
    return status;
}
