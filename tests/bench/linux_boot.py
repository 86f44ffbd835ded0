"""Booting a stock kernel to userspace and power-off, beside QEMU's TCG on the same files: a part of bench.py.

  linux_boot.py [--build DIR] [--turns N]     prints the table
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests/linux"), str(ROOT / "tests/bench")]
import guest  # noqa: E402

MEMORY_MIB, APPEND = 512, "console=ttyS0 quiet -- hello"
FLOORS = {"compiled": 1.5, "interpreter": 2.4}
OVER_MIB, PER_INSTRUCTION, APPROX_MIPS = 200, 1.15, 80


def verdict(ok):
    return "met" if ok else "**missed**"


def qemu(timed, cpus):
    return timed(["qemu-system-x86_64", "-accel", "tcg,thread=single", "-m", MEMORY_MIB, "-smp", cpus, "-nodefaults",
                  "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", guest.kernel("cloud"), "-initrd", guest.initramfs("cloud"), "-append", APPEND])


def hvlab(timed, build, folder, cpus, *more):
    results = pathlib.Path(folder) / "results.json"
    seconds, rss, _ = timed([build / "sim/cli/hvlab", "boot", guest.kernel("cloud"), "--initrd", guest.initramfs("cloud"),
                             "--append", APPEND, "--memory", f"{MEMORY_MIB}M", "--cpus", cpus, "--serial", f"file:{folder}/console",
                             "--results", results, *more])
    return seconds, rss, json.loads(results.read_text())["instructions"]


def measure(timed, build, turns=5):
    """(rows of a table, sentences): each the best of 'turns', in turns, so that all see the same host."""
    ways = {"QEMU TCG": None, "compiled": (1,), "interpreter": (1, "--tier", "interpreter"), "approximate": (1, "--timing", "approx"),
            "compiled, 4 processors": (4,), "QEMU TCG, 4 processors": None}
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(turns):
            for name, arguments in ways.items():
                got = (*qemu(timed, 4 if "4" in name else 1)[:2], 0) if arguments is None else hvlab(timed, build, folder, *arguments)
                best[name] = min(best.get(name, got), got)
    tcg = best["QEMU TCG"][0]
    body = []
    for name, (seconds, rss, instructions) in best.items():
        floor = FLOORS.get(name)
        rate = f"{instructions / seconds / 1e6:.0f}" if instructions else "-"
        body.append((name, f"{seconds:.2f}", f"{seconds / tcg:.2f}", f"<= {floor}" if floor else "-",
                     verdict(seconds / tcg <= floor) if floor else "-", rate, f"{rss:.0f}"))
    each = {n: best[n][0] / best[n][2] for n in ("compiled", "compiled, 4 processors")}
    ratio = each["compiled, 4 processors"] / each["compiled"]
    mips = best["approximate"][2] / best["approximate"][0] / 1e6
    peak = max(rss for name, (_, rss, _) in best.items() if "QEMU" not in name)
    sentences = [
        f"An instruction with four processors costs {ratio:.2f} of one with one (at most {PER_INSTRUCTION}: "
        f"{verdict(ratio <= PER_INSTRUCTION)}).",
        f"Approximate timing: {mips:.0f} MIPS (at least {APPROX_MIPS}: {verdict(mips >= APPROX_MIPS)}).",
        f"Peak resident memory: {peak:.0f} MiB with {MEMORY_MIB} MiB of guest memory (at most {OVER_MIB} more: "
        f"{verdict(peak <= MEMORY_MIB + OVER_MIB)}).",
        "Peer: " + subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True).stdout.split("\n")[0] + "; kernel: "
        + guest.kernel("cloud").name + ".",
    ]
    return body, sentences


HEADER = ("engine", "processor seconds", "of TCG", "floor", "", "MIPS", "peak RSS [MiB]")


def main():
    from bench import table, timed
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/gcc-release")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    body, sentences = measure(timed, options.build, options.turns)
    print(table(HEADER, body) + "\n\n" + " ".join(sentences))


if __name__ == "__main__":
    main()
