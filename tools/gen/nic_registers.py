#!/usr/bin/env python3
"""Turns spec/nic/*registers.tbl into C.

    nic_registers.py TABLE OUTPUT

OUTPUT ending in .h: offsets and fields for software and model (spec/nic/*.h).
OUTPUT ending in .inc: one REGISTER(...) row per register and ALIAS(...) per
second address, for the card model.  The grammar is on top of registers.tbl.
"""
import os
import re
import sys

ROW = re.compile(r"^(?P<name>\w+)\s+(?P<ranges>\S+)\s+(?P<access>RW|RO|WO|RC|W1C)(:(?P<flags>[rwk]+))?"
                 r"(?P<options>(\s+\w+=\S+)*)\s*;(?P<text>.*)$")
ALIAS = re.compile(r"^alias\s+(?P<name>\w+)\s+(?P<ranges>\S+)\s*(;.*)?$")
FIELD = re.compile(r"^\s+(?P<name>\w+)\s+(?P<hi>\d+)(:(?P<lo>\d+))?\s*(;(?P<text>.*))?$")
RANGE = re.compile(r"^(?P<base>0x[0-9A-Fa-f]+)(\+(?P<stride>\w+)\*(?P<first>\d+)\.\.(?P<last>\d+))?$")


class Register:
    def __init__(self, name, ranges, access="", flags="", reset=0, reset_index=-1, mask=0xFFFFFFFF, text=""):
        self.name, self.ranges, self.access, self.flags = name, ranges, access, flags
        self.reset, self.reset_index, self.mask, self.text = reset, reset_index, mask, text
        self.fields = []

    @property
    def is_array(self):
        return self.ranges[-1][3] > 0

    @property
    def count(self):
        return self.ranges[-1][3] + 1


def parse_ranges(text, where):
    ranges, next_index = [], 0
    for part in text.split(","):
        m = RANGE.match(part)
        if not m:
            sys.exit(f"{where}: bad range {part}")
        base = int(m["base"], 16)
        if m["stride"]:
            first, last = int(m["first"]), int(m["last"])
            ranges.append((base, int(m["stride"], 0), first, last))
        else:
            first = last = next_index
            ranges.append((base, 4, first, last))
        if first != next_index or last < first or base % 4:
            sys.exit(f"{where}: ranges must be aligned and follow one another from 0")
        next_index = last + 1
    return ranges


def parse(path):
    registers, aliases, taken = [], [], {}
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        where = f"{path}:{number}"
        line = line.rstrip()
        if not line or line.startswith("#"):
            continue
        m = ALIAS.match(line)
        if m:
            ranges = parse_ranges(m["ranges"], where)
            target = next((r for r in registers if r.name == m["name"]), None)
            if not target or ranges[-1][3] >= target.count:
                sys.exit(f"{where}: alias of an unknown or shorter register")
            aliases.append(Register(m["name"], ranges))
            claim(taken, aliases[-1], where)
            continue
        m = ROW.match(line)
        if m:
            options = dict(o.split("=") for o in m["options"].split())
            reset, _, index = options.pop("reset", "0").partition("@")
            mask = int(options.pop("mask", "0xFFFFFFFF"), 0)
            if options:
                sys.exit(f"{where}: unknown option {options}")
            registers.append(Register(m["name"], parse_ranges(m["ranges"], where), m["access"], m["flags"] or "",
                                      int(reset, 0), int(index) if index else -1, mask, m["text"].strip()))
            claim(taken, registers[-1], where)
            continue
        m = FIELD.match(line)
        if not m or not registers:
            sys.exit(f"{where}: neither register, alias nor field: {line}")
        hi = int(m["hi"])
        lo = int(m["lo"]) if m["lo"] else hi
        if not 31 >= hi >= lo:
            sys.exit(f"{where}: bad field")
        registers[-1].fields.append((m["name"], hi, lo, (m["text"] or "").strip()))
    return registers, aliases


def claim(taken, register, where):
    for base, stride, first, last in register.ranges:
        for i in range(last - first + 1):
            offset = base + stride * i
            if offset in taken:
                sys.exit(f"{where}: {register.name} and {taken[offset]} share offset {offset:#x}")
            taken[offset] = register.name


def element(ranges):
    """Offset of element (n) as a C expression."""
    expression = ""
    for base, stride, first, last in ranges[:-1]:
        term = f"{base:#x}u + {stride:#x}u * (n)" if last > first else f"{base:#x}u"
        expression += f"(n) < {last + 1} ? {term} : "
    base, stride, first, _ = ranges[-1]
    return f"({expression}{base:#x}u + {stride:#x}u * ((n) - {first}))" if first else f"({expression}{base:#x}u + {stride:#x}u * (n))"


def write_header(path, table, registers, out):
    guard = "SPEC_NIC_" + re.sub(r"\W", "_", os.path.basename(path)).upper()
    out.write(f"/* Generated from {os.path.basename(table)}: register offsets and fields. */\n#ifndef {guard}\n#define {guard}\n\n")
    for r in registers:
        out.write(f"/* {r.text or r.name} ({r.access}) */\n")
        if r.is_array:
            out.write(f"#define I82599_{r.name}(n) {element(r.ranges)}\n#define I82599_{r.name}_COUNT {r.count}u\n")
        else:
            out.write(f"#define I82599_{r.name} {r.ranges[0][0]:#07x}u\n")
        for name, hi, lo, text in r.fields:
            note = f" /* {text} */" if text else ""
            mask = ((1 << (hi - lo + 1)) - 1) << lo
            if hi == lo:
                out.write(f"#define I82599_{r.name}_{name} {mask:#010x}u{note}\n")
            else:
                out.write(f"#define I82599_{r.name}_{name}_MASK {mask:#010x}u{note}\n"
                          f"#define I82599_{r.name}_{name}_SHIFT {lo}\n")
    out.write("\n#endif\n")


def write_rows(table, registers, aliases, out):
    out.write(f"/* Generated from {os.path.basename(table)}.\n"
              " * REGISTER(name, access, read rule, write rule, kept, reset, reset index, mask, count)\n"
              " * RANGE(name, base, stride, first, last, is alias), grouped by register in table order */\n"
              "#ifndef REGISTER\n#define REGISTER(...)\n#endif\n#ifndef RANGE\n#define RANGE(...)\n#endif\n")
    for r in registers:
        out.write(f"REGISTER({r.name}, {r.access}, {int('r' in r.flags)}, {int('w' in r.flags)}, {int('k' in r.flags)}, "
                  f"{r.reset:#x}u, {r.reset_index}, {r.mask:#x}u, {r.count})\n")
    for is_alias, group in ((0, registers), (1, aliases)):
        for r in group:
            for base, stride, first, last in r.ranges:
                out.write(f"RANGE({r.name}, {base:#x}u, {stride:#x}u, {first}, {last}, {is_alias})\n")
    out.write("#undef REGISTER\n#undef RANGE\n")


def main():
    table, path = sys.argv[1], sys.argv[2]
    registers, aliases = parse(table)
    with open(path, "w", encoding="utf-8") as out:
        if path.endswith(".h"):
            write_header(path, table, registers, out)
        else:
            write_rows(table, registers, aliases, out)


if __name__ == "__main__":
    main()
