"""The tables of `scripts/gpu_check`."""

import json
import os

# Dense peaks in TFLOP/s and GB/s of NVIDIA's data sheets, where nothing was measured.
DATA_SHEETS = {
    "H100": {"fp32": 67, "tf32": 495, "bf16": 990, "fp16": 990, "memory": 3350},
    "H200": {"fp32": 67, "tf32": 495, "bf16": 990, "fp16": 990, "memory": 4800},
    "A100": {"fp32": 19.5, "tf32": 156, "bf16": 312, "fp16": 312, "memory": 2039},
}
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
INFERENCE_BATCHES, TRAINING_BATCHES = (1, 8, 32, 256), (64, 256)
MODES = {"inference": ("eager", "graph", "compile"), "training": ("eager", "compile")}
WORK = {"inference": "work", "training": "training work"}
# What is to be reached in bf16 on an H100: batch, beside which mode, at least, goal; throughput over PyTorch's.
AIMS = (("inference", 256, "compile", 1.0, 1.3), ("inference", 1, "graph", 2.0, 2.86), ("training", 256, "eager", 1.2, 1.6))


def peaks_of(findings):
    """TFLOP/s per precision and GB/s of the memory; and which of them were measured."""
    device = next((f["name"] for f in findings if f.get("kind") == "device"), "")
    peaks = next((dict(peaks) for name, peaks in DATA_SHEETS.items() if name in device), {})
    measured = set()
    for finding in findings:
        if finding.get("kind") == "ceiling":
            what = finding["what"]
            peaks[what] = finding["gb_s"] if what == "memory" else finding["tflop_s"]
            measured.add(what)
    return peaks, measured


def roof(work, batch, peaks, precision):
    """The least milliseconds: every step takes the longer of its arithmetic and its bytes."""
    if precision not in peaks or "memory" not in peaks:
        return None
    seconds = sum(
        max(operations * batch / (peaks[precision] * 1e12), (bytes_of_image * batch + weights) / (peaks["memory"] * 1e9))
        for operations, bytes_of_image, weights in work
    )
    return 1000 * seconds


def rows_of(findings, kind, batches):
    """The cells of one table."""
    peaks, _ = peaks_of(findings)
    works = {f["precision"]: f["steps"] for f in findings if f.get("kind") == WORK[kind]}
    ours = {(f["precision"], f["batch"]): f for f in findings if f.get("kind") == kind and "providers" not in f}
    theirs = {(f["precision"], f["batch"], f["mode"]): f for f in findings if f.get("kind") == f"PyTorch's {kind}"}
    rows = []
    for precision in PRECISIONS:
        for batch in batches:
            own = ours.get((precision, batch))
            row = {"kind": kind, "precision": precision, "batch": batch, "ms": own["ms"] if own else None}
            row["with_copies_ms"] = own.get("with_copies_ms") if own else None
            for mode in MODES[kind]:
                cell = theirs.get((precision, batch, mode), {})
                row[f"{mode}_ms"] = cell.get("ms")
                row[f"{mode}_ratio"] = cell["ms"] / own["ms"] if own and cell.get("ms") else None
            least = roof(works[precision], batch, peaks, precision) if precision in works else None
            row["percent_of_roof"] = 100 * least / own["ms"] if own and least else None
            rows.append(row)
    return rows


def text_of(value, pattern="{:.2f}"):
    return "-" if value is None else pattern.format(value)


def table(rows, modes):
    header = ["precision", "batch", "tenon ms", "images/s", "with copies ms", *(f"{mode} ms" for mode in modes),
              *(f"x {mode}" for mode in modes), "% of roof"]
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    for row in rows:
        speed = 1000 * row["batch"] / row["ms"] if row["ms"] else None
        cells = [row["precision"], str(row["batch"]), text_of(row["ms"], "{:.3f}"), text_of(speed, "{:.0f}"),
                 text_of(row["with_copies_ms"], "{:.3f}")]
        cells += [text_of(row[f"{mode}_ms"], "{:.3f}") for mode in modes]
        cells += [text_of(row[f"{mode}_ratio"]) for mode in modes]
        cells.append(text_of(row["percent_of_roof"], "{:.0f}"))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def providers(findings):
    """Who computed the convolutions, and the times without libraries."""
    lines = [f"- {f['name']}: {f['state']}" for f in findings if f.get("kind") == "library"]
    for f in findings:
        if f.get("kind") != "inference" or not f.get("convolutions"):
            continue
        counts = ", ".join(f"{count} {who}" for who, count in f["convolutions"].items())
        only = f" with TENON_CUDA_PROVIDERS={f['providers']}" if "providers" in f else ""
        lines.append(f"- {f['precision']}, batch {f['batch']}{only}: {f['ms']:.3f} ms; convolutions: {counts}")
    return ["", "Who computes (sums of two convolutions are always tenon's):", "", *lines] if lines else []


