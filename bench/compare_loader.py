#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fovea's loader beside Pillow: from files to normalised floats, the same files and cores, in turn.

    compare_loader.py --images FOLDER [--count N] [--pairs N] [--cores N] [PIPELINE...]

    train       a random part resized to 224 (RandomResizedCrop), flipped one time in two
    train-cv2   the same with RandCropImage and OpenCV's bytes; the peer's is that of train
    eval        the short side resized to 256, the centre of 224, with Pillow's bytes

The peer does what torchvision does with a picture: Pillow decodes, crops, resizes and flips; numpy
makes floats, channels first, and normalises. With torchvision installed its own transforms run. It
has a process per core, that gives nothing back, so that passing on batches costs it no time.

A pair is one run of each side, without its start. The ratio is fovea's images per second divided
by the peer's: above 1 fovea is faster. Shown are the median and the spread over the pairs, and the
same by processor time, for machines that have other work too.
"""
import argparse
import json
import math
import multiprocessing
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

try:
    import torch
    from torchvision import transforms
except ImportError:
    transforms = None

SIZE, SHORT = 224, 256
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CONFIG = """\
Arch: {{name: MobileNetV2, class_num: 1000}}
DataLoader:
  Train:
    dataset:
      name: ImageNetDataset
      image_root: {root}
      cls_label_path: {list}
      transform_ops:
{ops}
    sampler: {{batch_size: 50, shuffle: False}}
    loader: {{num_workers: {cores}}}
