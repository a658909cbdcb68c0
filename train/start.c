/* SPDX-License-Identifier: Apache-2.0 */
#include "train/start.h"

#include "base/log.h"
#include "io/weights.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

static const char CHECKPOINTS[] = "Global.checkpoints";

/* ---- From scratch ---- */

fv_status fv_start_params(fv_params **out, const fv_model *model, int classes, int height,
                          int width, uint64_t seed, fv_error *err)
{
    fv_params *params = NULL;
    fv_graph *graph = NULL;
    fv_status status = fv_params_create(&params, seed, err);
    if (status == FV_OK) status = fv_graph_create(&graph, params, FV_TRAIN, err);
    if (status == FV_OK) {
        fv_tensor *outputs[FV_MAX_OUTPUTS];
        const fv_model_options options = { .classes = classes };
        fv_tensor *images = fv_input(graph, (fv_shape){ 1, height, width, 3 });
        model->build(graph, images, model, &options, outputs);
        status = fv_graph_check(graph, err);
    }
    fv_graph_destroy(graph);
    if (status == FV_OK)
        *out = params;
    else
        fv_params_destroy(params);
    return status;
}

/* ---- From weights ---- */

static void tell_loaded(const char *path, const fv_load_report *report)
{
    fv_log(FV_LOG_INFO, "%s: %d tensors loaded", path, report->matched);
    if (report->reshaped)
        fv_log(FV_LOG_NOTICE,
               "%s: the head is for another number of classes and starts anew: %s and %d more",
               path, report->first_reshaped, report->reshaped - 1);
}

fv_status fv_start_weights(const char *given, const char *where, const fv_model *model,
                           bool any_classes, fv_params *params, fv_error *err)
{
    static const char *const extensions[] = { ".h5", ".safetensors", ".pdparams", ".pth", NULL };
    char path[PATH_BYTES];
    FV_TRY(fv_checkpoint_find(path, sizeof(path), given, extensions, where, err));
    const fv_load_options options = { .heads = any_classes ? model->heads : NULL,
                                      .model = model->name };
    fv_load_report report;
    FV_TRY(fv_weights_load(path, params, &options, &report, err));
    tell_loaded(path, &report);
    return FV_OK;
}

/* Copies all of `from` to the parameters of the same names after "prefix.". */
static fv_status copy_params(fv_params *to, const char *prefix, const fv_params *from,
                             fv_error *err)
{
    for (int i = 0; i < fv_params_count(from); i++) {
        const fv_param *p = fv_params_at(from, i);
        char name[256];
        snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", p->name);
        fv_param *own = fv_params_find(to, name);
        if (!own || own->count != p->count)
            return fv_fail(err, FV_ERR_SHAPE, "%s: no such parameter", name);
        memcpy(own->value, p->value, p->count * sizeof(float));
    }
    fv_params_touch(to);
    return FV_OK;
}

typedef struct picture_size {
    int classes, height, width;
} picture_size;

/* One of several models whose parameters lie together. */
static fv_status load_member(const fv_settings *s, int i, picture_size size, fv_params *params,
                             fv_error *err)
{
    const fv_arch_member *m = &s->arch.members[i];
    const bool student = i == s->arch.student, global = student && s->global.pretrained_model;
    const char *given = global ? s->global.pretrained_model : m->weights;
    if (!given) return FV_OK;
    fv_params *alone = NULL;
    char where[128];
    snprintf(where, sizeof(where), "Arch.models: %s", m->name);
    FV_TRY(fv_start_params(&alone, m->model, size.classes, size.height, size.width,
                           (uint64_t)s->global.seed, err));
    fv_status status = fv_start_weights(given, global ? "Global.pretrained_model" : "Arch.models",
                                        m->model, true, alone, err);
    if (status == FV_OK) status = copy_params(params, student ? "" : m->name, alone, err);
    fv_params_destroy(alone);
    return status;
}

fv_status fv_start_pretrained(const fv_settings *s, int classes, int height, int width,
                              fv_params *params, fv_error *err)
{
    int learning = 0;
    for (int i = 0; i < s->arch.member_count; i++) learning += !s->arch.members[i].frozen;
    if (learning > 1) {
        const picture_size size = { classes, height, width };
        for (int i = 0; i < s->arch.member_count; i++)
            if (!s->arch.members[i].frozen) FV_TRY(load_member(s, i, size, params, err));
        return FV_OK;
    }
    const fv_model *model = s->arch.model;
    if (s->global.pretrained_model)
        return fv_start_weights(s->global.pretrained_model, "Global.pretrained_model", model, true,
                                params, err);
    if (!s->arch.weights) return FV_OK;
    return fv_start_weights(s->arch.weights, "Arch.pretrained", model, true, params, err);
}

fv_status fv_start_freeze(const fv_settings *s, fv_params *params, fv_error *err)
{
    int total = 0;
    for (int i = 0; i < fv_config_count(s->global.freeze); i++) {
        fv_config_node *node = fv_config_at(s->global.freeze, i);
        const char *pattern = fv_config_node_text(node);
        const int count = fv_params_freeze(params, pattern, s->global.freeze_statistics, true);
        if (count == 0)
            return fv_config_fail(node, err,
                                  "no parameter matches \"%s\": \"fovea info %s\" lists them",
                                  pattern, s->arch.model->name);
        total += count;
    }
    if (total)
        fv_log(FV_LOG_INFO, "%d parameters frozen, their running statistics %s", total,
               s->global.freeze_statistics ? "too" : "not");
    return FV_OK;
}

/* ---- From a checkpoint ---- */

static void tell_changes(fv_config_node *now, fv_config_node *was);

