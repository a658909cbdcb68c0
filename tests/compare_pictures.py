#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the evaluation pipeline, from file to crop, with Pillow and OpenCV:

    python3 tests/compare_pictures.py build/tests/crops [PICTURE or FOLDER]...

On odd files made on the spot, and on the pictures given: decoding, then resizing with each filter of
both profiles and each rounding, then the centre. Needs numpy, Pillow and opencv-python, ends with 77
where one of them is missing; prints the largest difference per pipeline. With --golden instead of the
program it writes tests/golden/pictures and tests/golden/crops, which tests/test_crops.c reads.

In four things the peers are not taken as they are: OpenCV must leave bicubic to its own code, not to
IPP's; Pillow cuts 16-bit grey off at 255, which makes it white; OpenCV rounds CMYK its own way, where
fovea has Pillow's; and since Pillow 13.0 resize() begins with the axis that makes less work, earlier
ones and fovea with the horizontal one.
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib

try:
    import cv2
    import numpy as np
    from PIL import Image
except ImportError as missing:
    print("#", missing)
    sys.exit(77)

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
FILTERS = {
    "pil": {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC,
            "box": Image.BOX, "hamming": Image.HAMMING, "lanczos": Image.LANCZOS},
    "cv2": {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC,
            "area": cv2.INTER_AREA},
}
ROUNDINGS = ("paddle", "torchvision")
CHUNK = 50  # pictures per call of the program
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


# ---- Odd files ----

def scene(width, height, channels=3):
    """Waves, an edge and noise; 8 bits."""
    rng = np.random.default_rng(width * 1000 + height)
    y, x = np.mgrid[0:height, 0:width]
    waves = [120 + 70 * np.sin(x / (5 + c) + c) + 50 * np.cos(y / (7 - c)) for c in range(channels)]
    image = np.stack(waves, 2) + 40 * (x > y)[:, :, None] + rng.normal(0, 8, (height, width, channels))
    return np.clip(image, 0, 255).astype(np.uint8)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_rows(samples, depth):
    """Rows with filter 0. samples: [height, width, channels]."""
    rows = samples.reshape(samples.shape[0], -1)
    if depth == 16:
        packed = rows.astype(">u2").view(np.uint8).reshape(rows.shape[0], -1)
    else:
        bits = np.unpackbits(rows.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - depth:]
        packed = np.packbits(bits.reshape(rows.shape[0], -1), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def write_png(path, samples, depth, kind, interlaced=False, palette=None, transparent=None):
    h, w, _ = samples.shape
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [samples]
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(png_chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, interlaced)))
        if palette is not None:
            file.write(png_chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
        if transparent is not None:
            file.write(png_chunk(b"tRNS", transparent))
        data = b"".join(png_rows(part, depth) for part in parts if part.size)
        file.write(png_chunk(b"IDAT", zlib.compress(data, 9)) + png_chunk(b"IEND", b""))


def transparency(samples, kind):
    """What tRNS says: the alphas of the first colours of a palette, or the colour of the first pixel."""
    if kind == 3:
        return bytes((0, 170))
    return struct.pack(f">{samples.shape[2]}H", *samples[0, 0].tolist()) if kind in (0, 2) else None


def write_pngs(folder, width, height):
    """All types and depths, plain and interlaced, with and without transparency."""
    colours = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    for kind, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            samples = scene(width, height, colours[kind]).astype(int)
            samples = samples * 257 - samples[::-1] if depth == 16 else samples >> 8 - depth
            samples = samples.clip(0, (1 << depth) - 1)
            palette = scene(1 << depth, 1)[0] if kind == 3 else None
            for transparent in (None, transparency(samples, kind)):
                for interlaced in (False, True):
                    tail = ("_trns" if transparent else "") + ("_adam7" if interlaced else "")
                    write_png(f"{folder}/type{kind}_{depth}bit{tail}.png", samples, depth, kind,
                              interlaced, palette, transparent)


def write_jpegs(folder, width, height):
    rgb = Image.fromarray(scene(width, height))
    for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
        rgb.save(f"{folder}/{name}.jpg", quality=85, subsampling=sampling)
        rgb.save(f"{folder}/{name}_progressive.jpg", quality=85, subsampling=sampling, progressive=True)
    rgb.convert("L").save(f"{folder}/grey.jpg", quality=85)
    rgb.convert("L").save(f"{folder}/grey_progressive.jpg", quality=85, progressive=True)
    Image.fromarray(scene(width, height, 4), "CMYK").save(f"{folder}/cmyk.jpg", quality=85)
    with open(f"{folder}/cmyk.jpg", "rb") as file:
        inks = file.read()
    adobe = inks.index(b"Adobe") + 11  # the transform: 0 none, 2 YCCK
    with open(f"{folder}/ycck.jpg", "wb") as file:
        file.write(inks[:adobe] + b"\x02" + inks[adobe + 1:])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        rgb.save(f"{folder}/exif{orientation}.jpg", quality=85, exif=exif)


# ---- The peers ----

def decode(path, backend):
    with Image.open(path) as image:
        if image.mode.startswith("I;16"):
            return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[:, :, None], 3, 2)
        if backend == "pil" or image.mode == "CMYK":
            return np.asarray(image.convert("RGB"))
    return np.ascontiguousarray(cv2.imread(path, cv2.IMREAD_COLOR)[:, :, ::-1])


def resize(pixels, size, backend, name):
    kind = FILTERS[backend][name]
    if backend == "cv2":
        return cv2.resize(pixels, size, interpolation=kind)
    image = Image.fromarray(pixels)
    if kind != Image.NEAREST:
        image = image.resize((size[0], image.height), kind)
    return np.asarray(image.resize(size, kind))


