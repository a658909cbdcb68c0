#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_weights.py DIR: the files of weights of tests/test_pickle.c, by Python's pickle and torch.

Element i of each tensor, in the order of its indices, is i / 2 - 1, in every type.
"""
import argparse
import collections
import pathlib
import pickle
import zipfile

import numpy
import torch


def ramp(*shape):
    return numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape) / 2 - 1


def arrays():
    brain = (ramp(2, 2).astype("f4").view("u4") >> 16).astype("u2")
    return {"conv.weight": ramp(2, 3, 1, 2).astype("f4"), "fc.weight": numpy.asfortranarray(ramp(2, 3)),
            "half": ramp(3).astype("f2"), "scalar": numpy.array(-1, "i8"), "big": ramp(2, 3).astype(">f4"),
            "brain": brain, "empty": numpy.zeros((0, 3), "f4"), "truth": ramp(2, 2) != 0,
            "StructuredToParameterName@@": {"conv.weight": "conv2d_0.w_0"}}


class Tensor:
    """Written as PaddlePaddle writes a tensor outside of a state_dict."""

    def __init__(self, name, array):
        self.pair = (name, array)

    def __reduce__(self):
        return tuple, (self.pair,)


class Command:
    def __reduce__(self):
        import os
        return os.system, ("true",)


def tensors():
    base = torch.tensor(ramp(2, 6), dtype=torch.float32)
    base = torch.cat([torch.full((1, 6), 9.0), base])
    columns = torch.tensor(ramp(2, 3)).t().contiguous().t()
    return collections.OrderedDict([
        ("conv.weight", torch.nn.Parameter(base[1:].reshape(2, 3, 1, 2))), ("fc.weight", columns),
        ("half", torch.tensor(ramp(3), dtype=torch.float16)), ("scalar", torch.tensor(-1)),
        ("brain", torch.tensor(ramp(2, 2), dtype=torch.bfloat16)), ("empty", torch.zeros(0, 3)),
        ("head", base[1, :3]), ("truth", torch.tensor(ramp(2, 2) != 0))])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", type=pathlib.Path)
    out = parser.parse_args().dir
    for protocol in (2, 3, 4, 5):
        (out / f"protocol{protocol}.pdparams").write_bytes(pickle.dumps(arrays(), protocol))
    first = {"fc.weight": ("fc.w_0", arrays()["fc.weight"]), "half": Tensor("half.w_0", arrays()["half"])}
    (out / "tuples.pdparams").write_bytes(pickle.dumps(first, 2))
    (out / "command.pdparams").write_bytes(pickle.dumps({"a": Command()}, 4))
    wrapped = {"module." + key: value for key, value in tensors().items()}
    torch.save(tensors(), out / "plain.pth")
    torch.save({"state_dict": wrapped, "epoch": 3, "best": 0.5}, out / "nested.pth")
    torch.save({"state_dict": {"half": torch.zeros(3)}, "state_dict_ema": {"half": tensors()["half"]}},
               out / "ema.pth")
    torch.save({"model": {"half": tensors()["half"]}, "args": argparse.Namespace(lr=1)}, out / "args.pth")
    torch.save({"half": tensors()["half"]}, out / "old.pth", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(out / "plain.pth") as stored, \
            zipfile.ZipFile(out / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in ("plain/data.pkl", "plain/byteorder", "plain/data/0"):
            packed.writestr(name, stored.read(name))


if __name__ == "__main__":
    main()
