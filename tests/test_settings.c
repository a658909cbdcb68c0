/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/log.h"
#include "train/settings.h"

#include <stdio.h>
#include <string.h>

static char notices[2048];

static void keep_notice(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx, (void)level;
    const size_t used = strlen(notices);
    snprintf(notices + used, sizeof(notices) - used, "%s\n", line);
}

static fv_config *config;
static fv_settings settings;

static fv_status read_text(const char *text)
{
    fv_config_destroy(config);
    config = NULL;
    notices[0] = '\0';
    assert_ok(fv_config_parse(&config, "c.yaml", text, &testing_err));
    fv_log_sink(keep_notice, NULL);
    const fv_status status = fv_settings_read(&settings, config, &testing_err);
    fv_log_sink(NULL, NULL);
    return status;
}

static void assert_refused(const char *text, const char *message)
{
    assert_int_equal(read_text(text), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, message);
}

#define ARCH "Arch: {name: MobileNetV2_x0_25}\n"

/* In the form of PaddleClas's configs for ImageNet. */
static const char WHOLE[] =
    "# global configs\n"
    "Global:\n"
    "  checkpoints: null\n"
    "  pretrained_model: null\n"
    "  output_dir: ./output/\n"
    "  device: gpu\n"
    "  save_interval: 1\n"
    "  eval_during_train: True\n"
    "  eval_interval: 1\n"
    "  epochs: 240\n"
    "  print_batch_step: 10\n"
    "  use_visualdl: False\n"
    "  image_shape: [3, 224, 224]\n"
    "  save_inference_dir: ./inference\n"
    "\n"
    "Arch:\n"
    "  name: MobileNetV2_x0_25\n"
    "  class_num: 1000\n"
    "\n"
    "Loss:\n"
    "  Train:\n"
    "    - CELoss:\n"
    "        weight: 1.0\n"
    "        epsilon: 0.1\n"
    "  Eval:\n"
    "    - CELoss:\n"
    "        weight: 1.0\n"
    "\n"
    "Optimizer:\n"
    "  name: Momentum\n"
    "  momentum: 0.9\n"
    "  lr:\n"
    "    name: Cosine\n"
    "    learning_rate: 0.045\n"
    "  regularizer:\n"
    "    name: 'L2'\n"
    "    coeff: 0.00003\n"
    "\n"
    "DataLoader:\n"
    "  Train:\n"
    "    dataset:\n"
    "      name: ImageNetDataset\n"
    "      image_root: ./dataset/ILSVRC2012/\n"
    "      cls_label_path: ./dataset/ILSVRC2012/train_list.txt\n"
    "      transform_ops:\n"
    "        - DecodeImage:\n"
    "            to_rgb: True\n"
    "            channel_first: False\n"
    "        - RandCropImage:\n"
    "            size: 224\n"
    "        - RandFlipImage:\n"
    "            flip_code: 1\n"
    "        - NormalizeImage:\n"
    "            scale: 1.0/255.0\n"
    "            mean: [0.485, 0.456, 0.406]\n"
    "            std: [0.229, 0.224, 0.225]\n"
    "            order: ''\n"
    "    sampler:\n"
    "      name: DistributedBatchSampler\n"
    "      batch_size: 64\n"
    "      drop_last: False\n"
    "      shuffle: True\n"
    "    loader:\n"
    "      num_workers: 4\n"
    "      use_shared_memory: True\n"
    "\n"
    "Infer:\n"
    "  infer_imgs: docs/images/inference_deployment/whl_demo.jpg\n"
    "  batch_size: 10\n"
    "  transforms:\n"
    "    - DecodeImage: {to_rgb: True, channel_first: False}\n"
    "    - ResizeImage: {resize_short: 256}\n"
    "    - CropImage: {size: 224}\n"
    "    - NormalizeImage: {scale: 1.0/255.0, mean: [0.485, 0.456, 0.406],\n"
    "                       std: [0.229, 0.224, 0.225], order: ''}\n"
    "    - ToCHWImage:\n"
    "  PostProcess:\n"
    "    name: Topk\n"
    "    topk: 5\n"
    "    class_id_map_file: ppcls/utils/imagenet1k_label_list.txt\n"
    "\n"
    "Metric:\n"
    "  Train:\n"
    "    - TopkAcc:\n"
    "        topk: [1, 5]\n"
    "  Eval:\n"
    "    - TopkAcc:\n"
    "        topk: [1, 5]\n"
    "AMP:\n"
    "  use_amp: False\n"
    "  scale_loss: 128.0\n"
    "  use_dynamic_loss_scaling: True\n"
    "  level: O1\n";

