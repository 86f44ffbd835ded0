"""Stock Debian kernels on hvlab: boot to userspace, use a disk, compute what the host computes.

    test_linux.py TEST|all [--cpus N,..] [--cpu MODEL,..] [--kernel cloud,generic]

The check runs small choices of these; `ctest -L long` runs every combination.
"""
import argparse
import base64
import gzip
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import guest
import selftests

HVLAB = os.environ.get("HVLAB", str(guest.ROOT / "build/gcc-release/sim/cli/hvlab"))
PROGRAMS = """\
seq 1 20000 | sha256sum
seq 1 20000 | sha512sum
seq 1 20000 | md5sum
seq 1 50000 | gzip -9 -n | sha256sum
seq 1 50000 | gzip -1 -n | gzip -d | sha256sum
seq 1 3000 | openssl enc -aes-256-cbc -nosalt -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 0102030405060708090a0b0c0d0e0f10 | sha256sum
seq 1 3000 | openssl enc -aes-128-ctr -nosalt -K 00112233445566778899aabbccddeeff -iv 0102030405060708090a0b0c0d0e0f10 | sha256sum
seq 1 3000 | openssl enc -chacha20 -nosalt -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 0102030405060708090a0b0c0d0e0f10 | sha256sum
seq 1 9000 | openssl dgst -sha3-256 | sed 's/.*= //'
seq 1 9000 | openssl dgst -blake2b512 | sed 's/.*= //'
openssl prime -generate -bits 64 -hex >/dev/null; openssl prime 170141183460469231731687303715884105727
printf 'create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<3000) insert into t select x, x*x%%977 from c; select b, count(*), sum(a), avg(a*1.37), max(sqrt(a)) from t group by b order by 3 desc limit 20;' | sqlite3
python3 -S -c 'import math; print([math.sin(i*.37).hex() for i in range(200)], [math.exp(i*.01).hex() for i in range(200)], [math.pow(1.1,i).hex() for i in range(100)])'
python3 -S -c 'import math; print([math.lgamma(i+.5).hex() for i in range(100)], [math.atan2(i,7).hex() for i in range(100)], [math.fmod(1e300,i+.7).hex() for i in range(100)])'
python3 -S -c 'print(sum(pow(3,i,1000003)*i for i in range(3000)), 7**2000 % (10**40+1), sorted(str(i*7919%1009) for i in range(500))[:40])'
python3 -S -c 'print([repr(i/7.0+1e-9*i*i) for i in range(300)], ["%.17g" % (1.0/(i+3)) for i in range(100)])'
python3 -S -c 'import json,re,zlib,struct; d=json.dumps([{"a":i/3,"b":str(i)} for i in range(300)]).encode(); print(zlib.crc32(d), zlib.adler32(d), len(zlib.compress(d,9)), len(re.findall(rb"[0-9]+", d)), struct.unpack("<d", d[:8]))'
python3 -S -c 'import decimal; decimal.getcontext().prec=60; print(decimal.Decimal(2).sqrt(), decimal.Decimal(3).ln(), decimal.Decimal(5).exp())'
"""
STRESS = ("stress-ng --verify --no-rand-seed --temp-path /tmp --oomable --log-brief "
          "--cpu 1 --cpu-ops 60 --vm 1 --vm-bytes 8m --vm-ops 300 --atomic 1 --atomic-ops 30 "
          "--memcpy 1 --memcpy-ops 3 --matrix 1 --matrix-ops 20 --funccall 1 --funccall-ops 100 --longjmp 1 --longjmp-ops 2000 -t 600")


