"""What we write, strangers' tools read: tshark, babeltrace2; the window's picture; explain."""
import json
import os
import re
import shutil
import struct
import subprocess
import unittest

import lab


class Outputs(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.results = self.run_experiment("placement=microkernel", "io_path=vmbus", "trace=true")
        self.run_folder = self.folder / "out/microkernel-vmbus"
        self.run = self.results["runs"][0]

    def tool(self, *command):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_tshark_opens_the_captures(self):
        lines = self.tool("tshark", "-r", self.run_folder / "wire.pcapng", "-T", "fields", "-e", "frame.len").splitlines()
        children = sum(c["sent"] for c in self.run["children"])
        self.assertGreaterEqual(len(lines), self.run["packets_offered"] - 4)
        self.assertGreater(children, 0)
        port = self.tool("tshark", "-r", self.run_folder / "child0.pcapng", "-T", "fields", "-e", "eth.dst", "-e", "eth.src").splitlines()
        self.assertEqual(len(port), self.run["children"][0]["delivered"] + self.run["children"][0]["sent"])

    def test_the_switchs_capture_extension_writes_pcapng(self):
        self.run_experiment("placement=monolithic", "io_path=vmbus", "switch_capture=true", out="switch")
        path = self.folder / "switch/monolithic-vmbus/switch.pcapng"
        lines = self.tool("tshark", "-r", path, "-T", "fields", "-e", "frame.len").splitlines()
        self.assertGreater(len(lines), 600)
        self.assertIn("1514", lines)

    def test_babeltrace_opens_the_trace(self):
        out = self.tool("babeltrace2", self.run_folder / "trace")
        self.assertIn("vm_exit", out)
        self.assertIn("wire_rx", out)
        self.assertEqual(len(re.findall(r" wire_tx: ", out)), self.run["wire_received"])

    def test_explain_follows_a_packet(self):
        out = lab.hvlab("explain", "packet", "5", self.run_folder)
        self.assertEqual(out.returncode, 0, out.stderr)
        for hop in ("wire", "card", "NIC driver", "switch", "network VSP", "copy", "child"):
            self.assertIn(hop, out.stdout)

    def test_the_window_shows_the_run(self):
        if not shutil.which("xvfb-run"):
            self.skipTest("no xvfb-run")
        picture = self.folder / "window.bmp"
        done = subprocess.run(["xvfb-run", "-a", lab.HVLAB, "run", lab.EXPERIMENT, "--quiet", "--out", str(self.folder / "window"),
                               "--set", "placement=microkernel", "--set", "io_path=vmbus", "--window", "--picture", str(picture)],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        shown = json.loads((self.folder / "window/results.json").read_text())["runs"][0]
        self.assertEqual(shown["state_hash"], self.run["state_hash"], "watching changes nothing")
        data = picture.read_bytes()
        self.assertEqual(data[:2], b"BM")
        offset, = struct.unpack_from("<I", data, 10)
        colours = {data[i:i + 3] for i in range(offset, len(data) - 4, 4)}
        for bucket in ((86, 160, 211), (44, 48, 58), (224, 92, 80)):  # guest, idle, exit_entry as sim/ui/draw.c paints them
            self.assertIn(bytes(reversed(bucket)), colours)


if __name__ == "__main__":
    unittest.main()