static void test_whole_config(void **unused)
{
    (void)unused;
    assert_ok(read_text(WHOLE));
    assert_string_equal(notices,
                        "c.yaml:13:3: Global.image_shape: ignored, pictures have the size that the "
                        "transforms give them\n"
                        "c.yaml:14:3: Global.save_inference_dir: ignored, \"fovea convert\" writes "
                        "weights for others\n"
                        "c.yaml:6:3: Global.device: gpu is taken as cpu\n"
                        "c.yaml:65:7: DataLoader.Train.loader.use_shared_memory: ignored, workers "
                        "are threads and share all memory\n");
    assert_int_equal(settings.global.epochs, 240);
    assert_string_equal(settings.global.output_dir, "./output/");
    assert_null(settings.global.checkpoints);
    assert_string_equal(settings.arch.model->name, "MobileNetV2_x0_25");
    assert_int_equal(settings.class_num, 1000);
    assert_int_equal(settings.loss.count, 1);
    assert_true(settings.loss.terms[0].epsilon == 0.1f);
    assert_non_null(settings.optimizer);
    assert_non_null(settings.schedule);
    assert_non_null(settings.train);
    assert_null(settings.eval);
    assert_int_equal(settings.infer.batch_size, 10);
    assert_int_equal(settings.infer.topk, 5);
    assert_non_null(settings.infer.transforms);
}

static void test_defaults(void **unused)
{
    (void)unused;
    assert_ok(read_text(ARCH));
    assert_string_equal(notices, "");
    assert_int_equal(settings.global.epochs, 100);
    assert_true(settings.global.eval_during_train);
    assert_int_equal(settings.global.print_batch_step, 10);
    assert_int_equal(settings.global.seed, 0);
    assert_int_equal(settings.class_num, 0);
    assert_int_equal(settings.loss.count, 1);
    assert_true(settings.loss.terms[0].weight == 1.0f && settings.loss.terms[0].epsilon == 0.0f);
    assert_int_equal(settings.infer.topk, 5);
}

static void test_class_num(void **unused)
{
    (void)unused;
    assert_ok(read_text("Global: {class_num: 7}\n" ARCH));
    assert_int_equal(settings.class_num, 7);
    assert_ok(read_text("Global: {class_num: 7}\nArch: {name: MobileNetV2, class_num: 9}\n"));
    assert_int_equal(settings.class_num, 9);
}

static void test_notices(void **unused)
{
    (void)unused;
    assert_ok(read_text(ARCH "AMP: {scale_loss: 128.0}\n"));
    assert_string_equal(notices,
                        "c.yaml:2:1: AMP: taken as off, everything is computed in float32\n");
    assert_ok(read_text(ARCH "Global: {use_dali: True, to_static: False, use_gpu: 1}\n"));
    assert_string_equal(notices, "c.yaml:2:10: Global.use_dali: ignored, pictures are read on the "
                                 "CPU\nc.yaml:2:44: Global.use_gpu: ignored, this program runs on "
                                 "the CPU\n");
    assert_ok(read_text("Arch: {name: DLA34, data_format: NHWC, stop_after: null}\n"));
    assert_string_equal(notices, "c.yaml:1:21: Arch.data_format: ignored, memory is laid out as "
                                 "the kernels want it\n");
    assert_ok(read_text(ARCH "Slim: {prune: {name: fpgm, pruned_ratio: 0.3}}\n"));
    assert_string_equal(notices, "c.yaml:2:1: Slim: ignored, as PaddleClas ignores it for "
                                 "MobileNetV2_x0_25\n");
    assert_ok(read_text(ARCH "Global: {use_visualdl: True, tensorboard: False}\n"));
    assert_string_equal(notices, "c.yaml:2:10: Global.use_visualdl: taken as Global.tensorboard, "
                                 "event files instead of VisualDL's\n");
    assert_true(settings.global.tensorboard && !settings.global.weight_histograms);
    assert_ok(read_text(ARCH "Global: {weight_histograms: True, tensorboard: False}\n"));
    assert_true(settings.global.tensorboard && settings.global.weight_histograms);
    assert_ok(read_text(ARCH "Loss: {Train: [CELoss: {weight: 0.5}]}\n"));
    assert_string_equal(notices, "c.yaml:2:8: Loss.Train: the weight 0.5 of the only loss is "
                                 "ignored, as PaddleClas does\n");
    assert_true(settings.loss.terms[0].weight == 1.0f);
    assert_ok(read_text(ARCH "Loss: {Train: [CELoss: {weight: 0.5}, CELoss: {weight: 2}]}\n"));
    assert_string_equal(notices, "");
    assert_true(settings.loss.terms[0].weight == 0.5f && settings.loss.terms[1].weight == 2.0f);
}

