"""The same run is the same run: replayed, traced, watched, interrupted, sliced."""
import filecmp
import json
import os
import shutil
import signal
import struct
import subprocess
import time
import unittest

import lab

ONE = ("placement=microkernel", "io_path=vmbus")


def hashes(results):
    return [(r["placement"], r["io_path"], r["state_hash"], r["payload_hash"]) for r in results["runs"]]


def trace_events(path):
    """The bytes of all events: packets without their headers (traces/trace_ctf.c)."""
    data, at, events = path.read_bytes(), 0, b""
    while at < len(data):
        magic, _, _, _, bits, _ = struct.unpack_from("<IIQQQQ", data, at)
        assert magic == 0xC1FC1FC1
        events += data[at + 40:at + bits // 8]
        at += bits // 8
    return events


class Determinism(lab.LabTest):
    def test_replay_agrees_and_a_flipped_byte_is_named(self):
        self.run_experiment("placement=monolithic", "io_path=vmbus,sriov")
        done = lab.hvlab("replay", self.folder / "out", "--quiet")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("identical"), 2)
        log = self.folder / "out/monolithic-vmbus/log"
        data = bytearray(log.read_bytes())
        data[60] ^= 1
        log.write_bytes(data)
        done = lab.hvlab("replay", self.folder / "out", "--quiet")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"record \d+ \(at byte \d+\) is damaged")

    def test_tracing_and_captures_change_nothing(self):
        plain = self.run_experiment(*ONE, "trace=false", "pcapng=false", out="plain")
        traced = self.run_experiment(*ONE, "trace=true", "pcapng=true", out="traced")
        self.assertEqual(hashes(plain), hashes(traced))

    def test_functional_and_approx_deliver_the_same_payload(self):
        results = [self.run_experiment(*ONE, f"timing={t}", out=t) for t in ("functional", "approx")]
        self.assertEqual(*(r["runs"][0]["payload_hash"] for r in results))

    def test_both_tiers_compute_the_same(self):
        for pair in (ONE, ("placement=monolithic", "io_path=sriov")):
            results = [hashes(self.run_experiment(*pair, "timing=functional", f"tier={tier}", out=f"{tier}-{pair[1][8:]}"))
                       for tier in ("compiled", "interpreter")]
            self.assertEqual(*results)

    def long_capture(self, count):
        path = self.folder / "long.pcap"
        lab.write_pcap(path, [(i * 40000, lab.frame(*((lab.CHILD, lab.PEER) if i % 3 else (lab.PEER, lab.CHILD)),
                                                    length=60 + i % 900, fill=i)) for i in range(count)])
        return path

    def check_resumed(self, folder, whole):
        done = lab.hvlab("run", "--resume", folder, "--quiet")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(hashes(json.loads((folder / "results.json").read_text())), hashes(whole))
        done = lab.hvlab("replay", folder, "--quiet")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def check_same_files(self, cut, whole):
        """Captures to the byte; the trace's events, whose packets end where the run was cut."""
        for name in ("wire.pcapng", "child0.pcapng", "switch.pcapng"):
            self.assertTrue(filecmp.cmp(cut / name, whole / name, shallow=False), name)
        self.assertEqual(trace_events(cut / "trace/events"), trace_events(whole / "trace/events"))

    def test_paused_and_resumed_runs_end_the_same(self):
        capture = self.long_capture(1500)
        for timing in ("functional", "approx"):
            sets = [*ONE, f"timing={timing}", "endpoint=02:00:00:00:00:01", "trace=true", "switch_capture=true"]
            whole = self.run_experiment(*sets, out=f"whole-{timing}", capture=capture)
            for at in (5, 19, 40, 61):
                with self.subTest(timing=timing, at=at):
                    out = f"cut-{timing}-{at}"
                    self.run_experiment(*sets, out=out, capture=capture, args=("--pause-at", str(at)), status=130)
                    self.check_resumed(self.folder / out, whole)
                    self.check_same_files(self.folder / out / "microkernel-vmbus", self.folder / f"whole-{timing}/microkernel-vmbus")
                    shutil.rmtree(self.folder / out)

    def test_a_capture_that_is_gone_is_named(self):
        self.run_experiment(*ONE, args=("--pause-at", "20"), status=130)
        (self.folder / "out/microkernel-vmbus/wire.pcapng").unlink()
        done = lab.hvlab("run", "--resume", self.folder / "out", "--quiet")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertRegex(done.stderr, r"cannot go on with .*wire\.pcapng: No such file")

    def test_an_interrupt_keeps_what_was_measured(self):
        capture, cut = self.long_capture(20000), self.folder / "cut"
        sets = [*ONE, "timing=functional", "endpoint=02:00:00:00:00:01"]
        command = [lab.HVLAB, "run", lab.EXPERIMENT, "--quiet", "--out", str(cut), "--set", f"capture={capture}"]
        for item in sets:
            command += ["--set", item]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while child.poll() is None and not (cut / "microkernel-vmbus/console.txt").exists():
            time.sleep(0.01)
        child.send_signal(signal.SIGINT) # seconds before it could end
        out, error = child.communicate(timeout=300)
        self.assertEqual(child.returncode, 130, out + error)
        self.assertIn("--resume", error)
        self.assertEqual(json.loads((cut / "results.json").read_text())["runs"][0]["end"], "interrupted")
        self.check_resumed(cut, self.run_experiment(*sets, out="whole", capture=capture))

    def test_other_builds_agree(self):
        mine = hashes(self.run_experiment("timing=approx"))
        others = [lab.ROOT / f"build/{b}/sim/cli/hvlab" for b in ("gcc-debug", "clang-release", "clang-debug", "sanitize")]
        others = [str(o) for o in others if o.exists() and str(o) != lab.HVLAB]
        if not others:
            self.skipTest("no other build beside this one")
        for other in others:
            with self.subTest(build=other):
                images = os.path.join(os.path.dirname(lab.HVLAB), "../../images")
                out = self.folder / "other"
                done = subprocess.run([other, "run", lab.EXPERIMENT, "--quiet", "--out", str(out), "--set", "timing=approx",
                                       "--images", images], capture_output=True, text=True, timeout=900)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertEqual(hashes(json.loads((out / "results.json").read_text())), mine)
                shutil.rmtree(out)


if __name__ == "__main__":
    unittest.main()
