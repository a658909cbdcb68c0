#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fovea beside PyTorch and ONNX Runtime: the same networks, batches and threads, in turn.

    compare.py --mode train|infer --batch N [--size S] MODEL...
    compare.py --table targets|models|all [--json FILE [--resume]] [--write docs/performance.md]

A cell is a model, a mode and a batch. Its peers start one after the other, warm up and are stopped
(SIGSTOP) whenever they are not asked; all but the fastest, and those within 15 % of it, end there.
Then fovea, a process of its own each time, and the peers take turns: a pair. A ratio is the time of
the peer that is fastest over all pairs, divided by fovea's, in one pair; shown are the median and
the spread over the pairs. Above 1 fovea is faster.

Runs with the Python that has torch, and for inference onnx and onnxruntime.
"""
import argparse
import json
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

import compare_table

HERE = pathlib.Path(__file__).resolve().parent
PEERS = {"train": ["eager", "compile"], "infer": ["eager", "compile", "onnx"]}
BRIEF_PEERS = {"train": ["eager"], "infer": ["eager", "onnx"]}
KEEP_WITHIN = 1.15
KEY = ("model", "mode", "batch", "size", "threads")


class Failure(Exception):
    """A process said no, or nothing."""


def environment(threads):
    """Of both sides: no library is told which processor this is, all use the same threads."""
    variables = {key: value for key, value in os.environ.items() if key != "OPENBLAS_CORETYPE"}
    return variables | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def last_line(text):
    return (text.strip().splitlines() or ["no message"])[-1]


# ---- The two sides ----


def run_fovea(options, *arguments):
    """What it writes as JSON."""
    command = [options.fovea, *arguments, "--json", "-"]
    try:
        done = subprocess.run(command, env=environment(options.threads), capture_output=True,
                              text=True, check=False)
        return json.loads(done.stdout)
    except (OSError, ValueError) as why:
        said = last_line(done.stderr) if isinstance(why, ValueError) else str(why)
        raise Failure(f"{' '.join(map(str, command))}: {said}") from why


def measure_fovea(options, cell, warmup, steps):
    return run_fovea(options, "bench", cell["model"], "--mode", cell["mode"], "--batch",
                     str(cell["batch"]), "--size", f"{cell['size']}x{cell['size']}", "--threads",
                     str(cell["threads"]), "--warmup", str(warmup), "--steps", str(steps))


class Peer:
    """A process that is stopped unless it measures."""

    def __init__(self, kind, cell, options, onnx=None):
        self.kind, self.log = kind, tempfile.TemporaryFile(mode="w+")
        command = [options.python, HERE / "peer_bench.py", kind, cell["model"], "--mode",
                   cell["mode"], "--batch", str(cell["batch"]), "--size", str(cell["size"]),
                   "--threads", str(cell["threads"]), *(["--onnx", onnx] if onnx else [])]
        self.process = subprocess.Popen(command, env=environment(cell["threads"]), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, start_new_session=True)
        try:
            self.about = self.read()
        except BaseException:
            self.close()
            raise

    def read(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.log.seek(0)
        raise Failure(f"{self.kind}: {last_line(self.log.read())}")

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def measure(self, warmup, steps):
        """Median milliseconds of a step, and the peak of memory during the steps."""
        self.signal(signal.SIGCONT)
        try:
            print(warmup, steps, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # it has ended: read() says why
        answer = self.read()
        self.signal(signal.SIGSTOP)
        return statistics.median(answer["ms"]), answer["peak_mb"]

    def close(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()


class Networks:
    """Exported networks, one at a time."""

    def __init__(self, options):
        self.options, self.name = options, None
        self.folder = tempfile.TemporaryDirectory()

    def of(self, cell):
        path = pathlib.Path(self.folder.name) / "network.onnx"
        name = (cell["model"], cell["size"])
        if name != self.name:
            path.unlink(missing_ok=True)
            self.name = None
            Peer("export", cell, self.options, path).close()
            self.name = name
        return path


# ---- One cell ----


def probe(peer):
    """Milliseconds of a step after warm-up, and memory."""
    ms, peak = peer.measure(1, 1)
    if ms < 500:
        ms, peak = peer.measure(2, max(3, min(50, int(1000 / ms))))
    return ms, peak


def start_peers(options, cell, kinds, networks):
    """Those worth measuring, running; all are noted in the cell."""
    running, best = [], math.inf
    try:
        for kind in kinds:
            note = cell["peers"].setdefault(kind, {})
            try:
                onnx = networks.of(cell) if kind == "onnx" else None
                peer = Peer(kind, cell, options, onnx)
                running.append(peer)
                note |= peer.about
                note["ms"], note["peak_mb"] = probe(peer)
                best = min(best, note["ms"])
            except Failure as why:
                note["error"] = str(why)
        for peer in list(running):
            note = cell["peers"][peer.kind]
            if "error" in note or note["ms"] > KEEP_WITHIN * best:
                running.remove(peer)
                peer.close()
        return running
    except BaseException:
        for peer in running:
            peer.close()
        raise


def take_turns(options, cell, peers, pairs, seconds):
    ms = min((cell["peers"][peer.kind]["ms"] for peer in peers), default=100.0)
    steps = options.steps or max(2, min(200, round(1000 * seconds / ms)))
    warmup = max(1, min(5, round(500 / ms)))  # of fovea, which starts anew each time
    cell |= {"steps": steps, "pairs": []}
    for _ in range(pairs):
        mine = measure_fovea(options, cell, warmup, steps)
        pair = {"fovea": mine["ms_median"]}
        cell["fovea"]["peak_mb"] = max(mine["peak_rss_mb"], cell["fovea"].get("peak_mb", 0))
        for peer in peers:
            note = cell["peers"][peer.kind]
            pair[peer.kind], peak = peer.measure(0 if ms > 500 else 1, steps)
            note["peak_mb"] = max(peak, note["peak_mb"])
        cell["pairs"].append(pair)


def conclude(cell):
    pairs = cell["pairs"]
    middle = {side: statistics.median(pair[side] for pair in pairs) for side in pairs[0]}
    cell["fovea"]["ms"] = middle.pop("fovea")
    for kind, ms in middle.items():
        cell["peers"][kind]["ms"] = ms
    if middle:
        cell["best"] = best = min(middle, key=middle.get)
        ratios = [pair[best] / pair["fovea"] for pair in pairs]
        cell["ratio"] = {"median": statistics.median(ratios), "min": min(ratios),
                         "max": max(ratios)}


def measure_cell(options, cell, brief, networks):
    about = run_fovea(options, "info", cell["model"])
    cell |= {"params": about["params"], "macs": about["macs"], "brief": brief, "fovea": {},
             "peers": {}}
    kinds = [kind for kind in (BRIEF_PEERS if brief else PEERS)[cell["mode"]]
             if kind in options.peers]
    peers = start_peers(options, cell, kinds, networks)
    try:
        for kind, note in cell["peers"].items():
            if note.get("params", cell["params"]) != cell["params"]:
                raise Failure(f"{kind}: {note['params']} parameters, of fovea {cell['params']}")
        usual = 5 if not brief else 1 if cell["mode"] == "train" else 3
        take_turns(options, cell, peers, options.pairs or usual,
                   options.seconds / (2 if brief else 1))
    finally:
        for peer in peers:
            peer.close()
    conclude(cell)


def describe(cell):
    if "error" in cell:
        return f"{cell['model']} {cell['mode']} batch {cell['batch']}: {cell['error']}"
    peers = ", ".join(f"{kind} {note['ms']:.2f} ms {note['peak_mb']:.0f} MiB" if "ms" in note else
                      f"{kind} failed ({note['error']})" for kind, note in cell["peers"].items())
    text = (f"{cell['model']} {cell['mode']} batch {cell['batch']} of {cell['size']}: fovea "
            f"{cell['fovea']['ms']:.2f} ms ({1e3 * cell['batch'] / cell['fovea']['ms']:.1f} "
            f"images/s) {cell['fovea']['peak_mb']:.0f} MiB; {peers}")
    if "ratio" in cell:
        ratio = cell["ratio"]
        text += (f"; {ratio['median']:.2f} times {cell['best']} ({ratio['min']:.2f} to "
                 f"{ratio['max']:.2f}, {len(cell['pairs'])} pairs of {cell['steps']} steps)")
    return text


# ---- All cells ----


def new_cell(options, model, mode, batch, size=None):
    return {"model": model, "mode": mode, "batch": batch, "threads": options.threads,
            "size": size or compare_table.input_size(model)}


def wanted(options):
    """(cell, brief) in the order of measuring: a model's cells stand together."""
    if not options.table:
        return [(new_cell(options, model, options.mode, options.batch, options.size), False)
                for model in options.models]
    cells = []
    for model in options.models or compare_table.MODELS:
        targets = compare_table.target_cells(model)
        if options.table != "models":
            cells += [(new_cell(options, model, *key), False) for key in targets]
        if options.table != "targets":
            cells += [(new_cell(options, model, *key), True)
                      for key in compare_table.model_cells(model)
                      if options.table == "models" or key not in targets]
    return cells


