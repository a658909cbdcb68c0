# SPDX-License-Identifier: Apache-2.0
"""What bench/compare.py measures for its two tables, and how they look in Markdown.

targets     eight models, training and inference at batch 1 and 8, with the ratio that is aimed at
models      all models: size, latency, training speed, memory
"""
import re
import statistics

TARGETS = {  # training; inference at batch 1 and 8: ratio of fovea to the fastest peer
    "MobileNetV2": (2.0, 1.2, 1.3),
    "GoogLeNet": (1.5, 1.1, 1.1),
    "InceptionV3": (1.5, 1.1, 1.05),
    "InceptionV4": (1.5, 1.1, 1.05),
    "Xception41": (2.0, 1.2, 1.2),
    "Res2Net50_26w_4s": (2.0, 1.2, 1.2),
    "DLA34": (1.4, 1.2, 1.2),
    "DLA60x": (2.0, 1.2, 1.3),
}
MEANS = {"train": 1.7, "infer": 1.15}  # geometric, over all cells of a mode
MODELS = ["GoogLeNet", "InceptionV3", "InceptionV4", "Xception41", "Xception65", "Xception71",
          "Xception41_deeplab", "Xception65_deeplab", "MobileNetV2_x0_25", "MobileNetV2_x0_5",
          "MobileNetV2_x0_75", "MobileNetV2", "MobileNetV2_x1_5", "MobileNetV2_x2_0",
          "Res2Net50_26w_4s", "Res2Net50_14w_8s", "Res2Net50_vd_26w_4s", "Res2Net101_vd_26w_4s",
          "Res2Net200_vd_26w_4s", "DLA34", "DLA46_c", "DLA46x_c", "DLA60", "DLA60x", "DLA60x_c",
          "DLA102", "DLA102x", "DLA102x2", "DLA169"]
LONG_STEPS = {"Xception65", "Xception71", "Xception65_deeplab", "Res2Net101_vd_26w_4s",
              "Res2Net200_vd_26w_4s", "DLA102", "DLA102x", "DLA102x2", "DLA169"}
LATENCIES = (1, 4, 8)
PEER_NAMES = {"eager": "PyTorch", "compile": "torch.compile", "onnx": "ONNX Runtime"}


def input_size(model):
    return 299 if model.startswith(("InceptionV", "Xception")) else 224


def train_batch(model):
    """A step of the largest takes tens of seconds at 32: they are measured at 8."""
    return 8 if model in LONG_STEPS else 16 if input_size(model) == 299 else 32


def target_cells(model):
    if model not in TARGETS:
        return []
    return [("train", train_batch(model)), ("infer", 1), ("infer", 8)]


def model_cells(model):
    return [("train", train_batch(model)), *(("infer", batch) for batch in LATENCIES)]


# ---- Text ----


def row(fields):
    return "| " + " | ".join(fields) + " |"


def grid(titles, rows):
    return "\n".join([row(titles), "|" + "---|" * len(titles), *map(row, rows)])


