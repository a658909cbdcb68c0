/* SPDX-License-Identifier: Apache-2.0 */
/* The zoo against its tables: counts, initial weights, class numbers, image sizes. */
#include "model_testing.h"

#include <math.h>
#include <stdio.h>

/* ---- The table ---- */

typedef enum linear_rule { XAVIER, THREE_OVER_IN, ONE_OVER_IN, NONE } linear_rule;

/* Counts: the `meta` records of tests/golden. */
typedef struct row {
    const char *name;
    int tensors;
    size_t trained, total; /* floats, without and with running statistics */
    uint64_t macs;         /* of one image of the default size */
    linear_rule linear;    /* bound of the uniform weights of linear layers */
} row;

/* clang-format off */
static const row rows[] = {
    { "GoogLeNet",             69, 11535736, 11535736,  1437161728u, THREE_OVER_IN },
    { "InceptionV3",          472, 23834568, 23869000,  5713216096u, ONE_OVER_IN },
    { "InceptionV4",          747, 42679816, 42742984, 12253974624u, ONE_OVER_IN },
    { "Xception41",           356, 22919600, 23019920,  8498210072u, ONE_OVER_IN },
    { "Xception65",           596, 35866352, 36036560, 13146757976u, ONE_OVER_IN },
    { "Xception71",           638, 37678496, 37856576, 16084271704u, ONE_OVER_IN },
    { "Xception41_deeplab",   422, 26969560, 27084872,  9204134312u, XAVIER },
    { "Xception65_deeplab",   662, 39916312, 40101512, 13852682216u, XAVIER },
    { "MobileNetV2_x0_25",    267,  1517392,  1527856,    30480864u, XAVIER },
    { "MobileNetV2_x0_5",     267,  1965736,  1984104,    92271040u, XAVIER },
    { "MobileNetV2_x0_75",    267,  2628592,  2654864,   186650528u, XAVIER },
    { "MobileNetV2",          267,  3505960,  3540136,   313619328u, XAVIER },
    { "MobileNetV2_x1_5",     267,  6852712,  6903976,   681017664u, XAVIER },
    { "MobileNetV2_x2_0",     267, 11262312, 11330664,  1188808448u, XAVIER },
    { "Res2Net50_26w_4s",     427, 25699120, 25758612,  4255166464u, ONE_OVER_IN },
    { "Res2Net50_14w_8s",     747, 25059816, 25122612,  4178898944u, ONE_OVER_IN },
    { "Res2Net50_vd_26w_4s",  437, 25718352, 25777972,  4494807040u, ONE_OVER_IN },
    { "Res2Net101_vd_26w_4s", 862, 45225920, 45345108,  8306615040u, ONE_OVER_IN },
    { "Res2Net200_vd_26w_4s",1687, 76215536, 76436340, 15706007040u, ONE_OVER_IN },
    { "DLA34",                187, 15742104, 15757592,  3060043776u, NONE },
    { "DLA46_c",              242,  1301400,  1309464,   574269440u, NONE },
    { "DLA46x_c",             242,  1068440,  1079320,   532723712u, NONE },
    { "DLA60",                317, 22036632, 22077720,  4235878400u, NONE },
    { "DLA60x",               317, 17352344, 17408280,  3516555264u, NONE },
    { "DLA60x_c",             312,  1319832,  1334296,   581294080u, NONE },
    { "DLA102",               527, 33268888, 33335576,  7164551168u, NONE },
    { "DLA102x",              527, 26309272, 26401048,  5847932928u, NONE },
    { "DLA102x2",             527, 41282200, 41424152,  9283985408u, NONE },
    { "DLA169",               842, 53389720, 53498648, 11557560320u, NONE },
};
/* clang-format on */

/* ---- Counts and initial weights ---- */

static void add_macs(const fv_graph *g, void *ctx)
{
    for (int i = 0; i < fv_graph_node_count(g); i++)
        *(uint64_t *)ctx += fv_graph_node_info(g, i).macs;
}

/* What the numbers of one role should be and are, standardised to variance 1. */
typedef struct moments {
    double count, sum, squares, fourths;
} moments;

