/* SPDX-License-Identifier: Apache-2.0 */
/* fovea bench: how fast a model is on this machine, with made-up images. */
#include "cli/bench.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "cli/advice.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/timing.h"
#include "eval/classifier.h"
#include "optim/optimizer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct bench_options {
    int mode, batch, steps, warmup, classes;
    fv_size size;
    bool profile;
} bench_options;

static const char *const modes[] = { "infer", "train", NULL };
enum { INFER, TRAIN };

/* clang-format off */
static const fv_option options[] = {
    { "mode", FV_OPTION_CHOICE, offsetof(bench_options, mode), .otherwise_text = "infer", .names = modes, .value = "MODE",
      .help = "what one step is" },
    { "batch", FV_OPTION_INT, offsetof(bench_options, batch), 32, 1, 4096, .value = "N",
      .help = "images per step" },
    { "steps", FV_OPTION_INT, offsetof(bench_options, steps), 0, 1, 1000000, .value = "S",
      .help = "steps that are timed (default: 10; of loader: one epoch)" },
    { "warmup", FV_OPTION_INT, offsetof(bench_options, warmup), 2, 0, 1000, .value = "S",
      .help = "steps before, that are not" },
    { "size", FV_OPTION_SIZE, offsetof(bench_options, size), 0, 1, 16384, .value = "HxW",
      .help = "size of the images in pixels (default: the model's own)" },
    { "classes", FV_OPTION_INT, offsetof(bench_options, classes), 1000, 1, 1000000, .value = "N",
      .help = "number of classes" },
    { "profile", FV_OPTION_FLAG, offsetof(bench_options, profile),
      .help = "time of each fused operator beside the roofline" },
    { .name = NULL },
};
/* clang-format on */

typedef struct bench {
    const bench_options *options;
    int steps; /* that are timed */
    fv_classifier_options subject;
    fv_shape images;
    fv_kernels kernels;
    fv_params *params;
    fv_program *program;
    fv_config *config; /* of the optimiser */
    fv_optimizer *optimizer;
    float *input, *targets;
    double *seconds; /* [max(steps, warmup)] */
    uint64_t macs;   /* of one image, forward */
    double rss_mib;  /* peak, after the steps */
    fv_timing timing;
} bench;

/* ---- The computation ---- */

/* Multiply-adds of the graph before fusion; makes the parameters on the way. */
static fv_status count_macs(bench *b, fv_error *err)
{
    fv_graph *g = NULL;
    fv_bindings bindings = { .images = NULL };
    FV_TRY(fv_graph_create(&g, b->params, FV_EVAL, err));
    fv_classifier_build(g, (fv_shape){ 1, b->images.h, b->images.w, 3 }, &b->subject, &bindings);
    const fv_status status = fv_graph_check(g, err);
    for (int i = 0; status == FV_OK && i < fv_graph_node_count(g); i++)
        b->macs += fv_graph_node_info(g, i).macs;
    fv_graph_destroy(g);
    return status;
}

static fv_status create_optimizer(bench *b, fv_error *err)
{
    static const char settings[] = "{name: Momentum, momentum: 0.9, "
                                   "regularizer: {name: L2, coeff: 0.00004}}";
    FV_TRY(fv_config_parse(&b->config, "bench", settings, err));
    return fv_optimizer_create(&b->optimizer, fv_config_root(b->config), b->params, &b->kernels,
                               err);
}

static fv_status make_input(bench *b, fv_error *err)
{
    const size_t floats = fv_shape_floats(b->images), n = (size_t)b->images.n;
    b->input = fv_alloc(floats * sizeof(*b->input));
    b->targets = fv_alloc(n * sizeof(*b->targets));
    b->seconds = fv_alloc((size_t)fv_max(b->steps, b->options->warmup) * sizeof(*b->seconds));
    if (!b->input || !b->targets || !b->seconds)
        return fv_fail(err, FV_ERR_NOMEM, "no memory for a batch of %d images of %dx%d",
                       b->images.n, b->images.h, b->images.w);
    fv_random r = fv_random_stream(0, FV_RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < floats; i++) b->input[i] = fv_random_uniform(&r, -2.0f, 2.0f);
    for (size_t i = 0; i < n; i++)
        b->targets[i] = (float)fv_random_int(&r, 0, b->options->classes - 1);
    return FV_OK;
}

