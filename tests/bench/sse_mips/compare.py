#!/usr/bin/env python3
"""Speed of floating point and SSE: one workload natively, under hvlab and under QEMU's TCG, in turns.

  compare.py [--build DIR] [--rounds N] [--turns N]

Processor seconds; a short run is subtracted from a long one, so that starting costs nothing.  MIPS are the guest's
instructions, which hvlab counts, over each one's time.  Fails when the checksums differ.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]


def timed(command):
    """(processor seconds, first line of output)"""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(process.pid, 0)
        output.seek(0)
        return usage.ru_utime + usage.ru_stime, output.read().decode(errors="replace").split("\n")[0].strip()


class Runner:
    def __init__(self, build):
        self.build, self.image = build, build / "images/bench_sse_mips.elf"
        self.results = pathlib.Path(tempfile.mkdtemp()) / "results.json"

    def native(self, rounds):
        return [self.build / "tests/bench/sse_mips/sse_mips", rounds]

    def hvlab(self, rounds):
        return [self.build / "sim/cli/hvlab", "boot", self.image, "--append", rounds, "--results", self.results]

    def tcg(self, rounds):
        return ["qemu-system-x86_64", "-accel", "tcg", "-display", "none", "-serial", "stdio", "-m", "64",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", self.image, "-append", rounds]

    def instructions(self):
        return json.loads(self.results.read_text())["instructions"]


def measure(build, rounds=100, turns=3):
    """[(who, MIPS, of native)]"""
    runner = Runner(pathlib.Path(build).resolve())
    who = ["native", "hvlab"] + (["tcg"] if shutil.which("qemu-system-x86_64") else [])
    short, best, sums, count = 1, {}, set(), {}
    for _ in range(turns):
        for name in who:
            seconds = {}
            for n in (short, rounds):
                seconds[n], value = timed(getattr(runner, name)(n))
                sums.add((n, value))
                if name == "hvlab":
                    count[n] = runner.instructions()
            best[name] = min(best.get(name, 1e9), seconds[rounds] - seconds[short])
    if len(sums) != 2:
        sys.exit(f"checksums differ: {sums}")
    mips = {name: (count[rounds] - count[short]) / best[name] / 1e6 for name in who}
    return [(name, mips[name], mips[name] / mips["native"]) for name in who]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/gcc-release")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    for name, mips, ratio in measure(arguments.build, arguments.rounds, arguments.turns):
        print(f"{name:8} {mips:6.0f} MIPS  1/{1 / ratio:.1f} of native")


if __name__ == "__main__":
    main()