static void tell_map_changes(fv_config_node *now, fv_config_node *was)
{
    for (int i = 0; i < fv_config_count(now); i++) {
        const char *key = fv_config_key_at(now, i);
        if (strcmp(key, "checkpoints") == 0) continue; /* differs by nature */
        fv_config_node *a = fv_config_child(now, key), *b = fv_config_child(was, key);
        if (a && b)
            tell_changes(a, b);
        else if (a)
            fv_log(FV_LOG_NOTICE, "%s: not in the checkpoint's config", fv_config_node_where(a));
    }
    for (int i = 0; i < fv_config_count(was); i++) {
        const char *key = fv_config_key_at(was, i);
        fv_config_node *b = fv_config_child(was, key);
        if (b && strcmp(key, "checkpoints") != 0 && !fv_config_child(now, key))
            fv_log(FV_LOG_NOTICE, "%s: no longer in the config", fv_config_node_where(b));
    }
}

/* One notice for each value that differs. */
static void tell_changes(fv_config_node *now, fv_config_node *was)
{
    const fv_config_type type = fv_config_node_type(now);
    const char *a = fv_config_node_text(now), *b = fv_config_node_text(was);
    if (type == FV_CONFIG_MAP && fv_config_node_type(was) == type) {
        tell_map_changes(now, was);
    } else if (type == FV_CONFIG_LIST && fv_config_node_type(was) == type &&
               fv_config_count(now) == fv_config_count(was)) {
        for (int i = 0; i < fv_config_count(now); i++)
            tell_changes(fv_config_at(now, i), fv_config_at(was, i));
    } else if (a && b) {
        if (strcmp(a, b) != 0)
            fv_log(FV_LOG_NOTICE, "%s: \"%s\", was \"%s\" in the checkpoint",
                   fv_config_node_where(now), a, b);
    } else if (type != FV_CONFIG_NULL || fv_config_node_type(was) != FV_CONFIG_NULL) {
        fv_log(FV_LOG_NOTICE, "%s: not as in the checkpoint", fv_config_node_where(now));
    }
}

static void tell_config(fv_config *now, const fv_checkpoint_head *head)
{
    fv_config *was = NULL;
    fv_error err;
    if (fv_config_parse(&was, "checkpoint", head->config, &err) == FV_OK)
        tell_changes(fv_config_root(now), fv_config_root(was));
    else
        fv_log(FV_LOG_WARNING, "the checkpoint's config cannot be read: %s", err.message);
    fv_config_destroy(was);
}

/* A number that gives the position in an epoch its meaning. */
static fv_status check_number(const char *path, const fv_progress *p, const char *what, int64_t now,
                              int64_t was, fv_error *err)
{
    if (now == was) return FV_OK;
    if (p->batch > 0)
        return fv_fail(err, FV_ERR_CONFIG,
                       "%s: %s: it stopped in the middle of an epoch, where %s must stay %" PRId64
                       ", not %" PRId64,
                       CHECKPOINTS, path, what, was, now);
    fv_log(FV_LOG_NOTICE, "%s: %s: %s is now %" PRId64 ", was %" PRId64, CHECKPOINTS, path, what,
           now, was);
    return FV_OK;
}

static fv_status check_head(const char *path, const fv_checkpoint_head *h,
                            const fv_run_identity *id, int64_t batches, fv_error *err)
{
    const fv_progress *p = &h->progress;
    if (strcmp(h->arch, id->arch) != 0)
        return fv_fail(err, FV_ERR_CONFIG, "%s: %s: a checkpoint of %s, but Arch.name is %s",
                       CHECKPOINTS, path, h->arch, id->arch);
    if (h->class_num != id->class_num)
        return fv_fail(err, FV_ERR_CONFIG,
                       "%s: %s: a checkpoint for %" PRId64 " classes, not %" PRId64
                       "; Global.pretrained_model starts from its weights",
                       CHECKPOINTS, path, h->class_num, id->class_num);
    FV_TRY(check_number(path, p, "Global.seed", id->seed, h->seed, err));
    FV_TRY(check_number(path, p, "batch_size", id->batch_size, h->batch_size, err));
    FV_TRY(check_number(path, p, "Global.update_freq", id->update_freq, h->update_freq, err));
    FV_TRY(check_number(path, p, "the number of samples", id->samples, h->samples, err));
    if (p->batch <= batches) return FV_OK;
    return fv_fail(err, FV_ERR_CONFIG,
                   "%s: %s: it stopped after batch %" PRId64 " of an epoch that now has %" PRId64,
                   CHECKPOINTS, path, p->batch, batches);
}

fv_status fv_start_resume(const fv_settings *s, const fv_run_identity *identity, int64_t batches,
                          const fv_run_state *state, fv_progress *progress, fv_error *err)
{
    static const char *const extensions[] = { ".h5", NULL };
    char path[PATH_BYTES];
    FV_TRY(fv_checkpoint_find(path, sizeof(path), s->global.checkpoints, extensions, CHECKPOINTS,
                              err));
    fv_checkpoint_head head;
    FV_TRY(fv_checkpoint_peek(&head, path, err));
    fv_status status = check_head(path, &head, identity, batches, err);
    if (status == FV_OK) status = fv_checkpoint_load(path, state, err);
    if (status == FV_OK) {
        *progress = head.progress;
        tell_config(s->config, &head);
        if (s->global.pretrained_model || s->arch.weights)
            fv_log(FV_LOG_NOTICE, "%s: %s: the pretrained weights are not loaded over it",
                   CHECKPOINTS, path);
        fv_log(FV_LOG_INFO,
               "%s: going on after step %" PRId64 ", epoch %" PRId64 ", batch %" PRId64, path,
               progress->step, progress->epoch + 1, progress->batch);
    }
    fv_checkpoint_head_deinit(&head);
    return status;
}
