#!/usr/bin/env python3
"""spec/timing/*.tbl (name ; value ; unit ; source ; status) -> enum constants."""
import pathlib
import sys

table, output = map(pathlib.Path, sys.argv[1:3])
stem = table.stem.upper()
lines = [f"/* Generated from {table.name}; do not edit. */", "enum {"]
for number, line in enumerate(table.read_text().splitlines(), 1):
    if not line.strip() or line.startswith("#"):
        continue
    cells = [cell.strip() for cell in line.split(";")]
    if len(cells) != 5 or not cells[4].split(":")[0] in ("published", "derived", "assumed"):
        sys.exit(f"{table}:{number}: want name ; value ; unit ; source ; published|derived|assumed[: why]")
    lines.append(f"    {stem}_{cells[0].upper()} = {int(cells[1], 0)}, /* [{cells[2]}] {cells[4].split(':')[0]} */")
output.write_text("\n".join(lines + ["};", ""]))
