/* SPDX-License-Identifier: Apache-2.0 */
/* fovea convert: weights from one file format to another, checked against their model. */
#include "base/memory.h"
#include "cli/advice.h"
#include "cli/command.h"
#include "eval/classifier.h"

#include <jansson.h>
#include <string.h>

enum { SHOWN_NAMES = 20, USUAL_CLASSES = 1000 };

typedef struct convert_options {
    const char *model;
} convert_options;

/* clang-format off */
static const fv_option options[] = {
    { "model", FV_OPTION_TEXT, offsetof(convert_options, model), .value = "NAME",
      .help = "the model that the weights are of (default: what IN says itself)" },
    { .name = NULL },
};
/* clang-format on */

/* Some names, borrowed. */
typedef struct name_list {
    const char **names;
    int count;
} name_list;

typedef struct job {
    fv_stored in;
    const char *out;
    const fv_model *model;     /* NULL: not known, all tensors are copied as they are */
    fv_classifier *classifier; /* of the model, for its parameters */
    int *chosen;               /* tensors of `in` that are written, in the order of the model */
    int chosen_count;
    name_list missing, reshaped, unexpected;
} job;

/* ---- Choosing the tensors ---- */

static fv_status choose_model(job *j, const char *name, fv_error *err)
{
    if (name) return fv_command_model(name, &j->model, err);
    const char *said = fv_tensors_meta(j->in.file, "arch");
    if (!said) said = fv_tensors_meta(j->in.file, "model");
    j->model = said ? fv_model_find(said) : NULL;
    return FV_OK;
}

/* With as many classes as the file has; a file without a head lacks it, whatever its size. */
static fv_status create_model(job *j, fv_error *err)
{
    fv_error ignored;
    const int side = j->model->image_size;
    fv_classifier_options o = { .model = j->model, .height = side, .width = side };
    if (fv_stored_classes(&j->in, j->model, &o.classes, &ignored) != FV_OK)
        o.classes = USUAL_CLASSES;
    return fv_classifier_create(&j->classifier, &o, err);
}

static bool allocate(job *j)
{
    const size_t tensors = (size_t)fv_tensors_count(j->in.file);
    const size_t params =
        j->classifier ? (size_t)fv_params_count(fv_classifier_params(j->classifier)) : 0;
    j->chosen = fv_alloc(tensors * sizeof(*j->chosen));
    j->missing.names = fv_alloc(params * sizeof(*j->missing.names));
    j->reshaped.names = fv_alloc(params * sizeof(*j->reshaped.names));
    j->unexpected.names = fv_alloc(tensors * sizeof(*j->unexpected.names));
    return j->chosen && j->missing.names && j->reshaped.names && j->unexpected.names;
}

static void deinit(job *j)
{
    fv_free(j->chosen);
    fv_free(j->missing.names);
    fv_free(j->reshaped.names);
    fv_free(j->unexpected.names);
    fv_classifier_destroy(j->classifier);
    fv_stored_close(&j->in);
}

static bool same_shape(const fv_tensor_info *info, const fv_param *p)
{
    bool same = info->rank == p->rank;
    for (int d = 0; same && d < p->rank; d++) same = info->dims[d] == p->dims[d];
    return same;
}

static void match(job *j)
{
    const fv_params *params = fv_classifier_params(j->classifier);
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        const int tensor = fv_tensors_find(j->in.file, p->name);
        if (tensor < 0) {
            j->missing.names[j->missing.count++] = p->name;
            continue;
        }
        const fv_tensor_info info = fv_tensors_at(j->in.file, tensor);
        if (same_shape(&info, p))
            j->chosen[j->chosen_count++] = tensor;
        else
            j->reshaped.names[j->reshaped.count++] = p->name;
    }
    for (int i = 0; i < fv_tensors_count(j->in.file); i++) {
        const char *name = fv_tensors_at(j->in.file, i).name;
        if (!fv_params_find(params, name)) j->unexpected.names[j->unexpected.count++] = name;
    }
}

static fv_status choose(job *j, const char *model, fv_error *err)
{
    FV_TRY(choose_model(j, model, err));
    if (j->model) {
        FV_TRY(fv_tensors_adopt(j->in.file, j->model->name, err));
        FV_TRY(create_model(j, err));
    }
    if (!allocate(j)) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", j->in.path);
    if (j->model) {
        match(j);
        return FV_OK;
    }
    for (int i = 0; i < fv_tensors_count(j->in.file); i++) j->chosen[j->chosen_count++] = i;
    return FV_OK;
}

/* ---- Writing ---- */

/* Reads the chosen tensors into `values`, one after the other. */
static fv_status read_chosen(const job *j, fv_tensor_values *tensors, float *values, fv_error *err)
{
    for (int i = 0; i < j->chosen_count; i++) {
        tensors[i] = (fv_tensor_values){ fv_tensors_at(j->in.file, j->chosen[i]), values };
        FV_TRY(fv_tensors_read(j->in.file, j->chosen[i], values, err));
        values += tensors[i].info.count;
    }
    return FV_OK;
}