def short(value):
    """Three digits, or all before the point."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def rate(cell, ms):
    return 1e3 * cell["batch"] / ms


def target_of(cell):
    return TARGETS[cell["model"]][target_cells(cell["model"]).index((cell["mode"], cell["batch"]))]


def ratio_text(cell):
    if not cell or "ratio" not in cell:
        return "-"
    ratio, target = cell["ratio"], target_of(cell)
    median = f"{ratio['median']:.2f}"
    median = f"**{median}**" if ratio["median"] >= target else median
    return f"{median} ({ratio['min']:.2f} to {ratio['max']:.2f}) / {target}"


def speed_text(cell):
    """fovea's and its best peer's: images/s in training, ms in inference."""
    if not cell or "best" not in cell:
        return "-"
    mine, other = cell["fovea"]["ms"], cell["peers"][cell["best"]]["ms"]
    if cell["mode"] == "train":
        mine, other = rate(cell, mine), rate(cell, other)
    return f"{short(mine)} / {short(other)} {PEER_NAMES[cell['best']]}"


def memory_text(cell):
    """fovea's peak and the best peer's, their quotient."""
    if not cell or "best" not in cell:
        return "-"
    mine, other = cell["fovea"]["peak_mb"], cell["peers"][cell["best"]]["peak_mb"]
    return f"{mine:.0f} / {other:.0f} ({mine / other:.2f})"


# ---- Tables ----


def means(cells, mode):
    """Geometric mean of the ratios of a mode in words."""
    ratios = [cell["ratio"]["median"] for cell in cells if cell["mode"] == mode and "ratio" in cell]
    if not ratios:
        return ""
    return (f"{statistics.geometric_mean(ratios):.2f} over {len(ratios)} cells "
            f"(target {MEANS[mode]})")


def conditions(results, cells):
    versions = sorted({note["version"] for cell in cells for note in cell["peers"].values()
                       if "version" in note})
    pairs = sorted({len(cell["pairs"]) for cell in cells})
    steps = sorted({cell["steps"] for cell in cells})
    return (f"{results['machine']['processor']}, {results['machine']['threads']} threads; "
            f"{', '.join(versions)}; pairs per cell: {', '.join(map(str, pairs))}; steps per "
            f"measurement: {steps[0]} to {steps[-1]}.")


def targets_table(results, find):
    ratios, speeds, seen = [], [], []
    for model in TARGETS:
        cells = [find(model, *key) for key in target_cells(model)]
        good = [cell for cell in cells if cell and "pairs" in cell]
        if not good:
            continue
        seen += good
        ratios.append([model, *map(ratio_text, cells)])
        speeds.append([model, str(train_batch(model)), *map(speed_text, cells),
                       *map(memory_text, (cells[0], cells[2]))])
    if not ratios:
        return ""
    first = grid(["median ratio (spread) / target", "training", "inference, batch 1",
                  "inference, batch 8"], ratios)
    second = grid(["fovea / fastest peer", "training batch", "training, images/s",
                   "batch 1, ms", "batch 8, ms", "training, peak MiB", "batch 8, peak MiB"], speeds)
    total = (f"Geometric means: training {means(seen, 'train') or '-'}, inference "
             f"{means(seen, 'infer') or '-'}.")
    return "\n\n".join([first, total, second, conditions(results, seen)])


def models_table(results, find):
    rows, seen = [], []
    for model in MODELS:
        train, *infer = cells = [find(model, *key) for key in model_cells(model)]
        good = [cell for cell in cells if cell and "pairs" in cell]
        if not good:
            continue
        seen += good
        rows.append([model, f"{good[0]['params'] / 1e6:.2f}", f"{good[0]['macs'] / 1e9:.3f}",
                     *map(speed_text, infer), str(train_batch(model)), speed_text(train),
                     memory_text(train)])
    if not rows:
        return ""
    table = grid(["fovea / fastest peer", "params, M", "GMACs",
                  *(f"batch {batch}, ms" for batch in LATENCIES), "training batch",
                  "training, images/s", "training, peak MiB"], rows)
    return "\n\n".join([table, conditions(results, seen)])


def tables(results, which):
    """{name: Markdown} of those that have any row."""
    found = {(cell["model"], cell["mode"], cell["batch"]): cell for cell in results["cells"]
             if cell["size"] == input_size(cell["model"])}

    def find(*key):
        return found.get(key)

    makers = {"targets": targets_table, "models": models_table}
    made = {name: make(results, find) for name, make in makers.items() if which in (name, "all")}
    return {name: text for name, text in made.items() if text}


def place(name):
    return re.compile(rf"(<!-- compare\.py: {name} -->\n).*?(<!-- end -->)", re.S)


def missing_place(path, which):
    """Name of a table that `path` has no lines for, or None."""
    text = path.read_text(encoding="utf-8")
    names = ("targets", "models") if which == "all" else (which,)
    return next((name for name in names if not place(name).search(text)), None)


def write(path, parts):
    """Replaces what stands between <!-- compare.py: NAME --> and <!-- end --> of a file."""
    text = path.read_text(encoding="utf-8")
    for name, part in parts.items():
        text = place(name).sub(lambda match, part=part: f"{match[1]}\n{part}\n\n{match[2]}", text)
    path.write_text(text, encoding="utf-8")
