#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""peer_golden.py FILE...: fill golden files with what the networks of peer_models.py compute.

Of FILE the records meta, dropout, param and dev stay; the numbers of the four runs that
tests/conformance.c makes are computed in float64 and put behind them. tests/golden/README.md
describes the records.
"""
import argparse
import pathlib
import sys

import numpy
import torch
import torch.nn.functional as F
from torch import nn

import peer_models
from peer_check import formula, golden_tensor

STAY = ("meta", "dropout", "param", "dev")
LABELS = (865, 905, 852, 887)  # z("label", n) mod 1000
ZERO = 1e-11  # a gradient with a smaller norm is zero but for rounding


def depthwise(layer):
    """The layer as a sum of shifted products: PyTorch has no fast one in float64."""
    def forward(x):
        (s, _), (p, _), (d, _) = layer.stride, layer.padding, layer.dilation
        taps, x = layer.weight.shape[2], F.pad(x, (p, p, p, p))
        height, width = ((side - d * (taps - 1) - 1) // s + 1 for side in x.shape[2:])
        y = 0
        for i in range(taps):
            for j in range(taps):
                rows = slice(i * d, i * d + (height - 1) * s + 1, s)
                columns = slice(j * d, j * d + (width - 1) * s + 1, s)
                y = y + x[:, :, rows, columns] * layer.weight[:, 0, i, j].view(-1, 1, 1)
        return y
    return forward


class Run:
    """A model with the weights, images and labels of the formula."""

    def __init__(self, records, dtype):
        self.meta = {key: value for key, value in records["meta"]}
        size, gain = int(self.meta["input_size"]), float(self.meta["g"])
        self.model = peer_models.build(self.meta["name"]).to(dtype)
        self.names, self.kinds, self.start = {}, {}, {}
        keys = [key for key in self.model.state_dict() if not key.endswith("batches_tracked")]
        for key, (name, shape, kind) in zip(keys, records["param"], strict=True):
            sides = [int(side) for side in shape.split("x")]
            values = golden_tensor(name, sides, kind, gain).astype(numpy.float32)
            self.names[key], self.kinds[key] = name, kind
            self.start[key] = torch.tensor(values).to(dtype)
        images = (2 * formula("input", 4 * 3 * size * size)).astype(numpy.float32)
        self.images = torch.tensor(images).to(dtype).view(4, 3, size, size)
        self.labels = torch.tensor(LABELS)
        if dtype == torch.float64:
            for layer in self.layers(nn.Conv2d):
                if layer.groups == layer.in_channels == layer.out_channels:
                    layer.forward = depthwise(layer)
        self.norms = {id(norm): key for key, norm in self.model.named_modules()
                      if isinstance(norm, nn.BatchNorm2d)}

    def layers(self, kind):
        return [module for module in self.model.modules() if isinstance(module, kind)]

    def reset(self, train):
        self.model.load_state_dict(self.start, strict=False)
        self.model.zero_grad()
        self.model.train(train)

    def outputs(self, images):
        outs = getattr(self.model, "all_heads", self.model)(images)
        return outs if isinstance(outs, tuple) else (outs,)

    def losses(self, count=4):
        """Their weighted sum, and the cross entropy of each output."""
        parts = [F.cross_entropy(out, self.labels[:count])
                 for out in self.outputs(self.images[:count])]
        return parts[0] + 0.3 * sum(parts[1:]), parts

    def gradients(self):
        """Norm, first four entries and their number, by name."""
        found = {}
        for key, p in self.model.named_parameters():
            grad = (p.grad.T if self.kinds[key] == "linear_weight" else p.grad).double()
            found[self.names[key]] = (grad.norm().item(), grad.flatten()[:4].tolist(), p.numel())
        return found

    def update(self, rate, momentum, velocity):
        with torch.no_grad():
            for key, p in self.model.named_parameters():
                velocity[key] = momentum * velocity.get(key, 0) + p.grad + 1e-4 * p
                p -= rate * velocity[key]
        self.model.zero_grad()

    def evaluation(self):
        self.reset(False)
        with torch.inference_mode():
            return [out.double().numpy() for out in self.outputs(self.images[:2])]

    def statistics(self):
        """Norms of the running statistics, and of the variance had it been the biased one's."""
        unbiased, biased = {}, {}
        for norm in self.layers(nn.BatchNorm2d):
            key = self.norms[id(norm)]
            start, keep = self.start[f"{key}.running_var"], 1 - norm.momentum
            share = (norm.count - 1) / norm.count
            variance = keep * start + share * (norm.running_var - keep * start)
            for name in ("running_mean", "running_var"):
                unbiased[self.names[f"{key}.{name}"]] = getattr(norm, name).double().norm().item()
            biased[self.names[f"{key}.running_var"]] = variance.double().norm().item()
        return unbiased, biased

    def training(self, found):
        def count(norm, inputs):
            norm.count = inputs[0].numel() // inputs[0].shape[1]
        for norm in self.layers(nn.BatchNorm2d):
            norm.register_forward_pre_hook(count)
        for dropout in self.layers(peer_models.MaskOnly):
            dropout.p = 0.0  # from here on
        self.reset(True)
        loss, parts = self.losses()
        found["stat"], found["stat_biased"] = self.statistics()
        loss.backward()
        found["grad"] = self.gradients()
        self.update(float(self.meta["lr"]), 0, {})
        with torch.no_grad():
            second, second_parts = self.losses()
        found["loss"] = [loss.item(), second.item()]
        found["losspart"] = [[part.item() for part in row] for row in (parts, second_parts)]

    def gentle(self):
        self.reset(True)
        losses, velocity = [], {}
        for _ in range(2):
            loss, _ = self.losses()
            losses.append(loss.item())
            loss.backward()
            self.update(float(self.meta["lr_small"]), 0.9, velocity)
        with torch.no_grad():
            return [*losses[1:], self.losses()[0].item()]

    def frozen(self, found):
        self.reset(True)
        for norm in self.layers(nn.BatchNorm2d):
            norm.eval()
        loss, _ = self.losses(2)
        loss.backward()
        found["floss"], found["fgrad"] = loss.item(), self.gradients()

    def everything(self):
        found = {"logits": self.evaluation()}
        self.training(found)
        found["loss_small"] = self.gentle()
        if self.norms:
            self.frozen(found)
        return found


