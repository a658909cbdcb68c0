#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares data/resize*.c with Pillow and OpenCV. Run by hand, from anywhere:

    python3 tests/compare_resize.py [--rounds N] [PICTURE...]

Noise in random sizes, and a random size of every picture. Needs a C compiler, numpy, Pillow and
opencv-python; prints the largest difference per filter. FOVEA_CPU chooses the instruction set.
"""
import argparse
import ctypes
import glob
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np
from PIL import Image

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = ["data/resize*.c", "data/decode*.c", "base/memory.c", "base/status.c", "base/cpu.c",
           "base/file.c", "kernels/kernels.c", "kernels/scalar/*.c"]
FLAGS = ["-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-D_GNU_SOURCE", "-I" + ROOT]
VECTOR = {"avx2": ["-mavx2", "-mfma", "-DFV_ISA_AVX2=1"],
          "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma",
                     "-DFV_ISA_AVX512=1"]}
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
    _fields_ = [("source", ctypes.POINTER(Picture)), ("held", Rect), ("rect", Rect),
                ("width", ctypes.c_int), ("height", ctypes.c_int), ("profile", ctypes.c_int),
                ("kind", ctypes.c_int), ("window", Rect), ("out", ctypes.POINTER(Picture))]


class Resizer(ctypes.Structure):
    _fields_ = [("memory", ctypes.c_void_p), ("bytes", ctypes.c_size_t),
                ("kernels", ctypes.c_void_p * 512)]  # room enough


def load():
    folder = tempfile.mkdtemp()
    jobs = [(path, "-O3", [], "plain") for name in SOURCES for path in glob.glob(f"{ROOT}/{name}")]
    if os.uname().machine == "x86_64":
        jobs += [(path, "-O1", [*flags, "-DFV_ISA=" + isa], isa) for isa, flags in VECTOR.items()
                 for path in glob.glob(f"{ROOT}/kernels/x86/*_vector.c")]
    objects = [f"{folder}/{kind}_{os.path.basename(path)}.o" for path, _, _, kind in jobs]
    for (path, level, more, _), made in zip(jobs, objects):
        subprocess.check_call(["cc", level, *FLAGS, *more, "-c", "-o", made, path])
    library = folder + "/resize.so"
    subprocess.check_call(["cc", "-shared", "-o", library, *objects, "-ljpeg", "-lpng", "-lm"])
    return ctypes.CDLL(library)


def ours(lib, image, size, profile, kind):
    h, w, _ = image.shape
    source = Picture(w, h, image.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)), image.size)
    out, resizer = Picture(), Resizer()
    job = Job(ctypes.pointer(source), Rect(), Rect(0, 0, w, h), size[0], size[1], profile, kind,
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


def compare(lib, image, size, worst):
    h, w, _ = image.shape
    for profile, table in ((0, PILLOW), (1, OPENCV)):
        for kind, theirs in table.items():
            want = (pillow(image, size, theirs) if profile == 0
                    else cv2.resize(image, size, interpolation=theirs))
            error = np.abs(want.astype(int) - ours(lib, image, size, profile, kind))
            key = ("pillow", "opencv")[profile] + " " + NAMES[kind]
            if error.max() > worst.get(key, (0,))[0]:
                worst[key] = (int(error.max()), (w, h), size, float((error > 0).mean()))
            worst.setdefault(key, (0,))


def main():
    parser = argparse.ArgumentParser(description="data/resize*.c beside Pillow and OpenCV")
    parser.add_argument("--rounds", type=int, default=400, metavar="N", help="pictures of noise")
    parser.add_argument("pictures", nargs="*", metavar="PICTURE")
    options = parser.parse_args()
    if hasattr(cv2, "ipp"):
        cv2.ipp.setUseIPP(False)  # another library's bicubic, which rounds otherwise
    lib, rng, worst = load(), np.random.default_rng(1), {}
    for i in range(options.rounds):
        (w, h), size = sizes(rng, i)
        compare(lib, rng.integers(0, 256, (h, w, 3), dtype=np.uint8), size, worst)
    for path in options.pictures:
        image = np.array(Image.open(path).convert("RGB"))
        compare(lib, image, tuple(int(v) for v in rng.integers(20, 400, 2)), worst)
    for key, value in worst.items():
        print(key, "equal" if value[0] == 0 else value)
    return any(value[0] for value in worst.values())


if __name__ == "__main__":
    sys.exit(main())
