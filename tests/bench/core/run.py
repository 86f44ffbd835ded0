#!/usr/bin/env python3
"""The timing model's micro-benchmarks: runs the bench_core image in approximate
mode and prints what it measures, like the papers do, beside published figures.

  run.py [--build DIR]           table on the terminal
  run.py --doc [--build DIR]     writes docs/timing-model.md
  run.py --check [--build DIR]   fails when docs/timing-model.md is not what --doc would write
"""
import argparse
import ast
import operator
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
DOC = ROOT / "docs/timing-model.md"
CONSTANTS = ("core", "charge", "fabric")
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}

WHAT = {
    "add_dependent": "chain of ADD", "add_independent": "three independent ADD",
    "lea_dependent": "chain of LEA base + index", "adc_dependent": "chain of ADC",
    "imul_dependent": "chain of IMUL", "imul_independent": "three independent IMUL", "mul_dependent": "chain of MUL",
    "div_32": "DIV r32 with its operands set up", "xor_zero": "XOR of a register with itself",
    "addsd_dependent": "chain of ADDSD", "branch_taken": "JMP to the next instruction",
    "branch_mispredicted": "random branch, twice what it adds to a steady one", "call_ret": "CALL, RET and a JMP",
    "load_l1": "pointer chase in 16 KiB", "load_l2": "pointer chase in 128 KiB",
    "load_l3_1m": "pointer chase in 1 MiB", "load_l3_8m": "pointer chase in 8 MiB",
    "load_dram_64m": "pointer chase in 64 MiB", "tlb_32_pages": "chase, one line in each of 32 pages",
    "tlb_256_pages": "the same, 256 pages", "tlb_2048_pages": "the same, 2048 pages", "store_l1": "store to one line",
    "store_stream_dram_line": "store to every line of 64 MiB in order", "load_stream_dram_line": "load from the same",
    "lock_add": "LOCK ADD", "mfence": "MFENCE", "rep_movsb_4096": "REP MOVSB, 4096 bytes",
    "rep_movsb_64": "REP MOVSB, 64 bytes", "rdtsc": "RDTSC", "cpuid_0": "CPUID, leaf 0", "mov_cr3": "MOV CR3",
    "invlpg": "INVLPG", "wrmsr": "WRMSR IA32_TSC_AUX", "rdmsr": "RDMSR IA32_TSC_AUX", "int_iret": "INT and IRET",
    "syscall_sysret": "SYSCALL from ring 3 and SYSRET", "mmio_read": "read of a device register",
    "mmio_write": "write of a device register", "port_in": "IN", "port_out": "OUT",
    "vm_round_trip": "VMRESUME to VMCALL exit and back, nothing else",
    "vm_hypercall_lean": "the same with registers, reason and rip handled", "vm_cpuid_lean": "the same for CPUID",
    "vmread": "VMREAD", "vmwrite": "VMWRITE", "ipi_spinning": "IPI, from WRMSR to the handler of a spinning processor",
    "ipi_halted": "the same to a halted processor",
}


def rows(name):
    for line in (ROOT / f"spec/timing/{name}.tbl").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            yield [cell.strip() for cell in line.split(";")]


def measure(build):
    """Benchmark name -> cycles per operation."""
    command = [build / "sim/cli/hvlab", "boot", build / "images/bench_core.elf", "--memory", "256M", "--cpus", "2",
               "--timing", "approx", "--limit-time", "10"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600)
    lines = done.stdout.split("\n")
    if "done" not in lines:
        sys.exit(f"bench_core did not finish:\n{done.stdout}{done.stderr}")
    return {name: int(value) / 100 for name, value in (line.split() for line in lines[:lines.index("done")])}


def evaluate(text, names):
    """Sums and products of names and numbers; nothing else is allowed."""
    def value(node):
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        return node.value if isinstance(node, ast.Constant) else names[node.id]
    return value(ast.parse(text.replace(":", "__"), mode="eval").body)


def compare(measured):
    """Rows (id, quantity, figure, predicted, error, source, role) and rows that are not covered."""
    names = dict(measured)
    for table in CONSTANTS:
        names.update({f"{table}__{cells[0]}": float(cells[1]) for cells in rows(table)})
    covered, missing = [], []
    for ident, quantity, low, high, unit, source, prediction, role in rows("published"):
        figure = f"{low} {unit}" if low == high else f"{low}-{high} {unit}"
        if prediction == "-":
            missing.append((ident, quantity, figure, source, role.partition(": ")[2]))
            continue
        value = evaluate(prediction, names)
        nearest = min(max(value, float(low)), float(high))
        error = "in range" if nearest == value else f"{100 * (value - nearest) / nearest:+.1f} %"
        covered.append((ident, quantity, figure, f"{value:.4g} {unit}", error, source, role))
    return covered, missing


def markdown(header, body):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in cells) + " |" for cells in body])


def document(measured):
    covered, missing = compare(measured)
    parts = [(pathlib.Path(__file__).parent / "timing-model.head.md").read_text().rstrip()]
    parts += ["## Predicted beside published",
              "*input*: a row was derived from this figure, so agreement shows only that the parts compose as they\n"
              "should. *check*: no row was; this is where the model can be wrong. The error is to the nearer end of a\n"
              "range.",
              markdown(("id", "quantity", "published", "predicted", "error", "role", "source"),
                       [(i, q, f, v, e, r, s) for i, q, f, v, e, s, r in covered]),
              "### Not covered",
              markdown(("id", "quantity", "published", "source", "why"), missing),
              "## Micro-benchmarks",
              "`python3 tests/bench/core/run.py` boots `tests/bench/core` and prints what that guest measures with\n"
              "RDTSC; everything is cycles per operation at 2.1 GHz.",
              markdown(("benchmark", "what", "cycles"), [(n, WHAT[n], f"{v:.2f}") for n, v in measured.items()]),
              "## Every row"]
    for table, title in (("core", "Core: structure and penalties"), ("charge", "Micro-coded operations"),
                         ("fabric", "Fabric")):
        parts += [f"### {title} (`spec/timing/{table}.tbl`)",
                  markdown(("row", "value", "unit", "source", "status"), rows(table))]
    parts += ["### Timing classes (`spec/timing/classes.tbl`)",
              "Latency and throughput in cycles, register form.",
              markdown(("class", "latency", "throughput", "micro-operations", "port", "source", "status"),
                       rows("classes"))]
    return "\n\n".join(parts) + "\n"


def print_tables(measured):
    for name, value in measured.items():
        print(f"{name:24} {value:10.2f}  {WHAT[name]}")
    print()
    for ident, quantity, figure, value, error, _, role in compare(measured)[0]:
        print(f"{ident:8} {quantity:44} {figure:>16} {value:>14} {error:>10}  {role}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/gcc-release")
    parser.add_argument("--doc", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    measured = measure(arguments.build.resolve())
    if arguments.doc:
        DOC.write_text(document(measured))
    elif arguments.check:
        if DOC.read_text() != document(measured):
            sys.exit("docs/timing-model.md is not what the tables and the micro-benchmarks say: "
                     "run tests/bench/core/run.py --doc")
    else:
        print_tables(measured)


if __name__ == "__main__":
    main()