def sealed(kind, what):
    """Initramfs with programs of this host: what they print there must be what they print here."""
    path = guest.CACHE / f"initramfs-{what}.cpio.gz"
    archive = guest.base_archive()
    if what == "stress":
        archive.program("stress-ng")
        archive.file("stress", STRESS.encode())
    else:
        for name in ("dash", "openssl", "sqlite3", "gzip", "sha256sum", "sha512sum", "md5sum", "seq", "sed"):
            archive.program(name)
        python = subprocess.run(["/usr/bin/python3", "-c", "import sys; print(sys.version_info[1])"], capture_output=True, text=True).stdout.strip()
        archive.program("/usr/bin/python3")
        archive.tree(f"/usr/lib/python3.{python}", skip=("__pycache__", "test", "lib2to3", "idlelib", "tkinter", "ensurepip", "pydoc_data", "distutils",
                                                         f"config-3.{python}-x86_64-linux-gnu"))
        ssl = pathlib.Path("/usr/lib/ssl/openssl.cnf")
        if ssl.exists():
            archive.host_file(ssl)
        archive.file("programs", PROGRAMS.encode())
    return archive.write(path)


def boot(kind, ramdisk, words, cpus=1, model=None, more=(), quiet="quiet", limit="300", memory="512M", image=None):
    """(sections, results) of one boot that must end in a power-off; 'image' is hvlab's command line for it unless it is the kernel itself."""
    with tempfile.TemporaryDirectory(prefix="hvlab-linux-") as folder:
        results, console = pathlib.Path(folder, "results.json"), pathlib.Path(folder, "console")
        image = image or (guest.kernel(kind), "--initrd", ramdisk, "--append", f"console=ttyS0 {quiet} -- {' '.join(words)}")
        command = [HVLAB, "boot", *image, "--memory", memory, "--cpus", cpus, "--limit-time", limit, "--serial", f"file:{console}", "--results", results,
                   *(["--cpu", model] if model else []), *more]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=3000)
        text = console.read_bytes().decode(errors="replace") if console.exists() else ""  # with all its CRs
        if done.returncode != 0 or "guest: done" not in text:
            sys.exit(f"FAILED ({done.returncode}): {' '.join(str(c) for c in command)}\n{done.stderr}\n...{text[-3000:]}")
        return guest.sections(text), json.loads(results.read_text())


def expect(what, want, have):
    if want != have:
        first = next((n for n, (a, b) in enumerate(zip(want, have)) if a != b), 0) if isinstance(want, str) and isinstance(have, str) else 0
        cut = slice(max(0, first - 100), first + 400) if first else slice(0, 500)
        sys.exit(f"{what}:\n  want {str(want)[cut]!r}\n  have {str(have)[cut]!r}")


def say(*words):
    print(*words, flush=True)


def test_boot(kind, cpus, model, more):
    found, results = boot(kind, guest.initramfs(kind), ["hello", "warnings"], cpus, model, more)
    expect("processors", f"{cpus}\n", found["processors"])
    expect("the kernel's warnings", "", found["warnings"])
    say(f"{kind} {model} {cpus} cpus: {results['instructions'] / 1e6:.0f} M instructions, {results['host_seconds']:.1f} s, {results['state_hash']}")


def test_disk(kind, cpus, model, more):
    with tempfile.TemporaryDirectory(prefix="hvlab-disk-") as folder:
        image = guest.disk(pathlib.Path(folder, "disk.img"))
        before = image.read_bytes()
        found, _ = boot(kind, guest.initramfs(kind), ["disk", "write", "warnings"], cpus, model, (*more, "--drive", str(image)))
        expect("the image behind a copy-on-write drive", True, image.read_bytes() == before)
        for section, want in (("mount", ""), ("root", "/dev/nvme0n1 ext4 rw\n"), ("readonly", "")):
            expect(section, want, found[section])
        written, _ = boot(kind, guest.initramfs(kind), ["disk", "write", "warnings"], cpus, model, (*more, "--drive", f"{image},write"))
        expect("what two machines wrote", found["sums"], written["sums"])
        expect("the kernel's warnings", "", written["warnings"])
        fsck = subprocess.run(["/usr/sbin/e2fsck", "-fn", image], capture_output=True, text=True)
        expect(f"fsck: {fsck.stdout}", 0, fsck.returncode)
        sums = dict(reversed(line.split(None, 1)) for line in written["sums"].splitlines())
        dump = subprocess.run(["/usr/sbin/debugfs", "-R", "cat /work/file40", image], capture_output=True).stdout
        expect("file40 on the image", hashlib.sha256(dump).hexdigest(), sums["/work/file40"])
        say(f"{kind} {model} {cpus} cpus: runs from its disk, which is written and clean")


