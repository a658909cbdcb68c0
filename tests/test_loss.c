/* SPDX-License-Identifier: Apache-2.0 */
/* Losses as a configuration asks for them: values and gradients against golden numbers of float64,
 * and against definitions written down here a second time. */
#include "testing.h"

#include "autograd/ops.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "data/batch_ops.h"
#include "train/loss.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 4, K = 10, COUNT = N * K, MEMBERS = 3 };

static const int classes[N] = { 5, 5, 2, 7 };

/* In [-1, 1), 24 bits: the element's number after FNV-1a of the name, through SplitMix64. */
static double golden_number(const char *name, uint64_t i)
{
    uint64_t x = 0xcbf29ce484222325u;
    for (const char *p = name; *p; p++) x = (x ^ (uint64_t)*p) * 0x100000001b3u;
    x += i + 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (double)((x ^ x >> 31) >> 40) / 8388608.0 - 1.0;
}

/* The logits of member m; of GoogLeNet's outputs the third is half the first. */
static float logit(int m, int i)
{
    const double first = golden_number(m == 1 ? "teacher" : "logits", (uint64_t)i);
    return (float)((m == 2 ? 2.0 : 4.0) * first);
}

/* ---- A loss, and what it gives ---- */

static const char ONE[] = "Arch: {name: DLA34}\n";
static const char FROZEN[] = "Arch:\n"
                             "  name: DistillationModel\n"
                             "  freeze_params_list: [True, False]\n"
                             "  models: [{Teacher: {name: DLA34}}, {Student: {name: DLA46_c}}]\n";
static const char MUTUAL[] = "Arch:\n"
                             "  name: DistillationModel\n"
                             "  models: [{Teacher: {name: DLA34}}, {Student: {name: DLA46_c}}]\n";

typedef struct specimen {
    const char *arch, *list; /* the section, and the list Loss.Train */
    bool mixed;  /* targets are 0.3 of the own class, 0.7 of that of the rows reversed */
    int outputs; /* 0: 1 */
    double loss, gradient[2][COUNT]; /* of the student, and of the teacher if it learns */
} specimen;

static fv_status read_loss(fv_loss *loss, fv_arch *arch, fv_config **config, const specimen *s)
{
    char text[1024];
    snprintf(text, sizeof(text), "%sTrain: %s\n", s->arch, s->list);
    assert_ok(fv_config_parse(config, "c.yaml", text, &testing_err));
    fv_config_node *root = fv_config_root(*config);
    assert_ok(fv_arch_read(arch, fv_config_child(root, "Arch"), &testing_err));
    return fv_loss_read(loss, fv_config_child(root, "Train"), arch, &testing_err);
}

typedef struct network {
    fv_params *params;
    fv_graph *graph;
    fv_slab *slab;
    fv_plan *plan;
    fv_tensor *unit, *frozen, *targets, *loss;
} network;

/* The logits are the weights of a layer that sees the unit matrix: so they have gradients. */
static fv_tensor *learned(network *net, const char *name, int m)
{
    static const int dims[] = { N, K };
    fv_tensor *w = fv_param_tensor(net->graph, name, FV_LINEAR_WEIGHT, 2, dims,
                                   (fv_init){ FV_INIT_CONSTANT, 0.0f });
    fv_param *param = fv_params_find(net->params, name);
    for (int i = 0; i < COUNT; i++) param->value[i] = logit(m, i);
    return fv_matmul(net->graph, net->unit, w, NULL);
}

