"""The tables of bench_conv.py and bench_pool.py: measurements as text, markdown and files for docs.

    python benchmarks/report.py RESULTS.json FOLDER

writes the tables of the documentation from the results that `bench_conv.py --json` and
`bench_pool.py --json` have gathered.
"""

import argparse
import csv
import json
from itertools import groupby
from pathlib import Path

import numpy as np

from shapes import LAYERS

LINE = ("{:32s} {:9s} {:19s} {:>9s} {:>9s} {:>9s} {:>9s} {:>7s} {:>6s} {:>7s} {:>8s} {:>6s}")
COLUMNS = ("layer", "algorithm", "best peer", "peer ms", "plain ms", "packed ms", "out= ms",
           "GFLOP/s", "% peak", "plain x", "packed x", "out= x")
HEADER = LINE.format(*COLUMNS)
CLASS_COLUMNS = ("class", "target", "layers", "packed", "worst", "packed, out=", "worst",
                 "plain, 1 image", "worst", "below their target")
ALTERNATIVE_COLUMNS = ("layer", "times as fast")
POOLING_COLUMNS = ("pooling", "best peer", "peer ms", "convlib ms", "times as fast", "target")
POOLING_LINE = "{:30s} {:20s} {:>9s} {:>10s} {:>13s} {:>6s}"
OUTPUT_COLUMNS = ("layer", "output MB", "peer ms", "new array, ms", "out= ms", "gained by out=")


def ratio(row, name):
    """Return how many times faster than the best peer convlib is; None when not measured."""
    if name == "out" and "out" not in row["own"]:
        name = "packed"     # a small output is as well new as given
    if name not in row["own"] or not row["peers"]:
        return None
    return min(row["peers"].values()) / row["own"][name]


def cells(row, machine):
    """Return what `COLUMNS` names, as text."""
    peers, own = row["peers"], row["own"]
    best = min(peers, key=peers.get) if peers else ""
    times = [own.get(name) for name in ("plain", "packed", "out")]
    fastest = own.get("packed", own.get("plain"))
    flops = row["flops"] / fastest
    share = flops / machine["peak"][f"{row['dtype']} {row['threads']}"]
    ratios = [ratio(row, name) for name in ("plain", "packed")]
    ratios.append(ratio(row, "out") if "out" in own else None)
    return (row["layer"], row["algorithm"], best, *(text(1e3 * value if value else None, 3)
            for value in (peers.get(best), *times)), f"{1e-9 * flops:.0f}", f"{100 * share:.0f}",
            *(text(value, 2) for value in ratios))


def text(value, digits):
    """Return a number with some digits after the point, or nothing."""
    return "" if value is None else f"{value:.{digits}f}"


def line(row, machine):
    """Return a row as a line below `HEADER`."""
    return LINE.format(*cells(row, machine))


def classes(rows):
    """Return what `CLASS_COLUMNS` names for each class, as text."""
    table = []
    for name, members in groupby(rows, key=lambda row: row["class"]):
        members = list(members)
        single = [row for row in members if row["n_images"] == 1]
        below = sum(value < row["plain_target"] for row in single
                    if (value := ratio(row, "plain")) is not None)
        table.append((name, f"{members[0]['target']:.1f}", str(len(members)),
                      *mean_and_worst(members, "packed"), *mean_and_worst(members, "out"),
                      *mean_and_worst(single, "plain"), str(below) if single else ""))
    return table


def mean_and_worst(rows, name):
    """Return the geometric mean and the smallest of the ratios of some rows, as text."""
    ratios = [value for row in rows if (value := ratio(row, name)) is not None]
    if not ratios:
        return "", ""
    return f"{np.exp(np.mean(np.log(ratios))):.2f}", f"{min(ratios):.2f}"


def alternatives(rows):
    """Return (layer, how many times faster it is than its alternative) pairs."""
    return [(row["layer"], row["own"]["alternative"] / row["own"]["packed"])
            for row in rows if "alternative" in row["own"]]