def test_reset(kind, cpus, model, more):
    """A kernel that reboots by each way comes up again; recorded, in the interpreter and restored it computes the same."""
    with tempfile.TemporaryDirectory(prefix="hvlab-reset-") as name:
        folder = pathlib.Path(name)
        image = folder / "disk.img"
        with open(image, "wb") as f:
            f.truncate(32 << 20)
        subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-F", image], check=True)

        def run(way, *options, drive=str(image)):
            found, results = boot(kind, guest.initramfs(kind), ["again", "warnings"], cpus, model, (*more, "--drive", drive, *options), quiet=f"quiet reboot={way}")
            expect("processors after the reset", f"{cpus}\n", found["processors"])
            expect("the kernel's warnings", "", found["warnings"])
            expect("the clock after the reset", "", found["clock"])
            return results

        first = run("acpi", "--record", folder / "record", "--snapshot-at", "0.3", "--out", folder / "saved")
        replay = subprocess.run([HVLAB, "replay", folder / "record", "--quiet"], capture_output=True, text=True)
        expect(f"the replay: {replay.stderr}", 0, replay.returncode)
        expect("compiled and interpreted", first["state_hash"], run("acpi", "--tier", "interpreter")["state_hash"])
        again = folder / "again.json"
        restored = subprocess.run([HVLAB, "boot", "--restore", folder / "saved", "--results", again, "--serial", "file:/dev/null"], capture_output=True, text=True)
        expect(f"the restored run ({restored.stderr})", 0, restored.returncode)
        expect("run through and restored before the reset", first["state_hash"], json.loads(again.read_text())["state_hash"])
        for way in ("kbd", "pci"):
            run(way)
        run("acpi", drive=f"{image},write")
        other = folder / "initrd"
        other.write_bytes(guest.initramfs(kind).read_bytes())
        command = [HVLAB, "boot", guest.kernel(kind), "--initrd", other, "--append", "quiet panic=-1 rdinit=/none", "--serial", "file:/dev/null"]
        ended = subprocess.run([*command, "--reset", "exit", "--snapshot-at", "0.1", "--out", folder / "panic"], capture_output=True, text=True)
        expect(f"the status of a reset that ends the run ({ended.stderr})", 0, ended.returncode)
        subprocess.run([*command, "--limit-time", "0.2", "--snapshot-at", "0.1", "--out", folder / "panic"], capture_output=True)
        other.write_bytes(other.read_bytes() + b"\0")
        changed = subprocess.run([HVLAB, "boot", "--restore", folder / "panic", "--limit-time", "9"], capture_output=True, text=True)
        expect(f"the status of a reset with another initrd ({changed.stderr})", (2, True), (changed.returncode, "has changed since" in changed.stderr))
        say(f"{kind} {model} {cpus} cpus: comes up after resets by ACPI, keyboard controller and 0xCF9")


