#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One peer as a process of its own, for bench/compare.py, which starts it, pauses it and asks it.

    peer_bench.py eager|compile|onnx MODEL --mode train|infer --batch N --size S --threads T
    peer_bench.py export MODEL --size S --onnx FILE

Standard output carries one line of JSON when the peer is ready and one per line "WARMUP STEPS" of
standard input: {"ms": [of each step], "peak_mb": N}. Only the steps count for the memory, not the
way to the first of them (torch.compile needs a lot). An export ends after its ready line.

A training step is forward, loss, backward and update, of the same images every time. Denormals are
flushed, tensors of PyTorch are channels_last, networks are folded where a peer can.
"""
import argparse
import json
import os
import sys
import time

LEARNING_RATE, MOMENTUM, WEIGHT_DECAY, AUXILIARY = 1e-4, 0.9, 4e-5, 0.3


def torch_step(options):
    """A function that makes one step, and what identifies the network."""
    import torch
    import torch.nn.functional as F

    import peer_models

    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    training = options.mode == "train"
    model = peer_models.build(options.model).train(training).to(memory_format=torch.channels_last)
    x = torch.empty(options.batch, 3, options.size, options.size).uniform_(-2, 2)
    x = x.to(memory_format=torch.channels_last)
    y = torch.randint(0, 1000, (options.batch,))
    about = {"version": f"PyTorch {torch.__version__.split('+')[0]}",
             "params": sum(p.numel() for p in model.parameters())}

    def loss_of(images, labels):
        main, *auxiliary = outs if isinstance(outs := model(images), tuple) else (outs,)
        loss = F.cross_entropy(main, labels)
        return loss + AUXILIARY * sum(F.cross_entropy(out, labels) for out in auxiliary)

    if options.peer == "compile":
        import torch._inductor.config
        torch._inductor.config.freezing = not training
        loss_of, model_of = torch.compile(loss_of), torch.compile(model)
    else:
        model_of = model
    if not training:
        def step():
            with torch.inference_mode() if options.peer == "eager" else torch.no_grad():
                model_of(x)
        return step, about

    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM,
                                weight_decay=WEIGHT_DECAY, fused=True)

    def train():
        optimizer.zero_grad(set_to_none=True)
        loss_of(x, y).backward()
        optimizer.step()
    return train, about


def onnx_step(options):
    import numpy
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
    settings.add_session_config_entry("session.set_denormal_as_zero", "1")
    settings.add_free_dimension_override_by_name("batch", options.batch)
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(options.onnx, settings,
                                           providers=["CPUExecutionProvider"])
    random = numpy.random.default_rng(0)
    x = random.uniform(-2, 2, (options.batch, 3, options.size, options.size))
    feed = {"images": x.astype(numpy.float32)}
    return lambda: session.run(None, feed), {"version": f"ONNX Runtime {onnxruntime.__version__}"}


def export(options):
    import torch

    import peer_models

    torch.manual_seed(0)
    model = peer_models.build(options.model).eval()
    x = torch.zeros(2, 3, options.size, options.size)
    torch.onnx.export(model, (x,), options.onnx, dynamo=False, input_names=["images"],
                      output_names=["logits"], opset_version=17,
                      dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}})
    return {"version": f"PyTorch {torch.__version__.split('+')[0]}"}


# ---- Memory ----


def peak_mb():
    """MiB that were resident at most since forget_peak()."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def forget_peak():
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


# ---- Talk ----


def serve(step, say):
    for line in sys.stdin:
        warmup, steps = (int(word) for word in line.split())
        for _ in range(warmup):
            step()
        forget_peak()
        ms = []
        for _ in range(steps):
            start = time.perf_counter()
            step()
            ms.append(1e3 * (time.perf_counter() - start))
        say({"ms": ms, "peak_mb": peak_mb()})


def main():
    parser = argparse.ArgumentParser(description="One peer of bench/compare.py.")
    parser.add_argument("peer", choices=["eager", "compile", "onnx", "export"])
    parser.add_argument("model")
    parser.add_argument("--mode", choices=["train", "infer"], default="infer")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--onnx", metavar="FILE", help="network for onnx, of export")
    options = parser.parse_args()

    # Libraries print where they like: what compare.py reads goes out by a descriptor of its own.
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)

    def say(what):
        print(json.dumps(what), file=out, flush=True)

    if options.peer == "export":
        say(export(options))
        return
    step, about = onnx_step(options) if options.peer == "onnx" else torch_step(options)
    say(about)
    serve(step, say)


if __name__ == "__main__":
    main()
