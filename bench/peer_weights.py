#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""peer_weights.py FOVEA GOLDEN_DIR [MODEL...]: do weights of PyTorch give the same classes here?

For each model a network of peer_models.py gets random weights and statistics, is saved by torch.save
with the names of timm or torchvision, and both programs look at one picture. Printed is the largest
difference of the scores, relative to the largest score.
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
from torch import nn

import peer_models

CLASSES = 10
SIZES = {"InceptionV3": 299}


def letter(name):
    """Index of a Res2Net block from its name, "res4b12" or "res3c"."""
    return int(name[5:]) if len(name) > 5 else ord(name[4]) - ord("a")


def timm_mobilenet(name):
    fixed = {"conv1._conv": "conv_stem", "conv1._batch_norm": "bn1", "conv9._conv": "conv_head",
             "conv9._batch_norm": "bn2", "out": "classifier"}
    if name in fixed:
        return fixed[name]
    stage, block, part = re.fullmatch(r"conv(\d)\.(\w+)\.(\w+\.\w+)", name).groups()
    index = 0 if block == "_first_block" else int(block.split("_")[1]) - 1
    parts = {"_expand_conv._conv": "conv_pw", "_expand_conv._batch_norm": "bn1",
             "_bottleneck_conv._conv": "conv_dw", "_bottleneck_conv._batch_norm": "bn2",
             "_linear_conv._conv": "conv_pwl", "_linear_conv._batch_norm": "bn3"}
    if stage == "2":  # depthwise, then pointwise
        parts = {"_bottleneck_conv._conv": "conv_dw", "_bottleneck_conv._batch_norm": "bn1",
                 "_linear_conv._conv": "conv_pw", "_linear_conv._batch_norm": "bn2"}
    return f"blocks.{int(stage) - 2}.{index}.{parts[part]}" if part in parts else None


def torchvision_mobilenet(name):
    fixed = {"conv1._conv": "features.0.0", "conv1._batch_norm": "features.0.1", "out": "classifier.1",
             "conv9._conv": "features.18.0", "conv9._batch_norm": "features.18.1"}
    if name in fixed:
        return fixed[name]
    stage, block, part = re.fullmatch(r"conv(\d)\.(\w+)\.(\w+\.\w+)", name).groups()
    index = 0 if block == "_first_block" else int(block.split("_")[1]) - 1
    before = sum((1, 2, 3, 4, 3, 3)[:int(stage) - 2])
    kind, leaf = part.split(".")
    at = {"_expand_conv": 0, "_bottleneck_conv": 1, "_linear_conv": 2}[kind] - (stage == "2")
    if at < 0:
        return None
    normal = leaf == "_batch_norm"
    inner = f"{at + normal}" if kind == "_linear_conv" else f"{at}.{int(normal)}"
    return f"features.{before + index + 1}.conv.{inner}"


def timm_res2net(name):
    stem = {"conv1._conv": "conv1", "conv1._batch_norm": "bn1", "conv1_1._conv": "conv1.0",
            "conv1_1._batch_norm": "conv1.1", "conv1_2._conv": "conv1.3", "out": "fc",
            "conv1_2._batch_norm": "conv1.4", "conv1_3._conv": "conv1.6", "conv1_3._batch_norm": "bn1"}
    if name in stem:
        return stem[name]
    stage, block, part, leaf = re.fullmatch(r"bb_(\d)_(\d+)\.(\w+)\.(\w+)", name).groups()
    normal = leaf == "_batch_norm"
    prefix = f"layer{int(stage) + 1}.{block}."
    if part == "short":
        return prefix + f"downsample.{int(normal) + timm_res2net.vd}"
    if part in ("conv0", "conv2"):
        return prefix + ("bn" if normal else "conv") + ("1" if part == "conv0" else "3")
    own, number = part.split("_branch2b_")
    assert letter(own) == int(block)
    return prefix + ("bns." if normal else "convs.") + str(int(number) - 1)


