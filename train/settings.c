/* SPDX-License-Identifier: Apache-2.0 */
#include "train/settings.h"

#include "base/cpu.h"
#include "base/log.h"
#include "data/source.h"
#include "kernels/kernels.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

#include <string.h>

/* ---- Global ---- */

/* PaddlePaddle's; there is but the first. */
static const char *const devices[] = { "cpu",    "gpu", "xpu", "npu",       "mlu", "mps",
                                       "ascend", "dcu", "gcu", "intel_gpu", NULL };

static const fv_field global_fields[] = {
    FV_FIELD_STRING(fv_global_settings, checkpoints, NULL),
    FV_FIELD_STRING(fv_global_settings, pretrained_model, NULL),
    FV_FIELD_STRING(fv_global_settings, output_dir, "./output/"),
    FV_FIELD_ENUM(fv_global_settings, device, "cpu", devices),
    FV_FIELD_INT(fv_global_settings, epochs, 100, 1, 1000000),
    FV_FIELD_INT(fv_global_settings, save_interval, 1, 1, 1000000),
    FV_FIELD_INT(fv_global_settings, eval_interval, 1, 1, 1000000),
    FV_FIELD_INT(fv_global_settings, start_eval_epoch, 0, 0, 1000000),
    FV_FIELD_INT(fv_global_settings, print_batch_step, 10, 1, 1000000000),
    FV_FIELD_LONG(fv_global_settings, save_steps, 0, 0, 1e15),
    FV_FIELD_INT(fv_global_settings, keep_checkpoints, 0, 0, 1000000),
    FV_FIELD_BOOL(fv_global_settings, eval_during_train, true),
    FV_FIELD_LONG(fv_global_settings, seed, 0, 0, 9e15),
    FV_FIELD_INT(fv_global_settings, class_num, 0, 1, 1000000),
    FV_FIELD_NODE(fv_global_settings, freeze),
    FV_FIELD_BOOL(fv_global_settings, freeze_statistics, false),
    FV_FIELD_BOOL(fv_global_settings, tensorboard, true),
    FV_FIELD_BOOL(fv_global_settings, weight_histograms, false),
    FV_FIELD_BOOL(fv_global_settings, use_visualdl, false),
    FV_FIELD_BOOL(fv_global_settings, use_multilabel, false),
    FV_FIELD_INT(fv_global_settings, update_freq, 1, 1, 1000000),
    FV_FIELD_NODE(fv_global_settings, early_stop),
    FV_FIELD_STRING(fv_global_settings, eval_mode, "classification"),
    FV_FIELD_STRING(fv_global_settings, train_mode, "classification"),
    FV_FIELD_IGNORED("image_shape", "pictures have the size that the transforms give them"),
    FV_FIELD_IGNORED("image_channel", "pictures have three channels"),
    FV_FIELD_IGNORED("save_inference_dir", "\"fovea convert\" writes weights for others"),
    FV_FIELD_IGNORED("iter_per_epoch", "the data decide"),
    FV_FIELD_IGNORED("print_mem_info", "\"fovea info\" tells the memory"),
    FV_FIELD_IGNORED("log_ranks", "there is one process"),
    FV_FIELD_IGNORED("is_distributed", "there is one process"),
    FV_FIELD_IGNORED("uniform_output_enabled", "models are saved in one way"),
    FV_FIELD_IGNORED("export_for_fd", "models are saved in one way"),
    FV_FIELD_IGNORED("to_static", "the network is always captured as a whole"),
    FV_FIELD_IGNORED("use_dali", "pictures are read on the CPU"),
    FV_FIELD_IGNORED("use_gpu", "this program runs on the CPU"),
    FV_FIELD_IGNORED("use_xpu", "this program runs on the CPU"),
    FV_FIELD_IGNORED("use_npu", "this program runs on the CPU"),
    FV_FIELD_IGNORED("use_mlu", "this program runs on the CPU"),
    FV_FIELD_IGNORED("use_cinn", "what can be fused is fused"),
    FV_FIELD_IGNORED("fuse_elewise_add_act_ops", "what can be fused is fused"),
    FV_FIELD_IGNORED("fuse_bn_act_ops", "what can be fused is fused"),
    FV_FIELD_IGNORED("fuse_bn_add_act_ops", "what can be fused is fused"),
    FV_FIELD_IGNORED("enable_addto", "gradients are added in place where they can be"),
    FV_FIELD_END,
};

static fv_status check_freeze(fv_config_node *list, fv_error *err)
{
    if (!list) return FV_OK;
    if (fv_config_node_type(list) != FV_CONFIG_LIST)
        return fv_config_fail(list, err, "must be a list of patterns, e.g. [\"conv1.*\"]");
    for (int i = 0; i < fv_config_count(list); i++)
        if (!fv_config_node_text(fv_config_at(list, i)))
            return fv_config_fail(fv_config_at(list, i), err, "must be a pattern of names");
    return FV_OK;
}

