#!/usr/bin/env python3
"""Speed of the processor: one workload natively, under hvlab in each of its ways, under QEMU's TCG and under Bochs, in turns.

  compare.py integer|floating [--build DIR] [--turns N] [--who NAME,...]

Processor seconds; a short run is subtracted from a long one, so that starting costs nothing.  MIPS are the guest's
instructions, which hvlab counts, over each one's time.  Fails when the checksums differ.

Peers take part if they are here: qemu-system-x86_64; bochs ($BOCHS names another one) with
grub-mkrescue and Debian's bochsbios and vgabios to boot it.
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
BOCHS = os.environ.get("BOCHS", "bochs")
BOCHSRC = """\
megs: 64
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path={image}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={output}
display_library: nogui
clock: sync=none
log: /dev/null
panic: action=fatal
error: action=ignore
info: action=ignore
cpu: ips=400000000
"""


def timed(command):
    """(processor seconds, first line of output)"""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(process.pid, 0)
        output.seek(0)
        return usage.ru_utime + usage.ru_stime, output.read().decode(errors="replace").split("\n")[0].strip()


class Runner:
    """Each method runs the workload once: (processor seconds, checksum)."""

    def __init__(self, build, workload, folder):
        self.build, self.name, self.folder = build, workload, pathlib.Path(folder)
        self.image = build / f"images/bench_{workload}.elf"
        self.instructions = {}

    def native(self, rounds):
        return timed([self.build / f"tests/bench/workload/workload_{self.name}", rounds])

    def _hvlab(self, rounds, *more):
        results = self.folder / "results.json"
        done = timed([self.build / "sim/cli/hvlab", "boot", self.image, "--append", rounds, "--results", results, *more])
        self.instructions[rounds] = json.loads(results.read_text())["instructions"]
        return done

    def functional(self, rounds):
        return self._hvlab(rounds)

    def interpreted(self, rounds):
        return self._hvlab(rounds, "--tier", "interpreter")

    def approximate(self, rounds):
        return self._hvlab(rounds, "--timing", "approx")

    def tcg(self, rounds):
        return timed(["qemu-system-x86_64", "-accel", "tcg", "-display", "none", "-serial", "stdio", "-m", "64",
                      "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", self.image, "-append", rounds])

    def bochs(self, rounds):
        disc = self.folder / f"{rounds}.iso"
        if not disc.exists():
            tree = self.folder / f"disc{rounds}"
            (tree / "boot/grub").mkdir(parents=True)
            shutil.copy(self.image, tree / "boot/image")
            (tree / "boot/grub/grub.cfg").write_text(f"set timeout=0\nmenuentry image {{\n multiboot /boot/image {rounds}\n}}\n")
            subprocess.run(["grub-mkrescue", "-o", disc, tree], check=True, capture_output=True)
        output, settings = self.folder / "bochs.out", self.folder / "bochsrc"
        settings.write_text(BOCHSRC.format(image=disc, output=output))
        seconds, _ = timed([BOCHS, "-q", "-f", settings])
        return seconds, output.read_text().split("\n")[0].strip()


def here():
    peers = {"tcg": ("qemu-system-x86_64",), "bochs": (BOCHS, "grub-mkrescue", "xorriso")}
    return ["native", "functional", "interpreted", "approximate", *(name for name, needs in peers.items() if all(map(shutil.which, needs)))]


def measure(build, workload, who=None, turns=3):
    """[(who, MIPS, of native)]"""
    rounds = {"integer": 12, "floating": 100}[workload]
    with tempfile.TemporaryDirectory(prefix="hvlab-compare-") as folder:
        runner = Runner(pathlib.Path(build).resolve(), workload, folder)
        who, best, sums = who or here(), {}, set()
        for _ in range(turns):
            for name in who:
                seconds = {}
                for n in (1, rounds):
                    seconds[n], value = getattr(runner, name)(n)
                    sums.add((n, value))
                best[name] = min(best.get(name, 1e9), seconds[rounds] - seconds[1])
        if len(sums) != 2:
            sys.exit(f"checksums differ: {sums}")
        count = runner.instructions[rounds] - runner.instructions[1]
    return [(name, count / best[name] / 1e6, best["native"] / best[name]) for name in who]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=("integer", "floating"))
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/gcc-release")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--who", type=lambda text: text.split(","), help=f"some of {','.join(here())}; native and functional must be among them")
    arguments = parser.parse_args()
    for name, mips, ratio in measure(arguments.build, arguments.workload, arguments.who, arguments.turns):
        print(f"{name:12} {mips:6.0f} MIPS  1/{1 / ratio:.1f} of native")


if __name__ == "__main__":
    main()
