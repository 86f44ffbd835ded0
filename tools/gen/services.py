#!/usr/bin/env python3
"""Services and placements.

  services.py spec/services/X.def OUT.h          the declarations of a service's operations
  services.py placements/P.def OUT.c LOCUS       the list of services that placement P puts into LOCUS
  services.py placements/P.def --services LOCUS  prints their names (for CMake)

Grammar of the tables: comments on top of spec/services/vmbus.def and placements/microkernel.def.
"""
import glob
import os
import re
import sys


def fail(path, line, text):
    sys.exit(f"{path}:{line}: {text}")


def read_service(path):
    service = {"ops": [], "uses": set(), "includes": []}
    comment = []
    for number, line in enumerate(open(path), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            comment = comment + [line[1:].strip()] if line else []
            continue
        word, _, rest = line.partition(" ")
        if word == "service":
            service["name"], service["class"] = rest.split()
        elif word == "include":
            service["includes"].append(rest)
        elif word == "uses":
            service["uses"].update(rest.split())
        elif word == "op":
            match = re.fullmatch(r"(.+?)\s*\b(\w+)(\(.*\))\s*:\s*([\w ]+)", rest)
            if not match:
                fail(path, number, f"not an operation: {line}")
            service["ops"].append((match[1], match[2], match[3], match[4].split(), comment))
            service["uses"].update(match[4].split())
        else:
            fail(path, number, f"unknown word '{word}' (service, include, uses, op)")
        comment = []
    return service


def write_header(path, out):
    service = read_service(path)
    guard = f"SERVICES_{service['name'].upper()}_H"
    lines = [f"/* Generated from {os.path.basename(path)}: operations of service {service['name']}. */",
             f"#ifndef {guard}", f"#define {guard}", "", "#include <stdbool.h>", "#include <stdint.h>", ""]
    lines += [f'#include "{name}"' for name in service["includes"]]
    lines += ['#include "vsp/runtime/svc.h"'] if "vsp/runtime/svc.h" not in service["includes"] else []
    lines += ["", f"extern const struct svc_class {service['class']};", ""]
    for result, name, arguments, callers, comment in service["ops"]:
        lines += [f"/* {' '.join(comment)} Called by: {', '.join(callers)}. */", f"{result} {name}{arguments};", ""]
    lines.append("#endif")
    write(out, lines)


def write(out, lines):
    with open(out, "w") as file:
        file.write("\n".join(lines) + "\n")


def read_placement(path):
    """Ordered (service, locus); the services' tables say who calls whom."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    services = {}
    for table in sorted(glob.glob(os.path.join(root, "spec/services/*.def"))):
        service = read_service(table)
        services[service["name"]] = service
    rows = []
    for number, line in enumerate(open(path), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        words = line.split()
        if len(words) != 2:
            fail(path, number, "a row is: SERVICE LOCUS")
        if words[0] not in services:
            fail(path, number, f"unknown service '{words[0]}'; there are {', '.join(services)}")
        if words[1] not in ("root-kernel", "hv"):
            fail(path, number, f"unknown locus '{words[1]}'; there are root-kernel, hv")
        if words[0] in [row[0] for row in rows]:
            fail(path, number, f"service '{words[0]}' is placed twice")
        rows.append((words[0], words[1]))
    locus = dict(rows)
    for name, service in services.items():
        if name not in locus:
            fail(path, 1, f"service '{name}' has no place")
        for caller in sorted(service["uses"]):
            if caller in locus and locus[caller] != locus[name]:
                fail(path, 1, f"'{caller}' (in {locus[caller]}) calls '{name}' (in {locus[name]}): services "
                     "in different loci need IPC stubs, which are not there yet")
    return rows, services


def write_list(path, out, wanted):
    rows, services = read_placement(path)
    placed = [services[name] for name, locus in rows if locus == wanted]
    lines = [f"/* Generated from {os.path.basename(path)}: the services of locus {wanted}. */",
             '#include "vsp/runtime/svc.h"', ""]
    lines += [f"extern const struct svc_class {service['class']};" for service in placed]
    lines += ["", "const struct svc_class *const svc_placed[] = {"]
    lines += [f"    &{service['class']}," for service in placed] + ["    NULL,", "};"]
    write(out, lines)


def main():
    path, out = sys.argv[1:3]
    if out == "--services":
        print(";".join(name for name, locus in read_placement(path)[0] if locus == sys.argv[3]))
    elif len(sys.argv) == 4:
        write_list(path, out, sys.argv[3])
    else:
        write_header(path, out)


main()
