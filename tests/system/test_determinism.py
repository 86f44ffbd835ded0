"""The same run is the same run: replayed, traced, watched, interrupted, sliced."""
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import lab

ONE = ("placement=microkernel", "io_path=vmbus")


def hashes(results):
    return [(r["placement"], r["io_path"], r["state_hash"], r["payload_hash"]) for r in results["runs"]]


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

    def test_interrupted_and_resumed_runs_end_the_same(self):
        for timing in ("functional", "approx"):
            with self.subTest(timing=timing):
                self.interrupt_and_resume(timing)

    def interrupt_and_resume(self, timing):
        capture = self.folder / "long.pcap"
        frames = [(i * 40000, lab.frame(*((lab.CHILD, lab.PEER) if i % 3 else (lab.PEER, lab.CHILD)), length=60 + i % 900, fill=i))
                  for i in range(4000)]
        lab.write_pcap(capture, frames)
        sets = [*ONE, f"timing={timing}", "endpoint=02:00:00:00:00:01", "hash_every_ms=10"]
        whole = self.run_experiment(*sets, out=f"whole-{timing}", capture=capture)
        cut = self.folder / f"cut-{timing}"
        command = [lab.HVLAB, "run", lab.EXPERIMENT, "--quiet", "--out", str(cut), "--set", f"capture={capture}"]
        for item in sets:
            command += ["--set", item]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        console = cut / "microkernel-vmbus/console.txt"
        while child.poll() is None and not console.exists():
            time.sleep(0.01)
        time.sleep(0.7)
        child.send_signal(signal.SIGINT)
        out, error = child.communicate(timeout=300)
        self.assertEqual(child.returncode, 130, out + error)
        self.assertIn("--resume", error)
        done = lab.hvlab("run", "--resume", cut, "--quiet")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        resumed = json.loads((cut / "results.json").read_text())
        self.assertEqual(hashes(resumed), hashes(whole))
        done = lab.hvlab("replay", cut, "--quiet")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

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
