"""A stock Debian Linux as a guest: kernels and BusyBox from Debian's packages, initramfs made here.

Nothing of it is in the repository: packages are fetched with apt into build/linux and unpacked there.
"""
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / "build/linux"
KERNELS = {"cloud": "linux-image-cloud-amd64", "generic": "linux-image-amd64"}
METAS = {**dict.fromkeys(KERNELS.values(), "linux-image"), "xen-system-amd64": "xen-hypervisor"}  # packages that only name the current one
DISK_MODULES = ("nvme", "crc32c_generic", "ext4")  # crc32c is asked for by alias
SELF_TESTS = ("test_user_copy", "test_static_keys", "test_bpf", "raid6_pq", "xor", "crct10dif_pclmul", "crc32_pclmul", "crc32c_intel", "ghash_clmulni_intel",
              "aesni_intel", "sha1_ssse3", "sha256_ssse3", "sha512_ssse3", "chacha_x86_64", "poly1305_x86_64", "nhpoly1305_avx2", "nhpoly1305_sse2",
              "curve25519_x86_64", "blake2s_x86_64", "des3_ede_x86_64", "camellia_aesni_avx2", "serpent_avx2", "blowfish_x86_64", "sm4_aesni_avx2_x86_64")


def package(name):
    """Folder with the unpacked package 'name' (or the one a meta package depends on)."""
    folder = CACHE / name
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    part = CACHE / f"{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    wanted = name
    if subprocess.run(["apt-cache", "show", name], capture_output=True).returncode:  # no lists on this machine yet
        subprocess.run([*(["sudo"] if os.getuid() else []), "apt-get", "update", "-qq"], check=False)
    if name in METAS:
        depends = subprocess.run(["apt-cache", "depends", name], capture_output=True, text=True, check=True).stdout
        wanted = re.search(rf"Depends: ({METAS[name]}-\S+)", depends)[1]
    done = subprocess.run(["apt-get", "download", "-q", wanted], cwd=part, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"cannot fetch Debian's package {wanted}: {done.stderr.strip()} (is there a network? `apt-get update`?)")
    subprocess.run(["dpkg-deb", "-x", next(part.glob("*.deb")), part], check=True)
    part.rename(folder)
    return folder


def kernel(kind):
    return next((package(KERNELS[kind]) / "boot").glob("vmlinuz-*"))


def modules_for(kind, names=DISK_MODULES):
    """Paths of the modules 'names' need, in the order of loading; those built in are left out."""
    base = next((package(KERNELS[kind]) / "lib/modules").iterdir())
    files = {p.name.split(".")[0].replace("-", "_"): p for p in base.rglob("*.ko")}
    order = []

    def add(name):
        path = files.get(name)
        if path is None or path in order:
            return
        needs = subprocess.run(["/usr/sbin/modinfo", "-F", "depends", str(path)], capture_output=True, text=True, check=True).stdout
        for need in needs.strip().split(","):
            add(need.replace("-", "_"))
        order.append(path)

    for name in names:
        add(name)
    return order


# --- initramfs ("newc" of cpio; Documentation/driver-api/early-userspace/buffer-format.rst) ------------------


class Archive:
    def __init__(self):
        self.parts, self.inode, self.names = [], 0, set()

    def _entry(self, name, mode, data=b""):
        self.inode += 1
        raw = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0]
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self.parts += [head, b"\0" * (-len(head) % 4), data, b"\0" * (-len(data) % 4)]

    def folder(self, path):
        path = path.strip("/")
        if path and path not in self.names:
            self.folder(path.rpartition("/")[0])
            self.names.add(path)
            self._entry(path, 0o040755)

    def file(self, path, data, mode=0o644):
        path = path.strip("/")
        if path in self.names:
            return
        self.folder(path.rpartition("/")[0])
        self.names.add(path)
        self._entry(path, 0o100000 | mode, data)

    def host_file(self, path, at=None):
        """A file of this host (links followed), executable if it is."""
        real = pathlib.Path(path).resolve()
        self.file(at or str(path), real.read_bytes(), 0o755 if real.stat().st_mode & 0o111 else 0o644)

    def program(self, name):
        """A program of this host with the libraries it asks for."""
        path = shutil.which(name)
        if not path:
            sys.exit(f"{name}: not on this host")
        self.host_file(path, "/bin/" + pathlib.Path(name).name)
        listed = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            self.host_file(library)

    def tree(self, folder, skip=()):
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.is_file() and not any(s in path.parts for s in skip):
                self.host_file(path)

    def write(self, path):
        self._entry("TRAILER!!!", 0)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(gzip.compress(b"".join(self.parts), 6, mtime=0))
        part.rename(path)  # tests run side by side
        return path


def base_archive():
    archive = Archive()
    for folder in ("proc", "sys", "dev", "tmp", "mnt", "etc"):
        archive.folder(folder)
    archive.file("init", (HERE / "init").read_bytes(), 0o755)
    archive.file("bin/busybox", (package("busybox-static") / "bin/busybox").read_bytes(), 0o755)
    return archive


def initramfs(kind="cloud", names=DISK_MODULES, what=""):
    """The small one: BusyBox, and the modules 'names' if the kernel needs them."""
    path = CACHE / f"initramfs-{kind}{what}.cpio.gz"
    if path.exists() and path.stat().st_mtime > max((HERE / name).stat().st_mtime for name in ("init", "guest.py")):
        return path
    archive = base_archive()
    modules = modules_for(kind, names) if kind != "cloud" else []
    for module in modules:
        archive.host_file(module, f"lib/modules/{module.name}")
    if modules:
        archive.file("modules", "".join(f"/lib/modules/{m.name}\n" for m in modules).encode())
    return archive.write(path)


def disk(path, size=64 << 20):
    """A raw ext4 image with a root file system: BusyBox, the same init, and a marker."""
    with tempfile.TemporaryDirectory(prefix="hvlab-root-") as folder:
        root = pathlib.Path(folder)
        for name in ("proc", "sys", "dev", "tmp", "bin"):
            (root / name).mkdir()
        shutil.copy(HERE / "init", root / "init")
        shutil.copy(package("busybox-static") / "bin/busybox", root / "bin/busybox")
        (root / "init").chmod(0o755)
        (root / "marker").write_text("made by the host\n")
        with open(path, "wb") as image:
            image.truncate(size)
        subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-F", "-d", root, path], check=True)
    return path


def sections(console):
    """{name: text} of what the guest's functions printed."""
    text = console.replace("\r", "")
    return {m[1]: m[2] for m in re.finditer(r"<(\w+)>\n(.*?)</\1>\n", text, re.S)}


if __name__ == "__main__":  # fetch and make everything, once, before tests run side by side
    for one in KERNELS:
        print(kernel(one), initramfs(one))
