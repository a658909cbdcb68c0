/* SPDX-License-Identifier: Apache-2.0 */
/* conformance FILE.tsv... [--atol x] [--rtol y] - does a model compute what its golden file says?
 *
 * Weights, images and labels come from a formula over tensor names; the golden file lists logits,
 * losses, gradients and statistics computed from them in float64. Four runs are made:
 *
 *   evaluation   2 images, running statistics
 *   training     4 images: loss, gradients, statistics, the loss after one update of rate lr
 *   gentle       from the start again: two updates of rate lr_small with momentum
 *   frozen       2 images, gradients with the running statistics as constants
 *
 * One line per golden: "PASS name error", "FAIL name what expected got" or "SKIP name why". The
 * tolerances follow the float32 deviations that the file itself states (its `dev` records); --atol
 * and --rtol replace them all by |got - expected| <= atol + rtol * |expected|. Exit status 1 on
 * any FAIL, 2 on bad usage.
 */
#include "autograd/ops.h"
#include "autograd/program.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/threads.h"
#include "models/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 8, EVAL_BATCH = 2, TRAIN_BATCH = 4 };

typedef struct golden {
    char *fields[MAX_FIELDS]; /* of one line, split at tabs */
    int count;
} golden;

typedef struct file {
    const char *path;
    golden *lines;
    int count;
} file;

typedef struct run {
    file file;
    const fv_model *model;
    fv_model_options options;
    fv_kernels kernels;
    fv_params *params;
    int size;
    float *images, *labels; /* of TRAIN_BATCH images, NHWC */
    float *velocity;        /* one for each trained float, in order */
    double atol, rtol;      /* negative: by the file */
    int failed, passed, skipped;
    fv_error err;
} run;

/* ---- The formula ----------------------------------------------------------------- */

static uint64_t fnv1a(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return h;
}