"""
PIPELINES = {  # name: (transforms of fovea, kind of the peer)
    "train": (["DecodeImage: {backend: pil}", "RandomResizedCrop: {size: 224}",
               "RandFlipImage: {flip_code: 1}", "NormalizeImage: {}"], "train"),
    "train-cv2": (["DecodeImage: {backend: cv2}", "RandCropImage: {size: 224}",
                   "RandFlipImage: {flip_code: 1}", "NormalizeImage: {}"], "train"),
    "eval": (["DecodeImage: {backend: pil}",
              "ResizeImage: {resize_short: 256, backend: pil, rounding: torchvision}",
              "CropImage: {size: 224, rounding: torchvision}", "NormalizeImage: {}"], "eval"),
}


class Failure(Exception):
    """fovea said no, or nothing."""


# ---- Pillow ----


def to_floats(image):
    floats = np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)).astype(np.float32)
    floats /= 255
    floats -= np.float32(MEAN).reshape(3, 1, 1)
    floats /= np.float32(STD).reshape(3, 1, 1)
    return floats


def random_part(width, height):
    """Left, top, width, height."""
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1.0)
        aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return random.randint(0, width - w), random.randint(0, height - h), w, h
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def pillow_train(image):
    x, y, w, h = random_part(*image.size)
    image = image.crop((x, y, x + w, y + h)).resize((SIZE, SIZE), Image.BILINEAR)
    if random.random() < 0.5:
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    return to_floats(image)


def pillow_eval(image):
    width, height = image.size
    short = min(width, height)
    image = image.resize((int(SHORT * width / short), int(SHORT * height / short)), Image.BILINEAR)
    x, y = round((image.width - SIZE) / 2), round((image.height - SIZE) / 2)
    return to_floats(image.crop((x, y, x + SIZE, y + SIZE)))


def peer_pipeline(kind):
    if not transforms:
        return {"train": pillow_train, "eval": pillow_eval}[kind]
    torch.set_num_threads(1)
    first = ([transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip()]
             if kind == "train" else [transforms.Resize(SHORT), transforms.CenterCrop(SIZE)])
    return transforms.Compose([*first, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])


def read(path, pipeline):
    with Image.open(path) as image:
        return pipeline(image.convert("RGB"))


def peer_worker(paths, kind, start, results):
    """Once through the paths when all are ready; the processor seconds that it took."""
    pipeline = peer_pipeline(kind)
    read(paths[0], pipeline)
    start.wait()
    before = time.process_time()
    for path in paths:
        read(path, pipeline)
    results.put(time.process_time() - before)


def measure_peer(options, paths, kind):
    """Images per second, and per second of a processor."""
    start, results = multiprocessing.Barrier(options.cores + 1), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=peer_worker,
                                       args=(paths[i::options.cores], kind, start, results))
               for i in range(options.cores)]
    for worker in workers:
        worker.start()
    start.wait()
    before = time.perf_counter()
    processor = sum(results.get() for _ in workers)
    seconds = time.perf_counter() - before
    for worker in workers:
        worker.join()
    return len(paths) / seconds, len(paths) / processor


# ---- fovea ----


def measure_fovea(options, config):
    """The same of fovea, which counts for itself."""
    command = [options.fovea, "bench", "loader", "-c", config, "--threads", str(options.cores),
               "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        said = json.loads(done.stdout)
    except ValueError as why:
        raise Failure((done.stderr.strip().splitlines() or ["fovea said nothing"])[-1]) from why
    if said["unreadable"]:
        raise Failure(f"{said['unreadable']} pictures cannot be read")
    return said["images_per_second"], said["images"] / said["processor_seconds"]


def write_config(options, folder, paths, name):
    """The list names what lies under the folder of the pictures."""
    names = folder / "list.txt"
    lines = (f"{path.relative_to(options.images)} 0\n" for path in paths)
    names.write_text("".join(lines), encoding="utf-8")
    ops = "\n".join(f"        - {op}" for op in PIPELINES[name][0])
    config = folder / f"{name}.yaml"
    config.write_text(CONFIG.format(root=options.images.resolve(), list=names, ops=ops,
                                    cores=options.cores), encoding="utf-8")
    return config


# ---- Both ----


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def compare(options, folder, paths, name):
    config, kind = write_config(options, folder, paths, name), PIPELINES[name][1]
    pairs = []
    for _ in range(options.pairs + 1):
        pairs.append((measure_fovea(options, config), measure_peer(options, paths, kind)))
    pairs = pairs[1:]  # the first has read the files into memory
    middle = [statistics.median(pair[side][0] for pair in pairs) for side in range(2)]
    ratios = [[pair[0][i] / pair[1][i] for pair in pairs] for i in range(2)]
    print(f"{name}: fovea {middle[0]:.0f} images/s, {options.peer} {middle[1]:.0f}; "
          f"{spread(ratios[0])} times, by processor time {spread(ratios[1])}, "
          f"{len(pairs)} pairs of {len(paths)} images, {options.cores} "
          f"core{'s' if options.cores > 1 else ''}", flush=True)


def read_options():
    parser = argparse.ArgumentParser(description="fovea's loader beside Pillow.")
    add = parser.add_argument
    add("pipelines", nargs="*", metavar="PIPELINE", help=f"of {', '.join(PIPELINES)}; default: all")
    add("--images", type=pathlib.Path, required=True, metavar="FOLDER", help="JPEG files, searched")
    add("--count", type=int, default=1000, metavar="N", help="images a run (default: 1000)")
    add("--pairs", type=int, default=7, metavar="N", help="that count, after one (default: 7)")
    add("--cores", type=int, default=1, metavar="N", help="of both sides (default: 1)")
    add("--fovea", default="build/fovea", metavar="FILE", help="program (default: build/fovea)")
    options = parser.parse_args()
    for name in options.pipelines:
        if name not in PIPELINES:
            parser.error(f"no pipeline {name!r}; there are: {', '.join(PIPELINES)}")
    available = sorted(os.sched_getaffinity(0))
    if not 1 <= options.cores <= len(available):
        parser.error(f"--cores: this process has {len(available)}")
    if options.count < options.cores or options.pairs < 1:
        parser.error("--count: at least an image a core; --pairs: at least 1")
    os.sched_setaffinity(0, available[:options.cores])
    options.peer = "torchvision" if transforms else "Pillow"
    return options


def main():
    options = read_options()
    files = sorted(path for path in options.images.rglob("*")
                   if path.suffix.lower() in (".jpg", ".jpeg"))
    if not files:
        print(f"{options.images}: no JPEG files", file=sys.stderr)
        return 1
    paths = [files[i % len(files)] for i in range(options.count)]
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name in options.pipelines or PIPELINES:
                compare(options, pathlib.Path(folder), paths, name)
        except Failure as why:
            print(why, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