/* All that the file says in words goes along, and the name of the model. */
static int collect_meta(const job *j, fv_meta *meta)
{
    int count = 0;
    for (int i = 0; i < fv_tensors_meta_count(j->in.file); i++) {
        const fv_meta m = fv_tensors_meta_at(j->in.file, i);
        if (!j->model || strcmp(m.key, "arch") != 0) meta[count++] = m;
    }
    if (j->model) meta[count++] = (fv_meta){ "arch", j->model->name };
    return count;
}

static fv_status write_chosen(const job *j, fv_error *err)
{
    size_t floats = 0;
    for (int i = 0; i < j->chosen_count; i++)
        floats += fv_tensors_at(j->in.file, j->chosen[i]).count;
    float *values = fv_alloc(floats * sizeof(float));
    fv_tensor_values *tensors = fv_alloc((size_t)j->chosen_count * sizeof(*tensors));
    fv_meta *meta = fv_alloc((size_t)(fv_tensors_meta_count(j->in.file) + 1) * sizeof(*meta));
    fv_status status = FV_OK;
    if (!values || !tensors || !meta)
        status = fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for %zu values", j->in.path, floats);
    if (status == FV_OK) status = read_chosen(j, tensors, values, err);
    if (status == FV_OK)
        status =
            fv_tensors_save(j->out, tensors, j->chosen_count, meta, collect_meta(j, meta), err);
    fv_free(meta);
    fv_free(tensors);
    fv_free(values);
    return status;
}

/* ---- Telling ---- */

static void print_names(FILE *out, const char *what, const name_list *list)
{
    for (int i = 0; i < list->count && i < SHOWN_NAMES; i++)
        fprintf(out, "  %s: %s\n", what, list->names[i]);
    if (list->count > SHOWN_NAMES)
        fprintf(out, "  %s: and %d more\n", what, list->count - SHOWN_NAMES);
}

static void print_matching(FILE *out, const job *j)
{
    if (!j->model) {
        fprintf(
            out,
            "%d tensors, not checked: nothing says which model they are of (--model NAME would)\n",
            j->chosen_count);
        return;
    }
    fprintf(out, "%s: %d matched, %d missing, %d unexpected, %d of another shape\n", j->model->name,
            j->chosen_count, j->missing.count, j->unexpected.count, j->reshaped.count);
    print_names(out, "missing", &j->missing);
    print_names(out, "unexpected, left out", &j->unexpected);
    print_names(out, "of another shape", &j->reshaped);
}

static json_t *names_json(const name_list *list)
{
    json_t *array = json_array();
    for (int i = 0; i < list->count; i++) json_array_append_new(array, json_string(list->names[i]));
    return array;
}

static json_t *to_json(const job *j)
{
    return json_pack("{s:s?, s:i, s:o, s:o, s:o}", "model", j->model ? j->model->name : NULL,
                     "matched", j->chosen_count, "missing", names_json(&j->missing), "unexpected",
                     names_json(&j->unexpected), "reshaped", names_json(&j->reshaped));
}

/* ---- The command ---- */

static fv_status convert(job *j, const fv_arguments *arguments, fv_error *err)
{
    const convert_options *o = arguments->options;
    FILE *out = fv_output(arguments);
    FV_TRY(choose(j, o->model, err));
    print_matching(out, j);

    fv_status status = FV_OK;
    const bool unfit = j->model && (j->missing.count || j->reshaped.count);
    if (unfit)
        status = fv_fail(err, FV_ERR_SHAPE,
                         "%s: not all of %s: %d missing, %d of another shape; nothing was written",
                         j->in.path, j->model->name, j->missing.count, j->reshaped.count);
    else
        status = write_chosen(j, err);
    if (status == FV_OK) {
        fprintf(out, "%s: %d tensors written\n", j->out, j->chosen_count);
        fv_advise("next: train, eval and predict read it: -o Global.pretrained_model=%s, or "
                  "--weights %s",
                  j->out, j->out);
    }
    if (status != FV_OK && !unfit) return status;
    FV_TRY(fv_json_write(arguments, to_json(j), err));
    return status;
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    job j = { .out = arguments->operands[1] };
    FV_TRY(fv_stored_open(&j.in, arguments->operands[0], err));
    const fv_status status = convert(&j, arguments, err);
    deinit(&j);
    return status;
}

const fv_command fv_command_convert = {
    .name = "convert",
    .help = "weights from one file format to another",
    .usage = "IN OUT [OPTIONS]",
    .details =
        "The format of IN is told by its content: .h5, .safetensors, PaddlePaddle's .pdparams or\n"
        "PyTorch's .pth, with the names of PaddleClas; of timm or torchvision for MobileNetV2,\n"
        "InceptionV3, Res2Net and DLA. That of OUT is told by its extension: .h5, .safetensors,\n"
        "or .pdparams for PaddleClas. Every tensor of the model must be in IN, in its shape;\n"
        "tensors that the model does not have are named and left out. Of a checkpoint the weights\n"
        "are taken, and what it says in words: the model, the classes, the preprocessing, for\n"
        "which .pdparams has no place.",
    .options = options,
    .options_bytes = sizeof(convert_options),
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};
