#!/usr/bin/env python3
"""spec/lab/trace_points.tbl -> rows { symbol, label, batch argument, count argument }."""
import pathlib
import sys

table, output = map(pathlib.Path, sys.argv[1:3])
lines = [f"/* Generated from {table.name}; do not edit. */"]
for number, line in enumerate(table.read_text().splitlines(), 1):
    if not line.strip() or line.startswith("#"):
        continue
    cells = [cell.strip() for cell in line.split(";")]
    if len(cells) != 4 or not (cells[2] == "copy" or cells[2].isdigit()) or not cells[3].isdigit():
        sys.exit(f"{table}:{number}: want symbol ; label ; argument or copy ; argument")
    batch = -1 if cells[2] == "copy" else int(cells[2])
    lines.append(f'    {{ "{cells[0]}", "{cells[1]}", {batch}, {int(cells[3])} }},')
output.write_text("\n".join(lines + [""]))