static void test_pretrained(void **unused)
{
    (void)unused;
    assert_ok(read_text("Arch: {name: MobileNetV2, pretrained: False}\n"));
    assert_null(settings.arch.weights);
    assert_ok(read_text("Arch: {name: MobileNetV2, pretrained: weights/a}\n"));
    assert_string_equal(settings.arch.weights, "weights/a");
    assert_refused("Arch: {name: MobileNetV2, pretrained: True, use_ssld: True}\n",
                   "c.yaml:1:27: Arch.pretrained: weights are not downloaded: give the path of a "
                   "file instead of True");
}

static void test_refusals(void **unused)
{
    (void)unused;
    assert_refused("Global: {epochs: 1}\n",
                   "Arch: missing section: which model, e.g. Arch: {name: MobileNetV2_x0_25}");
    assert_refused("Arch: {name: MobileNetV3_x0_25}\n",
                   "c.yaml:1:8: Arch.name: no model \"MobileNetV3_x0_25\", did you mean "
                   "\"MobileNetV2_x0_25\"?");
    assert_refused("Arch: {name: InceptionV3}\nSlim: {quant: {name: pact}}\n",
                   "c.yaml:2:1: Slim: not supported: nothing is quantised or pruned, leave it out");
    assert_refused("Arch: {name: InceptionV3, freeze_befor: fc}\n",
                   "c.yaml:1:27: Arch.freeze_befor: not supported: Global.freeze freezes by name");
    assert_refused("Arch: {name: Transformer}\n",
                   "c.yaml:1:8: Arch.name: no model \"Transformer\": \"fovea info\" lists those "
                   "there are");
    assert_refused(ARCH "Globel: {epochs: 1}\n",
                   "c.yaml:2:1: Globel: unknown key, did you mean \"Global\"?");
    assert_refused(ARCH "Global: {epoch: 1}\n",
                   "c.yaml:2:10: Global.epoch: unknown key, did you mean \"epochs\"?");
    assert_refused(ARCH "Global: {epochs: 0}\n",
                   "c.yaml:2:10: Global.epochs: 0 is outside [1, 1000000]");
    assert_refused(ARCH "Global: {device: gpus}\n",
                   "c.yaml:2:10: Global.device: expected one of cpu, gpu, xpu, npu, mlu, mps, "
                   "ascend, dcu, gcu, intel_gpu, got \"gpus\", did you mean \"gpu\"?");
    assert_refused(ARCH "Global: {output_dir: ''}\n",
                   "c.yaml:2:10: Global.output_dir: must name a folder");
    assert_refused(ARCH "Global: {early_stop: {patience: 0}}\n",
                   "c.yaml:2:23: Global.early_stop.patience: 0 is outside [1, 1000000]");
    assert_refused(ARCH "Global: {early_stop: {patience: 3}, eval_during_train: False}\n",
                   "c.yaml:2:10: Global.early_stop: goes by evaluations, but "
                   "Global.eval_during_train is False");
    assert_refused(ARCH "Global: {train_mode: progressive}\n",
                   "c.yaml:2:10: Global.train_mode: there is only \"classification\", not "
                   "\"progressive\"");
    assert_refused(ARCH "Global: {freeze: conv1}\n",
                   "c.yaml:2:10: Global.freeze: must be a list of patterns, e.g. [\"conv1.*\"]");
}