def test_console(kind, cpus, model, more):
    """hvc0 carries much out and a typed line in; recorded, it runs the same again."""
    archive = guest.base_archive()
    modules = guest.modules_for(kind, ("virtio_pci", "virtio_console"))
    for module in modules:
        archive.host_file(module, f"lib/modules/{module.name}")
    archive.file("modules", "".join(f"/lib/modules/{m.name}\n" for m in modules).encode())
    ramdisk = archive.write(guest.CACHE / f"initramfs-console-{kind}.cpio.gz")
    with tempfile.TemporaryDirectory(prefix="hvlab-console-") as name:
        folder = pathlib.Path(name)
        script = folder / "script"
        script.write_text("wait ready\ntype some words\\r\\n\n")
        console = ("--console", "virtio", "--script", script, *more)
        found, results = boot(kind, ramdisk, ["bulk", "warnings"], cpus, model, (*console, "--record", folder / "record"))
        expect("what came through the console", found["sent"].split()[0], hashlib.sha256(found["bulk"].encode()).hexdigest())
        expect("what was typed", "some words\n", found["typed"])
        expect("the kernel's warnings", "", found["warnings"])
        replay = subprocess.run([HVLAB, "replay", folder / "record", "--quiet"], capture_output=True, text=True)
        expect(f"the replay: {replay.stderr}", 0, replay.returncode)
        say(f"{kind} {model} {cpus} cpus: {len(found['bulk'])} bytes through hvc0, {results['virtual_ns'] / 1e9:.2f} virtual s, interrupts on {found['interrupts'].strip()} vectors")


def test_programs(kind, cpus, model, more):
    found, results = boot(kind, sealed(kind, "programs"), ["programs"], cpus, model, more, memory="1G", limit="3000")
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C", "HOME": "/tmp"}
    if model and model.endswith("v2"):  # glibc's sin differs in the last bit without FMA
        environment["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4,-AVX512F"
    for n, line in enumerate(PROGRAMS.splitlines(), 1):
        here = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, env=environment)
        expect(line, here.stdout + here.stderr, found.get(f"program{n}"))
    say(f"{kind} {model} {cpus} cpus: {len(PROGRAMS.splitlines())} programs print what they print on the host; {results['instructions'] / 1e9:.1f} G instructions")


def test_firmware(kind, cpus, model, more):
    """The firmware's tables, as the kernel and dmidecode read them."""
    archive = guest.base_archive()
    archive.program(str(guest.package("dmidecode") / "usr/sbin/dmidecode"))
    found, _ = boot(kind, archive.write(guest.CACHE / "initramfs-firmware.cpio.gz"), ["firmware", "tables", "warnings"], cpus, model, more, quiet="loglevel=4")
    expect("the kernel's DMI line", True, "DMI: hvlab hvlab PC" in found["dmi"])
    listing = found["dmidecode"]
    for word in ("invalid", "wrong", "bad", "truncated", "broken", "<out of spec>"):
        expect(f"{word} in {listing}", False, word in listing.lower())
    for line in ("System Information", "Processor Information", f"Core Count: {cpus}", "Size: 512 MB", "Maximum Capacity: 512 MB", "End Of Table"):
        expect(f"{line} in {listing}", True, line in listing)
    expect("the kernel's complaints about ACPI", "", found["acpi"])
    with tempfile.TemporaryDirectory(prefix="hvlab-acpi-") as folder:
        for name, text in found.items():
            if name.startswith("table_"):
                pathlib.Path(folder, name[6:]).write_bytes(base64.b64decode(text))
        for words in (r"evaluate \_SB.PCI0._PRT", r"evaluate \_SB.PCI0._CRS", r"resources \_SB.PCI0"):
            said = subprocess.run(["acpiexec", "-df", "-b", words, "DSDT", "FACP", "FACS"], cwd=folder, capture_output=True, text=True).stdout
            expect(f"what ACPICA says to {words}", [], re.findall(r"ACPI (?:Error|Warning|Exception|BIOS).*", said))
    expect("the kernel's warnings", "", found["warnings"])
    say(f"{kind} {model} {cpus} cpus: {found['dmi'].splitlines()[-1].split('] ')[-1]}")


def test_stress(kind, cpus, model, more):
    found, results = boot(kind, sealed(kind, "stress"), ["stress"], cpus, model, more, memory="1G", limit="3000")
    if not found["stress"].endswith("status 0\n") or "successful run" not in found["stress"]:
        sys.exit(found["stress"])
    say(f"{kind} {model} {cpus} cpus: stress-ng --verify passed; {results['instructions'] / 1e9:.1f} G instructions")


