/* SPDX-License-Identifier: Apache-2.0 */
/* Section Arch: one model, or several that learn from each other. */
#include "testing_config.h"

#include "models/arch.h"

static fv_config *config;

static fv_status read_arch(fv_arch *arch, const char *text)
{
    fv_config_destroy(config);
    config = config_parse(text);
    return fv_arch_read(arch, fv_config_child(fv_config_root(config), "Arch"), &testing_err);
}

static void test_one(void **unused)
{
    (void)unused;
    fv_arch a;
    assert_ok(read_arch(&a, "Arch: {name: DLA34, class_num: 5, pretrained: w}\n"));
    assert_ptr_equal(a.model, fv_model_find("DLA34"));
    assert_int_equal(a.class_num, 5);
    assert_string_equal(a.weights, "w");
    assert_int_equal(a.member_count, 0);
}

#define MODELS \
    "  models:\n" \
    "    - Teacher: {name: DLA34, class_num: 7, pretrained: t, use_ssld: True}\n" \
    "    - Student: {name: DLA46_c, class_num: 7, pretrained: False}\n"
#define SEVERAL "Arch:\n  name: DistillationModel\n"

static void test_several(void **unused)
{
    (void)unused;
    fv_arch a;
    assert_ok(read_arch(&a, SEVERAL "  class_num: 1000\n  pretrained_list:\n"
                                    "  freeze_params_list:\n  - True\n  - False\n" MODELS));
    assert_int_equal(a.member_count, 2);
    assert_int_equal(a.student, 1);
    assert_int_equal(fv_arch_find(&a, "Teacher"), 0);
    assert_int_equal(fv_arch_find(&a, "teacher"), -1);
    assert_true(a.members[0].frozen && !a.members[1].frozen);
    assert_string_equal(a.members[0].weights, "t");
    assert_null(a.members[1].weights);
    assert_ptr_equal(a.model, fv_model_find("DLA46_c"));
    assert_ptr_equal(a.members[0].model, fv_model_find("DLA34"));
    assert_int_equal(a.class_num, 7); /* the models' own, not what PaddleClas ignores */
    assert_false(a.teachers_evaluate);
    assert_null(a.teacher_cache);
}

static void test_lists(void **unused)
{
    (void)unused;
    fv_arch a;
    assert_ok(read_arch(&a, SEVERAL "  pretrained_list: [x, s]\n  infer_model_name: Teacher\n"
                                    "  teacher_mode: eval\n" MODELS));
    assert_int_equal(a.student, 0);
    assert_string_equal(a.weights, "x");
    assert_string_equal(a.members[1].weights, "s");
    assert_false(a.members[0].frozen || a.members[1].frozen);
    assert_true(a.teachers_evaluate);
    assert_ok(read_arch(&a, SEVERAL "  pretrained_list: [null, False]\n" MODELS));
    assert_string_equal(a.members[0].weights, "t");
    assert_null(a.members[1].weights);
}

/* Who is the student, where none is called so. */
static void test_student(void **unused)
{
    (void)unused;
    fv_arch a;
    assert_ok(read_arch(&a, SEVERAL "  freeze_params_list: [False, True]\n"
                                    "  models: [{A: {name: DLA34}}, {B: {name: DLA60}}]\n"));
    assert_int_equal(a.student, 0);
    assert_int_equal(a.class_num, 0);
    config_expect_error(
        read_arch(&a, SEVERAL "  models: [{A: {name: DLA34}}, {B: {name: DLA60}}]\n"),
        "a.yaml:1:1: Arch: which of the models is to be evaluated and saved? Say so with "
        "infer_model_name");
    config_expect_error(read_arch(&a, SEVERAL "  freeze_params_list: [True, True]\n" MODELS),
                        "a.yaml:1:1: Arch: all models are frozen: nothing would learn");
    config_expect_error(read_arch(&a, SEVERAL "  freeze_params_list: [False, True]\n" MODELS),
                        "a.yaml:1:1: Arch: the student, \"Student\", is frozen");
    config_expect_error(read_arch(&a, SEVERAL "  infer_model_name: Pupil\n" MODELS),
                        "a.yaml:3:3: Arch.infer_model_name: no model \"Pupil\" among the models");
}

static void test_errors(void **unused)
{
    (void)unused;
    fv_arch a;
    config_expect_error(read_arch(&a, SEVERAL),
                        "a.yaml:1:1: Arch: models must be a list of 2 to 4 models, e.g. "
                        "[{Teacher: {name: DLA34}}, {Student: {name: MobileNetV2}}]");
    config_expect_error(read_arch(&a, SEVERAL "  models: [{A: {name: DLA34}}]\n"),
                        "a.yaml:3:3: Arch.models: models must be a list of 2 to 4 models, e.g. "
                        "[{Teacher: {name: DLA34}}, {Student: {name: MobileNetV2}}]");
    config_expect_error(read_arch(&a, SEVERAL "  models: [{A: {name: DLA34}}, B]\n"),
                        "a.yaml:3:32: Arch.models.1: a model is a map of one name, e.g. Student: "
                        "{name: DLA34}");
    config_expect_error(
        read_arch(&a, SEVERAL "  models: [{A: {name: DLA34}}, {A: {name: DLA34}}]\n"),
        "a.yaml:3:32: Arch.models.1: a second model called \"A\"");
    config_expect_error(
        read_arch(&a, SEVERAL "  models: [{A: {name: DLA34}}, {B: {name: ResNet34}}]\n"),
        "a.yaml:3:37: Arch.models.1.B.name: no model \"ResNet34\": \"fovea info\" lists those "
        "there are");
    config_expect_error(read_arch(&a, SEVERAL "  models: [{A: {name: DLA34, class_num: 3}},"
                                              " {B: {name: DLA34, class_num: 4}}]\n"),
                        "a.yaml:3:64: Arch.models.1.B.class_num: 4 classes, but there are 3 above: "
                        "networks that learn from each other need the same");
    config_expect_error(
        read_arch(&a,
                  SEVERAL "  models: [{A: {name: DLA34, pretrained: True}}, {B: {name: DLA34}}]"),
        "a.yaml:3:30: Arch.models.0.A.pretrained: weights are not downloaded: give the path of a "
        "file instead of True");
    config_expect_error(read_arch(&a, SEVERAL "  freeze_params_list: [True]\n" MODELS),
                        "a.yaml:3:3: Arch.freeze_params_list: must be a list of 2, one for each "
                        "model");
    config_expect_error(read_arch(&a, SEVERAL "  freeze_params_list: [True, 0]\n" MODELS),
                        "a.yaml:3:30: Arch.freeze_params_list.1: must be True or False");
    config_expect_error(read_arch(&a, SEVERAL "  teacher_cache: there\n" MODELS),
                        "a.yaml:3:3: Arch.teacher_cache: a teacher in training mode answers each "
                        "batch differently: teacher_mode must be eval");
}

static int cleanup(void **unused)
{
    (void)unused;
    fv_config_destroy(config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),    cmocka_unit_test(test_several),
        cmocka_unit_test(test_lists),  cmocka_unit_test(test_student),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, cleanup);
}
