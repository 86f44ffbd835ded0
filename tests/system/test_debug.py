"""gdb drives a machine, -d tells what happens in it; and nothing of it is noticed by the machine."""
import json
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import unittest

import lab

IMAGES = pathlib.Path(lab.HVLAB).resolve().parents[2] / "images"
IMAGE = IMAGES / "hv-microkernel.elf"


def multiboot(path, code):
    """An image whose code starts in 32-bit mode at 0x10000c, behind a multiboot header."""
    code = struct.pack("<III", 0x1BADB002, 0, 2**32 - 0x1BADB002) + code
    header = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\1\1\1", 2, 3, 1, 0x10000C, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<8I", 1, 84, 0x100000, 0x100000, len(code), len(code), 5, 1)
    path.write_bytes(header + segment + code)
    return path


class Remote:
    """The debugger's side of the protocol, by hand."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.have = b""
        assert self.ask("QStartNoAckMode", acknowledged=True) == "OK"

    def close(self):
        self.socket.close()

    def send(self, text):
        self.socket.sendall(b"$" + text.encode() + b"#%02x" % (sum(text.encode()) & 255))

    def answer(self):
        while not (found := re.search(rb"\$([^#]*)#..", self.have)):
            more = self.socket.recv(65536)
            assert more, "hung up"
            self.have += more
        self.have = self.have[found.end():]
        return found[1].decode()

    def ask(self, text, acknowledged=False):
        self.send(text)
        said = self.answer()
        if acknowledged:
            self.socket.sendall(b"+")
        return said


class Protocol(lab.LabTest):
    LOOP = bytes.fromhex("40" "a300900000" "ebf8")  # again: inc eax; mov [9000h], eax; jmp again

    def start(self):
        image = multiboot(self.folder / "loop.elf", self.LOOP)
        self.booted = subprocess.Popen([lab.HVLAB, "boot", image, "--gdb", ":0", "--limit-time", "100000"], text=True, stderr=subprocess.PIPE)
        self.addCleanup(self.booted.kill)
        self.addCleanup(self.booted.stderr.close)
        return int(re.search(r"target remote 127.0.0.1:(\d+)", self.booted.stderr.readline())[1])

    def test_interrupt_detach_attach_again_and_kill(self):
        port = self.start()
        first = Remote(port)
        self.assertEqual(first.ask("Z2,9000,4"), "OK")
        for _ in range(3):
            self.assertEqual(first.ask("vCont;c"), "T05thread:1;watch:9000;")
        self.assertEqual(first.ask("z2,9000,4"), "OK")
        first.send("vCont;c")
        first.socket.sendall(b"\3")
        self.assertEqual(first.answer(), "T02thread:1;")
        self.assertEqual(first.ask("D"), "OK")
        first.close()
        second = Remote(port)
        self.assertEqual(second.ask("?"), "T05thread:1;")
        self.assertEqual(second.ask("Z1,10000c,1"), "OK")
        self.assertEqual(second.ask("c"), "T05thread:1;hwbreak:;")
        before = second.ask("p0")
        self.assertEqual(second.ask("vCont;r10000c,100012:1"), "T05thread:1;")  # up to the jump
        self.assertEqual(second.ask("p10"), "1200100000000000")
        self.assertEqual(int.from_bytes(bytes.fromhex(second.ask("p0")), "little"), int.from_bytes(bytes.fromhex(before), "little") + 1)
        second.send("k")
        self.assertEqual(self.booted.wait(60), 130)
        second.close()

    def test_bad_packets_are_refused(self):
        remote = Remote(self.start())
        for text, want in (("Z2,9000,0", "E16"), ("Z4,ffffffffffffffff,2", "E16"), ("Z5,0,1", ""), ("Z3,,1", "E16"), ("P99=00", "E01"), ("P0=1", "E01"),
                           ("M9000,4:11", "E16"), ("T7", "E01"), ("Hg7", "E01"), ("qXfer:features:read:target.xml:fffffff,10", "l"), ("vMustReplyEmpty", "")):
            self.assertEqual(remote.ask(text), want, text)
        remote.send("k")
        self.booted.wait(60)
        remote.close()


@unittest.skipUnless(shutil.which("gdb"), "gdb is not installed")
class Gdb(lab.LabTest):
    def debug(self, *commands, name="debugged", status=33):
        """(what gdb printed, results of the run)"""
        results = self.folder / f"{name}.json"
        run = subprocess.Popen([lab.HVLAB, "boot", IMAGE, "--no-vtx", "--gdb", ":0", "--results", results], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(run.kill)
        port = re.search(r"target remote 127.0.0.1:(\d+)", run.stderr.readline())[1]
        script = ["set confirm off", "set pagination off", f"target remote 127.0.0.1:{port}", *commands]
        done = subprocess.run(["gdb", "-nx", "-batch", *[x for c in script for x in ("-ex", c)], IMAGES / "debug/hv-microkernel.elf"],
                              capture_output=True, text=True, timeout=120)
        _, error = run.communicate(timeout=120)
        self.assertEqual(run.returncode, status, error)
        return done.stdout + done.stderr, json.loads(results.read_text()) if results.exists() else None

    def plain(self):
        results = self.folder / "plain.json"
        self.assertEqual(lab.hvlab("boot", IMAGE, "--no-vtx", "--results", results).returncode, 33)
        return json.loads(results.read_text())

    def test_breakpoints_steps_and_registers(self):
        said, results = self.debug("hbreak hv_log", "continue", "backtrace", "stepi", "stepi", "info registers rip cr3 efer", "x/s format",
                                   "print/x $cs", "info threads", "monitor time", "delete", "continue")
        self.assertRegex(said, r"Breakpoint 1, hv_log \(format=format@entry=0x\w+ \"hvlab hypervisor\"\)")
        self.assertRegex(said, r"#1 .* in hv_main")
        self.assertRegex(said, r"rip +0x\w+ +0x\w+ <hv_log\+\d+>")
        self.assertRegex(said, r"efer +0xd00 +\[ LME LMA NXE \]")
        self.assertIn("cpu0 running, ring 0", said)
        self.assertIn("exited with code 041", said)
        plain = self.plain()
        for key in ("state_hash", "instructions", "virtual_ns", "exit"):
            self.assertEqual(results[key], plain[key], key)

    def test_a_breakpoint_set_before_its_page_is_mapped_is_hit(self):
        said, _ = self.debug("hbreak hv_panic", "continue", "print $cr3 != 0", "delete", "continue")
        self.assertIn("Breakpoint 1, hv_panic", said)
        self.assertIn("$1 = 1", said)

    def test_what_the_debugger_changes_is_changed(self):
        said, _ = self.debug("hbreak hv_log", "continue", "set $rax = 0x1122334455667788", "print/x $rax", "set $xmm3.v2_int64[1] = 7",
                             "print $xmm3.v2_int64", "set {int}0x9000 = 305419896", "x/wx 0x9000", "set $cr3 = 0", "set $mxcsr = 0x1f81",
                             "print/x $mxcsr", "set $gs_base = 0x1234", "print $gs_base", "print $cr0 & 0x80000001", "print $pkru", "info registers", "delete", "continue")
        self.assertIn("$1 = 0x1122334455667788", said)
        self.assertIn("$2 = {0, 7}", said)
        self.assertRegex(said, r"0x9000:\s+0x12345678")
        self.assertIn("Could not write register", said)
        for words in ("$3 = 0x1f81", "$4 = 4660", "$5 = 2147483649", "$6 = 0", "debugctl ", "[ PE MP ET NE WP PG ]"):
            self.assertIn(words, said)

    def test_stepping_through_a_thousand_instructions_changes_nothing(self):
        said, results = self.debug("hbreak hv_main", "continue", "stepi 1000", "delete", "continue")
        self.assertIn("exited with code 041", said)
        self.assertEqual(results["state_hash"], self.plain()["state_hash"])

    def test_a_debugger_that_leaves_lets_the_machine_run(self):
        _, results = self.debug("hbreak hv_log", "continue", "detach")
        self.assertEqual(results["state_hash"], self.plain()["state_hash"])

    def test_watchpoints_stop_behind_the_access_and_are_not_noticed(self):
        said, results = self.debug("hbreak hv_main", "continue", "delete", "awatch -l *(long *)($rsp - 16)", "continue", "x/i $pc", "delete",
                                   "hbreak *hv_log", "continue", "delete", "set $slot = $rsp - 8", "rwatch -l *(char(*)[2])$rdi", "continue",
                                   "info watchpoints", "awatch -l *(char(*)[65536])((long)$rsp & ~65535)", "delete 4", "continue", "delete",
                                   "watch -l *(long *)$slot", "continue", "delete", "continue", name="watched")
        self.assertRegex(said, r"(?s)Hardware access \(read/write\) watchpoint 2: .*Value = 0\n.*=> 0x\w+ <hv_main\+4>:")
        self.assertRegex(said, r'(?s)Hardware read watchpoint 4: .*Value = "hv"\n')
        self.assertRegex(said, r"breakpoint already hit 1 time")
        self.assertRegex(said, r"(?s)Hardware access \(read/write\) watchpoint 5: .*Value = ")
        self.assertRegex(said, r"(?s)Hardware watchpoint 6: .*Old value = 0\nNew value = \d+")
        self.assertEqual(results["state_hash"], self.plain()["state_hash"])

    def test_monitor_commands(self):
        said, results = self.debug("hbreak hv_log", "continue", "monitor help", "monitor cycle", "monitor phys 0x100000 20", "monitor phys 0xfee00000 2",
                                   "monitor translate $rip", "monitor info lapic", "monitor info ioapic", "monitor info pci", "monitor info cpu",
                                   "monitor dance", "detach", name="monitored")
        for words in ("monitor phys ADDRESS", "s, cycle ", "0000000000100010:", "00000000fee00000: -- --", "bootstrap processor", "LVT timer", "pin 23 masked",
                      "class 060000", "cpu0 after ", "there is no command 'dance'"):
            self.assertIn(words, said)
        self.assertEqual(results["state_hash"], self.plain()["state_hash"])

    def test_kill_ends_the_run(self):
        said, results = self.debug("kill", name="killed", status=130)
        self.assertNotIn("exited", said)
        self.assertIsNone(results)

    def test_a_port_that_is_none(self):
        done = lab.hvlab("boot", IMAGE, "--gdb", "1234")
        self.assertEqual(done.returncode, 2)
        self.assertIn("want :PORT", done.stderr)


@unittest.skipUnless(shutil.which("gdb"), "gdb is not installed")
class GdbInExperiment(lab.LabTest):
    SETTINGS = ("--set", "placement=microkernel", "--set", "io_path=vmbus", "--set", "timing=functional", "--quiet")

    def state(self, folder):
        return json.loads((folder / "results.json").read_text())["runs"][0]["state_hash"]

    def test_the_hypervisor_of_an_experiment_is_stopped_and_watched(self):
        debugged, plain = self.folder / "debugged", self.folder / "plain"
        self.assertEqual(lab.hvlab("run", lab.EXPERIMENT, *self.SETTINGS, "--out", plain).returncode, 0)
        run = subprocess.Popen([lab.HVLAB, "run", lab.EXPERIMENT, *self.SETTINGS, "--gdb", ":0", "--out", debugged], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(run.kill)
        port = re.search(r"target remote 127.0.0.1:(\d+)", run.stderr.readline())[1]
        commands = ("set confirm off", "set pagination off", f"target remote 127.0.0.1:{port}", "hbreak vp_run", "continue", "backtrace 2", "delete",
                    "watch hv.partitions_lock.next", "continue", "delete", "thread 2", "stepi", "info threads", "detach")
        done = subprocess.run(["gdb", "-nx", "-batch", *[x for c in commands for x in ("-ex", c)], IMAGES / "debug/hv-microkernel.elf"],
                              capture_output=True, text=True, timeout=120)
        run.communicate(timeout=300)
        self.assertEqual(run.returncode, 0)
        self.assertRegex(done.stdout, r"#1 .* in sched_loop")
        self.assertRegex(done.stdout, r"\* 2 +Thread 2 \(cpu1 ")
        self.assertRegex(done.stdout, r"(?s)Hardware watchpoint 2: .*New value = ")
        self.assertEqual(self.state(debugged), self.state(plain))

    def test_one_run_only(self):
        done = lab.hvlab("run", lab.EXPERIMENT, "--gdb", ":0", "--out", self.folder / "none")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--set placement=microkernel", done.stderr)


class Log(lab.LabTest):
    def boot(self, *more, image=IMAGE):
        results = self.folder / "results.json"
        done = lab.hvlab("boot", image, "--no-vtx", "--results", results, *more)
        return done, json.loads(results.read_text()) if results.exists() else None

    def test_what_is_logged_is_not_noticed(self):
        _, plain = self.boot()
        for categories in ("int,unclaimed", "exec", "block", "branches", "exec,halt"):
            with self.subTest(categories):
                done, results = self.boot("-d", categories)
                self.assertEqual(done.returncode, 33)
                self.assertEqual(results["state_hash"], plain["state_hash"])
        instructions = [l for l in self.boot("-d", "exec")[0].stderr.splitlines() if re.match(r"\d+ cpu0 [0-9a-f]{16}  \w", l)]
        self.assertEqual(len(instructions), plain["instructions"])

    def test_unknown_categories_and_two_masters_of_the_core(self):
        done, _ = self.boot("-d", "int,exce")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nothing called 'exce'", done.stderr)
        done, _ = self.boot("-d", "exec", "--crosscheck", "10")
        self.assertEqual(done.returncode, 2)
        self.assertIn("leave out --gdb and --crosscheck", done.stderr)

    def test_a_triple_fault_shows_state_code_and_the_way_there(self):
        code = bytes.fromhex("b878563412" "bc00900000" "0f0b")  # mov eax, 12345678h; mov esp, 9000h; ud2 (no IDT)
        image = multiboot(self.folder / "fault.elf", code)
        done, _ = self.boot("-d", "int,branches", image=image)
        self.assertEqual(done.returncode, 3, done.stderr)
        for words in ("rax 0000000012345678", "rsp 0000000000009000", "> 0000000000100016  0f 0b  ud2", "exception cpu=0 vector=6",
                      "the last blocks", "000000000010000c", "the run is repeatable"):
            self.assertIn(words, done.stderr)

    def test_a_bad_end_shows_the_last_branches_unasked(self):
        code = bytes.fromhex("bc00900000" "e8ea1f0000" "0f0b")  # mov esp, 9000h; call 102000h; ud2
        image = multiboot(self.folder / "branches.elf", code.ljust(0x102000 - 0x10000c, b"\0") + b"\xc3")
        ways = [self.boot("--tier", tier, image=image)[0].stderr for tier in ("compiled", "interpreter")]
        self.assertRegex(ways[0], r"last branches.*:\n +0000000000102000  c3  ret\n +0000000000100016  0f 0b  ud2\n")
        self.assertEqual(*ways)


if __name__ == "__main__":
    unittest.main()
