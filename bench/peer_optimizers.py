#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints tests/golden/optimizers_torch.tsv: the weights after each step of PyTorch's optimizers.

In float64, where PyTorch's definition and ours mean the same: its RMSProp does for a tiny epsilon and
a constant rate. Weights and gradients are those of optimizers.tsv.
"""
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import SGD, Adam, AdamW, RMSprop

MASK = 2**64 - 1
COUNT, STEPS = 8, 5

# id, rate, the Optimizer map, the same in PyTorch, clipping
RUNS = [
    ("adam", 0.1, "{name: Adam}", Adam, {}, None),
    ("adam_l2", 0.05, "{name: Adam, beta1: 0.8, beta2: 0.95, epsilon: 1e-4, weight_decay: 0.1}",
     Adam, {"betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1}, None),
    ("adamw", 0.1, "{name: AdamW, weight_decay: 0.1}", AdamW, {"weight_decay": 0.1}, None),
    ("rmsprop", 0.01, "{name: RMSProp, rho: 0.9, epsilon: 1e-20, weight_decay: 0.1}",
     RMSprop, {"alpha": 0.9, "eps": 1e-10, "weight_decay": 0.1}, None),
    ("rmsprop_momentum", 0.01, "{name: RMSProp, momentum: 0.9, epsilon: 1e-20}",
     RMSprop, {"alpha": 0.95, "eps": 1e-10, "momentum": 0.9}, None),
    ("clip_norm", 0.1, "{name: Momentum, clip_norm: 0.5, weight_decay: 0.01}",
     SGD, {"momentum": 0.9, "weight_decay": 0.01}, lambda w: clip_grad_norm_([w], 0.5)),
    ("clip_value", 0.1,
     "{name: Momentum, clip: {name: ClipGradByValue, max: 0.5}, weight_decay: 0.01}",
     SGD, {"momentum": 0.9, "weight_decay": 0.01}, lambda w: clip_grad_value_([w], 0.5)),
]


def fnv1a(name):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def splitmix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def tensor(name):
    draws = [splitmix((fnv1a(name) + i) & MASK) >> 40 for i in range(COUNT)]
    return torch.tensor([d / 8388608.0 - 1.0 for d in draws], dtype=torch.float64)


def main():
    for name, rate, settings, kind, options, clip in RUNS:
        w = torch.nn.Parameter(tensor("opt_w"))
        optimizer = kind([w], lr=rate, **options)
        print("opt", name, rate, settings, sep="\t")
        for step in range(STEPS):
            w.grad = tensor(f"opt_g{step}")
            if clip:
                clip(w)
            optimizer.step()
            print("opt_w", name, step + 1, " ".join(f"{x:.12g}" for x in w.tolist()), sep="\t")


if __name__ == "__main__":
    main()