static void measure(moments *m, const fv_param *p, double deviation)
{
    m->count += (double)p->count;
    for (size_t i = 0; i < p->count; i++) {
        const double z = (double)p->value[i] / deviation;
        m->sum += z;
        m->squares += z * z;
        m->fourths += z * z * z * z;
    }
}

/* Six standard errors; normal: E z^4 = 3, E z^8 = 105; uniform: 9/5 and 9. */
static void check_moments(const char *model, const moments *m, bool normal)
{
    if (m->count == 0) return;
    const double n = m->count, fourth = normal ? 3.0 : 1.8, eighth = normal ? 105.0 : 9.0;
    const double mean = m->sum / n, variance = m->squares / n, kurtosis = m->fourths / n;
    if (fabs(mean) > 6.0 / sqrt(n) || fabs(variance - 1.0) > 6.0 * sqrt((fourth - 1.0) / n) ||
        fabs(kurtosis - fourth) > 6.0 * sqrt((eighth - fourth * fourth) / n))
        fail_msg("%s: %s weights: mean %g, variance %g, fourth moment %g of %g numbers", model,
                 normal ? "convolution" : "linear", mean, variance, kurtosis, n);
}

static double conv_deviation(const fv_model *model, const fv_param *p)
{
    const bool depthwise = p->dims[1] == 1, fan_out = begins(model->name, "DLA");
    const int taps = p->dims[2] * p->dims[3];
    return sqrt(2.0 / (taps * (fan_out || depthwise ? p->dims[0] : p->dims[1])));
}

/* GoogLeNet's hidden auxiliary layers, and only they, have 1152 inputs and the bound of 2048. */
static double linear_deviation(linear_rule rule, const fv_param *p)
{
    const double in = p->dims[0] == 1152 ? 2048 : p->dims[0];
    const double bound = rule == XAVIER        ? sqrt(6.0 / (in + p->dims[1]))
                       : rule == THREE_OVER_IN ? sqrt(3.0 / in)
                                               : sqrt(1.0 / in);
    for (size_t i = 0; i < p->count; i++)
        assert_true(fabs((double)p->value[i]) <= 1.000001 * bound);
    return bound / sqrt(3.0);
}

static void check_constant(const fv_param *p, float value)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->value[i] != value) fail_msg("%s[%zu] is %g", p->name, i, (double)p->value[i]);
}

static void check_initial(const subject *s, const row *r)
{
    moments conv = { 0 }, linear = { 0 };
    size_t total = 0;
    for (int i = 0; i < fv_params_count(s->params); i++) {
        const fv_param *p = fv_params_at(s->params, i);
        total += p->count;
        switch (p->role) {
        case FV_CONV_WEIGHT: measure(&conv, p, conv_deviation(s->model, p)); break;
        case FV_LINEAR_WEIGHT: measure(&linear, p, linear_deviation(r->linear, p)); break;
        case FV_BIAS:
        case FV_BN_BIAS:
        case FV_BN_MEAN: check_constant(p, 0.0f); break;
        case FV_BN_WEIGHT:
        case FV_BN_VAR: check_constant(p, 1.0f); break;
        }
    }
    assert_int_equal(total, r->total);
    assert_true((linear.count == 0) == (r->linear == NONE));
    check_moments(r->name, &conv, true);
    check_moments(r->name, &linear, false);
}

static void test_counts_and_initial_weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(rows); i++) {
        subject s;
        uint64_t macs = 0;
        open_subject(&s, rows[i].name, 1000);
        assert_ptr_equal(s.model, fv_model_at((int)i));
        assert_ok(capture(&s, s.model->image_size, s.model->image_size, add_macs, &macs));
        assert_int_equal(fv_params_count(s.params), rows[i].tensors);
        assert_int_equal(fv_params_trained_floats(s.params), rows[i].trained);
        assert_int_equal(macs, rows[i].macs);
        check_initial(&s, &rows[i]);
        close_subject(&s);
    }
    assert_null(fv_model_at(FV_ARRAY_LEN(rows)));
    assert_null(fv_model_find("DLA35"));
    assert_string_equal(fv_model_nearest("dla34"), "DLA34");
}

/* ---- Class numbers ---- */

