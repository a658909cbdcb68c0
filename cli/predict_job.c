/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/predict.h"

#include "base/memory.h"
#include "cli/command.h"

#include <math.h>
#include <string.h>

/* The usual numbers of ImageNet, of R, G, B in [0, 1]. */
static const fv_floats imagenet_mean = { 3, { 0.485, 0.456, 0.406 } };
static const fv_floats imagenet_std = { 3, { 0.229, 0.224, 0.225 } };

/* ---- Model and weights ---- */

static fv_status find_model(fv_predict_job *job, fv_error *err)
{
    const char *name = job->options->model;
    if (!name && job->config) {
        job->model = job->settings.arch.model;
        return FV_OK;
    }
    if (!name) name = job->stored.arch;
    if (!name)
        return fv_fail(err, FV_ERR_CONFIG,
                       "--model: %s does not say which model it is for; \"fovea info\" lists them",
                       job->stored.path);
    return fv_command_model(name, &job->model, err);
}

static fv_status find_weights(fv_predict_job *job, fv_error *err)
{
    const fv_settings *s = &job->settings;
    const char *path = job->options->weights;
    if (!path) path = s->global.pretrained_model;
    if (!path) path = s->global.checkpoints;
    if (!path) path = s->arch.weights;
    if (!path) return fv_fail(err, FV_ERR_CONFIG, "--weights: which file?");
    FV_TRY(fv_stored_open(&job->stored, path, err));
    FV_TRY(find_model(job, err));
    return fv_stored_classes(&job->stored, job->model, &job->classes, err);
}

/* ---- Preprocessing ---- */

static bool pipeline_is_given(const fv_predict_options *o)
{
    return o->profile >= 0 || o->filter >= 0 || o->rounding >= 0 || o->resize_short || o->crop ||
           o->mean.count || o->std.count;
}

/* As in PaddleClas: 8/7 of the crop, but 320 for the 299 of the Inception family. */
static int usual_resize(int crop) { return crop == 299 ? 320 : (int)lround(crop * 8.0 / 7.0); }

static fv_status make_pipeline(fv_predict_job *job, fv_error *err)
{
    const fv_predict_options *o = job->options;
    fv_pipeline_options p = {
        .profile = o->profile >= 0 ? (fv_profile)o->profile : FV_OPENCV,
        .filter = o->filter >= 0 ? (fv_filter)o->filter : FV_BILINEAR,
        .torchvision = o->rounding == 1,
        .crop = o->crop ? o->crop : job->model->image_size,
    };
    p.resize_short = o->resize_short ? o->resize_short : usual_resize(p.crop);
    const fv_floats *mean = o->mean.count ? &o->mean : &imagenet_mean;
    const fv_floats *std = o->std.count ? &o->std : &imagenet_std;
    for (int c = 0; c < 3; c++) {
        p.mean[c] = (float)mean->values[c];
        p.std[c] = (float)std->values[c];
    }
    return fv_pipeline_create_eval(&job->pipeline, &p, err);
}

/* Of DataLoader.Eval of the configuration that the checkpoint was trained with. */
static fv_status restore_pipeline(fv_predict_job *job, fv_error *err)
{
    FV_TRY(fv_config_parse(&job->stored_config, job->stored.path, job->stored.config, err));
    fv_config_node *node = fv_config_root(job->stored_config);
    static const char *const path[] = { "DataLoader", "Eval", "dataset", "transform_ops" };
    for (size_t i = 0; i < FV_ARRAY_LEN(path) && node; i++)
        node = fv_config_node_type(node) == FV_CONFIG_MAP ? fv_config_child(node, path[i]) : NULL;
    return node ? fv_pipeline_create(&job->pipeline, node, "DataLoader.Eval", err) : FV_OK;
}