static uint64_t z_of(uint64_t name, uint64_t i)
{
    uint64_t x = name + i + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static double u_of(uint64_t name, uint64_t i)
{
    return (double)(z_of(name, i) >> 40) / 8388608.0 - 1.0;
}

static void fill_param(fv_param *p, double g)
{
    const uint64_t name = fnv1a(p->name);
    double offset = 0.0, factor = 0.1;
    switch (p->role) {
    case FV_CONV_WEIGHT:
        factor = sqrt(3.0 * g / (double)(p->dims[1] * p->dims[2] * p->dims[3]));
        break;
    case FV_LINEAR_WEIGHT: factor = sqrt(3.0 / (double)p->dims[0]); break;
    case FV_BN_WEIGHT: offset = 1.0; break;
    case FV_BN_VAR: offset = 1.0, factor = 0.5; break;
    case FV_BIAS:
    case FV_BN_BIAS:
    case FV_BN_MEAN: break;
    }
    for (size_t i = 0; i < p->count; i++) p->value[i] = (float)(offset + factor * u_of(name, i));
}

/* The formula counts (n, c, h, w). */
static void fill_images(const run *r)
{
    const uint64_t name = fnv1a("input"), label = fnv1a("label");
    const int s = r->size;
    for (int n = 0; n < TRAIN_BATCH; n++) {
        r->labels[n] = (float)(z_of(label, (uint64_t)n) % 1000);
        for (int c = 0; c < 3; c++)
            for (int p = 0; p < s * s; p++)
                r->images[((size_t)n * (size_t)(s * s) + (size_t)p) * 3 + (size_t)c] =
                    (float)(2.0 *
                            u_of(name, (uint64_t)(n * 3 + c) * (uint64_t)(s * s) + (uint64_t)p));
    }
}

/* ---- The file --------------------------------------------------------------------- */

static bool split(golden *g, char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
    for (char *field; (field = strsep(&line, "\t"));) {
        if (g->count == MAX_FIELDS) return false;
        g->fields[g->count++] = field;
    }
    return true;
}

static bool read_file(file *f)
{
    FILE *in = fopen(f->path, "r");
    if (!in) return false;
    bool ok = true;
    char *line = NULL;
    size_t room = 0;
    while (ok && getline(&line, &room, in) > 0) {
        golden *more = realloc(f->lines, (size_t)(f->count + 1) * sizeof(*more));
        ok = more != NULL;
        if (!ok) break;
        f->lines = more;
        f->lines[f->count] = (golden){ 0 };
        ok = split(&f->lines[f->count++], line);
        line = NULL; /* the fields point into it */
        room = 0;
    }
    free(line);
    fclose(in);
    return ok && f->count > 0;
}

static void free_file(file *f)
{
    for (int i = 0; i < f->count; i++) free(f->lines[i].fields[0]);
    free(f->lines);
}

static bool is_record(const golden *g, const char *kind, int fields)
{
    return g->count >= fields && strcmp(g->fields[0], kind) == 0;
}

/* Value of a record (kind, key, value), or `otherwise`. */
static double lookup(const file *f, const char *kind, const char *key, double otherwise)
{
    for (int i = 0; i < f->count; i++)
        if (is_record(&f->lines[i], kind, 3) && strcmp(f->lines[i].fields[1], key) == 0)
            return strtod(f->lines[i].fields[2], NULL);
    return otherwise;
}

static double dev(const run *r, const char *key, double otherwise)
{
    return lookup(&r->file, "dev", key, otherwise);
}
static double meta(const run *r, const char *key, double otherwise)
{
    return lookup(&r->file, "meta", key, otherwise);
}

/* ---- Verdicts --------------------------------------------------------------------- */

static void skip(run *r, const char *what, const char *why)
{
    printf("SKIP %s/%s %s\n", r->model->name, what, why);
    r->skipped++;
}

/* `scale` is what the error is relative to, `tolerance` the bound of the relative error. */
static void judge(run *r, const char *what, double expected, double got, double scale,
                  double tolerance)
{
    const double error = fabs(got - expected),
                 bound = r->atol < 0.0 && r->rtol < 0.0
                           ? tolerance * fabs(scale)
                           : fmax(r->atol, 0.0) + fmax(r->rtol, 0.0) * fabs(expected);
    if (error <= bound) {
        printf("PASS %s/%s %.3g\n", r->model->name, what,
               scale != 0.0 ? error / fabs(scale) : error);
        r->passed++;
    } else {
        printf("FAIL %s/%s within %.3g expected %.9g got %.9g\n", r->model->name, what, bound,
               expected, got);
        r->failed++;
    }
}

static double larger(double a, double b) { return a > b ? a : b; }

/* ---- Running ---------------------------------------------------------------------- */

/* Model, then the sum of the cross entropies: the main output counts 1, auxiliary ones 0.3. */
static void build(fv_graph *g, fv_shape images, void *ctx, fv_bindings *out)
{
    const run *r = ctx;
    out->images = fv_input(g, images);
    if (fv_graph_mode(g) == FV_TRAIN) fv_graph_skip_dropout(g);
    out->output_count = r->model->build(g, out->images, r->model, &r->options, out->outputs);
    if (fv_graph_mode(g) == FV_EVAL) return;
    out->targets = fv_input(g, (fv_shape){ images.n, 1, 1, 1 });
    for (int i = 0; i < out->output_count; i++) {
        fv_tensor *loss = fv_cross_entropy(g, out->outputs[i], out->targets, 0.0f);
        out->loss = i == 0 ? loss : fv_add(g, out->loss, fv_scale(g, loss, 0.3f));
    }
}

static void reset(run *r)
{
    for (int i = 0; i < fv_params_count(r->params); i++)
        fill_param(fv_params_at(r->params, i), meta(r, "g", 1.0));
    fv_params_touch(r->params);
}

typedef struct replay {
    fv_plan *plan;
    const fv_bindings *bindings;
} replay;

static bool prepare(run *r, fv_program *program, fv_mode mode, int batch, replay *out)
{
    const fv_shape images = { batch, r->size, r->size, 3 };
    if (fv_program_plan(program, mode, images, &out->plan, &out->bindings, &r->err) != FV_OK)
        return false;
    fv_plan_feed(out->plan, out->bindings->images, r->images);
    if (out->bindings->targets) fv_plan_feed(out->plan, out->bindings->targets, r->labels);
    return true;
}

static double forward(const replay *p)
{
    fv_plan_forward(p->plan);
    return (double)fv_plan_value(p->plan, p->bindings->loss).data[0];
}

/* velocity = momentum * velocity + grad + decay * w; w -= rate * velocity. */
static void update(run *r, double rate, double momentum)
{
    const float decay = (float)meta(r, "weight_decay", 1e-4);
    float *v = r->velocity;
    for (int i = 0; i < fv_params_count(r->params); i++) {
        fv_param *p = fv_params_at(r->params, i);
        for (size_t k = 0; p->trained && k < p->count; k++, v++) {
            *v = (float)momentum * *v + p->grad[k] + decay * p->value[k];
            p->value[k] -= (float)rate * *v;
        }
    }
    fv_params_touch(r->params);
}

static double norm_of(const float *x, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* ---- Comparing -------------------------------------------------------------------- */

static void check_logits(run *r, const replay *p)
{
    const double tolerance = larger(5.0 * dev(r, "logits_rel_out0", 0.0), 2e-5);
    for (int i = 0; i < r->file.count; i++) {
        golden *g = &r->file.lines[i];
        if (!is_record(g, "logits", 4)) continue;
        const int n = atoi(g->fields[1]), o = atoi(g->fields[2]);
        if (n < 0 || n >= EVAL_BATCH || o < 0 || o >= p->bindings->output_count) continue;
        const float *got = fv_pixel(fv_plan_value(p->plan, p->bindings->outputs[o]), n);
        double squares = 0.0, worst = -1.0, worst_expected = 0.0;
        int worst_class = 0, classes = 0;
        char *end = g->fields[3];
        for (; *end && classes < r->options.classes; classes++) {
            const double expected = strtod(end, &end);
            squares += expected * expected;
            const double error = fabs((double)got[classes] - expected);
            if (error <= worst) continue;
            worst = error, worst_class = classes, worst_expected = expected;
        }
        char what[64];
        snprintf(what, sizeof(what), "logits/image%d/output%d/class%d", n, o, worst_class);
        judge(r, what, worst_expected, (double)got[worst_class], sqrt(squares / classes),
              tolerance);
    }
}

static void check_loss(run *r, const char *kind, int step, double got, double from)
{
    char what[32], key[8];
    snprintf(what, sizeof(what), "%s/step%d", kind, step);
    snprintf(key, sizeof(key), "%d", step);
    const double expected = lookup(&r->file, kind, key, (double)NAN);
    if (isnan(expected)) return;
    if (strcmp(kind, "loss_small") == 0) {
        /* What counts is the decrease. */
        const double start = lookup(&r->file, "loss", "0", 0.0);
        const double d =
            larger(dev(r, "decrease_small1_rel", 0.0), dev(r, "decrease_small2_rel", 0.0));
        if (d > 0.1)
            skip(r, what, "float32 noise is too large");
        else
            judge(r, what, start - expected, from - got, start - expected, larger(5.0 * d, 0.01));
        return;
    }
    const double d = step == 0 ? dev(r, "loss0_rel", 0.0) : dev(r, "loss1_rel", 1e-3);
    if (step > 0 && d > 0.05)
        skip(r, what, "float32 noise is too large");
    else
        judge(r, what, expected, got, expected, larger(5.0 * d, 1e-5));
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Norm and first entries of one gradient; returns the relative error of the norm. */
static double check_gradient(run *r, const golden *g, double norm_bound, double entry_bound)
{
    char what[256];
    const fv_param *p = fv_params_find(r->params, g->fields[1]);
    if (!p || !p->grad) {
        printf("FAIL %s/%s/%s tensor expected a gradient, got none\n", r->model->name, g->fields[0],
               g->fields[1]);
        r->failed++;
        return 1.0;
    }
    const double expected = strtod(g->fields[2], NULL), got = norm_of(p->grad, p->count);
    snprintf(what, sizeof(what), "%s/%s/norm", g->fields[0], p->name);
    judge(r, what, expected, got, expected, norm_bound);

    char *end = g->fields[3];
    for (size_t i = 0; entry_bound > 0.0 && i < 4 && i < p->count && *end; i++) {
        const double entry = strtod(end, &end);
        snprintf(what, sizeof(what), "%s/%s/%d", g->fields[0], p->name, (int)i);
        judge(r, what, entry, (double)p->grad[i], expected / sqrt((double)p->count), entry_bound);
    }
    return fabs(got - expected) / expected;
}

static void check_gradients(run *r, const char *kind, double norm_bound, double entry_bound,
                            double median)
{
    double *errors = calloc((size_t)r->file.count, sizeof(*errors));
    int count = 0;
    for (int i = 0; errors && i < r->file.count; i++)
        if (is_record(&r->file.lines[i], kind, 4))
            errors[count++] = check_gradient(r, &r->file.lines[i], norm_bound, entry_bound);
    if (count > 0) {
        char what[32];
        snprintf(what, sizeof(what), "%s/median-of-norms", kind);
        qsort(errors, (size_t)count, sizeof(*errors), ascending);
        judge(r, what, 0.0, errors[count / 2], 1.0, larger(5.0 * median, 1e-5));
        if (entry_bound <= 0.0) skip(r, kind, "first entries: float32 noise is too large");
    }
    free(errors);
}

/* The true gradient is zero: what is left is rounding. */
static void check_zero_gradients(run *r)
{
    for (int i = 0; i < r->file.count; i++) {
        const golden *g = &r->file.lines[i];
        const fv_param *p =
            is_record(g, "gradzero", 4) ? fv_params_find(r->params, g->fields[1]) : NULL;
        if (!p || !p->grad) continue;
        char what[256];
        snprintf(what, sizeof(what), "gradzero/%s", p->name);
        judge(r, what, 0.0, norm_of(p->grad, p->count), strtod(g->fields[3], NULL), 100.0);
    }
}

static void check_statistics(run *r)
{
    const double tolerance = larger(1e-5, 5.0 * dev(r, "stat_rel_max", 0.0));
    for (int i = 0; i < r->file.count; i++) {
        const golden *g = &r->file.lines[i];
        if (!is_record(g, "stat", 3)) continue;
        const fv_param *p = fv_params_find(r->params, g->fields[1]);
        const double expected = strtod(g->fields[2], NULL);
        char what[256];
        snprintf(what, sizeof(what), "stat/%s", g->fields[1]);
        judge(r, what, expected, p ? norm_of(p->value, p->count) : (double)NAN, expected,
              tolerance);
    }
}

static void check_unknown(run *r)
{
    static const char *const known[] = { "meta",   "dropout",  "param",    "logits",
                                         "labels", "loss",     "losspart", "loss_small",
                                         "grad",   "gradzero", "stat",     "stat_biased",
                                         "floss",  "fgrad",    "dev",      "dev64" };
    for (int i = 0; i < r->file.count; i++) {
        const char *kind = r->file.lines[i].fields[0];
        bool found = *kind == '\0' || *kind == '#';
        for (size_t k = 0; k < FV_ARRAY_LEN(known); k++) found |= strcmp(kind, known[k]) == 0;
        if (!found) skip(r, kind, "unknown kind of record");
    }
}

/* Names, shapes and order of all tensors. */
static void check_tensors(run *r)
{
    int n = 0;
    for (int i = 0; i < r->file.count; i++) {
        const golden *g = &r->file.lines[i];
        if (!is_record(g, "param", 4)) continue;
        const fv_param *p = n < fv_params_count(r->params) ? fv_params_at(r->params, n) : NULL;
        char shape[64] = "";
        for (int d = 0, at = 0; p && d < p->rank; d++)
            at +=
                snprintf(shape + at, sizeof(shape) - (size_t)at, "%s%d", d ? "x" : "", p->dims[d]);
        if (!p || strcmp(p->name, g->fields[1]) != 0 || strcmp(shape, g->fields[2]) != 0 ||
            strcmp(fv_role_name(p->role), g->fields[3]) != 0) {
            printf("FAIL %s/param/%d tensor expected %s %s %s got %s %s %s\n", r->model->name, n,
                   g->fields[1], g->fields[2], g->fields[3], p ? p->name : "none", shape,
                   p ? fv_role_name(p->role) : "");
            r->failed++;
            return;
        }
        n++;
    }
    judge(r, "param/count", n, fv_params_count(r->params), 1.0, 0.0);
}

/* ---- The four runs ----------------------------------------------------------------- */

static bool run_eval(run *r, fv_program *program)
{
    replay p;
    reset(r);
    if (!prepare(r, program, FV_EVAL, EVAL_BATCH, &p)) return false;
    fv_plan_forward(p.plan);
    check_logits(r, &p);
    return true;
}

static bool run_training(run *r, fv_program *program)
{
    replay p;
    if (!prepare(r, program, FV_TRAIN, TRAIN_BATCH, &p)) return false;
    reset(r);
    check_loss(r, "loss", 0, forward(&p), 0.0);
    fv_plan_backward(p.plan, false);
    const double entries = dev(r, "grad_first4_over_rms_max", 0.1);
    check_gradients(r, "grad", larger(4.0 * dev(r, "grad_l2_rel_max", 0.0), 1e-3),
                    entries > 0.1 ? 0.0 : 4.0 * entries, dev(r, "grad_l2_rel_median", 1e-3));
    check_zero_gradients(r);
    check_statistics(r);
    update(r, meta(r, "lr", 0.01), 0.0);
    check_loss(r, "loss", 1, forward(&p), 0.0);
    return true;
}

static bool run_gentle(run *r, fv_program *program)
{
    replay p;
    if (!prepare(r, program, FV_TRAIN, TRAIN_BATCH, &p)) return false;
    reset(r);
    memset(r->velocity, 0, fv_params_trained_floats(r->params) * sizeof(float));
    const double start = forward(&p);
    for (int step = 1; step <= 2; step++) {
        fv_plan_backward(p.plan, false);
        update(r, meta(r, "lr_small", 1e-4), meta(r, "momentum", 0.9));
        check_loss(r, "loss_small", step, forward(&p), start);
    }
    return true;
}

/* A program of its own: graphs look at what is frozen when they are captured. */
static bool run_frozen(run *r)
{
    double expected = (double)NAN;
    for (int i = 0; i < r->file.count; i++)
        if (is_record(&r->file.lines[i], "floss", 2))
            expected = strtod(r->file.lines[i].fields[1], NULL);
    if (isnan(expected)) return true;
    for (int i = 0; i < fv_params_count(r->params); i++) {
        fv_param *p = fv_params_at(r->params, i);
        p->frozen = !p->trained;
    }
    fv_program *program = NULL;
    replay p;
    bool ok = fv_program_create(&program, r->params, &r->kernels, build, r, 0, &r->err) == FV_OK;
    ok = ok && prepare(r, program, FV_TRAIN, EVAL_BATCH, &p);
    if (ok) {
        reset(r);
        judge(r, "floss", expected, forward(&p), expected,
              larger(5.0 * dev(r, "floss_rel", 0.0), 1e-5));
        fv_plan_backward(p.plan, false);
        check_gradients(r, "fgrad", larger(5.0 * dev(r, "fgrad_l2_rel_max", 0.0), 1e-4),
                        larger(5.0 * dev(r, "fgrad_first4_over_rms_max", 0.0), 1e-3),
                        dev(r, "fgrad_l2_rel_median", 1e-3));
    }
    fv_program_destroy(program);
    return ok;
}

static bool has_numbers(const file *f)
{
    for (int i = 0; i < f->count; i++)
        if (is_record(&f->lines[i], "logits", 4)) return true;
    return false;
}

/* Makes the parameters and no plan. */
static bool capture(run *r)
{
    fv_graph *graph = NULL;
    fv_bindings bindings = { 0 };
    if (fv_graph_create(&graph, r->params, FV_EVAL, &r->err) != FV_OK) return false;
    build(graph, (fv_shape){ 1, r->size, r->size, 3 }, r, &bindings);
    const bool ok = fv_graph_check(graph, &r->err) == FV_OK;
    fv_graph_destroy(graph);
    return ok;
}

static bool run_all(run *r, fv_program *program)
{
    if (!capture(r)) return false;
    check_tensors(r);
    check_unknown(r);
    if (!has_numbers(&r->file)) {
        skip(r, "numbers", "the file lists tensors only");
        return true;
    }
    r->velocity = calloc(fv_params_trained_floats(r->params), sizeof(float));
    return r->velocity && run_eval(r, program) && run_training(r, program) &&
           run_gentle(r, program) && run_frozen(r);
}

static bool open_run(run *r)
{
    const char *name = NULL;
    if (!read_file(&r->file)) {
        fv_fail(&r->err, FV_ERR_IO, "%s: cannot be read as a golden file", r->file.path);
        return false;
    }
    for (int i = 0; i < r->file.count; i++)
        if (is_record(&r->file.lines[i], "meta", 3) &&
            strcmp(r->file.lines[i].fields[1], "name") == 0)
            name = r->file.lines[i].fields[2];
    r->model = name ? fv_model_find(name) : NULL;
    if (!r->model) {
        fv_fail(&r->err, FV_ERR_CONFIG, "%s: no model \"%s\"", r->file.path, name ? name : "");
        return false;
    }
    r->size = (int)meta(r, "input_size", (double)r->model->image_size);
    r->options.classes = (int)meta(r, "classes", 1000.0);
    const size_t pixels = (size_t)TRAIN_BATCH * (size_t)(r->size * r->size);
    r->images = fv_alloc(pixels * 3 * sizeof(float));
    r->labels = fv_alloc(TRAIN_BATCH * sizeof(float));
    if (!r->images || !r->labels || fv_params_create(&r->params, 0, &r->err) != FV_OK) return false;
    fv_kernels_init(&r->kernels, fv_cpu_detect());
    fill_images(r);
    return true;
}

static void check_one(run *r)
{
    fv_program *program = NULL;
    const bool ok =
        open_run(r) &&
        fv_program_create(&program, r->params, &r->kernels, build, r, 0, &r->err) == FV_OK &&
        run_all(r, program);
    if (!ok) {
        printf("FAIL %s run expected success got %s\n", r->model ? r->model->name : r->file.path,
               r->err.message);
        r->failed++;
    }
    fv_program_destroy(program);
    fv_params_destroy(r->params);
    fv_free(r->images);
    fv_free(r->labels);
    free(r->velocity);
    free_file(&r->file);
}

int main(int argc, char **argv)
{
    double atol = -1.0, rtol = -1.0;
    int files = 0, failed = 0, passed = 0, skipped = 0;
    for (int i = 1; i < argc; i++) {
        double *option = strcmp(argv[i], "--atol") == 0 ? &atol
                       : strcmp(argv[i], "--rtol") == 0 ? &rtol
                                                        : NULL;
        if (!option)
            files++;
        else if (i + 1 < argc)
            *option = strtod(argv[++i], NULL);
    }
    if (!files) {
        fprintf(stderr, "usage: conformance FILE.tsv... [--atol x] [--rtol y]\n");
        return 2;
    }
    fv_threads_choice threads;
    fv_threads_choose(0, &threads);
    fv_threads_set(threads.count);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--atol") == 0 || strcmp(argv[i], "--rtol") == 0) {
            i++;
            continue;
        }
        run r = { .file.path = argv[i], .atol = atol, .rtol = rtol };
        check_one(&r);
        failed += r.failed, passed += r.passed, skipped += r.skipped;
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed ? 1 : 0;
}