def machine(options):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {"processor": names[0] if names else "unknown", "threads": options.threads}


def save(options, results):
    if options.json:
        beside = options.json.with_name(options.json.name + ".new")
        beside.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        beside.replace(options.json)


def run(options):
    results = {"machine": machine(options), "cells": []}
    if options.resume:
        results["cells"] = [cell for cell in json.loads(options.json.read_text())["cells"]
                            if "error" not in cell]
    known = {tuple(cell[key] for key in KEY) for cell in results["cells"]}
    networks = Networks(options)
    for cell, brief in wanted(options):
        if tuple(cell[key] for key in KEY) in known:
            continue
        try:
            measure_cell(options, cell, brief, networks)
        except Failure as why:
            cell["error"] = str(why)
        print(describe(cell), file=sys.stderr, flush=True)
        results["cells"].append(cell)
        save(options, results)
    return results


def read_options():
    parser = argparse.ArgumentParser(description="fovea beside PyTorch and ONNX Runtime.")
    add = parser.add_argument
    add("models", nargs="*", metavar="MODEL", help="with --table: only these of its rows")
    add("--fovea", default="build/fovea", metavar="FILE", help="program (default: build/fovea)")
    add("--python", default=sys.executable, metavar="FILE", help="for the peers (default: this)")
    add("--mode", choices=PEERS, default="infer")
    add("--batch", type=int, default=1, metavar="N")
    add("--size", type=int, metavar="S", help="pixels a side (default: the model's)")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="T",
        help="of both sides (default: processors)")
    add("--pairs", type=int, metavar="N",
        help="default: 5; cells that only --table models has: 3, in training 1")
    add("--seconds", type=float, default=2.0, metavar="X",
        help="about how long one side's steps of a pair last (default: 2; half of it for cells "
             "that only --table models has; at least 2 steps)")
    add("--steps", type=int, metavar="N", help="instead of --seconds")
    add("--peers", type=lambda text: text.split(","), default=PEERS["infer"], metavar="LIST",
        help="of eager,compile,onnx; cells that only --table models has leave out compile")
    add("--table", choices=["targets", "models", "all"], help="measure and print a table")
    add("--json", type=pathlib.Path, metavar="FILE", help="write all that was measured")
    add("--resume", action="store_true", help="keep the cells that FILE has")
    add("--write", type=pathlib.Path, metavar="FILE", help="put the tables between its markers")
    options = parser.parse_args()
    if not options.table and not options.models:
        parser.error("name models, or ask for a --table")
    unknown = [name for name in options.models if name not in compare_table.MODELS]
    if unknown:
        parser.error(f"no model {unknown[0]!r}; there are: {' '.join(compare_table.MODELS)}")
    strange = [kind for kind in options.peers if kind not in PEERS["infer"]]
    if strange:
        parser.error(f"no peer {strange[0]!r}; there are: {' '.join(PEERS['infer'])}")
    if options.resume and (not options.json or not options.json.exists()):
        parser.error("--resume: there is no file of --json to go on with")
    if options.write and not options.table:
        parser.error("--write: needs a --table")
    if options.write and not options.write.is_file():
        parser.error(f"--write: {options.write} is not a file")
    lacking = options.write and compare_table.missing_place(options.write, options.table)
    if lacking:
        parser.error(f"--write: {options.write} has no lines <!-- compare.py: {lacking} --> and "
                     "<!-- end -->")
    for name in ("batch", "threads", "pairs", "steps", "size"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name}: at least 1")
    return options


def main():
    options = read_options()
    results = run(options)
    if options.table:
        tables = compare_table.tables(results, options.table)
        print("\n\n".join(tables.values()) or "nothing of the tables was measured")
        if options.write:
            compare_table.write(options.write, tables)
    return 1 if any("error" in cell for cell in results["cells"]) else 0


if __name__ == "__main__":
    sys.exit(main())
