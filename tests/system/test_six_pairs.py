"""The main job: two placements by three I/O paths."""
import os
import pathlib
import unittest

import lab


class SixPairs(lab.LabTest):
    def check_all(self, results):
        runs = {(r["placement"], r["io_path"]): r for r in results["runs"]}
        self.assertEqual(sorted(runs), sorted(lab.PAIRS))
        for run in runs.values():
            self.check_run(run)
        self.assertEqual(len({r["payload_hash"] for r in runs.values()}), 1, "the same payload in all six")
        self.assertEqual(len({r["packets_offered"] for r in runs.values()}), 1)
        return runs

    def test_sample_approx_costs_are_ordered(self):
        results = self.run_experiment("timing=approx")
        runs = self.check_all(results)
        for placement in ("microkernel", "monolithic"):
            self.assertLess(lab.cost(runs[placement, "sriov"]), lab.cost(runs[placement, "vmq"]))
            self.assertLess(lab.cost(runs[placement, "vmq"]), lab.cost(runs[placement, "vmbus"]))
        self.assertLess(lab.cost(runs["monolithic", "vmbus"]), lab.cost(runs["microkernel", "vmbus"]))
        self.assertGreater(runs["microkernel", "vmbus"]["cycles"]["exit_entry"], 0)
        self.assertGreater(runs["microkernel", "vmbus"]["cycles"]["vswitch@root-kernel"], 0)
        self.assertGreater(runs["monolithic", "vmbus"]["cycles"]["vswitch@hv"], 0)
        self.assertGreater(runs["monolithic", "vmbus"]["cycles"]["copy"], 0)

    def test_sample_functional(self):
        self.check_all(self.run_experiment("timing=functional"))

    def test_captures_beside_the_checkout(self):
        folder = pathlib.Path(os.environ.get("HVLAB_TRACES", lab.ROOT / "../shared/traces"))
        captures = sorted(folder.glob("*.pcap*"))
        if not captures:
            self.skipTest(f"no captures in {folder}")
        for capture in captures:
            with self.subTest(capture=capture.name):
                self.check_all(self.run_experiment("timing=functional", out=capture.stem, capture=capture))


if __name__ == "__main__":
    unittest.main()
