"""Snapshots of a boot: what goes on from one is what would have gone on without it."""
import json
import pathlib
import unittest

import lab

IMAGES = pathlib.Path(lab.HVLAB).resolve().parents[2] / "images"


class Snapshot(lab.LabTest):
    IMAGE = IMAGES / "bench_core.elf"

    def boot(self, name, *args, status=None):
        results = self.folder / f"{name}.json"
        done = lab.hvlab("boot", *args, "--limit-time", "0.03", "--results", results, "--serial", f"file:{self.folder / name}.txt")
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(results.read_text())

    def test_restored_runs_end_as_the_whole_run_does(self):
        for timing in ("functional", "approx"):
            with self.subTest(timing):
                snap = self.folder / f"snap-{timing}"
                whole = self.boot("whole", self.IMAGE, "--timing", timing)
                saving = self.boot("saving", self.IMAGE, "--timing", timing, "--snapshot-at", "0.0013", "--out", snap)
                restored = self.boot("restored", "--restore", snap)
                again = self.boot("again", "--restore", snap, "--tier", "interpreter", "--snapshot-at", "0.002", "--out", self.folder / "second")
                second = self.boot("second", "--restore", self.folder / "second")
                for other in (saving, restored, again, second):
                    for key in ("state_hash", "instructions", "virtual_ns", "exit"):
                        self.assertEqual(other[key], whole[key], key)

    def test_what_cannot_be_restored(self):
        snap = self.folder / "snap"
        self.boot("saving", self.IMAGE, "--snapshot-at", "0.0013", "--out", snap)
        cases = [
            (("boot", "--restore", self.folder / "none"), "No such file"),
            (("boot", "--restore", snap, "--cpus", "2"), "cannot be said with --restore"),
            (("boot", self.IMAGE, "--snapshot-at", "1"), "needs --out"),
        ]
        for args, words in cases:
            done = lab.hvlab(*args)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(words, done.stderr)
        packed = (snap / "snapshot.zst").read_bytes()
        (snap / "snapshot.zst").write_bytes(packed[:-100])
        done = lab.hvlab("boot", "--restore", snap)
        self.assertEqual(done.returncode, 2)
        self.assertIn("damaged", done.stderr)
        recipe = json.loads((snap / "boot.json").read_text())
        recipe["arguments"] += ["--cpus", "2"]
        (snap / "boot.json").write_text(json.dumps(recipe))
        (snap / "snapshot.zst").write_bytes(packed)
        done = lab.hvlab("boot", "--restore", snap)
        self.assertEqual(done.returncode, 2)
        self.assertIn("does not fit", done.stderr)


if __name__ == "__main__":
    unittest.main()