def torchvision_inception(name):
    if name == "fc":
        return name
    name = name.replace("inception_stem.conv_", "Conv2d_").replace("branch_pool_conv.", "branch_pool.")
    blocks = "5b 5c 5d 6a 6b 6c 6d 6e 7a 7b 7c".split()
    return re.sub(r"inception_block_list\.(\d+)", lambda m: "Mixed_" + blocks[int(m[1])], name)


def names_of(model):
    if model.startswith("MobileNetV2"):
        return [timm_mobilenet, torchvision_mobilenet]
    if model.startswith("Res2Net"):
        timm_res2net.vd = "_vd_" in model
        return [timm_res2net]
    return [torchvision_inception if model == "InceptionV3" else lambda name: name]


def adapt(model, network):
    """What of the peer is not as in timm or torchvision."""
    if model.startswith("MobileNetV2"):
        network[1][0] = nn.Identity()
    if model != "InceptionV3":
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3
        if isinstance(module, peer_models.MaskOnly):
            module.p = 0.0


def state_dict(network, ours, rename):
    """The network's tensors under the names that `rename` makes of ours."""
    leaves = {"_mean": "running_mean", "_variance": "running_var"}
    keys = [key for key in network.state_dict() if not key.endswith("num_batches_tracked")]
    state, source = collections.OrderedDict(), iter(keys)
    for name in ours:
        layer, leaf = name.rsplit(".", 1)
        theirs = rename(layer)
        if theirs is None:
            continue
        state[f"{theirs}.{leaves.get(leaf, leaf)}"] = network.state_dict()[next(source)]
        if leaf == "_variance":
            state[f"{theirs}.num_batches_tracked"] = torch.tensor(1)
    assert next(source, None) is None
    return state


def randomise(network):
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


def compare(fovea, golden, model, folder):
    torch.manual_seed(1)
    size = SIZES.get(model, 224)
    network = peer_models.build(model, CLASSES).eval()
    adapt(model, network)
    randomise(network)
    lines = (golden / f"{model}.tsv").read_text().splitlines()
    ours = [line.split("\t")[1] for line in lines if line.startswith("param\t")]
    pixels = numpy.random.default_rng(2).integers(0, 256, (size, size, 3), numpy.uint8)
    Image.fromarray(pixels).save(folder / "picture.png")
    x = (torch.tensor(pixels).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5
    with torch.no_grad():
        spread = network(x).std()
        for module in network.modules():  # scores of all classes matter
            if isinstance(module, (nn.Conv2d, nn.Linear)) and len(module.weight) == CLASSES:
                module.weight /= spread
        expected = network(x)[0].softmax(0)
    worst = 0.0
    for rename in names_of(model):
        torch.save({"state_dict": state_dict(network, ours, rename)}, folder / "weights.pth")
        subprocess.run([fovea, "predict", "--model", model, "--weights", folder / "weights.pth",
                        "--resize-short", str(size), "--crop", str(size), "--mean", "0.5,0.5,0.5",
                        "--std", "0.5,0.5,0.5", "--topk", str(CLASSES), "--json",
                        folder / "scores.json", folder / "picture.png"], check=True,
                       capture_output=True)
        answer = json.loads((folder / "scores.json").read_text())[0]
        for number, score in zip(answer["class_ids"], answer["scores"]):
            worst = max(worst, abs(float(expected[number]) - score) / float(expected.max()))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fovea")
    parser.add_argument("golden", type=pathlib.Path)
    parser.add_argument("models", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for model in arguments.models or list(peer_models.MODELS):
        with tempfile.TemporaryDirectory() as folder:
            worst = compare(arguments.fovea, arguments.golden, model, pathlib.Path(folder))
        print(f"{model}\t{worst:.1e}", flush=True)
        if worst > 1e-3:
            sys.exit(1)


if __name__ == "__main__":
    main()