/* What would change the result and is not there is an error; what would only change the way to it
 * is told. */
static fv_status check_global(const fv_global_settings *s, fv_config_node *map, fv_error *err)
{
    if (s->use_multilabel)
        return fv_config_fail(fv_config_child(map, "use_multilabel"), err,
                              "pictures with several labels are not supported");
    if (s->eval_mode && strcmp(s->eval_mode, "classification") != 0)
        return fv_config_fail(fv_config_child(map, "eval_mode"), err,
                              "there is only \"classification\", not \"%s\"", s->eval_mode);
    if (s->train_mode && strcmp(s->train_mode, "classification") != 0)
        return fv_config_fail(fv_config_child(map, "train_mode"), err,
                              "there is only \"classification\", not \"%s\"", s->train_mode);
    if (s->device != 0)
        fv_config_tell(fv_config_child(map, "device"), "%s is taken as cpu", devices[s->device]);
    if (s->use_visualdl)
        fv_config_tell(fv_config_child(map, "use_visualdl"),
                       "taken as Global.tensorboard, event files instead of VisualDL's");
    return check_freeze(s->freeze, err);
}

static fv_status read_global(fv_global_settings *out, fv_config_node *map, fv_error *err)
{
    FV_TRY(fv_config_read(map, global_fields, out, err));
    if (!out->output_dir || !out->output_dir[0])
        return fv_config_fail(fv_config_child(map, "output_dir"), err, "must name a folder");
    out->tensorboard = out->tensorboard || out->use_visualdl || out->weight_histograms;
    return check_global(out, map, err);
}

/* ---- Loss, Metric ---- */

typedef struct phases {
    fv_config_node *Train, *Eval;
} phases;

static const fv_field phase_fields[] = {
    FV_FIELD_NODE(phases, Train),
    FV_FIELD_NODE(phases, Eval),
    FV_FIELD_END,
};

static fv_status read_loss(fv_settings *out, fv_config_node *map, fv_error *err)
{
    phases p;
    FV_TRY(fv_config_read(map, phase_fields, &p, err));
    FV_TRY(fv_loss_read(&out->loss, p.Train, &out->arch, err));
    return fv_loss_check(p.Eval, err);
}

typedef struct topk_settings {
    fv_floats topk;
} topk_settings;

static const fv_field topk_fields[] = {
    FV_FIELD_FLOATS(topk_settings, topk, 1, 1000),
    FV_FIELD_END,
};
/* The student's is measured, as PaddleClas does whatever model_key says. */
static const fv_field distillation_topk_fields[] = {
    FV_FIELD_FLOATS(topk_settings, topk, 1, 1000),
    FV_FIELD_IGNORED("model_key", NULL),
    FV_FIELD_IGNORED("feature_key", NULL),
    FV_FIELD_END,
};

static const struct {
    const char *name;
    const fv_field *fields;
} metrics[] = {
    { "TopkAcc", topk_fields },
    { "GoogLeNetTopkAcc", topk_fields },
    { "DistillationTopkAcc", distillation_topk_fields },
};

/* Top-1 and Top-5 are always measured, so that only these may be asked for. */
static fv_status check_metric(fv_config_node *entry, fv_error *err)
{
    const char *name = fv_config_count(entry) == 1 ? fv_config_key_at(entry, 0) : NULL;
    const fv_field *keys = NULL;
    for (size_t i = 0; i < FV_ARRAY_LEN(metrics); i++)
        if (name && strcmp(name, metrics[i].name) == 0) keys = metrics[i].fields;
    if (!keys)
        return fv_config_fail(
            entry, err,
            "no metric \"%s\": there are TopkAcc, GoogLeNetTopkAcc and DistillationTopkAcc",
            name ? name : "");
    topk_settings s;
    fv_config_node *map = fv_config_child(entry, name);
    FV_TRY(fv_config_read(map, keys, &s, err));
    for (int i = 0; i < s.topk.count; i++)
        if (s.topk.values[i] != 1.0 && s.topk.values[i] != 5.0)
            return fv_config_fail(fv_config_child(map, "topk"), err,
                                  "%g is not supported: 1 and 5 are", s.topk.values[i]);
    return FV_OK;
}

