/* SPDX-License-Identifier: Apache-2.0 */
#include "train/teachers.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/weights.h"
#include "train/checkpoint.h"
#include "train/logits.h"
#include "train/start.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

typedef struct teacher {
    const fv_arch_member *member; /* NULL: this one learns */
    int classes;
    fv_params *params;
    fv_program *program;
    float *answer;    /* [batch_size][classes] */
    fv_logits *cache; /* or NULL */
} teacher;

struct fv_teachers {
    fv_teachers_options options;
    fv_mode mode;
    teacher all[FV_MAX_MEMBERS];
};

/* ---- Making them ---- */

static void build(fv_graph *g, fv_shape images, void *ctx, fv_bindings *out)
{
    const teacher *t = ctx;
    const fv_model_options options = { .classes = t->classes };
    out->images = fv_input(g, images);
    t->member->model->build(g, out->images, t->member->model, &options, out->outputs);
    out->output_count = 1; /* what else there is is not computed */
}

static fv_status load(teacher *t, const fv_teachers_options *o, fv_error *err)
{
    const fv_arch_member *m = t->member;
    FV_TRY(fv_start_params(&t->params, m->model, t->classes, o->source->height, o->source->width,
                           o->seed, err));
    char where[128];
    snprintf(where, sizeof(where), "Arch.models: %s", m->name);
    if (m->weights) return fv_start_weights(m->weights, where, m->model, false, t->params, err);
    fv_log(FV_LOG_WARNING,
           "%s is frozen and has no weights: what it teaches is noise; \"pretrained\" names a file",
           m->name);
    return FV_OK;
}

static uint32_t mix(uint32_t seed, const void *bytes, size_t size)
{
    return (uint32_t)fv_hash_bytes(bytes, size, seed).low;
}

/* What the answers of a teacher depend on, but for the picture's number. */
static fv_status cache_key(const teacher *t, const fv_source *s, uint32_t *key, fv_error *err)
{
    char *text = fv_pipeline_describe(s->pipeline);
    if (!text) return fv_fail(err, FV_ERR_NOMEM, "teacher_cache: out of memory");
    *key = mix(fv_params_checksum(t->params), text, strlen(text));
    fv_free(text);
    for (int64_t i = 0; i < fv_dataset_count(s->dataset); i++) {
        const char *name = fv_dataset_name(s->dataset, i);
        *key = mix(*key, name, strlen(name));
    }
    return FV_OK;
}

static fv_status open_cache(teacher *t, const fv_teachers_options *o, fv_error *err)
{
    char name[128], path[PATH_BYTES];
    uint32_t key = 0;
    const char *folder = o->arch->teacher_cache;
    if (o->source->batch_ops || !fv_pipeline_is_fixed(o->source->pipeline))
        return fv_fail(err, FV_ERR_CONFIG,
                       "Arch.teacher_cache: %s: answers can be kept only where pictures are the "
                       "same in each epoch: transform_ops must not be random, nor pictures mixed",
                       folder);
    const int length = snprintf(name, sizeof(name), "%s.logits", t->member->name);
    if (length < 0 || (size_t)length >= sizeof(name) || strchr(name, '/') ||
        !fv_path_join(path, sizeof(path), folder, name))
        return fv_fail(err, FV_ERR_CONFIG, "Arch.teacher_cache: no file can be called %s/%s",
                       folder, name);
    FV_TRY(fv_file_make_folder(folder, err));
    FV_TRY(cache_key(t, o->source, &key, err));
    return fv_logits_open(&t->cache, path, key, fv_dataset_count(o->source->dataset), t->classes,
                          err);
}

static fv_status fill(teacher *t, const fv_teachers_options *o, fv_error *err)
{
    FV_TRY(load(t, o, err));
    /* Masks of dropout are a function of the node's number, too, which the student's share. */
    const uint64_t seed = o->seed ^ mix(0, t->member->name, strlen(t->member->name));
    FV_TRY(fv_program_create(&t->program, t->params, o->kernels, build, t, seed, err));
    t->answer = fv_alloc((size_t)o->source->batch_size * (size_t)t->classes * sizeof(float));
    if (!t->answer) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", t->member->name);
    return o->arch->teacher_cache ? open_cache(t, o, err) : FV_OK;
}

