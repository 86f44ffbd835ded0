#!/usr/bin/env python3
"""spec/x86/cpus.tbl -> C.  Usage: x86_cpus.py TABLE OUTPUT

Writes the array cpu_models[] of sim/cpu/model/model.c.  The grammar is at the top of the table.
"""
import os
import re
import sys

BRAND_MAX = 47
ONCE = 'name text vendor signature brand address leaves'.split()


def fail(line, message):
    sys.exit(f'{line}: {message}')


def parse_model(path):
    model = {'features': [], 'leaf': [], 'msr': []}
    for number, raw in enumerate(open(path), 1):
        where = f'{os.path.basename(path)}:{number}'
        key, _, value = re.sub(r'\s+#.*|^#.*', '', raw.rstrip('\n')).strip().partition(' ')
        value = value.strip()
        if not key:
            continue
        if key == 'features':
            model['features'] += value.split()
        elif key == 'leaf':
            m = re.fullmatch(r'([0-9a-f]+)\.([0-9a-f]+)((?: [0-9a-f]+){4})', value)
            if not m:
                fail(where, 'leaf L.S A B C D expected')
            model['leaf'].append([m[1], m[2]] + m[3].split())
        elif key == 'msr':
            model['msr'].append(value.split())
        elif key in ONCE and key not in model:
            model[key] = value
        else:
            fail(where, f'{key}: unknown, or twice')
    for key in ONCE:
        if key not in model:
            fail(path, f'no {key}')
    if len(model['brand']) > BRAND_MAX:
        fail(path, 'brand is too long')
    if model['vendor'] not in ('intel', 'amd'):
        fail(path, 'vendor is intel or amd')
    if len(set(model['features'])) != len(model['features']):
        fail(path, 'a feature twice')
    return model


def parse(path):
    folder = os.path.dirname(path)
    lines = [line.split() for line in open(path) if line.startswith('include ')]
    return [parse_model(os.path.join(folder, line[1])) for line in lines]


def signature(text):
    """CPUID.1:EAX of family, model, stepping."""
    family, model, stepping = (int(n) for n in text.split())
    low = family if family < 15 else 15
    return (family - low) << 20 | (model >> 4) << 16 | low << 8 | (model & 15) << 4 | stepping


def write(models):
    out = []
    for n, m in enumerate(models):
        out.append(f'static const uint16_t features_{n}[] = {{ {", ".join("CPU_" + f for f in m["features"])} }};')
        out.append(f'static const struct cpu_leaf leaves_{n}[] = {{')
        for leaf, subleaf, *registers in m['leaf']:
            out.append(f'    {{ 0x{leaf}, 0x{subleaf}, {{ {", ".join("0x" + r for r in registers)} }} }},')
        out.append(f'}};\nstatic const struct cpu_constant constants_{n}[] = {{')
        out += [f'    {{ MSR_{name}, {value}ull }},' for name, value in m['msr']] + ['};']
    out.append('static const struct cpu_model cpu_models[] = {')
    for n, m in enumerate(models):
        physical, linear = m['address'].split()
        basic, extended = m['leaves'].split()
        out.append(f'    {{ .name = "{m["name"]}", .text = "{m["text"]}", .brand = "{m["brand"]}", '
                   f'.vendor = CPU_VENDOR_{m["vendor"].upper()}, .signature = 0x{signature(m["signature"]):08x}, '
                   f'.physical_bits = {physical}, .linear_bits = {linear}, .basic_max = 0x{basic}, .extended_max = 0x{extended},\n'
                   f'      .features = features_{n}, .feature_count = {len(m["features"])}, '
                   f'.leaves = leaves_{n}, .leaf_count = {len(m["leaf"])}, '
                   f'.constants = constants_{n}, .constant_count = {len(m["msr"])} }},')
    return out + ['};', f'enum {{ CPU_MODEL_COUNT = {len(models)} }};']


def main():
    out = write(parse(sys.argv[1]))
    with open(sys.argv[2], 'w') as f:
        f.write('/* Made from spec/x86/cpus.tbl by tools/gen/x86_cpus.py. */\n' + '\n'.join(out) + '\n')


main()
