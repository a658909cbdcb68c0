#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""peer_check.py DIR [MODEL...]: are the networks of peer_models.py those of DIR/<Model>.tsv?

Compared are the shapes of all tensors in their order, the trainable parameters, the multiply-adds
and, where the file has them, the logits that the weights of its formula give.
"""
import argparse
import pathlib
import sys

import numpy
import torch
from torch import nn

import peer_models


def count(name, size):
    """Trainable parameters, and multiply-adds of one image, all heads of training included."""
    macs = []

    def note(module, _, out):
        spread = out.shape[2:].numel() if isinstance(module, nn.Conv2d) else 1
        macs.append(module.weight.numel() * spread)

    with torch.device("meta"), torch.no_grad():
        model = peer_models.build(name)
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.register_forward_hook(note)
        model(torch.empty(1, 3, size, size))
    return sum(p.numel() for p in model.parameters()), sum(macs)


def formula(name, size):
    """size numbers in [-1, 1): SplitMix64 of the index plus FNV-1a of the name."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = (start ^ byte) * 0x100000001B3 % 2**64
    with numpy.errstate(over="ignore"):
        x = numpy.arange(size, dtype=numpy.uint64) + numpy.uint64((start + 0x9E3779B97F4A7C15)
                                                                  % 2**64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = (x ^ (x >> numpy.uint64(shift))) * numpy.uint64(factor)
        x ^= x >> numpy.uint64(31)
    return (x >> numpy.uint64(40)).astype(numpy.float64) / 8388608.0 - 1.0


def golden_tensor(name, shape, kind, gain):
    u = formula(name, numpy.prod(shape)).reshape(shape)
    if kind == "conv_weight":
        return u * numpy.sqrt(3 * gain / numpy.prod(shape[1:]))
    if kind == "linear_weight":
        return (u * numpy.sqrt(3 / shape[0])).T
    return {"bn_weight": 1 + 0.1 * u, "bn_var": 1 + 0.5 * u}.get(kind, 0.1 * u)


def read_golden(path):
    records = {"param": [], "logits": [], "meta": {}}
    for line in path.read_text().splitlines():
        kind, *fields = line.split("\t")
        if kind == "meta":
            records["meta"][fields[0]] = fields[1]
        elif kind in ("param", "logits"):
            records[kind].append(fields)
    return records


def logits_error(model, golden):
    """Largest difference from the recorded logits, in units of their root mean square."""
    meta, worst = golden["meta"], 0.0
    names = [key for key in model.state_dict() if not key.endswith("num_batches_tracked")]
    values = {}
    for key, (name, shape, kind) in zip(names, golden["param"]):
        sides = [int(side) for side in shape.split("x")]
        values[key] = torch.tensor(golden_tensor(name, sides, kind, float(meta["g"])),
                                   dtype=torch.float32)
    model.load_state_dict(values, strict=False)
    size, images = int(meta["input_size"]), int(meta["eval_batch"])
    x = 2 * formula("input", images * 3 * size * size).reshape(images, 3, size, size)
    with torch.inference_mode():
        run = getattr(model.eval(), "all_heads", model)
        outs = run(torch.tensor(x, dtype=torch.float32))
    outs = outs if isinstance(outs, tuple) else (outs,)
    for image, output, text in golden["logits"]:
        want = numpy.array(text.split(), dtype=numpy.float64)
        got = outs[int(output)][int(image)].double().numpy()
        worst = max(worst, numpy.abs(got - want).max() / numpy.sqrt((want**2).mean()))
    return worst


def check(name, folder):
    golden = read_golden(folder / f"{name}.tsv")
    meta = golden["meta"]
    params, macs = count(name, int(meta["input_size"]))
    model = peer_models.build(name)
    got = [list(value.shape) for value in model.state_dict().values() if value.dim()]
    want = [[int(side) for side in shape.split("x")][::-1 if kind == "linear_weight" else 1]
            for _, shape, kind in golden["param"]]
    faults = []
    if got != want:
        first = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w),
                     min(len(got), len(want)))
        faults.append(f"tensors differ from number {first} on")
    if params != int(meta["params_trainable"]):
        faults.append(f"{params} parameters for {meta['params_trainable']}")
    if macs != int(meta["macs"]):
        faults.append(f"{macs} multiply-adds for {meta['macs']}")
    text = "no logits recorded"
    if golden["logits"] and not faults:
        error = logits_error(model, golden)
        text = f"logits within {error:.1e} of their rms"
        if not error < 1e-4:
            faults.append(text)
    print(f"FAIL {name}: {'; '.join(faults)}" if faults else
          f"PASS {name}: {params} parameters, {macs} multiply-adds, {text}")
    return not faults


def main():
    parser = argparse.ArgumentParser(description="Check the PyTorch definitions.")
    parser.add_argument("folder", metavar="DIR", type=pathlib.Path, help="of <Model>.tsv")
    parser.add_argument("models", nargs="*", metavar="MODEL", default=[])
    arguments = parser.parse_args()
    unknown = [name for name in arguments.models if name not in peer_models.MODELS]
    if unknown:
        parser.error(f"no model {unknown[0]!r}; there are: {' '.join(peer_models.MODELS)}")
    passed = [check(name, arguments.folder) for name in arguments.models or peer_models.MODELS]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
