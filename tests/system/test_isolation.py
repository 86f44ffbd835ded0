"""A child that writes garbage harms nobody else."""
import unittest

import lab


class Isolation(lab.LabTest):
    def first_child(self, results):
        return {(r["placement"], r["io_path"]): r["children"][0] for r in results["runs"]}

    def test_the_other_childs_traffic_is_unchanged(self):
        quiet = self.run_experiment("timing=functional", "children=2", "workloads=replayer,sink", out="quiet")
        for kind in ("ring", "packets", "messages", "hypercalls", "descriptors", "mailbox"):
            with self.subTest(garbage=kind):
                loud = self.run_experiment("timing=functional", "children=2", f"workloads=replayer,garbage:{kind}", out=kind)
                self.assertEqual(self.first_child(loud), self.first_child(quiet))
                for run in loud["runs"]:
                    self.assertEqual(run["end"], "finished")


if __name__ == "__main__":
    unittest.main()