static fv_status check_metrics(fv_config_node *map, fv_error *err)
{
    phases p;
    FV_TRY(fv_config_read(map, phase_fields, &p, err));
    fv_config_node *const lists[] = { p.Train, p.Eval };
    for (int k = 0; k < 2; k++) {
        if (lists[k] && fv_config_node_type(lists[k]) != FV_CONFIG_LIST)
            return fv_config_fail(lists[k], err, "must be a list, e.g. [TopkAcc: {topk: [1, 5]}]");
        for (int i = 0; i < fv_config_count(lists[k]); i++)
            FV_TRY(check_metric(fv_config_at(lists[k], i), err));
    }
    return FV_OK;
}

/* ---- Optimizer ---- */

/* The optimiser and the schedule are made for no parameters and one step, to be read. */
static fv_status check_optimizer(const fv_settings *s, fv_error *err)
{
    if (!s->optimizer) return FV_OK;
    fv_kernels kernels;
    fv_kernels_init(&kernels, FV_CPU_SCALAR);
    fv_params *params = NULL;
    fv_optimizer *optimizer = NULL;
    fv_schedule *schedule = NULL;
    fv_status status = fv_params_create(&params, 0, err);
    if (status == FV_OK)
        status = fv_optimizer_create(&optimizer, s->optimizer, params, &kernels, err);
    if (status == FV_OK)
        status = fv_schedule_create(&schedule, s->schedule, s->global.epochs, 1, 0, err);
    fv_schedule_destroy(schedule);
    fv_optimizer_destroy(optimizer);
    fv_params_destroy(params);
    return status;
}

/* ---- DataLoader ---- */

static fv_status read_data(fv_settings *out, fv_config_node *map, fv_error *err)
{
    phases p;
    FV_TRY(fv_config_read(map, phase_fields, &p, err));
    out->train = p.Train;
    out->eval = p.Eval;
    if (p.Train) FV_TRY(fv_source_check(p.Train, "DataLoader.Train", true, err));
    if (p.Eval) FV_TRY(fv_source_check(p.Eval, "DataLoader.Eval", false, err));
    return p.Train && p.Eval ? fv_source_compare(p.Train, p.Eval, err) : FV_OK;
}

/* ---- Infer ---- */

typedef struct infer_section {
    const char *infer_imgs, *infer_list, *save_dir;
    int batch_size;
    fv_config_node *transforms, *PostProcess;
} infer_section;

static const fv_field infer_fields[] = {
    FV_FIELD_STRING(infer_section, infer_imgs, NULL),
    FV_FIELD_STRING(infer_section, infer_list, NULL),
    FV_FIELD_STRING(infer_section, save_dir, NULL),
    FV_FIELD_INT(infer_section, batch_size, 1, 1, 65536),
    FV_FIELD_NODE(infer_section, transforms),
    FV_FIELD_NODE(infer_section, PostProcess),
    FV_FIELD_END,
};

typedef struct postprocess_section {
    int name, topk;
    const char *class_id_map_file;
} postprocess_section;

static const char *const postprocesses[] = { "Topk", NULL };

static const fv_field postprocess_fields[] = {
    FV_FIELD_ENUM(postprocess_section, name, "Topk", postprocesses),
    FV_FIELD_INT(postprocess_section, topk, 5, 1, 1000000),
    FV_FIELD_STRING(postprocess_section, class_id_map_file, NULL),
    FV_FIELD_IGNORED("delimiter", NULL), /* the first blank of a line */
    FV_FIELD_END,
};

static fv_status check_pipeline(fv_config_node *ops, const char *where, fv_error *err)
{
    fv_pipeline *pipeline = NULL;
    const fv_status status = fv_pipeline_create(&pipeline, ops, where, err);
    fv_pipeline_destroy(pipeline);
    return status;
}

static fv_status read_infer(fv_infer_settings *out, fv_config_node *map, fv_error *err)
{
    infer_section s;
    postprocess_section p;
    FV_TRY(fv_config_read(map, infer_fields, &s, err));
    FV_TRY(fv_config_read(s.PostProcess, postprocess_fields, &p, err));
    if (s.transforms) FV_TRY(check_pipeline(s.transforms, "Infer", err));
    *out = (fv_infer_settings){ .infer_imgs = s.infer_imgs,
                                .infer_list = s.infer_list,
                                .save_dir = s.save_dir,
                                .batch_size = s.batch_size,
                                .transforms = s.transforms,
                                .topk = p.topk,
                                .class_id_map_file = p.class_id_map_file };
    return FV_OK;
}

/* ---- EMA, early stopping ---- */

typedef struct ema_section {
    double decay;
} ema_section;

static const fv_field ema_fields[] = {
    FV_FIELD_DOUBLE(ema_section, decay, 0.9999, 0, 0.9999999),
    FV_FIELD_END,
};

