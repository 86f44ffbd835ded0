#!/usr/bin/env python3
"""Measures the simulator's speed and writes the tables of docs/performance.md.

  bench.py [--build DIR] [--only PART,...] [--quick] [--print]

Times are processor seconds of this host (user + system), so that what else runs here counts less; rates of packets are
marginal, from a short and a long capture of the same run, so that booting does not count.  --quick uses shorter
captures, --print leaves the document alone, --only measures these parts and leaves the others' tables as they are.  Below
each table stands at which commit it was measured, and with which peers.  Nothing here passes or fails: floors are printed beside what was measured.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parent / "workload"))
import compare  # noqa: E402
import linux_boot  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOC = ROOT / "docs/performance.md"
PLACEMENTS, PATHS, MODES = ("microkernel", "monolithic"), ("vmbus", "vmq", "sriov"), ("functional", "approx")
FLOOR = {"vmbus": 20000, "vmq": 30000, "sriov": 50000}  # packets per host second, functional; half in approx
MEMORY_MIB, MEMORY_OVER_MIB = 512, 150
TURNS = 3


def timed(command, **options):
    """(processor seconds, peak RSS in MiB, output) of a command."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT, **options)
        _, status, usage = os.wait4(process.pid, 0)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if status:
        sys.exit(f"{' '.join(map(str, command))}\nfailed:\n{text}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text


class Bench:
    def __init__(self, build, folder, quick):
        self.build, self.folder = build.resolve(), pathlib.Path(folder)
        self.short, self.long = (2000, 10000) if quick else (10000, 40000)
        self.captures = {}

    def capture(self, frames):
        if frames not in self.captures:
            path = self.folder / f"{frames}.pcap"
            subprocess.run([sys.executable, ROOT / "tests/bench/make_frames.py", str(frames), path], check=True)
            self.captures[frames] = path
        return self.captures[frames]

    def run(self, frames, **settings):
        """(seconds, MiB, result) of one run; the fastest of a few."""
        settings = {"capture": self.capture(frames), "memory": f"{MEMORY_MIB}M", **settings}
        command = [self.build / "sim/cli/hvlab", "run", ROOT / "experiments/first-light.yaml", "--quiet",
                   "--out", self.folder / "out"]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        runs = []
        for _ in range(TURNS):
            seconds, rss, _ = timed(command)
            runs.append((seconds, rss))
        result = json.loads((self.folder / "out/results.json").read_text())["runs"][0]
        return min(runs)[0], max(rss for _, rss in runs), result


def table(header, body):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in cells) + " |" for cells in body])


def verdict(ok):
    return "met" if ok else "**missed**"


def workload(bench, name, floors):
    """Rows of one workload; 'floors' gives what each way should reach, in MIPS, or whom."""
    rows = compare.measure(bench.build, name)
    mips = {who: rate for who, rate, _ in rows}
    body = []
    for who, rate, ratio in rows:
        floor = floors.get(who)
        want = mips.get(floor) if isinstance(floor, str) else floor
        shown = f"{floor}'s" if isinstance(floor, str) else f"{floor:,}" if floor else "-"
        body.append((who, f"{rate:.0f}", f"1/{1 / ratio:.1f}", shown, verdict(rate >= want) if want else "-"))
    return table(("who", "MIPS", "of native", "floor", ""), body)


def packets(bench):
    body, peak = [], 0
    for mode in MODES:
        for placement in PLACEMENTS:
            for path in PATHS:
                settings = {"timing": mode, "placement": placement, "io_path": path}
                short, _, first = bench.run(bench.short, **settings)
                long, rss, second = bench.run(bench.long, **settings)
                count = second["packets_offered"] - first["packets_offered"]
                rate, floor = count / (long - short), FLOOR[path] / (1 if mode == "functional" else 2)
                mips = (second["instructions"] - first["instructions"]) / (long - short) / 1e6
                peak = max(peak, rss)
                body.append((mode, placement, path, f"{rate:,.0f}", f"{floor:,.0f}", verdict(rate >= floor),
                             f"{mips:.0f}", f"{second['instructions'] / second['packets_offered']:,.0f}",
                             f"{long:.2f}"))
                print("  ".join(map(str, body[-1])), flush=True)
    memory = (f"Peak resident memory over all of these: {peak:.0f} MiB with {MEMORY_MIB} MiB of guest memory "
              f"(floor: guest memory + {MEMORY_OVER_MIB} MiB, {verdict(peak <= MEMORY_MIB + MEMORY_OVER_MIB)}).")
    header = ("timing", "placement", "path", "packets/s", "floor", "", "MIPS", "instructions/packet", "whole run [s]")
    return table(header, body) + "\n\n" + memory