static fv_status create(bench *b, fv_error *err)
{
    fv_kernels_init(&b->kernels, fv_cpu_detect());
    FV_TRY(make_input(b, err));
    FV_TRY(fv_params_create(&b->params, 0, err));
    FV_TRY(count_macs(b, err));
    if (b->options->mode == TRAIN) FV_TRY(create_optimizer(b, err));
    return fv_program_create(&b->program, b->params, &b->kernels, fv_classifier_build, &b->subject,
                             0, err);
}

static void destroy(bench *b)
{
    fv_timing_deinit(&b->timing);
    fv_program_destroy(b->program);
    fv_optimizer_destroy(b->optimizer);
    fv_config_destroy(b->config);
    fv_params_destroy(b->params);
    fv_free(b->input);
    fv_free(b->targets);
    fv_free(b->seconds);
}

/* ---- Timing ---- */

static void step(bench *b, fv_plan *plan, uint64_t number)
{
    fv_plan_set_step(plan, number);
    fv_plan_forward(plan);
    if (b->options->mode == INFER) return;
    fv_plan_backward(plan, false);
    fv_optimizer_step(b->optimizer, 1e-4,
                      1); /* small: made-up labels must not lead to infinities */
}

static void time_steps(bench *b, fv_plan *plan, int steps)
{
    for (int i = 0; i < steps; i++) {
        const double start = fv_clock_seconds();
        step(b, plan, (uint64_t)i);
        b->seconds[i] = fv_clock_seconds() - start;
    }
}