static fv_status build(network *net, const specimen *s)
{
    fv_config *config;
    fv_loss loss;
    fv_arch arch;
    *net = (network){ 0 };
    assert_ok(read_loss(&loss, &arch, &config, s));
    assert_ok(fv_params_create(&net->params, 1, &testing_err));
    assert_ok(fv_graph_create(&net->graph, net->params, FV_TRAIN, &testing_err));
    net->unit = fv_input(net->graph, (fv_shape){ N, 1, 1, N });
    net->targets = fv_input(net->graph, (fv_shape){ N, 1, 1, s->mixed ? K : 1 });
    fv_tensor *student[MEMBERS] = { learned(net, "student", 0) }, *teacher;
    for (int i = 1; i < s->outputs; i++) student[i] = learned(net, i == 1 ? "aux1" : "aux2", i);
    if (s->arch == FROZEN)
        teacher = net->frozen = fv_input(net->graph, (fv_shape){ N, 1, 1, K });
    else if (s->arch == MUTUAL)
        teacher = learned(net, "teacher", 1);
    const fv_loss_model one = { student, s->outputs ? s->outputs : 1 };
    const fv_loss_model both[] = { { &teacher, 1 }, one };
    net->loss = fv_loss_build(net->graph, &loss, s->arch == ONE ? &one : both, net->targets);
    fv_config_destroy(config);
    return fv_graph_check(net->graph, &testing_err);
}

static void release(network *net)
{
    fv_plan_destroy(net->plan);
    fv_slab_destroy(net->slab);
    fv_graph_destroy(net->graph);
    fv_params_destroy(net->params);
}

static void take_gradient(const network *net, const char *name, double *out)
{
    const fv_param *p = fv_params_find(net->params, name);
    for (int i = 0; p && i < COUNT; i++) out[i] = (double)p->grad[i];
}

static void run(specimen *s)
{
    static const float unit[N * N] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
    static const float shares[N] = { 0.3f, 0.3f, 0.3f, 0.3f };
    float own[N], others[N], targets[COUNT], frozen[COUNT];
    network net;
    fv_kernels kernels;
    for (int n = 0; n < N; n++) own[n] = (float)classes[n], others[n] = (float)classes[N - 1 - n];
    for (int i = 0; i < COUNT; i++) frozen[i] = logit(1, i);
    fv_mix_targets(own, others, shares, N, K, targets);
    fv_kernels_init(&kernels, fv_cpu_detect());
    assert_ok(build(&net, s));
    assert_ok(fv_slab_create(&net.slab, &testing_err));
    const fv_plan_options options = { .loss = net.loss };
    assert_ok(fv_plan_create(&net.plan, net.graph, &kernels, net.slab, &options, &testing_err));
    fv_plan_feed(net.plan, net.unit, unit);
    fv_plan_feed(net.plan, net.targets, s->mixed ? targets : own);
    if (net.frozen) fv_plan_feed(net.plan, net.frozen, frozen);
    fv_plan_forward(net.plan);
    fv_plan_backward(net.plan, false);
    s->loss = (double)fv_plan_value(net.plan, net.loss).data[0];
    take_gradient(&net, "student", s->gradient[0]);
    take_gradient(&net, "teacher", s->gradient[1]);
    release(&net);
}

/* ---- Golden numbers ---- */

static void assert_near(const char *what, double value, double expected)
{
    if (!(fabs(value - expected) <= 5e-7 * fmax(1.0, fabs(expected))))
        fail_msg("%s: %.9g instead of %.9g", what, value, expected);
}

/* The first record of the file with this kind, name and, from 0, row; its last field. */
static void golden(const char *kind, const char *name, int row, double *values, int count)
{
    char line[4096], id[64] = "";
    int at = 0;
    FILE *file = fopen("golden/losses.tsv", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        char *rest = line, *k = strsep(&rest, "\t");
        if (strcmp(k, kind) != 0) continue;
        snprintf(id, sizeof(id), "%s", strsep(&rest, "\t\n"));
        if (strcmp(id, name) != 0 || at++ != row) continue;
        if (strcmp(kind, "lgrad") == 0) (void)strsep(&rest, "\t");
        for (int i = 0; i < count; i++) values[i] = strtod(rest, &rest);
        fclose(file);
        return;
    }
    fail_msg("golden/losses.tsv: no %s of %s", kind, name);
}

static void check_golden(const char *name, specimen s)
{
    double loss, gradient[COUNT];
    golden("loss", name, 0, &loss, 1);
    run(&s);
    assert_near(name, s.loss, loss);
    for (int n = 0; n < N && !s.outputs; n++) golden("lgrad", name, n, gradient + n * K, K);
    for (int i = 0; i < COUNT && !s.outputs; i++) assert_near(name, s.gradient[0][i], gradient[i]);
}