def test_selftests(kind, cpus, model, more):
    """The kernel's own x86 tests: what they find on silicon they find here."""
    ramdisk, names = selftests.initramfs()
    found, _ = boot(kind, ramdisk, ["selftests"], cpus, model, more)
    expect("tests that fail", [], selftests.failures(names, found))
    say(f"{kind} {model} {cpus} cpus: {len(names)} of the kernel's x86 tests pass{'' if 'sigreturn_32' in names else ', without the 32-bit ones'}")


def test_gdb(kind, cpus, model, more):
    """gdb breaks in the kernel, watches a variable of it, steps, reads system registers; the machine notices nothing."""
    plain, results = boot(kind, guest.initramfs(kind), ["symbols", "hello"], cpus, model, ("--tier", "interpreter", *more), quiet="quiet nokaslr")
    address = {line.split()[2]: int(line.split()[0], 16) for line in plain["symbols"].splitlines()}
    with tempfile.TemporaryDirectory(prefix="hvlab-gdb-") as folder:
        again = pathlib.Path(folder, "results.json")
        append = "console=ttyS0 quiet nokaslr -- symbols hello"
        command = [HVLAB, "boot", guest.kernel(kind), "--initrd", guest.initramfs(kind), "--append", append,
                   "--cpus", cpus, *(["--cpu", model] if model else []), "--serial", f"file:{folder}/console", "--results", again, "--gdb", ":0", *more]
        run = subprocess.Popen([str(c) for c in command], stderr=subprocess.PIPE, text=True)
        port = re.search(r"target remote 127.0.0.1:(\d+)", run.stderr.readline())[1]
        script = ["set confirm off", "set pagination off", "set architecture i386:x86-64", f"target remote 127.0.0.1:{port}",
                  f"hbreak *{address['start_kernel']:#x}", "continue", "delete", f"watch *(unsigned long *){address['jiffies']:#x}",
                  "continue", "continue", "delete",
                  f"hbreak *{address['__x64_sys_reboot']:#x}", "continue", "print/x $rip", "x/2i $rip", "stepi", "stepi", "print/x $rip", "print $cs & 3",
                  "print/x $cr0 & 0x80000001", "print/x $efer & 0x500", "print $lstar != 0", "info threads", "delete", "continue"]
        done = subprocess.run(["gdb", "-nx", "-batch", *[x for line in script for x in ("-ex", line)]], capture_output=True, text=True, timeout=600)
        run.communicate(timeout=600)
        said = done.stdout + done.stderr
        expect("where it stopped", True, f"$1 = {address['__x64_sys_reboot']:#x}" in said)
        ticks = [int(x) for x in re.findall(r"New value = (\d+)", said)]
        expect("two ticks of the clock", 1, ticks[1] - ticks[0] if len(ticks) == 2 else said)
        for words in ("$3 = 0\n", "$4 = 0x80000001", "$5 = 0x500", "$6 = 1", f"Thread {cpus} ", "exited normally"):
            expect(f"{words!r} in what gdb said:\n{said}", True, words in said)
        expect("the hash with and without a debugger", results["state_hash"], json.loads(again.read_text())["state_hash"])
    say(f"{kind} {model} {cpus} cpus: gdb stops in sys_reboot at {address['__x64_sys_reboot']:#x}, steps, and is not noticed")


def tool(image, words, *more, limit):
    """What a firmware-less tool says on COM1 until the time is up."""
    with tempfile.TemporaryDirectory(prefix="hvlab-tool-") as folder:
        console = pathlib.Path(folder, "console")
        done = subprocess.run([str(x) for x in (HVLAB, "boot", image, "--limit-time", limit, "--memory", "128M", "--serial", f"file:{console}", *more)],
                              capture_output=True, text=True, timeout=1500)
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", " ", console.read_text(errors="replace"))
        expect(f"the exit status ({done.stderr})", 124, done.returncode)
        for word in words:
            expect(f"{word!r} in {text[-1500:]!r}", True, word in text)