def expect(pixels, case):
    """PaddleClas rounds sizes half to even and origins down; torchvision cuts sizes and rounds origins."""
    h, w, _ = pixels.shape
    short, (cw, ch) = case["short"], case["crop"]
    if case["rounding"] == "paddle":
        size = round(w * (short / min(w, h))), round(h * (short / min(w, h)))
        x, y = (size[0] - cw) // 2, (size[1] - ch) // 2
    else:
        size = (int(short * w / h), short) if w > h else (short, int(short * h / w))
        x, y = round((size[0] - cw) / 2), round((size[1] - ch) / 2)
    return resize(pixels, size, case["backend"], case["filter"])[y:y + ch, x:x + cw]


# ---- Ours ----

def operations(case):
    return f"""ops:
- DecodeImage: {{backend: {case["backend"]}}}
- ResizeImage: {{resize_short: {case["short"]}, backend: {case["backend"]},
    interpolation: {case["filter"]}, rounding: {case["rounding"]}}}
- CropImage: {{size: [{case["crop"][0]}, {case["crop"][1]}], rounding: {case["rounding"]}}}
- NormalizeImage: {{mean: 0, std: 1}}
"""


def run(program, folder, case, paths):
    config = os.path.join(folder, "ops.yaml")
    with open(config, "w", encoding="ascii") as file:
        file.write(operations(case))
    for i in range(0, len(paths), CHUNK):
        data = subprocess.run([program, config, *paths[i:i + CHUNK]], check=True, capture_output=True).stdout
        while data:
            line, data = data.split(b"\n", 1)
            if line.startswith(b"error"):
                yield line.decode()
                continue
            w, h = (int(v) for v in line.split())
            yield np.frombuffer(data[:w * h * 3], np.uint8).reshape(h, w, 3)
            data = data[w * h * 3:]


def compare(program, folder, cases, paths):
    """True if anything differs."""
    decoded = {(path, b): decode(path, b) for path in paths for b in FILTERS}
    failed = 0
    for case in cases:
        worst = 0
        for path, got in zip(paths, run(program, folder, case, paths), strict=True):
            if isinstance(got, str):
                print(path, got)
                failed += 1
                continue
            wanted = expect(decoded[path, case["backend"]], case)
            error = int(np.abs(wanted.astype(int) - got).max())
            if error:
                print(path, "differs by", error)
            worst = max(worst, error)
        failed += worst > 0
        print(case["backend"], case["filter"], case["rounding"], f"short {case['short']}:",
              f"{len(paths)} pictures,", "equal" if not worst else f"difference {worst}")
    return failed > 0


def cases_for(short, crop):
    return [{"backend": b, "filter": f, "rounding": r, "short": short, "crop": crop}
            for b, filters in FILTERS.items() for f in filters for r in ROUNDINGS]


# ---- Golden crops ----

def golden():
    """Pictures, and per picture a column of crops, as crops.tsv lists them."""
    for part in ("pictures", "crops"):
        os.makedirs(f"{GOLDEN}/{part}", exist_ok=True)
    wanted = ("420 422_progressive grey cmyk ycck exif6 type0_16bit type2_16bit_adam7 type3_2bit_trns"
              " type3_8bit_adam7 type4_8bit type6_8bit type0_1bit").split()
    every = cases_for(31, (24, 20)) + cases_for(150, (24, 20))
    usual = [c for c in every if c["filter"] == "bilinear" and c["short"] == 31]
    table = []
    with tempfile.TemporaryDirectory() as folder:
        write_jpegs(folder, 97, 74)
        write_pngs(folder, 45, 38)
        for file in sorted(os.listdir(folder)):
            name = file.rsplit(".", 1)[0]
            if name not in wanted:
                continue
            cases = every if name == "420" else usual
            crops = [expect(decode(f"{folder}/{file}", c["backend"]), c) for c in cases]
            Image.fromarray(np.concatenate(crops)).save(f"{GOLDEN}/crops/{name}.png", optimize=True)
            shutil.copy(f"{folder}/{file}", f"{GOLDEN}/pictures/{file}")
            table += [(file, c["backend"], c["filter"], c["rounding"], str(c["short"])) for c in cases]
    with open(f"{GOLDEN}/crops/crops.tsv", "w", encoding="ascii") as out:
        out.writelines("\t".join(row) + "\n" for row in table)
    return 0


def main():
    if hasattr(cv2, "ipp"):
        cv2.ipp.setUseIPP(False)  # another library's bicubic, which rounds otherwise
    warnings.filterwarnings("ignore", "Palette images with Transparency")
    if sys.argv[1:] == ["--golden"]:
        return golden()
    if len(sys.argv) < 2:
        print("usage: compare_pictures.py PROGRAM [PICTURE or FOLDER]... | --golden", file=sys.stderr)
        return 2
    program, *given = sys.argv[1:]
    paths = []
    for path in given:
        inside = sorted(os.listdir(path)) if os.path.isdir(path) else None
        paths += [path] if inside is None else [f"{path}/{name}" for name in inside
                                                if name.lower().endswith((".jpg", ".jpeg", ".png"))]
    with tempfile.TemporaryDirectory() as folder:
        odd = os.path.join(folder, "odd")
        os.mkdir(odd)
        write_jpegs(odd, 97, 74)
        write_pngs(odd, 45, 38)
        made = [f"{odd}/{name}" for name in sorted(os.listdir(odd))]
        differs = compare(program, folder, cases_for(31, (24, 20)), made)
        differs |= bool(paths) and compare(program, folder, cases_for(256, (224, 224)), paths)
    return differs


if __name__ == "__main__":
    sys.exit(main())
