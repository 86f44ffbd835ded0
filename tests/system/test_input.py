"""Typed bytes reach a booted machine, the log of them runs the same again, and a damaged or foreign log is told."""
import json
import struct
import subprocess
import unittest
import zlib

import lab

# Echoes COM1 until a 'q': 32-bit code behind a multiboot header.
ECHO = bytes.fromhex("66bafd03 ec a801 74f7 66baf803 ec ee 3c71 75ed 31c0 e7f4")


def echo_image(path):
    load, header_size = 0x100000, 52 + 32
    magic, flags = 0x1BADB002, 0
    body = struct.pack("<III", magic, flags, -(magic + flags) & 0xFFFFFFFF) + ECHO
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    head = ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, load + 12, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, header_size, load, load, len(body), len(body), 7, 4)
    path.write_bytes(head + segment + body)
    return path


class Input(lab.LabTest):
    def setUp(self):
        super().setUp()
        self.image = echo_image(self.folder / "echo.elf")

    def boot(self, typed, *more):
        run = subprocess.run([lab.HVLAB, "boot", self.image, "--memory", "16M", "--serial", "stdio", "--pace", "fast", "--limit-time", "1",
                              *map(str, more)], input=typed, capture_output=True, timeout=120)
        return run

    def test_what_is_typed_is_echoed(self):
        text = b"The quick brown fox" * 20 + b" and q"  # 'q' of quick ends it
        run = self.boot(text)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertEqual(run.stdout, b"The q")

    def test_a_paste_longer_than_the_receiver_loses_nothing(self):
        text = bytes(i for i in range(1, 256) if i != ord("q")) * 4 + b"q"
        self.assertEqual(self.boot(text).stdout, text)

    def test_standard_input_is_not_read_unless_asked_for(self):
        run = subprocess.run([lab.HVLAB, "boot", self.image, "--memory", "16M", "--limit-time", "0.001"], input=b"q", capture_output=True,
                             timeout=120)
        self.assertEqual((run.returncode, run.stdout), (124, b""))

    def test_a_recorded_boot_runs_the_same_again(self):
        folder, results = self.folder / "log", self.folder / "results.json"
        run = self.boot(b"abcdef q", "--record", folder, "--results", results)
        self.assertEqual(run.returncode, 1, run.stderr)
        again = lab.hvlab("replay", folder)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(again.stdout, "abcdef q")
        self.assertIn("identical: 8 inputs", again.stderr)
        self.assertIn(json.loads(results.read_text())["state_hash"], again.stderr)

    def test_another_image_or_a_changed_log_is_noticed(self):
        folder = self.folder / "log"
        self.boot(b"q", "--record", folder)
        log = bytearray((folder / "log").read_bytes())
        log[-1] ^= 1
        (folder / "log").write_bytes(log)
        again = lab.hvlab("replay", folder)
        self.assertEqual(again.returncode, 1)
        self.assertIn("is damaged", again.stderr)
        log[-1] ^= 1
        (folder / "log").write_bytes(log)
        self.assertEqual(lab.hvlab("replay", folder).returncode, 0)
        self.image.write_bytes(self.image.read_bytes() + b" ")
        self.assertEqual(lab.hvlab("replay", folder).returncode, 0)  # bytes that are not loaded do not matter
        image = bytearray(self.image.read_bytes())
        image[image.index(ECHO) + len(ECHO) - 4] ^= 8
        self.image.write_bytes(image)
        again = lab.hvlab("replay", folder)
        self.assertEqual(again.returncode, 2)
        self.assertIn("begins differently", again.stderr)

    def test_a_script_types_when_what_it_waits_for_is_there(self):
        script = self.folder / "script"
        script.write_text("type hello\nwait hello\npause 0.01\ntype \\x01 done q\n")
        runs = []
        for name in ("one", "two"):
            results = self.folder / name
            run = lab.hvlab("boot", self.image, "--memory", "16M", "--limit-time", "1", "--script", script, "--results", results)
            self.assertEqual((run.returncode, run.stdout), (1, "hello\x01 done q"), run.stderr)
            runs.append(json.loads(results.read_text())["state_hash"])
        self.assertEqual(*runs)
        script.write_text("wait nothing\nquit\n")
        run = lab.hvlab("boot", self.image, "--memory", "16M", "--limit-time", "0.01", "--script", script)
        self.assertEqual(run.returncode, 124)
        self.assertIn("as far as line 1", run.stderr)

    def test_a_picture_shows_the_text_of_the_display(self):
        picture = self.folder / "screen.png"
        self.assertEqual(self.boot(b"q", "--display", "text", "--picture", picture).returncode, 1)
        data = picture.read_bytes()
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">II", data[16:24]), (720, 400))
        pixels = zlib.decompress(data[data.index(b"IDAT") + 4:-16])
        self.assertEqual(len(pixels), 400 * (1 + 3 * 720))
        for line in range(400):  # the cursor: scan lines 13 and 14 of the first cell
            row = pixels[line * 2161 + 1:(line + 1) * 2161]
            self.assertEqual(row, (b"\xaa" * 27 if line in (13, 14) else bytes(27)) + bytes(2133), line)

    def test_a_drive_that_is_written_through_is_not_recorded(self):
        disk = self.folder / "disk"
        disk.write_bytes(bytes(4096))
        run = self.boot(b"q", "--record", self.folder / "log", "--drive", f"{disk},write")
        self.assertEqual(run.returncode, 2)
        self.assertIn(b"could not be replayed", run.stderr)
        run = self.boot(b"q", "--snapshot-at", "1", "--out", self.folder / "out", "--drive", f"{disk},write")
        self.assertEqual(run.returncode, 2)
        self.assertIn(b"could not be restored", run.stderr)


if __name__ == "__main__":
    unittest.main()