static void test_refusals_of_losses(void **unused)
{
    (void)unused;
    assert_refused(ARCH "Loss: {Train: [MixLoss: {weight: 1.0}]}\n",
                   "c.yaml:2:16: Loss.Train.0: no loss \"MixLoss\": there are CELoss, MixCELoss, "
                   "GoogLeNetLoss, DistillationGTCELoss, DistillationCELoss, "
                   "DistillationKLDivLoss, DistillationDMLLoss, DistillationDKDLoss, "
                   "DistillationDISTLoss and DistillationWSLLoss");
    assert_refused(ARCH "Loss: {Train: []}\n",
                   "c.yaml:2:8: Loss.Train: must be a list of 1 to 8 losses");
    assert_refused(ARCH "Loss: {Train: [CELoss]}\n",
                   "c.yaml:2:16: Loss.Train.0: a loss is a map of one name, e.g. CELoss: {weight: "
                   "1.0}");
    assert_refused(
        ARCH "Loss: {Train: [GoogLeNetLoss: {weight: 1.0, epsilon: 0.1}]}\n",
        "c.yaml:2:45: Loss.Train.0.GoogLeNetLoss.epsilon: unknown key, known here: weight, "
        "class_weights, reduction");
    assert_refused(ARCH "Metric: {Eval: [Recallk: {topk: [1]}]}\n",
                   "c.yaml:2:17: Metric.Eval.0: no metric \"Recallk\": there are TopkAcc, "
                   "GoogLeNetTopkAcc and DistillationTopkAcc");
    assert_refused(ARCH "Metric: {Eval: [TopkAcc: {topk: [1, 3]}]}\n",
                   "c.yaml:2:27: Metric.Eval.0.TopkAcc.topk: 3 is not supported: 1 and 5 are");
    assert_refused(ARCH "EMA: {decay: 1.0}\n",
                   "c.yaml:2:7: EMA.decay: 1.0 is outside [0, 0.9999999]");
    assert_refused(ARCH "EMA: {decays: 0.9}\n",
                   "c.yaml:2:7: EMA.decays: unknown key, did you mean \"decay\"?");
    assert_refused(ARCH "Infer: {PostProcess: {name: ThreshOutput}}\n",
                   "c.yaml:2:23: Infer.PostProcess.name: expected one of Topk, got "
                   "\"ThreshOutput\"");
}

/* The sections of others are read as well, before anything is computed. */
static void test_refusals_of_others(void **unused)
{
    (void)unused;
    assert_int_equal(read_text(ARCH "Optimizer: {name: Momentum, momentun: 0.9, lr: {name: "
                                    "ConstLR, learning_rate: 0.1}}\n"),
                     FV_ERR_CONFIG);
    assert_non_null(strstr(testing_err.message, "Optimizer.momentun: unknown key"));
    assert_int_equal(
        read_text(ARCH "Optimizer: {name: SGD, lr: {name: Cosine, learning_rat: 1}}\n"),
        FV_ERR_CONFIG);
    assert_non_null(strstr(testing_err.message, "Optimizer.lr.learning_rat: unknown key"));
    assert_int_equal(read_text(ARCH "DataLoader: {Eval: {dataset: {transform_ops: [DecodeImage: "
                                    "{to_rbg: True}]}, sampler: {batch_size: 1}}}\n"),
                     FV_ERR_CONFIG);
    assert_non_null(strstr(testing_err.message, "DecodeImage.to_rbg: unknown key"));
    assert_int_equal(
        read_text(ARCH "DataLoader: {Train: {dataset: {}, sampler: {batch_size: 1}}}\n"),
        FV_ERR_CONFIG);
    assert_non_null(
        strstr(testing_err.message, "DataLoader.Train.dataset.transform_ops: must be given"));
    assert_int_equal(read_text(ARCH
                               "DataLoader: {Train: {dataset: {transform_ops: [DecodeImage: {}, "
                               "CropImage: {size: 8}, NormalizeImage: {}]}, "
                               "sampler: {batchsize: 1}}}\n"),
                     FV_ERR_CONFIG);
    assert_non_null(strstr(testing_err.message, "DataLoader.Train.sampler.batchsize: unknown key"));
}

static int finish(void **unused)
{
    (void)unused;
    fv_config_destroy(config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_config),       cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_class_num),          cmocka_unit_test(test_notices),
        cmocka_unit_test(test_pretrained),         cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refusals_of_losses), cmocka_unit_test(test_refusals_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