/* Only the heads depend on them; a thousand is in the table. */
static void test_class_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(members); i++) {
        subject two, ten;
        int heads = 0;
        open_subject(&two, members[i].name, 2);
        open_subject(&ten, members[i].name, 10);
        assert_ok(capture(&two, members[i].height, members[i].width, NULL, NULL));
        assert_ok(capture(&ten, members[i].height, members[i].width, NULL, NULL));
        assert_int_equal(fv_params_count(two.params), fv_params_count(ten.params));
        for (int j = 0; j < fv_params_count(two.params); j++) {
            const fv_param *p = fv_params_at(two.params, j), *q = fv_params_at(ten.params, j);
            const bool of_head = is_of_head(two.model, p->name);
            assert_string_equal(p->name, q->name);
            assert_int_equal(q->count, p->count * (size_t)(of_head ? 5 : 1));
            heads += of_head;
        }
        assert_int_equal(heads, 2 * members[i].outputs);
        close_subject(&two);
        close_subject(&ten);
    }
}

/* ---- Image sizes ---- */

/* Halved by a 7x7 convolution, by three pools of 3 without padding; then 5 with stride 3. */
static int auxiliary_size(int size)
{
    size = (size - 1) / 2 + 1;
    for (int pool = 0; pool < 3; pool++) size = size < 3 ? 0 : (size - 3) / 2 + 1;
    return size < 5 ? 0 : (size - 5) / 3 + 1;
}

static void test_sizes_of_googlenet(void **state)
{
    (void)state;
    subject s;
    open_subject(&s, "GoogLeNet", CLASSES);
    for (int size = 1; size <= 300; size++) {
        for (int side = 0; side < 2; side++) {
            const int h = side ? 200 : size, w = side ? size : 200;
            const fv_status status = capture(&s, h, w, NULL, NULL);
            assert_int_equal(status, auxiliary_size(size) == 3 ? FV_OK : FV_ERR_SHAPE);
            char message[128];
            snprintf(message, sizeof(message),
                     "images of %d x %d: the auxiliary heads take 189 to 236 pixels each way", h,
                     w);
            if (status != FV_OK) assert_string_equal(testing_err.message, message);
        }
    }
    close_subject(&s);
}

static void test_sizes_of_dla(void **state)
{
    (void)state;
    static const int good[] = { 31, 32, 63, 64, 128, 224, 255 };
    static const int bad[] = { 1, 16, 30, 33, 48, 100, 225, 299 };
    subject s;
    open_subject(&s, "DLA34", CLASSES);
    for (size_t i = 0; i < FV_ARRAY_LEN(good); i++) assert_ok(capture(&s, good[i], 96, NULL, NULL));
    for (size_t i = 0; i < FV_ARRAY_LEN(bad); i++) {
        char message[128];
        snprintf(message, sizeof(message),
                 "images of 96 x %d: height and width must be multiples of 32 pixels, or one less",
                 bad[i]);
        assert_int_equal(capture(&s, 96, bad[i], NULL, NULL), FV_ERR_SHAPE);
        assert_string_equal(testing_err.message, message);
    }
    close_subject(&s);
}

/* The others take whatever leaves something at the end: Inceptions from 75 pixels, the rest any. */
static void test_sizes_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int smallest;
    } families[] = {
        { "InceptionV3", 75 }, { "InceptionV4", 75 },        { "Xception71", 1 },
        { "Xception65", 1 },   { "Xception65_deeplab", 1 },  { "MobileNetV2", 1 },
        { "DLA34", 31 },       { "Res2Net50_vd_26w_4s", 1 }, { "Res2Net50_26w_4s", 1 }
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(families); i++) {
        subject s;
        open_subject(&s, families[i].name, CLASSES);
        const int smallest = families[i].smallest;
        assert_ok(capture(&s, smallest, smallest, NULL, NULL));
        if (smallest > 1)
            assert_int_equal(capture(&s, smallest - 1, smallest, NULL, NULL), FV_ERR_SHAPE);
        for (int size = 97; size <= 104 && strcmp(s.model->name, "DLA34") != 0; size++)
            assert_ok(capture(&s, size, 201 - size, NULL, NULL));
        close_subject(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_and_initial_weights),
        cmocka_unit_test(test_class_numbers),
        cmocka_unit_test(test_sizes_of_googlenet),
        cmocka_unit_test(test_sizes_of_dla),
        cmocka_unit_test(test_sizes_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
