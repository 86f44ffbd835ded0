"""What real captures hold is replayed or counted by name; nothing is refused, nothing is lost."""
import unittest

import lab
from lab import CHILD, PEER, frame

BROADCAST = b"\xff" * 6
LLDP = bytes.fromhex("0180c200000e")
GROUP = bytes.fromhex("01005e000001")
ZERO = bytes(6)


class OddCaptures(lab.LabTest):
    def replay(self, frames, *sets):
        path = self.folder / "odd.pcap"
        lab.write_pcap(path, frames)
        results = self.run_experiment("timing=functional", *sets, capture=path)
        self.assertEqual(len({r["payload_hash"] for r in results["runs"]}), 1)
        for run in results["runs"]:
            self.check_run(run)
        return results["runs"]

    def test_every_frame_ends_somewhere_by_name(self):
        stranger = bytes.fromhex("020000000077")
        frames = [
            (0, frame(CHILD, PEER)), (2000, frame(PEER, CHILD)), (4000, frame(CHILD, PEER, length=20)),
            (6000, frame(PEER, CHILD, length=16)), (8000, frame(BROADCAST, PEER)), (10000, frame(GROUP, PEER)),
            (12000, frame(LLDP, PEER)), (14000, frame(LLDP, CHILD)), (16000, frame(stranger, PEER)),
            (18000, frame(CHILD, CHILD)), (20000, frame(CHILD, ZERO)), (22000, frame(CHILD, PEER, ethertype=0xDEAD)),
            (24000, frame(CHILD, PEER, ethertype=0x0003)), (26000, frame(CHILD, PEER, ethertype=0x8100, length=64)),
            (28000, frame(BROADCAST, CHILD)),
        ]
        for run in self.replay(frames, "endpoint=02:00:00:00:00:01"):
            self.assertEqual(run["packets_offered"], len(frames))
            self.assertEqual(run["packets_dropped"].get("reserved_multicast"), 2, run["packets_dropped"])
            unwanted = [run["packets_dropped"].get(name, 0) for name in ("filter_mac", "switch_unknown_destination")]
            self.assertEqual(sum(unwanted), 1, "the card refuses it, or the switch where the card takes everything")
            self.assertEqual(run["packets_delivered"], len(frames) - 3)

    def test_times_that_jump_are_repaired(self):
        day = 86400 * 10**9
        frames = [(5 * day, frame(CHILD, PEER)), (day, frame(CHILD, PEER)), (day + 900, frame(PEER, CHILD)),
                  (4000 * day, frame(CHILD, PEER))]
        for run in self.replay(frames, "max_gap=1ms"):
            self.assertEqual(run["packets_delivered"], 4)
            self.assertLess(run["virtual_ns"], 50_000_000)

    def test_jumbo_frames_set_the_mtu(self):
        frames = [(0, frame(CHILD, PEER, length=9014)), (20000, frame(PEER, CHILD, length=4519)), (40000, frame(CHILD, PEER))]
        for run in self.replay(frames):
            self.assertEqual(run["packets_delivered"], 3)

    def test_frames_longer_than_a_given_mtu_are_dropped_by_name(self):
        frames = [(0, frame(CHILD, PEER, length=3000)), (20000, frame(CHILD, PEER)), (40000, frame(PEER, CHILD, length=3000))]
        for run in self.replay(frames, "mtu=1500"):
            self.assertEqual(run["packets_dropped"], {"oversize": 2})

    def test_an_all_zero_endpoint_works(self):
        frames = [(i * 1000, frame(ZERO, ZERO, length=60 + i)) for i in range(20)]
        for run in self.replay(frames):
            self.assertEqual(run["packets_delivered"], 20)

    def test_a_burst_at_line_rate_loses_nothing_when_lossless(self):
        frames = [(0, frame(CHILD, PEER, length=60 + i % 1400, fill=i)) for i in range(1500)]
        for run in self.replay(frames):
            self.assertEqual(run["packets_delivered"], 1500)
            self.assertEqual(run["packets_dropped"], {})


if __name__ == "__main__":
    unittest.main()
