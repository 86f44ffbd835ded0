"""The kernel's own tests of its x86 entry code: tools/testing/selftests/x86 of Debian's kernel source.

They ask for the corners of sigreturn, SYSRET, IRET, LDT segments, vm86, x87 and XSAVE that ordinary programs leave alone.
Built here, outside the tree; 32-bit ones only where gcc can build them (package gcc-multilib).
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import guest

SOURCE = "linux-source-6.1"
FOLDER = "tools/testing/selftests"
ABSENT = {"amx_64": "AMX is in no processor model"}


def libraries(programs):
    """What the dynamic linker would load for them on this host."""
    listed = "".join(subprocess.run(["ldd", p], capture_output=True, text=True).stdout for p in programs)
    return sorted(set(re.findall(r"(/\S+) \(0x", listed)))


def build():
    """Folder with the tests' programs."""
    done = guest.CACHE / "selftests-x86"
    if done.exists():
        return done
    archive = next(guest.package(SOURCE).glob("usr/src/*.tar.xz"))
    work = guest.CACHE / f"selftests.{os.getpid()}"
    work.mkdir()
    needed = [f"{SOURCE}/{part}" for part in (FOLDER, "tools/include", "scripts", "arch/x86/include")]
    subprocess.run(["tar", "-C", work, "--strip-components=1", "-xf", archive, *needed], check=True)
    made = subprocess.run(["make", "-C", work / FOLDER / "x86"], capture_output=True, text=True)
    programs = sorted(p for p in (work / FOLDER / "x86").iterdir() if p.name.endswith(("_32", "_64")))
    if made.returncode or not programs:
        sys.exit(f"cannot build the kernel's tests: {made.stderr[-2000:]}")
    part = work / "programs"
    part.mkdir()
    for program in programs:
        shutil.copy2(program, part)
    part.rename(done)
    shutil.rmtree(work)
    return done


def initramfs():
    """(archive, names of the tests in it)"""
    programs = sorted(build().iterdir())
    archive = guest.base_archive()
    for program in programs:
        archive.host_file(program, f"selftests/{program.name}")
    for library in libraries(programs):
        archive.host_file(library)
    names = [p.name for p in programs if p.name not in ABSENT]
    archive.file("selftests/list", "".join(f"{name}\n" for name in names).encode())
    return archive.write(guest.CACHE / "initramfs-selftests.cpio.gz"), names


def failures(names, found):
    """What did not say 0, with its output."""
    return [f"{name}: {found.get(name, 'never ran')}" for name in names if not found.get(name, "").endswith("status 0\n")]


if __name__ == "__main__":
    print(build())
