/* SPDX-License-Identifier: Apache-2.0 */
/* fovea info: what a model consists of, and what it needs. */
#include "base/cpu.h"
#include "cli/advice.h"
#include "cli/command.h"
#include "eval/classifier.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

typedef struct info_options {
    int classes, batch;
    fv_size size;
} info_options;

/* clang-format off */
static const fv_option options[] = {
    { "classes", FV_OPTION_INT, offsetof(info_options, classes), 1000, 1, 1000000, .value = "N",
      .help = "number of classes" },
    { "size", FV_OPTION_SIZE, offsetof(info_options, size), 0, 1, 16384, .value = "HxW",
      .help = "size of the images in pixels (default: the model's own)" },
    { "batch", FV_OPTION_INT, offsetof(info_options, batch), 1, 1, 65536, .value = "N",
      .help = "images per batch, for the memory figures" },
    { .name = NULL },
};
/* clang-format on */

/* A model, captured as it is trained and as it is evaluated. */
typedef struct subject {
    fv_classifier_options options;
    fv_shape images;
    fv_kernels kernels;
    fv_params *params;
} subject;

/* What the plan of one mode needs. */
typedef struct memory {
    size_t planned, apart, copied; /* bytes */
} memory;

/* ---- The table of layers ---- */

typedef struct totals {
    uint64_t macs;
    int scope_width;
} totals;

static totals add_up(const fv_graph *g)
{
    totals t = { .scope_width = 5 };
    for (int i = 0; i < fv_graph_node_count(g); i++) {
        const fv_node_info n = fv_graph_node_info(g, i);
        t.macs += n.macs;
        t.scope_width = fv_max(t.scope_width, (int)strlen(n.scope));
    }
    return t;
}

static void print_layers(FILE *out, const fv_graph *g, const totals *t)
{
    fprintf(out, "%-*s  %-16s %18s %12s %16s\n", t->scope_width, "layer", "operator",
            "height width chan.", "parameters", "multiply-adds");
    for (int i = 0; i < fv_graph_node_count(g); i++) {
        const fv_node_info n = fv_graph_node_info(g, i);
        fprintf(out, "%-*s  %-16s %6d %5d %5d", t->scope_width, n.scope, n.op, n.out.h, n.out.w,
                n.out.c);
        if (n.params || n.macs) fprintf(out, " %12zu", n.params);
        if (n.macs) fprintf(out, " %16llu", (unsigned long long)n.macs);
        fputc('\n', out);
    }
}

/* ---- Memory ---- */

static fv_status measure(subject *s, fv_mode mode, memory *out, fv_error *err)
{
    fv_program *program = NULL;
    fv_plan *plan;
    const fv_bindings *bindings;
    FV_TRY(fv_program_create(&program, s->params, &s->kernels, fv_classifier_build, &s->options, 0,
                             err));
    const fv_status status = fv_program_plan(program, mode, s->images, &plan, &bindings, err);
    if (status == FV_OK)
        *out =
            (memory){ fv_plan_bytes(plan), fv_plan_bytes_apart(plan), fv_plan_bytes_copied(plan) };
    fv_program_destroy(program);
    return status;
}

static void print_memory(FILE *out, const char *name, const memory *m)
{
    fprintf(out, "%-10s %9.1f MiB, %9.1f MiB without sharing, %.1f MiB copied by concatenations\n",
            name, (double)m->planned / 0x1p20, (double)m->apart / 0x1p20,
            (double)m->copied / 0x1p20);
}

/* ---- JSON ---- */

static json_t *tensors_json(const fv_params *params)
{
    json_t *list = json_array();
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        json_t *shape = json_array();
        for (int d = 0; d < p->rank; d++) json_array_append_new(shape, json_integer(p->dims[d]));
        json_array_append_new(list, json_pack("{s:s, s:o, s:b}", "name", p->name, "shape", shape,
                                              "trainable", (int)p->trained));
    }
    return list;
}

static json_t *memory_json(const memory *m)
{
    return json_pack("{s:I, s:I, s:I}", "planned", (json_int_t)m->planned, "apart",
                     (json_int_t)m->apart, "copied", (json_int_t)m->copied);
}

