#!/usr/bin/env python3
"""What a machine can check of the house: borders between the two worlds, sizes,
header self-sufficiency, tables that documents cite, and forbidden words.

Exit status 0 and one line when all is well; else every finding, one a line.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOFTWARE = ("hv/", "vmbus/", "vsp/", "vswitch/", "guests/", "firmware/")
SILICON = ("sim/", "nic-model/", "traces/")
FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 100
LINE_COLUMNS_MAX = 140

# Included for their effect, once per tier of handlers: no guard on purpose.
GUARDLESS = ("sim/cpu/exec/handler.h", "sim/cpu/exec/tier_record.h", "sim/cpu/exec/tier_timed.h")

findings = []


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in out.stdout.split() if (ROOT / name).exists()]


def check_borders(name, text):
    for include in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.M):
        other = SILICON if name.startswith(SOFTWARE) else SOFTWARE if name.startswith(SILICON) else ()
        if include.startswith(other) and other:
            findings.append(f"{name}: includes {include} across the border of the two worlds")
        if name.startswith("spec/") and not include.startswith("spec"):
            findings.append(f"{name}: spec includes {include}")


def check_sizes(name, lines):
    if name.startswith("tests/"):
        return
    if len(lines) > FILE_LINES_MAX:
        findings.append(f"{name}: {len(lines)} lines; split above {FILE_LINES_MAX}")
    start = None
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            findings.append(f"{name}:{number}: {len(line)} columns")
        if line.startswith("{") or (re.match(r"^\w.*\)\s*\{$", line) and "=" not in line):
            start = number
        elif line.startswith("}") and start:
            if number - start > FUNCTION_LINES_MAX:
                findings.append(f"{name}:{start}: function of {number - start} lines")
            start = None


def check_guard(name, text):
    guard = re.sub(r"\W", "_", name).upper()
    if name.endswith(".h") and name not in GUARDLESS and f"#ifndef {guard}" not in text and "#pragma once" not in text:
        findings.append(f"{name}: include guard is not {guard}")


def check_documents():
    """Every `file: function` hop in docs/life-of-*.md must exist."""
    for page in sorted((ROOT / "docs").glob("life-of-*.md")):
        for path, symbol in re.findall(r"`([\w./-]+\.[chS]):\s*(\w+)`", page.read_text()):
            target = ROOT / path
            if not target.exists():
                findings.append(f"{page.name}: {path} is gone")
            elif not re.search(rf"\b{symbol}\b", target.read_text()):
                findings.append(f"{page.name}: {path} has no {symbol}")


def check_links():
    """Links lead somewhere, files that documents name exist, and docs/README.md names every page."""
    folders = "|".join(sorted({name.split("/")[0] for name in tracked() if "/" in name and not name.startswith(".")}))
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text, name = page.read_text(), page.relative_to(ROOT)
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if not re.match(r"\w+:", link) and not (page.parent / link).exists():
                findings.append(f"{name}: links to {link}, which is not there")
        for path in sorted(set(re.findall(rf"`((?:{folders})/[\w./-]+)`", text))):
            if (ROOT / path).parent.is_dir() and not (ROOT / path).exists(): # other trees have a tools/, too
                findings.append(f"{name}: names {path}, which is not there")
    index = (ROOT / "docs/README.md").read_text()
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if page.name != "README.md" and f"({page.relative_to(ROOT / 'docs')})" not in index:
            findings.append(f"docs/README.md: does not name {page.relative_to(ROOT / 'docs')}")


def main():
    for name in tracked("*.c", "*.h", "*.S"):
        text = (ROOT / name).read_text(errors="replace")
        check_borders(name, text)
        check_sizes(name, text.splitlines())
        check_guard(name, text)
    check_documents()
    check_links()
    for finding in findings:
        print(finding)
    if not findings:
        print("house: in order")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
