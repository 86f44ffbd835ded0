#!/usr/bin/env python3
"""docs/isa.md from the rows of spec/x86/opcodes.tbl.

  isa_doc.py           writes docs/isa.md
  isa_doc.py --check   fails when docs/isa.md is not what would be written
"""
import pathlib
import re
import sys

import x86_opcodes

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE, DOC = ROOT / "spec/x86/opcodes.tbl", ROOT / "docs/isa.md"
AMD_ONLY = {"CLZERO", "RDPRU", "EXTRQ", "INSERTQ", "MOVNTSS", "MOVNTSD"}
HEAD = """# Instructions

Every form that the processor decodes, made from `spec/x86/opcodes.tbl` by `tools/gen/isa_doc.py`; what fits no row is `#UD`.
Which models report a feature: `hvlab list cpus`, `spec/x86/cpus/`; a form of a feature that the model does not report does not exist on it.

* **source**: section of the Intel SDM Volume 2 (by instruction; APM Volume 3 where it says so) that the form is written from.
* **state**: `does` = implemented; `#UD` = legal bytes that always fault, as on silicon; `stops` = not here: the machine stops with a message.
* **oracle**: `host` = compared with the host's processor in `tests/oracle/test_host.c`, over register, flag and memory values;
  `unit` = privileged, or of system state: tests of `tests/unit`, and the bare-metal suites.

"""


def section(row, names):
    name = row.mnemonic
    if name in AMD_ONLY:
        return f"APM 3 {name}"
    for prefix, title in (("CMOV", "CMOVcc"), ("SET", "SETcc")):
        if name.startswith(prefix) and name[len(prefix):] in x86_opcodes.CONDITIONS:
            return title
    if name[0] == "J" and name[1:] in x86_opcodes.CONDITIONS:
        return "Jcc"
    if name[0] == "V" and name[1:] in names:
        return name[1:]
    return re.sub(r"_(FAR|NEAR)$", "", name)


def state(row):
    return {"stop": "stops", "ud": "#UD"}.get(row.builder, "does")


def oracle(row):
    return "unit" if {"nohost", "priv"} & set(row.traits) else "host"


def families():
    """(title, file) in the table's order."""
    for line in TABLE.read_text().splitlines():
        if line.startswith("include "):
            path = TABLE.parent / line.split()[1]
            first = path.read_text().splitlines()[0]
            yield re.sub(r"^#\s*-*\s*|\s*-+$", "", first), path


def text():
    names = {r.mnemonic for r in x86_opcodes.parse(str(TABLE))}
    out, count = [HEAD], {}
    for title, path in families():
        rows = x86_opcodes.parse(str(path))
        out.append(f"## {path.stem}: {title}\n\n| form | feature | source | state | oracle |\n|---|---|---|---|---|\n")
        for row in rows:
            form = row.text.replace("|", "\\|")
            out.append(f"| `{form}` | {row.feature or ''} | {section(row, names)} | {state(row)} | {oracle(row)} |\n")
            count[state(row)] = count.get(state(row), 0) + 1
        out.append("\n")
    total = ", ".join(f"{n} {s}" for s, n in sorted(count.items()))
    out.insert(1, f"{sum(count.values())} forms: {total}.\n\n")
    return "".join(out)


def main():
    if sys.argv[1:] == ["--check"]:
        if not DOC.exists() or DOC.read_text() != text():
            sys.exit("docs/isa.md is not what spec/x86/opcodes.tbl says: run tools/gen/isa_doc.py")
    else:
        DOC.write_text(text())


main()
