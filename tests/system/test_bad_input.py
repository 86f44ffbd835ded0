"""Bad input: one clear message, a status that is not 0, nothing half-written under a final name."""
import os
import pathlib
import unittest

import lab
from lab import CHILD, PEER, frame

IMAGES = pathlib.Path(lab.HVLAB).resolve().parents[2] / "images"


class BadInput(lab.LabTest):
    def refuse(self, *args, says, status=2):
        done = lab.hvlab(*args)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for words in [says] if isinstance(says, str) else says:
            self.assertIn(words, done.stderr)
        self.assertFalse(list(self.folder.rglob("*.part")))

    def run_with(self, *sets, says, capture=None):
        args = ["run", lab.EXPERIMENT, "--out", self.folder / "out"]
        for item in [*sets, *([f"capture={capture}"] if capture else [])]:
            args += ["--set", item]
        self.refuse(*args, says=says)
        self.assertFalse((self.folder / "out/results.json").exists())

    def test_captures(self):
        good = self.folder / "good.pcap"
        lab.write_pcap(good, [(0, frame(CHILD, PEER)), (1000, frame(CHILD, PEER))])
        cases = {
            "nothing.pcap": (b"", "no pcap"), "text.pcap": (b"hello, world\n" * 10, "no pcap"),
            "cut.pcap": (good.read_bytes()[:-7], "cut short after frame 1"),
        }
        for name, (data, says) in cases.items():
            with self.subTest(name):
                (self.folder / name).write_bytes(data)
                self.run_with(capture=self.folder / name, says=[name, says])
        other = self.folder / "raw.pcap"
        lab.write_pcap(other, [(0, frame(CHILD, PEER))], link=101)
        self.run_with(capture=other, says="link type is RAW")
        self.run_with(capture=self.folder / "absent.pcap", says="No such file")

    def test_settings(self):
        self.run_with("placment=monolithic", says="did you mean 'placement'")
        self.run_with("io_path=srvio", says="did you mean 'sriov'")
        self.run_with("memory=12", says="want 128M")
        self.run_with("root_lp=7", says=["root_lp", "0 to 1"])
        self.run_with("child_lps=0,two", says=["child_lps", "'two'"])
        self.run_with("workloads=replayer,snik", says="did you mean 'sink'")
        self.refuse("run", self.folder, says="is a folder")
        self.refuse("run", "--resume", self.folder, says="no folder that `hvlab run")
        self.refuse("replay", self.folder, says="no folder that `hvlab run")
        self.refuse("explain", "entry", "NOPE", says="explain entry list")
        self.refuse("explain", "exit", "EPT_VIOLATOIN", says="did you mean 'EPT_VIOLATION'")
        bad = self.folder / "bad.yaml"
        bad.write_text("name: x\nendpiont: auto\n")
        self.refuse("run", bad, says=["bad.yaml:2", "endpoint"])
        self.refuse("run", self.folder / "absent.yaml", says="No such file")
        self.refuse("rnu", says="did you mean 'run'")
        self.refuse("run", lab.EXPERIMENT, "--otu", "x", says="did you mean '--out'")

    def test_images(self):
        self.run_with_images({"hv-microkernel.elf": b"not an elf at all" * 9}, "ELF")
        cut = (IMAGES / "hv-microkernel.elf").read_bytes()[:3000]
        self.run_with_images({"hv-microkernel.elf": cut}, "hv-microkernel.elf")
        self.refuse("run", lab.EXPERIMENT, "--out", self.folder / "out", "--images", self.folder / "none", says="no image")
        self.refuse("boot", lab.SAMPLE, says="ELF")

    def run_with_images(self, replaced, says):
        folder = self.folder / "images"
        folder.mkdir(exist_ok=True)
        for image in IMAGES.glob("*.elf"):
            (folder / image.name).write_bytes(replaced.get(image.name) or image.read_bytes())
        self.refuse("run", lab.EXPERIMENT, "--out", self.folder / "out", "--set", "placement=microkernel",
                    "--images", folder, says=says)

    def test_a_machine_without_vtx_is_refused_by_the_hypervisor_in_clear_words(self):
        out = self.folder / "out"
        done = lab.hvlab("run", lab.EXPERIMENT, "--out", out, "--quiet", "--set", "vtx=false", "--set", "placement=microkernel",
                         "--set", "io_path=vmbus")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"console\.txt ends: hv: PANIC: .*VT-x")
        console = (out / "microkernel-vmbus/console.txt").read_text()
        self.assertIn("VT-x", console)

    def test_a_full_disk(self):
        if not os.access("/dev/full", os.W_OK):
            self.skipTest("no /dev/full")
        out = self.folder / "out"
        run = out / "microkernel-sriov"
        run.mkdir(parents=True)
        os.symlink("/dev/full", run / "wire.pcapng.part")
        done = lab.hvlab("run", lab.EXPERIMENT, "--out", out, "--quiet", "--set", "placement=microkernel", "--set", "io_path=sriov",
                         "--set", "timing=functional")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("No space left", done.stderr)
        self.assertFalse((run / "wire.pcapng").exists())


if __name__ == "__main__":
    unittest.main()
