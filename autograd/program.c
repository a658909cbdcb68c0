/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/program.h"

#include "base/list.h"
#include "base/memory.h"
#include "base/threads.h"

/* A plan with what it stands on. */
typedef struct entry {
    fv_mode mode;
    fv_shape images;
    fv_graph *graph;
    fv_plan *plan;
    fv_bindings bindings;
} entry;

struct fv_program {
    fv_params *params;
    const fv_kernels *kernels;
    fv_build_fn *build;
    void *ctx;
    uint64_t seed;
    fv_slab *slab;
    fv_list entries; /* of entry */
};

static void destroy_entry(entry *e)
{
    if (!e) return;
    fv_plan_destroy(e->plan);
    fv_graph_destroy(e->graph);
    fv_free(e);
}

fv_status fv_program_create(fv_program **out, fv_params *params, const fv_kernels *kernels,
                            fv_build_fn *build, void *ctx, uint64_t seed, fv_error *err)
{
    fv_program *p = fv_alloc(sizeof(*p));
    if (!p) return fv_fail(err, FV_ERR_NOMEM, "program: out of memory");
    *p = (fv_program){
        .params = params, .kernels = kernels, .build = build, .ctx = ctx, .seed = seed
    };
    const fv_status status = fv_slab_create(&p->slab, err);
    if (status != FV_OK) {
        fv_free(p);
        return status;
    }
    *out = p;
    return FV_OK;
}

void fv_program_destroy(fv_program *program)
{
    if (!program) return;
    for (int i = 0; i < program->entries.count; i++) destroy_entry(program->entries.items[i]);
    fv_list_deinit(&program->entries);
    fv_slab_destroy(program->slab);
    fv_free(program);
}

static entry *find(const fv_program *p, fv_mode mode, fv_shape images)
{
    for (int i = 0; i < p->entries.count; i++) {
        entry *e = p->entries.items[i];
        if (e->mode == mode && fv_shape_equal(e->images, images)) return e;
    }
    return NULL;
}

static fv_status build(fv_program *p, entry *e, fv_error *err)
{
    /* As many pictures as threads or more: better one in each thread than all in all threads. What
     * is computed for a picture is the same. */
    const bool apart = e->mode == FV_EVAL && e->images.n > 1 && e->images.n >= fv_threads_count();
    fv_shape images = e->images;
    if (apart) images.n = 1;
    FV_TRY(fv_graph_create(&e->graph, p->params, e->mode, err));
    p->build(e->graph, images, p->ctx, &e->bindings);
    FV_TRY(fv_graph_check(e->graph, err));
    const fv_plan_options options = { .loss = e->mode == FV_TRAIN ? e->bindings.loss : NULL,
                                      .outputs = e->bindings.outputs,
                                      .output_count = e->bindings.output_count,
                                      .images = apart ? e->images.n : 1,
                                      .seed = p->seed };
    FV_TRY(fv_plan_create(&e->plan, e->graph, p->kernels, p->slab, &options, err));
    return fv_list_append(&p->entries, e) ? FV_OK
                                          : fv_fail(err, FV_ERR_NOMEM, "program: out of memory");
}

fv_status fv_program_plan(fv_program *program, fv_mode mode, fv_shape images, fv_plan **plan,
                          const fv_bindings **bindings, fv_error *err)
{
    entry *e = find(program, mode, images);
    if (!e) {
        e = fv_alloc(sizeof(*e));
        if (!e) return fv_fail(err, FV_ERR_NOMEM, "program: out of memory");
        e->mode = mode;
        e->images = images;
        const fv_status status = build(program, e, err);
        if (status != FV_OK) {
            destroy_entry(e);
            return status;
        }
    }
    *plan = e->plan;
    *bindings = &e->bindings;
    return FV_OK;
}

size_t fv_program_bytes(const fv_program *program) { return fv_slab_bytes(program->slab); }
