#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares data/pixels*.c with Pillow on random pictures. From anywhere:

    python3 tests/compare_pixels.py [rounds]

Needs a C compiler, numpy and Pillow; prints the largest difference per operation. Ends with 77 where
one of them is missing. With --golden it prints the numbers in tests/test_pixels.c instead.
"""
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import zlib

try:
    import numpy as np
    from PIL import Image, ImageEnhance, ImageOps
except ImportError as missing:
    print("#", missing)
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = ["data/pixels_tone.c", "data/pixels_warp.c"]
MEMORY = """
#include "data/decode.h"
#include <stdlib.h>
fv_status fv_picture_reserve(fv_picture *p, int width, int height, fv_error *err)
{
    (void)err;
    p->data = realloc(p->data, (size_t)width * (size_t)height * 3);
    p->width = width, p->height = height;
    return FV_OK;
}
void fv_picture_deinit(fv_picture *p) { free(p->data); }
"""
FILTERS = {0: Image.NEAREST, 1: Image.BILINEAR, 2: Image.BICUBIC}
NAMES = ["nearest", "bilinear", "bicubic"]


class Picture(ctypes.Structure):
    _fields_ = [("width", ctypes.c_int), ("height", ctypes.c_int),
                ("data", ctypes.POINTER(ctypes.c_uint8)), ("capacity", ctypes.c_size_t)]


class Warp(ctypes.Structure):
    _fields_ = [("m", ctypes.c_double * 6), ("filter", ctypes.c_int), ("fill", ctypes.c_uint8 * 3)]


def load():
    if not shutil.which("cc"):
        print("# no C compiler")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        out, memory = os.path.join(folder, "pixels.so"), os.path.join(folder, "memory.c")
        with open(memory, "w", encoding="ascii") as file:
            file.write(MEMORY)
        subprocess.check_call(["cc", "-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-shared",
                               "-fPIC", "-D_GNU_SOURCE", "-I" + ROOT, "-o", out, memory]
                              + [os.path.join(ROOT, s) for s in SOURCES] + ["-lm"])
        return ctypes.CDLL(out)


def in_place(name, *arguments):
    def run(lib, image):
        copy = image.copy()
        h, w, _ = copy.shape
        p = Picture(w, h, copy.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)), copy.size)
        getattr(lib, "fv_pixels_" + name)(ctypes.byref(p), *arguments)
        return copy
    return run


def into_another(name, argument):
    def run(lib, image):
        h, w, _ = image.shape
        p = Picture(w, h, image.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)), image.size)
        out = Picture()
        value = argument(lib, w, h) if callable(argument) else argument
        assert getattr(lib, "fv_pixels_" + name)(ctypes.byref(p), value, ctypes.byref(out), None) == 0
        result = np.ctypeslib.as_array(out.data, (h, w, 3)).copy()
        lib.fv_picture_deinit(ctypes.byref(out))
        return result
    return run


def affine(matrix, kind, fill):
    return lambda lib, w, h: ctypes.byref(
        Warp((ctypes.c_double * 6)(*matrix(w, h)), kind, (ctypes.c_uint8 * 3)(*fill)))


def rotation(degrees, kind, fill):
    def make(lib, w, h):
        warp = Warp((ctypes.c_double * 6)(), kind, (ctypes.c_uint8 * 3)(*fill))
        lib.fv_warp_rotate(ctypes.byref(warp), ctypes.c_double(degrees), w, h)
        return ctypes.byref(warp)
    return make


def hue(image, shift):
    h, s, v = image.convert("HSV").split()
    turned = (np.asarray(h).astype(int) + shift) % 256
    return Image.merge("HSV", (Image.fromarray(turned.astype(np.uint8), "L"), s, v)).convert("RGB")


def solarize_add(image, add):
    table = [min(255, i + add) if i < 128 else i for i in range(256)]
    return image.point(table * 3)


def point_cases(rng):
    bits, add, shift = (int(rng.integers(n)) for n in (9, 111, 256))
    threshold = float(rng.uniform(0, 257))
    return [
        ("invert", in_place("invert"), ImageOps.invert),
        ("posterize", in_place("posterize", bits),
         lambda i: ImageOps.posterize(i, bits) if bits else Image.new("RGB", i.size)),
        ("solarize", in_place("solarize", ctypes.c_double(threshold)),
         lambda i: ImageOps.solarize(i, threshold)),
        ("solarize_add", in_place("solarize_add", add), lambda i: solarize_add(i, add)),
        ("autocontrast", in_place("autocontrast"), ImageOps.autocontrast),
        ("equalize", in_place("equalize"), ImageOps.equalize),
        ("grayscale", in_place("grayscale"), lambda i: i.convert("L").convert("RGB")),
        ("hue", in_place("hue", shift), lambda i: hue(i, shift)),
    ]


def enhance_cases(rng):
    factor = float(rng.choice([0.0, 1.0, rng.uniform(0, 1), rng.uniform(0, 2), rng.uniform(-1, 4)]))
    one = ctypes.c_float(factor)
    return [
        ("brightness", in_place("brightness", one), lambda i: ImageEnhance.Brightness(i).enhance(factor)),
        ("contrast", in_place("contrast", one), lambda i: ImageEnhance.Contrast(i).enhance(factor)),
        ("color", in_place("color", one), lambda i: ImageEnhance.Color(i).enhance(factor)),
        ("sharpness", into_another("sharpness", one),
         lambda i: ImageEnhance.Sharpness(i).enhance(factor)),
    ]


def warp_cases(rng):
    kind = int(rng.integers(3))
    fill = tuple(int(v) for v in rng.integers(0, 256, 3))
    shear, shift = float(rng.uniform(-0.3, 0.3)), float(rng.uniform(-0.45, 0.45))
    angle = float(rng.choice([rng.uniform(-400, 400), rng.uniform(-30, 30), rng.integers(-5, 6) * 90]))
    any_six = [float(v) for v in rng.uniform(-1.5, 1.5, 6)]
    any_six[2] *= 50
    any_six[5] *= 50
    maps = {
        "shear x": lambda w, h: (1, shear, 0, 0, 1, 0),
        "shear y": lambda w, h: (1, 0, 0, shear, 1, 0),
        "translate x": lambda w, h: (1, 0, shift * w, 0, 1, 0),
        "translate y": lambda w, h: (1, 0, 0, 0, 1, shift * h),
        "scale": lambda w, h: (any_six[0], 0, any_six[2], 0, any_six[4], any_six[5]),
        "affine": lambda w, h: any_six,
    }
    cases = [(f"{name} {NAMES[kind]}", into_another("warp", affine(m, kind, fill)),
              lambda i, m=m: i.transform(i.size, Image.AFFINE, m(*i.size), FILTERS[kind], fillcolor=fill))
             for name, m in maps.items()]
    return cases + [(f"rotate {NAMES[kind]}",
                     into_another("warp", rotation(angle, kind, fill)),
                     lambda i: i.rotate(angle, FILTERS[kind], fillcolor=fill))]


def picture(rng, i):
    w, h = (int(v) for v in rng.integers(1, 90, 2))
    if i % 3 == 0:
        return rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
    if i % 3 == 1: # few values
        return rng.choice(rng.integers(0, 256, 4), (h, w, 3)).astype(np.uint8)
    y, x = np.mgrid[0:h, 0:w]
    smooth = np.stack([(x * a + y * b) % 200 + 20 for a, b in rng.uniform(0, 4, (3, 2))], axis=2)
    return smooth.astype(np.uint8)


def golden():
    """A picture that test_pixels.c makes too, and the CRC-32 of what Pillow makes of it."""
    w, h = 37, 29
    y, x, c = np.mgrid[0:h, 0:w, 0:3]
    image = Image.fromarray(((x * 5 + y * 3 + c * 40 + x * y % 23 * 4) % 211 + 20).astype(np.uint8))

    def affine_of(matrix, kind):
        return image.transform(image.size, Image.AFFINE, matrix, kind, fillcolor=(9, 99, 199))

    table = {
        "invert": ImageOps.invert(image),
        "posterize 3": ImageOps.posterize(image, 3),
        "solarize 100.5": ImageOps.solarize(image, 100.5),
        "solarize_add 77": solarize_add(image, 77),
        "autocontrast": ImageOps.autocontrast(image),
        "equalize": ImageOps.equalize(image),
        "grayscale": image.convert("L").convert("RGB"),
        "hue 100": hue(image, 100),
        "brightness 1.7": ImageEnhance.Brightness(image).enhance(1.7),
        "contrast 0.3": ImageEnhance.Contrast(image).enhance(0.3),
        "color 2.4": ImageEnhance.Color(image).enhance(2.4),
        "sharpness 1.9": ImageEnhance.Sharpness(image).enhance(1.9),
        "shear x 0.27": affine_of((1, 0.27, 0, 0, 1, 0), Image.BICUBIC),
        "shear y -0.2": affine_of((1, 0, 0, -0.2, 1, 0), Image.NEAREST),
        "translate x 7.3": affine_of((1, 0, 7.3, 0, 1, 0), Image.NEAREST),
        "translate y -5.6": affine_of((1, 0, 0, 0, 1, -5.6), Image.BILINEAR),
    }
    for kind, name in enumerate(NAMES):
        turned = image.rotate(-17.25, FILTERS[kind], fillcolor=(9, 99, 199))
        table["rotate -17.25 " + name] = turned
    for name, result in table.items():
        print(f'    {{ "{name}", 0x{zlib.crc32(result.tobytes()):08x} }},')


def main():
    if sys.argv[1:] == ["--golden"]:
        return golden()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    lib = load()
    rng = np.random.default_rng(1)
    worst = {}
    for i in range(rounds):
        image = np.ascontiguousarray(picture(rng, i))
        theirs_in = Image.fromarray(image)
        for name, ours, theirs in point_cases(rng) + enhance_cases(rng) + warp_cases(rng):
            error = int(np.abs(np.asarray(theirs(theirs_in)).astype(int) - ours(lib, image)).max())
            worst[name] = max(worst.get(name, 0), error)
    for name, error in worst.items():
        print(name, "equal" if error == 0 else f"differs by {error}")
    return any(worst.values())


if __name__ == "__main__":
    sys.exit(main())
