"""Markdown from stored lines: everything, or the README's short form."""
import json
import math
import pathlib
import re

import peers
from machine import least_seconds

BEGIN, END = "<!-- bench -->", "<!-- end of bench -->"
TOLERANCE = 1e-3  # an answer further from Keras's than this is no answer


def read(path):
    """(machine, rows): rows by (model, mode, batch, threads), each the cells by
    peer. A line replaces an earlier one of the same peer and row."""
    machine, rows = {}, {}
    for line in map(json.loads, pathlib.Path(path).read_text().splitlines()):
        if "machine" in line:
            machine = {**machine, **line, "roofline": {**machine.get("roofline", {}), **line.get("roofline", {})}}
        else:
            rows.setdefault(tuple(line[k] for k in ("model", "mode", "batch", "threads")), {})[line["peer"]] = line
    return machine, rows


def write(path, machine, rows):
    """The lines that read() gives, without those that were replaced."""
    lines = [machine, *(cell for cells in rows.values() for cell in cells.values())]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def milliseconds(seconds):
    value = seconds * 1e3
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def right(cell):
    return "median_s" in cell and cell.get("difference", 0) <= TOLERANCE


def best_peer(cells):
    return min((n for n, c in cells.items() if n != "cornu" and right(c)), key=lambda n: cells[n]["median_s"], default=None)


def ratio(cells):
    """The best peer's time by Cornu's: above 1, Cornu is the faster."""
    best = best_peer(cells)
    return cells[best]["median_s"] / cells["cornu"]["median_s"] if best and right(cells.get("cornu", {})) else None


def share(machine, cells):
    """The least time that the machine allows, by Cornu's."""
    ours = cells.get("cornu", {})
    rates = machine.get("roofline", {}).get(str(ours.get("threads")))
    return least_seconds(rates, ours) / ours["median_s"] if "median_s" in ours and rates else None


def _cell(cells, name):
    if name not in cells:
        return "-"
    cell = cells[name]
    if "median_s" not in cell:
        return "failed"
    text = milliseconds(cell["median_s"]) + ("~" if cell["disturbed"] == 1 else "")
    return text if right(cell) else f"wrong ({text})"


def _mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def _format(value, pattern):
    return format(value, pattern) if value else "-"


def memory(cells):
    """The peer that takes least memory; its peak by Cornu's; and the same of what it takes beside its libraries."""
    peaks = {n: c for n, c in cells.items() if right(c) and c.get("peak")}
    ours = peaks.pop("cornu", None)
    if not ours or not peaks:
        return None
    own = {n: c["peak"] - c["libraries"] for n, c in peaks.items()}
    least = min(peaks, key=lambda n: peaks[n]["peak"])
    return least, peaks[least]["peak"] / ours["peak"], min(own.values()) / ours["peak"]


def _memory(rows):
    """One line for each model and batch, on the most threads that were measured."""
    body, most = [], max((k[3] for k in rows), default=0)
    for model, batch in dict.fromkeys((k[0], k[2]) for k in rows if k[3] == most):
        row = [f"{model}, batch {batch}"]
        for mode in ("infer", "train"):
            cells = rows.get((model, mode, batch, most), {})
            found = memory(cells)
            row += [f"{cells['cornu']['peak'] / 1e6:.1f}", found[0], f"{found[1]:.1f}", f"{found[2]:.1f}"] if found else ["-"] * 4
        if row[1:] != ["-"] * 8:
            body.append(row)
    head = ["memory"]
    for what in ("inference", "training step"):
        head += [f"{what}, MB", "leanest peer", "ratio", "without libraries"]
    return [*_lines(head, body), ""] if body else []


def _lines(head, rows):
    return ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1), *("| " + " | ".join(r) + " |" for r in rows)]


def full(machine, rows):
    names = [n for n in peers.PEERS if any(n in cells for cells in rows.values())]
    body = []
    for (model, mode, batch, threads), cells in rows.items():
        best = best_peer(cells)
        texts = [f"**{_cell(cells, n)}**" if n == best else _cell(cells, n) for n in names]
        body.append([f"{model} {mode} b{batch} t{threads}", *texts, _cell(cells, "cornu"),
                     _format(ratio(cells), ".2f"), _format(share(machine, cells), ".0%")])
    table = _lines(["median ms", *names, "cornu", "best peer / cornu", "of roofline"], body)
    failed = {(c["model"], n, c["error"]) for cells in rows.values() for n, c in cells.items() if "error" in c}
    notes = [f"- {n} on {m}: {e}" for m, n, e in sorted(failed)]
    return "\n".join([*_about(machine), "", *table, "", *_memory(rows), *_summary(rows), *([""] + notes if notes else [])])


def _about(machine):
    if not machine:
        return []
    rates = "; ".join(f"{t} thread{'s' * (t != '1')}: {r['gflops']:.0f} GFLOP/s, memory {r['read_gbs'][-1][1]:.0f} GB/s"
                      for t, r in sorted(machine["roofline"].items()))
    return [f"{machine['machine']}. {rates}. {machine['date']}, {machine['version']}."]


def _summary(rows):
    lines = []
    for mode, what in (("infer", "Inference"), ("train", "Training steps")):
        ratios = {key: r for key, cells in rows.items() if key[1] == mode and (r := ratio(cells))}
        if not ratios:
            continue
        slower = [f"{model} b{batch} t{threads} ({r:.{2 if r < 0.995 else 3}f})" for (model, _, batch, threads), r in ratios.items() if r < 1]
        lines += ["", f"{what}: faster than the best peer in {len(ratios) - len(slower)} of {len(ratios)} rows, "
                  f"{_mean(ratios.values()):.2f} times on the geometric mean. "
                  + (f"Slower in: {', '.join(slower)}." if slower else "")]
    return [line.rstrip() for line in lines[1:]]


def short(machine, rows):
    """A row for each model and batch, columns for inference and training on each number of threads."""
    parts = []
    for threads in sorted({k[3] for k in rows}):
        body = []
        for model, batch in dict.fromkeys((k[0], k[2]) for k in rows if k[3] == threads):
            row = [f"{model}, batch {batch}"]
            for mode in ("infer", "train"):
                cells = rows.get((model, mode, batch, threads), {})
                best = best_peer(cells)
                row += [_cell(cells, "cornu"), f"{milliseconds(cells[best]['median_s'])} {best}" if best else "-",
                        _format(ratio(cells), ".2f"), _format(share(machine, cells), ".0%")]
            body.append(row)
        head = [f"{threads} thread{'s' * (threads > 1)}"]
        for what in ("inference", "training step"):
            head += [f"{what}, ms", "best peer", "ratio", "of roofline"]
        parts += [*_lines(head, body), ""]
    parts += _memory(rows)
    versions = sorted({c["version"] for cells in rows.values() for n, c in cells.items() if n != "cornu" and "version" in c})
    return "\n".join([*_about(machine), f"Peers: {'; '.join(versions)}.", "", *parts, *_summary(rows)])


def rewrite(readme, block):
    """Puts the short table between the README's markers."""
    text, count = re.subn(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: f"{BEGIN}\n{block}\n{END}",
                          readme.read_text(), flags=re.S)
    if count != 1:
        raise SystemExit(f"{readme}: expected the markers {BEGIN} and {END} once")
    readme.write_text(text)