#define PAIR "model_name_pairs: [[Student, Teacher]]"

static void test_golden(void **unused)
{
    (void)unused;
    check_golden("ce", (specimen){ .arch = ONE, .list = "[CELoss: {weight: 1.0}]" });
    check_golden("ce_smooth0.1", (specimen){ .arch = ONE, .list = "[CELoss: {epsilon: 0.1}]" });
    check_golden("ce", (specimen){ .arch = FROZEN,
                                   .list = "[DistillationGTCELoss: {model_names: [Student]}]" });
    check_golden("ce_smooth0.1",
                 (specimen){ .arch = FROZEN,
                             .list = "[DistillationGTCELoss: {model_names: [Student], key: null, "
                                     "epsilon: 0.1}]" });
    check_golden("mixup_ce", (specimen){ .arch = ONE, .list = "[CELoss: {}]", .mixed = true });
    check_golden("mixup_ce_smooth0.1",
                 (specimen){ .arch = ONE, .list = "[MixCELoss: {epsilon: 0.1}]", .mixed = true });
    check_golden("distill_ce",
                 (specimen){ .arch = FROZEN, .list = "[DistillationCELoss: {" PAIR "}]" });
    check_golden("dml", (specimen){ .arch = FROZEN, .list = "[DistillationDMLLoss: {" PAIR "}]" });
    check_golden("dml", (specimen){ .arch = MUTUAL, .list = "[DistillationDMLLoss: {" PAIR "}]" });
    check_golden(
        "dml_classsum",
        (specimen){ .arch = FROZEN,
                    .list = "[DistillationDMLLoss: {sum_across_class_dim: True, " PAIR "}]" });
    check_golden("kldiv_T1",
                 (specimen){ .arch = FROZEN,
                             .list = "[DistillationKLDivLoss: {temperature: 1, " PAIR "}]" });
    check_golden("kldiv_T4",
                 (specimen){ .arch = FROZEN, .list = "[DistillationKLDivLoss: {" PAIR "}]" });
    check_golden("googlenet_main_logits_aux1_teacher_aux2_halflogits",
                 (specimen){ .arch = ONE, .list = "[GoogLeNetLoss: {weight: 1.0}]", .outputs = 3 });
}

/* ---- Definitions, in double ---- */

typedef double definition(const double *x, const double *t);

static double start[COUNT]; /* the student's logits, undisturbed */

static double p_of(const double *x, int n, int c, double temperature)
{
    double sum = 0;
    for (int k = 0; k < K; k++) sum += exp((x[n * K + k] - x[n * K + c]) / temperature);
    return 1 / sum;
}

static double ce_of(const double *x, int n, int c) { return -log(p_of(x, n, c, 1)); }

static int choice_of(const double *t, int n)
{
    int best = 0;
    for (int c = 1; c < K; c++)
        if (t[n * K + c] > t[n * K + best]) best = c;
    return best;
}

/* Paper's equations 6 and 7; both parts as divergences of vectors that add up to one. */
static double dkd(const double *x, const double *t, double temperature, double alpha, double beta,
                  bool chosen)
{
    double sum = 0;
    for (int n = 0; n < N; n++) {
        const int y = chosen ? choice_of(t, n) : classes[n];
        const double p = p_of(x, n, y, temperature), q = p_of(t, n, y, temperature);
        double rest = 0;
        for (int c = 0; c < K; c++) {
            if (c == y) continue;
            const double u = p_of(x, n, c, temperature) / (1 - p);
            const double v = p_of(t, n, c, temperature) / (1 - q);
            rest += v * log(v / u);
        }
        sum += alpha * (q * log(q / p) + (1 - q) * log((1 - q) / (1 - p))) + beta * rest;
    }
    return temperature * temperature * sum / N;
}