def operations(bench):
    """What a child measures itself (guests/mini/work_bench.c), alone on its processor. [cycles]"""
    beside = {"hypercall": "KVM 1300, Xen 1228 (Dall et al., ISCA 2016, E5-2450)"}
    body = []
    for name in ("hypercall", "signal", "cpuid", "msr", "time", "memory"):
        bench.run(bench.short // 4, timing="approx", placement="monolithic", io_path="vmbus", processors=3, children=2,
                  child_lps="1,2", workloads=f"replayer,bench:{name}")
        console = (bench.folder / "out/monolithic-vmbus/console.txt").read_text()
        found = re.search(rf"bench {name}: (\d+) cycles", console)
        body.append((name, found[1] if found else "not finished", beside.get(name, "-")))
        print("  ".join(body[-1]), flush=True)
    return table(("operation", "cycles", "published"), body)


def curve(bench, points, measure, what):
    body, before = [], None
    for point in points:
        seconds, result = measure(point)
        factor = "-" if before is None else f"{seconds / before:.2f}"
        note = "" if before is None else verdict(seconds <= 2 * before)
        body.append((point, f"{result['packets_offered']:,}", f"{seconds:.2f}", factor, note))
        print("  ".join(map(str, body[-1])), flush=True)
        before = seconds
    return table((what, "packets", "host seconds", "times the row above", ""), body)


def scale_packets(bench):
    def measure(frames):
        seconds, _, result = bench.run(frames, timing="approx", placement="microkernel", io_path="vmbus")
        return seconds, result

    first = bench.long // 4
    return curve(bench, (first, first * 2, first * 4), measure, "frames in the capture")


def scale_partitions(bench):
    def measure(children):
        seconds, _, result = bench.run(bench.short // 5, timing="approx", placement="microkernel", io_path="vmbus",
                                       children=children)
        return seconds, result

    return curve(bench, (1, 2, 4, 8, 16), measure, "partitions")


def linux(bench):
    boot, sentences = linux_boot.measure(timed, bench.build)
    return table(linux_boot.HEADER, boot) + "\n\n" + "\n".join(sentences)


# Marker in the document: what measures it.
PARTS = {
    "workload": lambda bench: workload(bench, "integer", {"functional": 1100, "interpreted": 500}),
    "sse": lambda bench: workload(bench, "floating", {"functional": "tcg"}),
    "packets": packets, "linux": linux, "operations": operations,
    "scale-packets": scale_packets, "scale-partitions": scale_partitions,
}
PEERS = ("workload", "sse")  # measured beside others; linux names its own


def replace(document, name, text):
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    head, rest = document.split(begin)
    return head + begin + "\n" + text + "\n" + end + rest.split(end)[1]


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]


def circumstances(name, quick):
    """Below a table: what was measured, where, beside whom."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    commit = first_line("git", "-C", str(ROOT), "rev-parse", "--short=8", "HEAD") or "an unknown commit"
    if first_line("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no", ":!docs"):
        commit += " with changes"
    peers = f" Beside: {' '.join(versions())}" if name in PEERS else ""
    return (f"*Measured at {commit}{' (short captures)' if quick else ''} on {model[1] if model else platform.machine()}, one host thread, "
            f"{first_line('cc', '--version')}.{peers}*")


def versions():
    """Which peers were here."""
    for program in ("qemu-system-x86_64", compare.BOCHS):
        if shutil.which(program):
            text = subprocess.run([program, "--version" if "qemu" in program else "--help"], capture_output=True, text=True)
            yield next(line.strip(" =") for line in (text.stdout + text.stderr).split("\n") if re.search(r"\d\.\d", line)) + "."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/gcc-release")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--print", action="store_true")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.only if name not in PARTS]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.build, folder, arguments.quick)
        parts = {name: PARTS[name](bench) + "\n\n" + circumstances(name, arguments.quick) for name in arguments.only}
    if arguments.print:
        print("\n\n".join(parts.values()))
        return
    document = DOC.read_text()
    for name, text in parts.items():
        document = replace(document, name, text)
    DOC.write_text(document)


if __name__ == "__main__":
    main()