def test_tools(kind, cpus, model, more):
    """memtest86+ by its 64-bit entry, iPXE in real mode behind the BIOS."""
    memtest = next((guest.package("memtest86+") / "boot").glob("memtest86+x64.bin"))
    words = "console=ttyS0,115200 nosm nomch nobench nopause"
    tool(memtest, ("Memtest86+ v6", "Testing", "Errors: 0"), "--display", "text", "--append", words, *more, limit="2")
    ipxe = next(guest.package("ipxe").rglob("ipxe.lkrn"))
    tool(ipxe, ("iPXE initialising devices", "Open Source Network Boot Firmware", "Features:"), *more, limit="2.5")
    say("memtest86+ tests memory, iPXE comes up")


def test_looks(kind, cpus, model, more):
    """Looking on, saving and restoring leave no trace in the machine; Unicorn agrees with the blocks it is asked about."""
    def end(*options, quiet="quiet"):
        return boot(kind, guest.initramfs(kind), ["hello"], cpus, model, (*more, *options), quiet)[1]

    plain = end()
    with tempfile.TemporaryDirectory(prefix="hvlab-looks-") as folder:
        middle = f"{plain['virtual_ns'] * 0.6e-9:.6f}"
        ways = [("--snapshot-at", middle, "--out", folder), ("-d", "int,branches"), ("--tier", "interpreter"), ("--crosscheck", "1000")]
        if cpus == "1":  # with more of them the quantum is part of the machine
            ways += [("--quantum", quantum) for quantum in ("777", "4000", "1000003")]
        for way in ways:
            expect(f"the state hash {' '.join(way)}", plain["state_hash"], end(*way)["state_hash"])
        results = pathlib.Path(folder, "resumed.json")
        done = subprocess.run([HVLAB, "boot", "--restore", folder, "--serial", f"file:{folder}/console", "--results", str(results)],
                              capture_output=True, text=True, timeout=1500)
        expect(f"the resumed run's exit status ({done.stderr})", 0, done.returncode)
        expect("the resumed run's state hash", plain["state_hash"], json.loads(results.read_text())["state_hash"])
    say(f"{kind} {model} {cpus} cpus: {plain['state_hash']} however one looks, {len(ways) + 1} ways")


def test_shell(kind, cpus, model, more):
    """A person at the shell: what they type is the machine's input, and a replay of it is the same run."""
    steps = ["wait # ", r"type echo $((6*7)) > /answer; cat /answer\n", r"wait \n42", "wait # ", r"type exit\n"]
    with tempfile.TemporaryDirectory(prefix="hvlab-shell-") as folder:
        script, record = pathlib.Path(folder, "script"), pathlib.Path(folder, "record")
        script.write_text("\n".join(steps) + "\n")
        boot(kind, guest.initramfs(kind), ["shell", "hello"], cpus, model, (*more, "--script", str(script), "--record", str(record)))
        done = subprocess.run([HVLAB, "replay", str(record)], capture_output=True, text=True, timeout=1500)
        expect(f"the replay's exit status ({done.stdout[-500:]}{done.stderr[-500:]})", 0, done.returncode)
    say(f"{kind} {model} {cpus} cpus: the shell answers, and again in a replay")


XEN_WARNINGS = ("Grant table initialized", "spinlock event irq", "hpet_acpi_add: no address or irqs", "TSC doesn't count with P0")  # on silicon too