fv_status fv_teachers_create(fv_teachers **out, const fv_teachers_options *options, fv_error *err)
{
    const fv_arch *arch = options->arch;
    int frozen = 0;
    *out = NULL;
    for (int i = 0; i < arch->member_count; i++) frozen += arch->members[i].frozen;
    if (frozen == 0) return FV_OK;
    fv_teachers *t = fv_alloc(sizeof(*t));
    if (!t) return fv_fail(err, FV_ERR_NOMEM, "teachers: out of memory");
    t->options = *options;
    t->mode = arch->teachers_evaluate ? FV_EVAL : FV_TRAIN;
    fv_status status = FV_OK;
    for (int i = 0; i < arch->member_count && status == FV_OK; i++) {
        if (!arch->members[i].frozen) continue;
        t->all[i].member = &arch->members[i];
        t->all[i].classes = options->classes;
        status = fill(&t->all[i], &t->options, err);
    }
    if (status != FV_OK) {
        fv_teachers_destroy(t);
        return status;
    }
    if (t->mode == FV_TRAIN)
        fv_log(FV_LOG_NOTICE,
               "frozen models run in training mode, as in PaddleClas: with the statistics of each "
               "batch; Arch.teacher_mode: eval takes their own, and is faster");
    *out = t;
    return FV_OK;
}

void fv_teachers_destroy(fv_teachers *teachers)
{
    if (!teachers) return;
    for (int i = 0; i < FV_MAX_MEMBERS; i++) {
        teacher *t = &teachers->all[i];
        fv_logits_close(t->cache);
        fv_program_destroy(t->program);
        fv_params_destroy(t->params);
        fv_free(t->answer);
    }
    fv_free(teachers);
}

/* ---- Asking them ---- */

fv_status fv_teachers_plan(fv_teachers *teachers, fv_shape images, fv_error *err)
{
    for (int i = 0; i < FV_MAX_MEMBERS; i++) {
        fv_plan *unused;
        const fv_bindings *bindings;
        if (teachers->all[i].member)
            FV_TRY(fv_program_plan(teachers->all[i].program, teachers->mode, images, &unused,
                                   &bindings, err));
    }
    return FV_OK;
}

static void keep(const teacher *t, const fv_batch *batch)
{
    for (int i = 0; i < batch->count; i++)
        if (batch->readable[i])
            fv_logits_keep(t->cache, batch->samples[i], t->answer + (size_t)i * (size_t)t->classes);
}

static fv_status ask(teacher *t, fv_mode mode, const fv_batch *batch, uint64_t step, fv_error *err)
{
    if (t->cache && fv_logits_find(t->cache, batch->samples, batch->count, t->answer)) return FV_OK;
    fv_plan *plan;
    const fv_bindings *bindings;
    const fv_shape images = { batch->count, batch->height, batch->width, 3 };
    FV_TRY(fv_program_plan(t->program, mode, images, &plan, &bindings, err));
    fv_plan_feed(plan, bindings->images, batch->images);
    fv_plan_set_step(plan, step);
    fv_plan_forward(plan);
    const fv_view logits = fv_plan_value(plan, bindings->outputs[0]);
    const size_t classes = (size_t)t->classes;
    for (int i = 0; i < batch->count; i++)
        memcpy(t->answer + (size_t)i * classes, fv_image(logits, i), classes * sizeof(float));
    if (t->cache) keep(t, batch);
    return FV_OK;
}

fv_status fv_teachers_ask(fv_teachers *teachers, const fv_batch *batch, uint64_t step,
                          fv_error *err)
{
    for (int i = 0; i < FV_MAX_MEMBERS; i++)
        if (teachers->all[i].member)
            FV_TRY(ask(&teachers->all[i], teachers->mode, batch, step, err));
    return FV_OK;
}

const float *fv_teachers_answer(const fv_teachers *teachers, int member)
{
    return teachers->all[member].answer;
}

size_t fv_teachers_bytes(const fv_teachers *teachers)
{
    size_t bytes = 0;
    for (int i = 0; teachers && i < FV_MAX_MEMBERS; i++)
        if (teachers->all[i].member) bytes += fv_program_bytes(teachers->all[i].program);
    return bytes;
}