static int by_value(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median(double *seconds, int count)
{
    qsort(seconds, (size_t)count, sizeof(*seconds), by_value);
    return (seconds[(count - 1) / 2] + seconds[count / 2]) / 2.0;
}

static double peak_rss_mib(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss / 1024.0 : 0.0;
}

/* What the rate means, for a data set whose size everybody knows. */
static void advise(const bench *b, double rate, const fv_arguments *arguments)
{
    char time[48];
    const bool trains = b->options->mode == TRAIN;
    fv_progress_time(time, sizeof(time), (trains ? 1281167.0 : 50000.0) / rate);
    fv_advise("at this rate %s take %s",
              trains ? "the 1,281,167 pictures of an epoch of ImageNet"
                     : "the 50,000 pictures to validate ImageNet",
              time);
    if (!b->options->profile)
        fv_advise(
            "next: --profile shows which layers take the time; \"%s bench loader -c CONFIG\", "
            "whether pictures can be read as fast",
            arguments->program);
}

static fv_status report(bench *b, const fv_arguments *arguments, fv_error *err)
{
    const bench_options *o = b->options;
    const double middle = median(b->seconds, b->steps), least = b->seconds[0];
    const double rate = (double)o->batch / middle;
    /* A multiply-add is two operations; backward is two products of the size of forward. */
    const double gflops = 2e-9 * (double)b->macs * rate * (o->mode == TRAIN ? 3.0 : 1.0);
    const double arena = (double)fv_program_bytes(b->program) / 0x1p20;

    fprintf(fv_output(arguments),
            "%s, %s, batch %d of %d x %d, %d thread%s: %.2f images/s, %.1f ms a step (median of "
            "%d, least %.1f), %.1f GFLOP/s, arena %.1f MiB, peak memory %.1f MiB\n",
            b->subject.model->name, modes[o->mode], o->batch, b->images.h, b->images.w,
            fv_threads_count(), fv_threads_count() == 1 ? "" : "s", rate, 1e3 * middle, b->steps,
            1e3 * least, gflops, arena, b->rss_mib);
    advise(b, rate, arguments);
    json_t *json =
        json_pack("{s:s, s:s, s:i, s:[i,i], s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "model",
                  b->subject.model->name, "mode", modes[o->mode], "batch", o->batch, "input",
                  b->images.h, b->images.w, "threads", fv_threads_count(), "steps", b->steps,
                  "images_per_second", rate, "ms_median", 1e3 * middle, "ms_min", 1e3 * least,
                  "peak_rss_mb", b->rss_mib, "arena_mb", arena, "gflops_per_second", gflops);
    if (json && o->profile &&
        json_object_set_new(json, "profile", fv_timing_json(&b->timing)) != 0) {
        json_decref(json);
        json = NULL;
    }
    return fv_json_write(arguments, json, err);
}

/* After the steps, since measuring the roofline takes memory of its own. */
static fv_status end_profile(bench *b, FILE *out, fv_error *err)
{
    fv_roofline roofline;
    double sum = 0.0;
    for (int i = 0; i < b->steps; i++) sum += b->seconds[i];
    FV_TRY(fv_roofline_measure(&roofline, b->kernels.cpu, err));
    fv_timing_end(&b->timing, &roofline, b->steps, sum / b->steps);
    fv_timing_print(out, &b->timing);
    return FV_OK;
}

static fv_status measure(bench *b, const fv_arguments *arguments, fv_error *err)
{
    fv_plan *plan;
    const fv_bindings *bindings;
    const fv_mode mode = b->options->mode == TRAIN ? FV_TRAIN : FV_EVAL;
    FV_TRY(fv_program_plan(b->program, mode, b->images, &plan, &bindings, err));
    fv_plan_feed(plan, bindings->images, b->input);
    if (bindings->targets) fv_plan_feed(plan, bindings->targets, b->targets);

    time_steps(b, plan, b->options->warmup);
    if (b->options->profile) FV_TRY(fv_timing_begin(&b->timing, plan, err));
    time_steps(b, plan, b->steps);
    b->rss_mib = peak_rss_mib();
    if (b->options->profile) FV_TRY(end_profile(b, fv_output(arguments), err));
    return report(b, arguments, err);
}

static fv_status run(const fv_arguments *arguments, fv_error *err)
{
    const bench_options *o = arguments->options;
    const char *name = arguments->operands[0];
    if (strcmp(name, "loader") == 0) return fv_bench_loader(arguments, o->steps, err);
    if (arguments->config)
        return fv_fail(err, FV_ERR_CONFIG, "-c: only \"fovea bench loader\" reads a configuration");

    bench b = { .options = o,
                .steps = o->steps ? o->steps : 10,
                .subject = { .classes = o->classes } };
    const fv_model *model;
    FV_TRY(fv_command_model(name, &model, err));
    b.images = (fv_shape){ .n = o->batch,
                           .h = o->size.height ? o->size.height : model->image_size,
                           .w = o->size.width ? o->size.width : model->image_size,
                           .c = 3 };
    b.subject.model = model;
    fv_status status = create(&b, err);
    if (status == FV_OK) status = measure(&b, arguments, err);
    destroy(&b);
    return status;
}

const fv_command fv_command_bench = {
    .name = "bench",
    .help = "speed of a model on made-up images, or of a loader",
    .usage = "MODEL|loader [-c FILE] [OPTIONS]",
    .details = "With MODEL: forward passes (infer), or forward, loss, backward and update\n"
               "(train), of made-up images. GFLOP/s count a multiply-add of convolutions and\n"
               "linear layers as two, and a training step as three forward passes. Sizes of\n"
               "memory are in MiB.\n"
               "\n"
               "With --profile, a table of the passes of the fused operators, those first that\n"
               "lose most time against the roofline: the time that they would need at the\n"
               "measured peak of multiply-adds or the measured bandwidth of memory, whichever\n"
               "is longer. The 30 first are shown; --json has all.\n"
               "  GFLOP/s  two for each direct multiply-add; a convolution backward makes one\n"
               "           product for each gradient that is wanted. Winograd needs fewer than\n"
               "           these, so it may exceed the peak.\n"
               "  GB/s     of what must be touched at least: inputs, output, weights and what\n"
               "           backward needs, each read or written once. A lower bound; data that\n"
               "           caches hold may exceed the bandwidth.\n"
               "  lost ms  time beyond the roofline; negative where caches or Winograd beat it\n"
               "Where pictures are evaluated apart, one in each thread, times are the mean over\n"
               "the threads. All figures are of one step, that is of the whole batch.\n"
               "\n"
               "With loader: reads the pictures of DataLoader.Train of the configuration; no\n"
               "model.",
    .options = options,
    .options_bytes = sizeof(bench_options),
    .operands_min = 1,
    .operands_max = 1,
    .takes_config = true,
    .computes = true,
    .run = run,
};
