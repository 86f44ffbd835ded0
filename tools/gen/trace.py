#!/usr/bin/env python3
"""spec/trace/events.tbl -> the rows that traces/trace_ctf.c writes and reads by."""
import pathlib
import sys

table, output = map(pathlib.Path, sys.argv[1:3])
rows = []
for number, line in enumerate(table.read_text().splitlines(), 1):
    if not line.strip() or line.startswith("#"):
        continue
    event, name, fields = (cell.strip() for cell in line.split(";"))
    pairs = [field.split(":") for field in fields.split()]
    if len(pairs) > 4 or any(kind not in "ux" for _, kind in pairs):
        sys.exit(f"{table}:{number}: at most four fields of kind u or x")
    cells = ", ".join(f'{{ "{field}", {"true" if kind == "x" else "false"} }}' for field, kind in pairs)
    rows.append(f'    [TRACE_{event}] = {{ "{name}", {len(pairs)}, {{ {cells} }} }},')
output.write_text("\n".join([f"/* Generated from {table.name}; do not edit. */"] + rows + [""]))
