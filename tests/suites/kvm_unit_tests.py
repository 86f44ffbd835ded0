"""kvm-unit-tests (built elsewhere; nothing of it is here) on hvlab, driven by its own unittests.cfg.

    kvm_unit_tests.py FOLDER [NAME...] [--cpu MODEL] [--cpus N] [--timing functional|approx] [--all]

FOLDER is a built checkout.  An entry passes when its image exits as a passed test does and prints no FAIL line.
Entries that cannot apply to a bare machine are listed below with the reason and left out; NAME or --all runs them anyway.
"""
import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HVLAB = os.environ.get("HVLAB", str(ROOT / "build/gcc-release/sim/cli/hvlab"))
PASSED, SKIPPED = 1, 77  # exit statuses behind isa-debug-exit: (code << 1) | 1

NOT_HERE = {  # entry: why it says nothing about a processor and its board
    **dict.fromkeys(["vmexit_vmcall", "hypercall"], "needs a hypervisor that answers VMCALL"),
    "vmware_backdoors": "needs VMware's port 5658h",
    **dict.fromkeys(["asyncpf", "kvmclock_test"], "needs KVM's paravirtual MSRs"),
    **dict.fromkeys(["access_fep", "vmx_pf_exception_test_fep"], "needs KVM's forced-emulation prefix"),
    "pmu_lbr": "runs three thousand million instructions one by one",
    "pmu_pebs": "needs PEBS",
    **dict.fromkeys(["svm", "svm_unsupported_instruction_intercept_test", "svm_no_npt", "svm_pause_filter", "svm_npt"], "needs AMD-V"),
    **dict.fromkeys(["vmx", "ept", "ept-mbec", "vmx_eoi_bitmap_ioapic_scan", "vmx_hlt_with_rvi_test", "vmx_apicv_test", "vmx_posted_intr_test",
                     "vmx_apic_passthrough_thread", "vmx_init_signal_test", "vmx_sipi_signal_test", "vmx_apic_passthrough_tpr_threshold_test",
                     "vmx_vmcs_shadow_test", "vmx_pf_exception_test", "vmx_pf_vpid_test", "vmx_pf_invvpid_test", "vmx_pf_no_vpid_test",
                     "vmx_pf_exception_test_reduced_maxphyaddr"], "tests VT-x, not the bare machine"),
    **dict.fromkeys(["hyperv_synic", "hyperv_connections", "hyperv_stimer", "hyperv_stimer_direct", "hyperv_clock"], "needs Hyper-V's interface beneath"),
    "intel_iommu": "expects an I/O APIC's message to carry the device's source-id, which silicon's does not (its other tests pass)",
    **dict.fromkeys(["pks", "lam", "cet", "tsx-ctrl"], "needs a feature that no model of v2 or v3 level has"),
}
NOT_ON_AMD = {
    **dict.fromkeys(["msr", "msr64"], "writes IA32_MISC_ENABLE, which AMD's parts lack"),
}
NOT_ON_INTEL = {"syscall": "executes SYSCALL in compatibility mode, which Intel's parts do not have"}
NOT_BEYOND = {  # entry: (processors, why not with more)
    "xapic": (2, "its last part gives a second processor other ids and counts on there being two"),
    "vmexit_tscdeadline": (1, "sets up the first processor's timer only; the others wait for its interrupts, for ever once it is through"),
}
NOT_FUNCTIONAL = {"pmu": "expects mispredictions and cache misses, which functional timing has none of; --timing approx runs it"}
NO_TEST_DEVICE = {"x2apic", "xapic"}  # else they call a hypervisor (VMCALL); bare-metal-suites: TEST_DEVICE=0
ENVIRONMENT = "TEST_DEVICE=0\n"


def entries(folder):
    found, name = {}, None
    for line in (folder / "x86/unittests.cfg").read_text().splitlines():
        line = line.strip()
        if m := re.fullmatch(r"\[(.+)\]", line):
            name = m[1]
            found[name] = {}
        elif name and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[name][key.strip()] = value.strip()
    return found


def parameters(entry):
    return entry.get("qemu_params", "") + " " + entry.get("extra_params", "")


def features(entry):
    """+x,-y of the entry's -cpu, as hvlab spells them."""
    words = shlex.split(parameters(entry))
    cpu = words[words.index("-cpu") + 1].split(",")[1:] if "-cpu" in words else []
    return [f[0] + f[1:].replace("-", "_") if f[0] in "+-" else f for f in cpu if f[0] in "+-" or f.startswith("phys-bits=")]


def run(folder, name, entry, options):
    image = folder / "x86" / entry["file"]
    if not image.exists():
        return "absent", "not built"
    memory = re.search(r"-m (\d+)", parameters(entry))
    cpus = options.cpus or int(entry.get("smp", 1))
    model = ",".join([options.cpu, *(features(entry) if options.features else [])])
    arguments = entry.get("test_args", "").strip("'\"")
    command = [HVLAB, "boot", image, "--append", arguments, "--memory", f"{max(128, int(memory[1]) if memory else 0)}M", "--cpus", cpus,
               "--limit-time", options.limit, "--cpu", model, "--timing", options.timing, *(["--edu"] if "-device edu" in parameters(entry) else [])]
    if name in NO_TEST_DEVICE:
        module = folder / "hvlab-environment"
        module.write_text(ENVIRONMENT)
        command += ["--module", module]
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, timeout=options.timeout)
    except subprocess.TimeoutExpired as e:
        return "timeout", (e.stdout or b"").decode(errors="replace")
    text = (done.stdout + done.stderr).decode(errors="replace")
    bad = re.search(r"^(FAIL|XPASS|ABORT|Unhandled)", text, re.M)
    verdict = "skip" if done.returncode == SKIPPED else "FAIL" if done.returncode != PASSED or bad else "pass"
    return verdict, text + f"(status {done.returncode})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--cpu", default="intel-v3")
    parser.add_argument("--timing", default="functional")
    parser.add_argument("--cpus", type=int, default=0)
    parser.add_argument("--features", action="store_true", help="apply the entry's +feature,-feature to the model")
    parser.add_argument("--limit", default="600")
    parser.add_argument("--timeout", type=int, default=600)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("-v", action="store_true")
    options = parser.parse_args()
    counts = {}
    for name, entry in entries(options.folder).items():
        if options.names and name not in options.names:
            continue
        reasons = {**NOT_HERE, **(NOT_ON_AMD if options.cpu.startswith("amd") else NOT_ON_INTEL),
                   **{n: why for n, (most, why) in NOT_BEYOND.items() if options.cpus > most}, **(NOT_FUNCTIONAL if options.timing == "functional" else {})}
        if name in reasons and not options.all and not options.names:
            print(f"not here {name}: {reasons[name]}")
            continue
        verdict, text = run(options.folder, name, entry, options)
        counts[verdict] = counts.get(verdict, 0) + 1
        summary = re.findall(r"SUMMARY.*", text)
        print(f"{verdict:8} {name}: {summary[-1] if summary else ''}", flush=True)
        if verdict not in ("pass", "skip") or options.v:
            lines = text.splitlines()
            print("\n".join(lines if options.v else [l for l in lines if re.match("FAIL|XPASS|ABORT|Unhandled", l)][:20] + lines[-3:]))
    print(", ".join(f"{n} {v}" for v, n in sorted(counts.items())))
    return 1 if any(v not in ("pass", "skip", "absent") for v in counts) else 0


sys.exit(main())