# ---- The file ----


def numbers(values):
    return " ".join(f"{value:.9g}" for value in values)


def records_of(found, single):
    """`single` has the gradients in float32, where some are zero."""
    for image in range(2):
        for o, logits in enumerate(found["logits"]):
            yield "logits", image, o, numbers(logits[image])
    yield "labels", " ".join(map(str, LABELS))
    for step in range(2):
        yield "loss", step, f"{found['loss'][step]:.12g}"
    for step in range(2):
        yield "loss_small", step + 1, f"{found['loss_small'][step]:.12g}"
    for step, parts in enumerate(found["losspart"]):
        for o, part in enumerate(parts if len(parts) > 1 else ()):
            yield "losspart", step, o, f"{part:.12g}"
    for name, (norm, first, _) in found["grad"].items():
        if norm < ZERO:
            yield "gradzero", name, f"{norm:.3g}", f"{single['grad'][name][0]:.3g}"
        else:
            yield "grad", name, f"{norm:.9g}", numbers(first)
    for kind in ("stat", "stat_biased"):
        for name, norm in found[kind].items():
            yield kind, name, f"{norm:.12g}"
    if "floss" in found:
        yield "floss", f"{found['floss']:.12g}"
        for name, (norm, first, _) in found["fgrad"].items():
            yield "fgrad", name, f"{norm:.9g}", numbers(first)


def fill(path):
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    stay = [fields for fields in lines if fields[0] in STAY]
    records = {kind: [fields[1:] for fields in stay if fields[0] == kind] for kind in STAY}
    found = Run(records, torch.float64).everything()
    single = {}
    if any(norm < ZERO for norm, _, _ in found["grad"].values()):
        Run(records, torch.float32).training(single)
    rows = [*stay, *records_of(found, single)]
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    print(f"{path.name}: loss {found['loss'][0]:.9g}, then {found['loss'][1]:.9g}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Compute golden files in PyTorch.")
    parser.add_argument("files", nargs="+", metavar="FILE", type=pathlib.Path)
    for path in parser.parse_args().files:
        fill(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