static double dkd_plain(const double *x, const double *t) { return dkd(x, t, 1, 1, 1, false); }
static double dkd_warm(const double *x, const double *t) { return dkd(x, t, 4, 0.5, 8, false); }
static double dkd_chosen(const double *x, const double *t) { return dkd(x, t, 1, 1, 1, true); }

static double correlation(const double *a, const double *b, int count)
{
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < count; i++) ma += a[i] / count, mb += b[i] / count;
    for (int i = 0; i < count; i++) {
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
        ab += (a[i] - ma) * (b[i] - mb);
    }
    return ab / (sqrt(aa) * sqrt(bb) + 1e-8);
}

static double dist(const double *x, const double *t)
{
    double p[COUNT], q[COUNT], pt[COUNT], qt[COUNT], rows = 0, columns = 0;
    for (int n = 0; n < N; n++)
        for (int c = 0; c < K; c++) {
            p[n * K + c] = pt[c * N + n] = p_of(x, n, c, 1);
            q[n * K + c] = qt[c * N + n] = p_of(t, n, c, 1);
        }
    for (int n = 0; n < N; n++) rows += correlation(p + n * K, q + n * K, K) / N;
    for (int c = 0; c < K; c++) columns += correlation(pt + c * N, qt + c * N, N) / K;
    return 2 * (1 - rows) + 0.5 * (1 - columns);
}

/* The weights are constants: they are those of the undisturbed logits. */
static double wsl(const double *x, const double *t)
{
    double sum = 0;
    for (int n = 0; n < N; n++) {
        const double ratio = ce_of(start, n, classes[n]) / ce_of(t, n, classes[n]);
        double ce = 0;
        for (int c = 0; c < K; c++) ce -= p_of(t, n, c, 2) * log(p_of(x, n, c, 2));
        sum += (1 - exp(-ratio)) * ce;
    }
    return 4 * sum / N;
}

static double jeffreys(const double *x, const double *t)
{
    double sum = 0;
    for (int n = 0; n < N; n++)
        for (int c = 0; c < K; c++) {
            const double p = p_of(x, n, c, 1), q = p_of(t, n, c, 1);
            sum += (p * log(p / q) + q * log(q / p)) / 2;
        }
    return sum / N;
}

static double hard(const double *x, const double *t)
{
    (void)t;
    double sum = 0;
    for (int n = 0; n < N; n++) sum += ce_of(x, n, classes[n]);
    return sum / N;
}

static double soft_smoothed(const double *x, const double *t)
{
    double sum = 0;
    for (int n = 0; n < N; n++)
        for (int c = 0; c < K; c++) sum += (0.8 * p_of(t, n, c, 1) + 0.2 / K) * ce_of(x, n, c);
    return sum / N;
}

static double several(const double *x, const double *t)
{
    return 0.7 * dkd_plain(x, t) + 0.25 * hard(x, t) + 3 * jeffreys(x, t);
}

/* Both learn from the labels and from each other. */
static double mutual(const double *x, const double *t)
{
    return hard(x, t) + hard(t, x) + jeffreys(x, t);
}

static void check_gradient(const char *list, definition *f, double *x, double *t, double *moved,
                           const double *gradient)
{
    const double step = 1e-5;
    for (int i = 0; i < COUNT; i++) {
        const double saved = moved[i];
        moved[i] = saved + step;
        const double above = f(x, t);
        moved[i] = saved - step;
        const double below = f(x, t);
        moved[i] = saved;
        assert_near(list, gradient[i], (above - below) / (2 * step));
    }
}

static void check_definition(const char *arch, const char *list, definition *f)
{
    specimen s = { .arch = arch, .list = list };
    double x[COUNT], t[COUNT];
    for (int i = 0; i < COUNT; i++) {
        start[i] = x[i] = (double)logit(0, i);
        t[i] = (double)logit(1, i);
    }
    run(&s);
    assert_near(list, s.loss, f(x, t));
    check_gradient(list, f, x, t, x, s.gradient[0]);
    if (arch == MUTUAL) check_gradient(list, f, x, t, t, s.gradient[1]);
}