static json_t *to_json(const subject *s, const totals *t, const memory memories[2])
{
    return json_pack("{s:s, s:s, s:i, s:I, s:I, s:[i,i], s:i, s:o, s:{s:o, s:o}}", "model",
                     s->options.model->name, "paper", s->options.model->paper, "classes",
                     s->options.classes, "params", (json_int_t)fv_params_trained_floats(s->params),
                     "macs", (json_int_t)t->macs, "input", s->images.h, s->images.w, "batch",
                     s->images.n, "tensors", tensors_json(s->params), "memory_bytes", "inference",
                     memory_json(&memories[FV_EVAL]), "training", memory_json(&memories[FV_TRAIN]));
}

/* ---- The command ---- */

static fv_status report(subject *s, const fv_graph *graph, const fv_arguments *arguments,
                        fv_error *err)
{
    memory memories[2];
    FV_TRY(measure(s, FV_EVAL, &memories[FV_EVAL], err));
    FV_TRY(measure(s, FV_TRAIN, &memories[FV_TRAIN], err));

    FILE *out = fv_output(arguments);
    const totals t = add_up(graph);
    print_layers(out, graph, &t);
    fprintf(out, "\n%s (%s), images of %d x %d, %d classes\n", s->options.model->name,
            s->options.model->paper, s->images.h, s->images.w, s->options.classes);
    fprintf(out, "%zu parameters in %d tensors, %.4f G multiply-adds per image\n",
            fv_params_trained_floats(s->params), fv_params_count(s->params), (double)t.macs / 1e9);
    fprintf(out, "memory for activations, batch of %d:\n", s->images.n);
    print_memory(out, "inference", &memories[FV_EVAL]);
    print_memory(out, "training", &memories[FV_TRAIN]);
    fv_advise("next: \"%s bench %s\" measures how fast it is here", arguments->program,
              s->options.model->name);
    return fv_json_write(arguments, to_json(s, &t, memories), err);
}

static fv_status describe(subject *s, const fv_arguments *arguments, fv_error *err)
{
    fv_graph *graph = NULL;
    fv_bindings bindings = { .images = NULL };
    fv_shape one = s->images;
    one.n = 1;

    fv_kernels_init(&s->kernels, fv_cpu_detect());
    fv_status status = fv_params_create(&s->params, 0, err);
    if (status == FV_OK) status = fv_graph_create(&graph, s->params, FV_EVAL, err);
    if (status == FV_OK) {
        fv_classifier_build(graph, one, &s->options, &bindings);
        status = fv_graph_check(graph, err);
    }
    if (status == FV_OK) status = report(s, graph, arguments, err);
    fv_graph_destroy(graph);
    fv_params_destroy(s->params);
    return status;
}

static fv_status list_models(const fv_arguments *arguments, fv_error *err)
{
    FILE *out = fv_output(arguments);
    json_t *list = json_array();
    fprintf(out, "%-22s %5s  paper\n", "model", "size");
    for (int i = 0; fv_model_at(i); i++) {
        const fv_model *m = fv_model_at(i);
        fprintf(out, "%-22s %5d  %s\n", m->name, m->image_size, m->paper);
        json_array_append_new(list, json_pack("{s:s, s:[i,i], s:s}", "model", m->name, "input",
                                              m->image_size, m->image_size, "paper", m->paper));
    }
    fv_advise("these models are there, each with the side of the pictures it was made for; next: "
              "\"%s info MODEL\" shows what one is made of",
              arguments->program);
    return fv_json_write(arguments, list, err);
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    const info_options *o = arguments->options;
    if (arguments->operand_count == 0) return list_models(arguments, err);

    subject s = { .options = { .classes = o->classes } };
    FV_TRY(fv_command_model(arguments->operands[0], &s.options.model, err));
    const int side = s.options.model->image_size;
    s.images = (fv_shape){ .n = o->batch,
                           .h = o->size.height ? o->size.height : side,
                           .w = o->size.width ? o->size.width : side,
                           .c = 3 };
    return describe(&s, arguments, err);
}

const fv_command fv_command_info = {
    .name = "info",
    .help = "layers, parameters and memory of a model; or which models there are",
    .usage = "[MODEL] [OPTIONS]",
    .options = options,
    .options_bytes = sizeof(info_options),
    .operands_max = 1,
    .run = run,
};
