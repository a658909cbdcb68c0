/* SPDX-License-Identifier: Apache-2.0 */
/* Weights with the names of timm and torchvision become ours: golden/names lists their layers. */
#include "testing.h"

#include "autograd/graph.h"
#include "autograd/ops.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/weights.h"
#include "models/model.h"

#include <stdio.h>
#include <string.h>

enum { MAX_TENSORS = 3000, NAME_BYTES = 100 };

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", testing_folder(), name);
    return path;
}

/* ---- A file to be written ---- */

static fv_tensor_values tensors[MAX_TENSORS];
static char names[MAX_TENSORS][NAME_BYTES];
static int tensor_count;

static const float six[6] = { 1, 2, 3, 4, 5, 6 };

/* `rank` of "2x3x1x1". */
static void add(const char *layer, const char *leaf, int rank)
{
    static const size_t counts[] = { 1, 2, 6, 6, 6 };
    snprintf(names[tensor_count], NAME_BYTES, "%s%s", layer, leaf);
    tensors[tensor_count] = (fv_tensor_values){ { .name = names[tensor_count],
                                                  .rank = rank,
                                                  .dims = { 2, 3, 1, 1 },
                                                  .count = counts[rank] },
                                                six };
    tensor_count++;
}

static void add_layer(const char *kind, const char *layer)
{
    const bool norm = strcmp(kind, "norm") == 0, linear = strcmp(kind, "linear") == 0;
    add(layer, ".weight", norm ? 1 : linear ? 2 : 4);
    if (norm || linear) add(layer, ".bias", 1);
    if (!norm) return;
    add(layer, ".running_mean", 1);
    add(layer, ".running_var", 1);
    add(layer, ".num_batches_tracked", 0);
}

static fv_tensors *write_and_open(void)
{
    fv_tensors *file = NULL;
    const char *path = in_folder("foreign.safetensors");
    assert_ok(fv_tensors_save(path, tensors, tensor_count, NULL, 0, &testing_err));
    assert_ok(fv_tensors_open(&file, path, &testing_err));
    tensor_count = 0;
    return file;
}

/* All layers of golden/names/<list>.txt. */
static void add_listed(const char *list)
{
    char path[128], *text = NULL, *rest, *line;
    size_t bytes;
    snprintf(path, sizeof(path), "golden/names/%s.txt", list);
    assert_ok(fv_file_read(path, 1 << 20, &text, &bytes, &testing_err));
    for (rest = text, line = strsep(&rest, "\n"); rest; line = strsep(&rest, "\n")) {
        char *layer = strchr(line, ' ');
        assert_non_null(layer);
        *layer++ = '\0';
        add_layer(line, layer);
    }
    fv_free(text);
}

static fv_params *params_of(const char *name)
{
    const fv_model *model = fv_model_find(name);
    fv_params *params = NULL;
    fv_graph *graph = NULL;
    fv_tensor *outputs[FV_MAX_OUTPUTS];
    assert_non_null(model);
    assert_ok(fv_params_create(&params, 0, &testing_err));
    assert_ok(fv_graph_create(&graph, params, FV_EVAL, &testing_err));
    fv_tensor *images = fv_input(graph, (fv_shape){ 1, model->image_size, model->image_size, 3 });
    model->build(graph, images, model, &(fv_model_options){ .classes = 2 }, outputs);
    assert_ok(fv_graph_check(graph, &testing_err));
    fv_graph_destroy(graph);
    return params;
}

/* Each of ours is there, and nothing else. */
static void check_names(fv_tensors *file, const char *model)
{
    fv_params *params = params_of(model);
    for (int i = 0; i < fv_params_count(params); i++)
        if (fv_tensors_find(file, fv_params_at(params, i)->name) < 0)
            fail_msg("%s: no %s", model, fv_params_at(params, i)->name);
    assert_int_equal(fv_tensors_count(file), fv_params_count(params));
    fv_params_destroy(params);
}

static void test_all_names(void **state)
{
    static const struct {
        const char *list, *model;
    } cases[] = {
        { "timm_MobileNetV2", "MobileNetV2" },
        { "torchvision_MobileNetV2", "MobileNetV2" },
        { "torchvision_InceptionV3", "InceptionV3" },
        { "timm_Res2Net50_26w_4s", "Res2Net50_26w_4s" },
        { "timm_Res2Net50_14w_8s", "Res2Net50_14w_8s" },
        { "timm_Res2Net50_vd_26w_4s", "Res2Net50_vd_26w_4s" },
        { "timm_Res2Net101_vd_26w_4s", "Res2Net101_vd_26w_4s" },
    };
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        add_listed(cases[i].list);
        fv_tensors *file = write_and_open();
        assert_ok(fv_tensors_adopt(file, cases[i].model, &testing_err));
        check_names(file, cases[i].model);
        fv_tensors_close(file);
    }
}

/* ---- Elements ---- */

static void check_values(fv_tensors *file, const char *name, int d0, int d1, const float *expected)
{
    float values[6];
    const int i = fv_tensors_find(file, name);
    assert_true(i >= 0);
    const fv_tensor_info info = fv_tensors_at(file, i);
    assert_int_equal(info.dims[0], d0);
    if (info.rank > 1) assert_int_equal(info.dims[1], d1);
    assert_ok(fv_tensors_read(file, i, values, &testing_err));
    for (size_t k = 0; k < info.count; k++) assert_float_equal(values[k], expected[k], 1e-6f);
}

