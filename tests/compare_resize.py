#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares data/resize*.c with Pillow and OpenCV on random sizes. Run by hand, from anywhere:

    python3 tests/compare_resize.py [rounds]

Needs a C compiler, numpy, Pillow and opencv-python; prints the largest difference per filter.
"""
import ctypes
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np
from PIL import Image

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = ["data/resize.c", "data/resize_pillow.c", "data/resize_opencv.c", "data/resize_area.c",
           "data/decode.c", "data/decode_jpeg.c", "data/decode_png.c", "base/memory.c",
           "base/status.c", "base/cpu.c", "base/file.c"]
PILLOW = {0: Image.NEAREST, 1: Image.BILINEAR, 2: Image.BICUBIC, 3: Image.BOX, 4: Image.HAMMING,
          5: Image.LANCZOS}
OPENCV = {0: cv2.INTER_NEAREST, 1: cv2.INTER_LINEAR, 2: cv2.INTER_CUBIC, 6: cv2.INTER_AREA}
NAMES = ["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos", "area"]


class Picture(ctypes.Structure):
    _fields_ = [("width", ctypes.c_int), ("height", ctypes.c_int),
                ("data", ctypes.POINTER(ctypes.c_uint8)), ("capacity", ctypes.c_size_t)]


class Rect(ctypes.Structure):
    _fields_ = [(n, ctypes.c_int) for n in ("x", "y", "width", "height")]


class Job(ctypes.Structure):
    _fields_ = [("source", ctypes.POINTER(Picture)), ("rect", Rect), ("width", ctypes.c_int),
                ("height", ctypes.c_int), ("profile", ctypes.c_int), ("kind", ctypes.c_int),
                ("window", Rect), ("out", ctypes.POINTER(Picture))]


class Resizer(ctypes.Structure):
    _fields_ = [("memory", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


def load():
    out = os.path.join(tempfile.mkdtemp(), "resize.so")
    subprocess.check_call(["cc", "-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-shared",
                           "-fPIC", "-D_GNU_SOURCE", "-I" + ROOT, "-o", out]
                          + [os.path.join(ROOT, s) for s in SOURCES] + ["-ljpeg", "-lpng", "-lm"])
    return ctypes.CDLL(out)


def ours(lib, image, size, profile, kind):
    h, w, _ = image.shape
    source = Picture(w, h, image.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)), image.size)
    out, resizer = Picture(), Resizer()
    job = Job(ctypes.pointer(source), Rect(0, 0, w, h), size[0], size[1], profile, kind,
              Rect(0, 0, 0, 0), ctypes.pointer(out))
    status = lib.fv_resize(ctypes.byref(resizer), ctypes.byref(job), None)
    assert status == 0
    result = np.ctypeslib.as_array(out.data, (size[1], size[0], 3)).copy()
    lib.fv_picture_deinit(ctypes.byref(out))
    lib.fv_resizer_deinit(ctypes.byref(resizer))
    return result


def pillow(image, size, kind):
    """Two steps, since Pillow 13.0 begins with the axis that makes less work; Pillow 9.4 and we begin
    with the horizontal one."""
    source = Image.fromarray(image)
    if kind != Image.NEAREST:
        source = source.resize((size[0], source.height), kind)
    return np.asarray(source.resize(size, kind))


def sizes(rng, i):
    w, h = (int(v) for v in rng.integers(1, 300, 2))
    if i % 4 == 0:
        k, l = (int(v) for v in rng.integers(1, 5, 2))
        return (max(1, w // k) * k, max(1, h // l) * l), (max(1, w // k), max(1, h // l))
    if i % 4 == 1:
        return (w, h), (w, int(rng.integers(1, 300)))
    if i % 4 == 2:
        return (w, h), (int(rng.integers(1, w + 1)), int(rng.integers(1, h + 1)))
    return (w, h), tuple(int(v) for v in rng.integers(1, 300, 2))


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    lib = load()
    rng = np.random.default_rng(1)
    worst = {}
    for i in range(rounds):
        (w, h), size = sizes(rng, i)
        image = np.ascontiguousarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8))
        for profile, table in ((0, PILLOW), (1, OPENCV)):
            for kind, theirs in table.items():
                want = (pillow(image, size, theirs) if profile == 0
                        else cv2.resize(image, size, interpolation=theirs))
                got = ours(lib, image, size, profile, kind)
                error = np.abs(want.astype(int) - got)
                key = ("pillow", "opencv")[profile] + " " + NAMES[kind]
                if error.max() > worst.get(key, (0,))[0]:
                    worst[key] = (int(error.max()), (w, h), size, float((error > 0).mean()))
                worst.setdefault(key, (0,))
    for key, value in worst.items():
        print(key, "equal" if value[0] == 0 else value)
    return any(value[0] for value in worst.values())


if __name__ == "__main__":
    sys.exit(main())
