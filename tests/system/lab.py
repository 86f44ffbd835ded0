"""What the system tests share: running hvlab, reading its results, making captures."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HVLAB = os.environ.get("HVLAB", str(ROOT / "build/gcc-release/sim/cli/hvlab"))
EXPERIMENT = str(ROOT / "experiments/first-light.yaml")
SAMPLE = str(ROOT / "traces/samples/first-light.pcap")
PAIRS = [(p, i) for p in ("microkernel", "monolithic") for i in ("vmbus", "vmq", "sriov")]
CHILD, PEER = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")


def hvlab(*args, timeout=600, **more):
    return subprocess.run([HVLAB, *map(str, args)], capture_output=True, text=True, timeout=timeout, **more)


def frame(to, source, ethertype=0x88B5, length=60, fill=0x11):
    body = to + source + struct.pack("!H", ethertype)
    return body + bytes((fill + i) & 0xFF for i in range(max(0, length - len(body))))


def write_pcap(path, frames, link=1, nanoseconds=True):
    """frames: (time in ns, bytes) or (time in ns, bytes, original length)."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, 262144, link))
        for at, data, *original in frames:
            fraction = at % 10**9 if nanoseconds else at % 10**9 // 1000
            out.write(struct.pack("<IIII", at // 10**9, fraction, len(data), original[0] if original else len(data)) + data)


class LabTest(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvlab-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run_experiment(self, *sets, out="out", status=0, args=(), capture=SAMPLE):
        command = ["run", EXPERIMENT, "--quiet", "--out", self.folder / out, "--set", f"capture={capture}"]
        for item in sets:
            command += ["--set", item]
        done = hvlab(*command, *args)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        path = self.folder / out / "results.json"
        return json.loads(path.read_text()) if path.exists() else None

    def check_run(self, run):
        """What every finished run must satisfy."""
        dropped = sum(run["packets_dropped"].values())
        self.assertEqual(run["packets_offered"], run["packets_delivered"] + dropped, run)
        self.assertEqual(sum(run["cycles"].values()), run["cycles_total"])
        for bucket in ("guest", "idle", "exit_entry"):
            self.assertIn(bucket, run["cycles"])
        self.assertNotIn("lost", run["packets_dropped"])


def cost(run):
    """Busy cycles per delivered packet."""
    return (run["cycles_total"] - run["cycles"]["idle"]) / run["packets_delivered"]