def aims(findings, rows):
    """A sentence for each aim; none on devices that they were not set for."""
    device = next((f["name"] for f in findings if f.get("kind") == "device"), "")
    if "H100" not in device:
        return []
    lines = [""]
    for kind, batch, mode, least, goal in AIMS:
        row = next((r for r in rows if (r["kind"], r["precision"], r["batch"]) == (kind, "bf16", batch)), None)
        ratio = row and row[f"{mode}_ratio"]
        state = "not measured" if not ratio else "missed" if ratio < least else "goal reached" if ratio >= goal else "reached"
        lines.append(f"- bf16 {kind}, batch {batch}: {text_of(ratio or None)} times PyTorch's throughput ({mode}); at least "
                     f"{least}, goal {goal}: {state}.")
    return lines


def markdown(runner, rehearsal, closing):
    findings = runner.findings
    lines = ["# gpu_check", ""]
    if rehearsal:
        lines += ["**A rehearsal: all figures are made up, nothing ran on a device.**", ""]
    device = next((f for f in findings if f.get("kind") == "device"), None)
    if device:
        lines += [", ".join(f"{key} {device[key]}" for key in device if key not in ("stage", "kind")) + ".", ""]
    lines += ["| stage | outcome | seconds | |", "| --- | --- | ---: | --- |"]
    lines += [f"| {o.name} | {o.status} | {o.seconds:.0f} | {o.why} |" for o in runner.outcomes.values()]
    compared = [f for f in findings if f.get("kind") in ("logits", "step") and "error" in f]
    if compared:
        lines += ["", "Largest difference, as a part of the largest value:", "", "| what | network | precision | batch | against "
                  "| error | bound |", "| --- | --- | --- | ---: | --- | ---: | ---: |"]
        lines += [f"| {'logits' if f['kind'] == 'logits' else 'training: ' + f['what']} | {f['network']} | {f['precision']} | {f['batch']} | {f['against']} "
                  f"| {text_of(f['error'], '{:.1e}')} | {f['bound']:.1e} |" for f in compared]
    inference = rows_of(findings, "inference", INFERENCE_BATCHES)
    training = rows_of(findings, "training", TRAINING_BATCHES)
    peaks, measured = peaks_of(findings)
    lines += ["", "ResNet50V2 of the listing, 224x224, milliseconds a batch on the device (medians); x: PyTorch's time over "
              "tenon's. Eager is channels_last, graph is eager in a CUDA graph, compile is torch.compile "
              '(mode="reduce-overhead").', ""]
    lines += table(inference, MODES["inference"])
    lines += providers(findings)
    lines += ["", "Training steps of the same network (forward, loss, backward, SGD with momentum and weight decay), as one graph; "
              "eager is PyTorch's with channels_last, in 16 bits with autocast, compile is torch.compile.", ""]
    lines += table(training, MODES["training"])
    if peaks:
        lines += ["", "Roof: each operation's arithmetic or bytes, whichever takes longer, at " + ", ".join(
            f"{peaks[what]:.0f} {'GB/s' if what == 'memory' else 'TFLOP/s'} {what} "
            f"({'measured' if what in measured else 'data sheet'})" for what in (*PRECISIONS, "memory") if what in peaks) + "."]
    lines += aims(findings, inference + training)
    if closing:
        lines += ["", closing]
    return "\n".join(lines) + "\n"


def write(folder, runner, rehearsal, closing=""):
    """Writes what is known by now; a reader never sees half a file."""
    rows = rows_of(runner.findings, "inference", INFERENCE_BATCHES) + rows_of(runner.findings, "training", TRAINING_BATCHES)
    document = {"rehearsal": rehearsal, "closing": closing, "stages": [vars(o) for o in runner.outcomes.values()],
                "findings": runner.findings, "rows": rows}
    for name, text in (("report.json", json.dumps(document, indent=1) + "\n"),
                       ("report.md", markdown(runner, rehearsal, closing))):
        path = folder / name
        path.with_suffix(".new").write_text(text, encoding="utf-8")
        os.replace(path.with_suffix(".new"), path)