def test_xen(kind, cpus, model, more):
    """Xen, behind the BIOS, and the kernel as its first domain."""
    with tempfile.TemporaryDirectory(prefix="hvlab-xen-") as folder:
        xen, kernel = pathlib.Path(folder, "xen.elf"), guest.kernel(kind)
        xen.write_bytes(gzip.decompress(next((guest.package("xen-system-amd64") / "boot").glob("xen-*.gz")).read_bytes()))
        image = (xen, "--bios", "--append", "com1=115200,8n1 console=com1 dom0_mem=300M noreboot",
                 "--module", f"{kernel}=kernel console=hvc0 quiet -- hello warnings", "--module", f"{guest.initramfs(kind)}=initrd")
        found, results = boot(kind, None, (), cpus, model, more, memory="1G", image=image)
    expect("processors", f"{cpus}\n", found["processors"])
    expect("the first domain's warnings", [], [line for line in found["warnings"].splitlines() if not any(known in line for known in XEN_WARNINGS)])
    say(f"Xen, {kind} {model} {cpus} cpus: {results['instructions'] / 1e6:.0f} M instructions, {results['state_hash']}")


def test_upset(kind, cpus, model, more):
    """The kernel's own tests, its code rewritten under it, processors that leave, sleep: no complaint."""
    if kind == "cloud":
        sys.exit("upset: the cloud kernel has neither sleep nor those modules; --kernel generic")
    words = ["hotplug", "tracing", "naps", "self_tests", "warnings"]
    found, results = boot(kind, guest.initramfs(kind, guest.SELF_TESTS, "-self-tests"), words, cpus, model, more, limit="600")
    online = "0\n" if cpus == "1" else f"0-{int(cpus) - 1}\n"
    expect("hotplug", ("0\n" + online) * 3, found["hotplug"])
    expect("probes", ["here hit", "back hit"], re.findall(".* hit", found["tracing"]))
    expect("naps", online * 2 + "2\n", found["naps"])
    expect("modules", "", found["modules"])
    expect("algorithms", "selftest     : passed\n", found["algorithms"])
    for claim in ("test_user_copy: tests passed", "0 FAILED", "recovery algorithm"):
        expect(claim, True, claim in found["said"])
    expect("the kernel's warnings", [], [line for line in found["warnings"].splitlines() if not re.search("test_user_copy|test_bpf|no symbol version", line)])
    say(f"{kind} {model} {cpus} cpus: hot-plug, tracing, sleep and self tests; {results['instructions'] / 1e9:.1f} G instructions, {results['state_hash']}")


def test_tiers(kind, cpus, model, more):
    """All tiers in step over whole boots, compared every million cycles."""
    initrd = guest.initramfs(kind)
    subprocess.run([os.environ["HVLAB_TEST_BOOTS"]], check=True, timeout=5000,
                   env={**os.environ, "HVLAB_LONG": "1", "HVLAB_KERNEL": str(guest.kernel(kind)), "HVLAB_INITRD": str(initrd)})


TESTS = {name[5:]: test for name, test in list(globals().items()) if name.startswith("test_")}


def everything():
    for kind in guest.KERNELS:
        for model in ("intel-v3", "amd-v3", "intel-v2", "amd-v2"):
            for cpus in ("1", "2", "4", "8"):
                test_boot(kind, cpus, model, ())
                test_disk(kind, cpus, model, ())
    for model in ("intel-v3", "amd-v3", "intel-v2", "amd-v2"):
        test_programs("cloud", "2", model, ())
        test_stress("cloud", "4", model, ())
        test_gdb("cloud", "2", model, ())
        for cpus in ("1", "4"):
            test_looks("cloud", cpus, model, ())
            test_shell("cloud", cpus, model, ())
    test_tools("cloud", "1", None, ())
    for model in ("intel-v3", "amd-v3"):
        for cpus in ("1", "4"):
            test_xen("generic", cpus, model, ())
        test_upset("generic", "4", model, ())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", choices=[*TESTS, "all"])
    parser.add_argument("--kernel", default="cloud")
    parser.add_argument("--cpus", default="1")
    parser.add_argument("--cpu", default="")
    parser.add_argument("more", nargs="*", help="further options for hvlab boot, behind --")
    options = parser.parse_args()
    if options.test == "all":
        everything()
        return
    for kind in options.kernel.split(","):
        for model in options.cpu.split(","):
            for cpus in options.cpus.split(","):
                TESTS[options.test](kind, cpus, model or None, options.more)


main()