static void test_definitions(void **unused)
{
    (void)unused;
    check_definition(FROZEN, "[DistillationDKDLoss: {" PAIR "}]", dkd_plain);
    check_definition(
        FROZEN, "[DistillationDKDLoss: {temperature: 4, alpha: 0.5, beta: 8, " PAIR "}]", dkd_warm);
    check_definition(FROZEN, "[DistillationDKDLoss: {use_target_as_gt: True, " PAIR "}]",
                     dkd_chosen);
    check_definition(FROZEN, "[DistillationDISTLoss: {beta: 2, gamma: 0.5, " PAIR "}]", dist);
    check_definition(MUTUAL, "[DistillationDISTLoss: {beta: 2, gamma: 0.5, " PAIR "}]", dist);
    check_definition(FROZEN, "[DistillationWSLLoss: {" PAIR "}]", wsl);
    check_definition(FROZEN, "[DistillationCELoss: {epsilon: 0.2, " PAIR "}]", soft_smoothed);
    check_definition(MUTUAL, "[DistillationDMLLoss: {" PAIR "}]", jeffreys);
    check_definition(FROZEN,
                     "[DistillationDKDLoss: {weight: 0.7, " PAIR "}, "
                     "DistillationGTCELoss: {weight: 0.25, model_names: [Student]}, "
                     "DistillationDMLLoss: {weight: 3, " PAIR "}]",
                     several);
    check_definition(MUTUAL,
                     "[DistillationGTCELoss: {weight: 1.0, model_names: [Student, Teacher]}, "
                     "DistillationDMLLoss: {weight: 1.0, " PAIR "}]",
                     mutual);
}

/* Targets have no gradient: a teacher that learns too stays as it is. */
static void test_soft_targets_are_constant(void **unused)
{
    (void)unused;
    specimen s = { .arch = MUTUAL, .list = "[DistillationKLDivLoss: {" PAIR "}]" };
    run(&s);
    for (int i = 0; i < COUNT; i++) assert_true(s.gradient[1][i] == 0.0);
}

/* ---- What does not fit ---- */

static void expect_graph_error(specimen s, const char *message)
{
    network net;
    assert_int_not_equal(build(&net, &s), FV_OK);
    assert_string_equal(testing_err.message, message);
    release(&net);
}

static void test_graph_errors(void **unused)
{
    (void)unused;
    expect_graph_error((specimen){ .arch = ONE, .list = "[CELoss: {}]", .outputs = 3 },
                       "CELoss is for models with 1 output, this one has 3");
    expect_graph_error((specimen){ .arch = ONE, .list = "[GoogLeNetLoss: {}]" },
                       "GoogLeNetLoss is for models with 3 outputs, this one has 1");
    expect_graph_error(
        (specimen){ .arch = FROZEN, .list = "[DistillationWSLLoss: {" PAIR "}]", .mixed = true },
        "DistillationWSLLoss wants one class for each picture, which mixed ones "
        "have not: set use_target_as_gt to True");
}

static void expect_error(const char *arch, const char *list, const char *message)
{
    fv_config *config;
    fv_loss loss;
    fv_arch a;
    const specimen s = { .arch = arch, .list = list };
    assert_int_equal(read_loss(&loss, &a, &config, &s), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, message);
    fv_config_destroy(config);
}