static fv_status find_pipeline(fv_predict_job *job, fv_error *err)
{
    const char *source = "the options of the command line";
    if (pipeline_is_given(job->options)) {
        FV_TRY(make_pipeline(job, err));
    } else if (job->settings.infer.transforms) {
        FV_TRY(fv_pipeline_create(&job->pipeline, job->settings.infer.transforms, "Infer", err));
        source = "Infer.transforms";
    } else if (job->stored.config) {
        FV_TRY(restore_pipeline(job, err));
        source = "the checkpoint";
    }
    if (!job->pipeline) {
        FV_TRY(make_pipeline(job, err));
        source = "the usual of ImageNet";
    }
    char *text = fv_pipeline_describe(job->pipeline);
    fprintf(stderr, "%s with %s, %d classes\npreprocessing: %s (%s)\n", job->model->name,
            job->stored.path, job->classes, text ? text : "", source);
    fv_free(text);
    return FV_OK;
}

/* ---- Names and pictures ---- */

static fv_status find_labels(fv_predict_job *job, fv_error *err)
{
    const char *path = job->options->labels;
    if (!path) path = job->settings.infer.class_id_map_file;
    if (path) return fv_labels_load(&job->labels, path, job->classes, err);
    if (!job->stored.class_names) return FV_OK;
    return fv_labels_split(&job->labels, job->stored.class_names, job->classes, err);
}

static fv_status find_pictures(fv_predict_job *job, fv_error *err)
{
    const fv_arguments *a = &job->arguments;
    const fv_infer_settings *infer = &job->settings.infer;
    const char *root = job->options->root ? job->options->root : "";
    for (int i = 0; i < a->operand_count; i++)
        FV_TRY(fv_pictures_add(&job->pictures, a->operands[i], root, err));
    if (a->operand_count) return FV_OK;
    if (infer->infer_list)
        return fv_pictures_add_list(&job->pictures, infer->infer_list,
                                    infer->infer_imgs ? infer->infer_imgs : root, err);
    if (infer->infer_imgs) return fv_pictures_add(&job->pictures, infer->infer_imgs, root, err);
    return fv_fail(err, FV_ERR_CONFIG,
                   "which pictures? Name files, folders or lists, or set Infer.infer_imgs");
}

/* As in PaddleClas, Infer.save_dir is no folder: it names the JSON file; ".json" may be left
 * out. */
static fv_status find_json(fv_predict_job *job, fv_error *err)
{
    const char *path = job->settings.infer.save_dir;
    if (job->arguments.json || !path) return FV_OK;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    const bool whole = length > 5 && strncmp(path + length - 5, ".json", 5) == 0;
    if (length + sizeof(".json") > sizeof(job->json))
        return fv_fail(err, FV_ERR_CONFIG, "Infer.save_dir: the path is too long");
    snprintf(job->json, sizeof(job->json), "%.*s%s", (int)length, path, whole ? "" : ".json");
    job->arguments.json = job->json;
    return FV_OK;
}

fv_status fv_predict_prepare(fv_predict_job *job, const fv_arguments *arguments, fv_error *err)
{
    *job = (fv_predict_job){ .arguments = *arguments, .options = arguments->options };
    fv_pictures_init(&job->pictures);
    if (arguments->config) {
        FV_TRY(fv_arguments_config(arguments, &job->config, err));
        FV_TRY(fv_settings_read(&job->settings, job->config, err));
    } else if (arguments->override_count) {
        return fv_fail(err, FV_ERR_CONFIG, "-o: overrides a configuration, but none is given: -c");
    }
    FV_TRY(find_json(job, err));
    FV_TRY(find_weights(job, err));
    FV_TRY(find_pictures(job, err));
    FV_TRY(find_labels(job, err));
    return find_pipeline(job, err);
}

void fv_predict_release(fv_predict_job *job)
{
    fv_pictures_deinit(&job->pictures);
    fv_labels_deinit(&job->labels);
    fv_pipeline_destroy(job->pipeline);
    fv_stored_close(&job->stored);
    fv_config_destroy(job->stored_config);
    fv_config_destroy(job->config);
}