static void test_layouts(void **state)
{
    static const float transposed[] = { 1, 4, 2, 5, 3, 6 }, variance[] = { 1.00099f, 2.00099f },
                       scaled[] = { 1.25f, 5, 2.5f, 6.25f, 3.75f, 7.5f },
                       identity[] = { 1, 0, 0, 1 }, one[] = { 0.99999f, 0.99999f };
    (void)state;
    add_layer("norm", "a");
    add_layer("linear", "b");
    add_layer("conv", "c");
    fv_tensors *file = write_and_open();
    assert_ok(fv_tensors_adopt(file, "DLA34", &testing_err));
    assert_ok(fv_tensors_adopt(file, "DLA34", &testing_err)); /* not twice */
    check_values(file, "b.weight", 3, 2, transposed);
    check_values(file, "c.weight", 2, 3, six);
    check_values(file, "a._variance", 2, 0, six);
    assert_int_equal(fv_tensors_count(file), 7);
    fv_tensors_close(file);

    add_listed("torchvision_InceptionV3");
    file = write_and_open();
    assert_ok(fv_tensors_adopt(file, "InceptionV3", &testing_err));
    check_values(file, "fc.weight", 3, 2, scaled);
    check_values(file, "inception_stem.conv_1a_3x3.bn._variance", 2, 0, variance);
    fv_tensors_close(file);

    add_listed("timm_MobileNetV2");
    file = write_and_open();
    assert_ok(fv_tensors_adopt(file, "MobileNetV2", &testing_err));
    check_values(file, "conv2._first_block._expand_conv._conv.weight", 2, 2, identity);
    check_values(file, "conv2._first_block._expand_conv._batch_norm._variance", 2, 0, one);
    fv_tensors_close(file);
}

/* What a program's file holds besides is left out; what nobody knows stays and is unexpected. */
static void test_unused(void **state)
{
    (void)state;
    add_layer("norm", "base_layer.1");
    add_layer("conv", "level3.project.0");
    add_layer("conv", "level3.tree1.project.0");
    add_layer("conv", "else");
    fv_tensors *file = write_and_open();
    assert_ok(fv_tensors_adopt(file, "DLA34", &testing_err));
    assert_int_equal(fv_tensors_count(file), 6);
    assert_true(fv_tensors_find(file, "level3.project.0.weight") < 0);
    assert_true(fv_tensors_find(file, "level3.tree1.project.0.weight") >= 0);
    assert_true(fv_tensors_find(file, "else.weight") >= 0);
    fv_tensors_close(file);
}

static char notice[400];

static void keep_notice(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx, (void)level;
    snprintf(notice, sizeof(notice), "%s", line);
}

static void check_notice(const char *layer, const char *model, const char *expected)
{
    char whole[600];
    add_layer("norm", layer);
    fv_tensors *file = write_and_open();
    notice[0] = '\0';
    fv_log_sink(keep_notice, NULL);
    assert_ok(fv_tensors_adopt(file, model, &testing_err));
    fv_log_sink(NULL, NULL);
    snprintf(whole, sizeof(whole), "%s: %s", in_folder("foreign.safetensors"), expected);
    assert_string_equal(notice, whole);
    fv_tensors_close(file);
}

static void test_notices(void **state)
{
    (void)state;
    check_notice("a", "DLA34", "names of PyTorch's DLA34, 1 tensors of no use here left out");
    add_layer("conv", "conv_stem");
    check_notice("bn1", "MobileNetV2",
                 "names of timm's MobileNetV2, 1 tensors of no use here left out, 5 added that "
                 "change nothing");
    add_layer("conv", "layer1.0.convs.0");
    check_notice("bn1", "Res2Net50_26w_4s",
                 "names of timm's Res2Net50_26w_4s, 1 tensors of no use here left out; its first "
                 "blocks are wired otherwise than PaddleClas's, so that the numbers differ: take "
                 "it as a start for training");
}

/* Files with our names stay as they are. */
static void test_ours(void **state)
{
    (void)state;
    add("out", ".weight", 2);
    add("conv1._batch_norm", "._mean", 1);
    fv_tensors *file = write_and_open();
    assert_ok(fv_tensors_adopt(file, "MobileNetV2", &testing_err));
    assert_int_equal(fv_tensors_count(file), 2);
    check_values(file, "out.weight", 2, 3, six);
    fv_tensors_close(file);
}

static void check_adoption_fails(const char *model, const char *message)
{
    char expected[600];
    fv_tensors *file = write_and_open();
    assert_true(fv_tensors_adopt(file, model, &testing_err) != FV_OK);
    snprintf(expected, sizeof(expected), "%s: %s", in_folder("foreign.safetensors"), message);
    assert_string_equal(testing_err.message, expected);
    fv_tensors_close(file);
}

static void test_mistakes(void **state)
{
    (void)state;
    add_layer("conv", "inception3a.branch1.conv");
    add_layer("norm", "inception3a.branch1.bn");
    check_adoption_fails("GoogLeNet", "torchvision's GoogLeNet is another network: it has batch "
                                      "norms, and 3x3 convolutions where PaddleClas's has 5x5");
    add_layer("norm", "conv1.1");
    add_layer("conv", "conv1.0");
    add_layer("conv", "conv1_1._conv");
    check_adoption_fails("Res2Net50_vd_26w_4s", "tensor \"conv1_1._conv.weight\" occurs twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_names), cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_unused),    cmocka_unit_test(test_ours),
        cmocka_unit_test(test_notices),   cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