static void test_reading_errors(void **unused)
{
    (void)unused;
    expect_error(ONE, "[KLLoss: {}]",
                 "c.yaml:2:9: Train.0: no loss \"KLLoss\": there are CELoss, MixCELoss, "
                 "GoogLeNetLoss, DistillationGTCELoss, DistillationCELoss, DistillationKLDivLoss, "
                 "DistillationDMLLoss, DistillationDKDLoss, DistillationDISTLoss and "
                 "DistillationWSLLoss");
    expect_error(ONE, "[]", "c.yaml:2:1: Train: must be a list of 1 to 8 losses");
    expect_error(ONE, "[CELoss]",
                 "c.yaml:2:9: Train.0: a loss is a map of one name, e.g. CELoss: {weight: 1.0}");
    expect_error(ONE, "[DistillationCELoss: {" PAIR "}]",
                 "c.yaml:2:9: Train.0: DistillationCELoss is of several models: Arch.name must be "
                 "DistillationModel");
    expect_error(MUTUAL, "[CELoss: {}]",
                 "c.yaml:4:9: Train.0: CELoss is of one model; of a DistillationModel there is "
                 "DistillationGTCELoss: {model_names: [\"Student\"]}");
    expect_error(MUTUAL, "[DistillationCELoss: {}]",
                 "c.yaml:4:9: Train.0: DistillationCELoss needs model_name_pairs, a list of 1 to "
                 "8, e.g. [[\"Student\", \"Teacher\"]]");
    expect_error(MUTUAL, "[DistillationGTCELoss: {model_names: Student}]",
                 "c.yaml:4:32: Train.0.DistillationGTCELoss.model_names: DistillationGTCELoss "
                 "needs model_names, a list of 1 to 8, e.g. [\"Student\"]");
    expect_error(MUTUAL, "[DistillationCELoss: {model_name_pairs: [Student, Teacher]}]",
                 "c.yaml:4:49: Train.0.DistillationCELoss.model_name_pairs.0: must be a pair of "
                 "models, e.g. [\"Student\", \"Teacher\"]");
    expect_error(MUTUAL, "[DistillationCELoss: {model_name_pairs: [[Student, Techer]]}]",
                 "c.yaml:4:59: Train.0.DistillationCELoss.model_name_pairs.0.1: no model "
                 "\"Techer\" among Arch.models");
    expect_error(MUTUAL, "[DistillationCELoss: {model_name_pairs: [[Student, Student]]}]",
                 "c.yaml:4:49: Train.0.DistillationCELoss.model_name_pairs.0: a model does not "
                 "learn from itself");
    expect_error(FROZEN, "[DistillationCELoss: {model_name_pairs: [[Teacher, Student]]}]",
                 "c.yaml:5:49: Train.0.DistillationCELoss.model_name_pairs.0: \"Teacher\" is "
                 "frozen and cannot learn");
    expect_error(FROZEN, "[DistillationGTCELoss: {model_names: [Teacher]}]",
                 "c.yaml:5:46: Train.0.DistillationGTCELoss.model_names.0: \"Teacher\" is frozen "
                 "and cannot learn");
    expect_error(FROZEN, "[DistillationDMLLoss: {weight_ratio: True, " PAIR "}]",
                 "c.yaml:5:31: Train.0.DistillationDMLLoss.weight_ratio: must be False: pictures "
                 "have one label");
    expect_error(FROZEN, "null",
                 "Loss.Train: missing: it says what the models of a DistillationModel learn");
}

/* The frozen one may be named first where both sides are alike. */
static void test_order_of_equals(void **unused)
{
    (void)unused;
    check_golden("dml", (specimen){ .arch = FROZEN,
                                    .list = "[DistillationDMLLoss: {model_name_pairs: [[Teacher, "
                                            "Student]]}]" });
}

static bool needs_labels(const char *list)
{
    fv_config *config;
    fv_loss loss;
    fv_arch arch;
    const specimen s = { .arch = FROZEN, .list = list };
    assert_ok(read_loss(&loss, &arch, &config, &s));
    fv_config_destroy(config);
    return fv_loss_needs_labels(&loss);
}

static void test_need_of_labels(void **unused)
{
    (void)unused;
    assert_false(needs_labels("[DistillationDMLLoss: {" PAIR "}, DistillationCELoss: {" PAIR "}]"));
    assert_false(needs_labels("[DistillationDKDLoss: {use_target_as_gt: True, " PAIR "}]"));
    assert_true(needs_labels("[DistillationDKDLoss: {" PAIR "}]"));
    assert_true(needs_labels("[DistillationDMLLoss: {" PAIR
                             "}, DistillationGTCELoss: {model_names: [Student]}]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_soft_targets_are_constant),
        cmocka_unit_test(test_graph_errors),
        cmocka_unit_test(test_reading_errors),
        cmocka_unit_test(test_order_of_equals),
        cmocka_unit_test(test_need_of_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