def summary(rows):
    """Return the classes as aligned text, and how layers compare with their alternatives."""
    table = [CLASS_COLUMNS, *classes(rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ["", *("  ".join(cell.rjust(width) for cell, width in zip(cells, widths))
                   for cells in table)]
    lines += [f"{layer}: {times:.2f} times as fast as its alternative"
              for layer, times in alternatives(rows)]
    return "\n".join(lines)


def markdown(rows, machine):
    """Return both tables in markdown."""
    layers = [COLUMNS, *(cells(row, machine) for row in rows)]
    tables = (layers, [CLASS_COLUMNS, *classes(rows)])
    return "\n\n".join(map(markdown_table, tables))


def markdown_table(table):
    """Return rows of text, the first of them the header, as a markdown table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in table]
    lines.insert(1, "|" + " --- |" * len(table[0]))
    return "\n".join(lines)


def merge(path, machine, rows):
    """Put rows into a file of results, in place of earlier ones of the same measurement."""
    results = begin(path, machine["tier"])
    kept = {identity(row): row for row in results["rows"]}
    kept |= {identity(row): row for row in rows}
    old = results["machine"]
    best = {name: {key: max(old[name].get(key, 0), machine[name].get(key, 0))
                   for key in old[name] | machine[name]} for name in ("peak", "read")}
    results |= {"machine": old | machine | best, "rows": list(kept.values())}
    path.write_text(json.dumps(results, indent=1) + "\n")


def begin(path, tier):
    """Return the results in a file, or none yet; those of another machine stay by themselves."""
    if not path.exists():
        return {"machine": {"tier": tier, "peak": {}, "read": {}}, "rows": []}
    results = read(path)
    if results["machine"]["tier"] != tier:
        raise ValueError(f"{path} holds results of {results['machine']['tier']}, not of {tier}")
    return results


def pooling_cells(row):
    """Return what `POOLING_COLUMNS` names, as text."""
    peers = row["peers"]
    best = min(peers, key=peers.get) if peers else ""
    times = peers[best] / row["own"] if peers else None
    return (row["pooling"], best, text(1e3 * peers[best] if peers else None, 3),
            text(1e3 * row["own"], 3), text(times, 2), text(row["target"], 1))


def merge_poolings(path, tier, rows):
    """Put rows of poolings into a file of results, in place of earlier ones."""
    results = begin(path, tier)
    kept = {pooling_identity(row): row for row in results.get("poolings", [])}
    kept |= {pooling_identity(row): row for row in rows}
    path.write_text(json.dumps(results | {"poolings": list(kept.values())}, indent=1) + "\n")


def pooling_identity(row):
    """Return what tells a measurement of pooling from all others."""
    return row["pooling"], row["dtype"], row["threads"]


def read(path):
    """Return the results in a file."""
    return json.loads(path.read_text())


def identity(row):
    """Return what tells a measurement from all others."""
    return row["layer"], row["dtype"], row["threads"]


def write_docs(results, folder):
    """Write all tables for each dtype and number of threads."""
    machine = results["machine"]
    write_table(folder / "machine.csv", machine_facts(machine))
    order = {layer.name: i for i, layer in enumerate(LAYERS)}
    rows = [row for row in results["rows"] if row["layer"] in order]
    rows.sort(key=lambda row: (row["dtype"], row["threads"], order[row["layer"]]))
    write_poolings(results.get("poolings", []), folder)
    for setting, members in groupby(rows, key=lambda row: (row["dtype"], row["threads"])):
        members = list(members)
        for name, table in (
            ("layers", [COLUMNS, *(cells(row, machine) for row in members)]),
            ("classes", [CLASS_COLUMNS, *classes(members)]),
            ("outputs", [OUTPUT_COLUMNS, *outputs(members)]),
            ("alternatives", [ALTERNATIVE_COLUMNS, *(
                (layer, text(times, 2)) for layer, times in alternatives(members))]),
        ):
            if len(table) > 1:
                write_table(folder / "{}_{}_{}.csv".format(name, *setting), table)


def write_poolings(rows, folder):
    """Write the table of poolings for each dtype and number of threads."""
    settings = {(row["dtype"], row["threads"]) for row in rows}
    for setting in sorted(settings):
        members = [row for row in rows if (row["dtype"], row["threads"]) == setting]
        write_table(folder / "pooling_{}_{}.csv".format(*setting),
                    [POOLING_COLUMNS, *map(pooling_cells, members)])


def machine_facts(machine):
    """Return (what, value) pairs of text."""
    versions = machine["versions"]
    facts = [("processor", machine["processor"]), ("instruction set", machine["tier"]),
             ("date", machine["date"]),
             ("versions", ", ".join(map(" ".join, versions.items())))]
    for name, peak in machine["peak"].items():
        dtype, threads = name.split()
        facts.append((f"peak, {dtype}, {counted(threads)}", f"{1e-9 * peak:.0f} GFLOP/s"))
    for threads, read in machine["read"].items():
        facts.append((f"reading memory, {counted(threads)}", f"{1e-9 * read:.0f} GB/s"))
    return facts


def counted(threads):
    """Return a number of threads in words."""
    return f"{threads} thread{'s' * (threads != '1')}"


def outputs(rows):
    """Return what `OUTPUT_COLUMNS` names for each layer with a large output, as text."""
    large = sorted((row for row in rows if "out" in row["own"]), key=lambda row: row["out_bytes"])
    return [(row["layer"], f"{1e-6 * row['out_bytes']:.0f}",
             text(1e3 * min(row["peers"].values()), 2), text(1e3 * row["own"]["packed"], 2),
             text(1e3 * row["own"]["out"], 2), text(row["own"]["packed"] / row["own"]["out"], 2))
            for row in large]


def write_table(path, rows):
    """Write rows of text."""
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def main():
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write_docs(read(arguments.results), arguments.folder)


if __name__ == "__main__":
    main()