static fv_status read_ema(fv_settings *out, fv_config_node *map, fv_error *err)
{
    ema_section s;
    FV_TRY(fv_config_read(map, ema_fields, &s, err));
    out->ema_decay = map ? s.decay : -1.0;
    return FV_OK;
}

static const fv_field early_stop_fields[] = {
    FV_FIELD_INT(fv_early_stop_settings, patience, 10, 1, 1000000),
    FV_FIELD_DOUBLE(fv_early_stop_settings, delta, 0, 0, 1),
    FV_FIELD_END,
};

static fv_status read_early_stop(fv_settings *out, fv_error *err)
{
    fv_config_node *map = out->global.early_stop;
    if (!map) return FV_OK;
    FV_TRY(fv_config_read(map, early_stop_fields, &out->early_stop, err));
    if (!out->global.eval_during_train)
        return fv_config_fail(map, err,
                              "goes by evaluations, but Global.eval_during_train is False");
    if (out->train && !out->eval)
        return fv_config_fail(map, err, "goes by evaluations, but there is no DataLoader.Eval");
    return FV_OK;
}

/* ---- AMP ---- */

typedef struct amp_section {
    bool use_amp;
} amp_section;

static const fv_field amp_fields[] = {
    FV_FIELD_BOOL(amp_section, use_amp, true),
    FV_FIELD_IGNORED("use_fp16_test", NULL), /* one line is told about all of them */
    FV_FIELD_IGNORED("use_pure_fp16", NULL),
    FV_FIELD_IGNORED("scale_loss", NULL),
    FV_FIELD_IGNORED("use_dynamic_loss_scaling", NULL),
    FV_FIELD_IGNORED("use_promote", NULL),
    FV_FIELD_IGNORED("level", NULL),
    FV_FIELD_END,
};

static fv_status check_amp(fv_config_node *map, fv_error *err)
{
    if (!map) return FV_OK;
    amp_section s;
    FV_TRY(fv_config_read(map, amp_fields, &s, err));
    if (s.use_amp) fv_config_tell(map, "taken as off, everything is computed in float32");
    return FV_OK;
}

/* ---- Slim ---- */

/* PaddleClas quantises and prunes one of its models, and says nothing about the others. */
static fv_status check_slim(fv_config_node *map, const fv_model *model, fv_error *err)
{
    if (!map) return FV_OK;
    if (strcmp(model->name, "InceptionV3") == 0)
        return fv_config_fail(map, err,
                              "not supported: nothing is quantised or pruned, leave it out");
    fv_config_tell(map, "ignored, as PaddleClas ignores it for %s", model->name);
    return FV_OK;
}

/* ---- All of it ---- */

typedef struct sections {
    fv_config_node *Global, *Arch, *Loss, *Optimizer, *DataLoader, *Metric, *Infer, *EMA, *AMP,
        *Slim;
} sections;

static const fv_field section_fields[] = {
    FV_FIELD_NODE(sections, Global),
    FV_FIELD_NODE(sections, Arch),
    FV_FIELD_NODE(sections, Loss),
    FV_FIELD_NODE(sections, Optimizer),
    FV_FIELD_NODE(sections, DataLoader),
    FV_FIELD_NODE(sections, Metric),
    FV_FIELD_NODE(sections, Infer),
    FV_FIELD_NODE(sections, EMA),
    FV_FIELD_NODE(sections, AMP),
    FV_FIELD_NODE(sections, Slim),
    FV_FIELD_IGNORED("profiler_options", "\"fovea bench --profile\" measures"),
    FV_FIELD_END,
};

fv_status fv_settings_read(fv_settings *out, fv_config *config, fv_error *err)
{
    sections s;
    *out = (fv_settings){ .config = config };
    FV_TRY(fv_config_read(fv_config_root(config), section_fields, &s, err));
    FV_TRY(read_global(&out->global, s.Global, err));
    FV_TRY(fv_arch_read(&out->arch, s.Arch, err));
    out->class_num = out->arch.class_num ? out->arch.class_num : out->global.class_num;
    FV_TRY(read_loss(out, s.Loss, err));
    FV_TRY(check_metrics(s.Metric, err));
    out->optimizer = s.Optimizer;
    out->schedule = s.Optimizer ? fv_config_child(s.Optimizer, "lr") : NULL;
    FV_TRY(check_optimizer(out, err));
    FV_TRY(read_data(out, s.DataLoader, err));
    FV_TRY(read_infer(&out->infer, s.Infer, err));
    FV_TRY(read_ema(out, s.EMA, err));
    FV_TRY(read_early_stop(out, err));
    FV_TRY(check_amp(s.AMP, err));
    FV_TRY(check_slim(s.Slim, out->arch.model, err));
    return fv_config_finish(config, err);
}
