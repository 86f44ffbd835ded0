#!/usr/bin/env python3
"""spec/timing tables -> C.

Tables of constants (name ; value ; unit ; source ; status) become enum
constants <TABLE>_<NAME>; spec/timing/classes.tbl (class ; latency ; throughput
; uops ; port ; source ; status) becomes rows indexed by timing class, times in
1/16 cycle.
"""
import pathlib
import sys


def cells_of(path, count):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split(";")]
        if len(cells) != count or cells[-1].split(":")[0] not in ("published", "derived", "assumed"):
            sys.exit(f"{path}:{number}: want {count} cells, the last published, derived or assumed[: why]")
        yield cells


def constants(path):
    prefix = {"charge": "CHARGE_ROW"}.get(path.stem, path.stem.upper())
    for name, value, unit, _, status in cells_of(path, 5):
        yield f"    {prefix}_{name.upper()} = {int(value, 0)}, /* [{unit}] {status.split(':')[0]} */"


def sixteenths(text):
    return round(float(text) * 16)


def classes(path):
    for name, latency, throughput, uops, port, _, status in cells_of(path, 7):
        index = "TIMING_NONE" if name == "-" else f"TIMING_{name}"
        yield (f"    [{index}] = {{ {sixteenths(latency)}, {sixteenths(throughput)}, {int(uops)}, PORT_{port} }}, "
               f"/* {status.split(':')[0]} */")


def main():
    table, output = map(pathlib.Path, sys.argv[1:3])
    header = [f"/* Generated from {table.name}; do not edit. */"]
    if table.stem == "classes":
        body = list(classes(table))
    else:
        body = ["enum {", *constants(table), "};"]
    output.write_text("\n".join(header + body + [""]))


if __name__ == "__main__":
    main()
