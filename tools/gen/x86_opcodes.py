#!/usr/bin/env python3
"""spec/x86/opcodes.tbl -> C.  Usage: x86_opcodes.py TABLE OUTPUT

What is written depends on the output's name:
  opcodes.h        enum op, op_name()'s table, timing classes
  sys_functions.h  declarations of every sys: function
  sse_functions.h  declarations of every sse: and ssef: function
  x87_functions.h  declarations of the functions of x87 rows
  builders.h       declarations of the builders (after sim/cpu/decode/row.h)
  sse_forms.def    SSE_FORM(id, fn, faults, quick, size, to, from) per record form; to: V or G;
                   from: W xmm or aligned memory, X xmm or memory, E general register or memory
  mmx_functions.h  declarations of the mmx: and mmxf: functions that SSE does not have
  mmx_forms.def    MMX_FORM(id, fn, faults, size, to, from) per record form; to: P, G or V; from: Q, W or E
  avx_functions.h  declarations of every avxw: and avxwf: function
  avx_forms.def    AVX_FORM(id, fn, to, from) or AVX_FORM_SCALAR(id, fn, size, to, from) per operation with record forms
                   of its own
  avx_host.def     AVX_HOST(id, opcode, prefix, digit, immediate, to): which of them the host's SSE does, lane by lane
  avx_ops.def      AVX_OP(id, kind, fn, to, shared, imm_shift) per operation of a VEX-encoded row
  sse_host.def     SSE_HOST(id, opcode, prefix, map, digit, immediate, wide, size, to, from, feature): forms
                   that the host's own instruction does; to: V, U (shifts by an immediate), G, or R by ModRM.rm
  opcode_rows.inc  the rows and their index by map and opcode
The grammar is at the top of the table.
"""
import os
import re
import sys

CONDITIONS = 'O NO B NB Z NZ BE NBE S NS P NP L NL LE NLE'.split()
CONDITION_FLAGS = ['o', 'o', 'c', 'c', 'z', 'z', 'cz', 'cz', 's', 's', 'p', 'p', 'so', 'so', 'zso', 'zso']
FLAG_BITS = {'c': 0x1, 'p': 0x4, 'a': 0x10, 'z': 0x40, 's': 0x80, 'o': 0x800}
MAPS = {'0F': 1, '0F 38': 2, '0F 3A': 3}
PREFIXES = {'NP': 1, '66': 2, 'F3': 3, 'F2': 4}
VEX = {'VEX.128': 'VEX_128', 'VEX.LZ': 'VEX_128', 'VEX.256': 'VEX_256', 'VEX.LIG': 'VEX_ANY', 'VEX.x': 'VEX_ANY'}
MAP_VEX, MAP_COUNT = 3, 7
SYS_BUILDERS = ('sys', 'avx_sys', 'mmx_sys')
TRAITS = 'o64 i64 w0 w1 d64 f64 lock unaligned priv nohost vsib quick soft'.split()
KINDS = 'EGMRZIJOASCDVWUHBLPQN'
SIZES = ['b', 'w', 'd', 'q', 'v', 'y', 'z', 'p', 'dq', 's', 'r', 'x', 'qq', 't', '']
FIXED = ['AL', 'rAX', 'CL', 'DX', 'AX', '1', 'ST', 'STi', 'ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'b', 'v']


class Row:
    pass


def fail(line, message):
    sys.exit(f'{line}: {message}')


def expand(text):
    """{a,b} lists run in parallel."""
    lists = [m.split(',') for m in re.findall(r'\{([^}]*)\}', text)]
    if not lists:
        return [text]
    if len({len(l) for l in lists}) != 1:
        raise ValueError('lists of different lengths')
    out = []
    for n in range(len(lists[0])):
        it = iter(lists)
        out.append(re.sub(r'\{[^}]*\}', lambda m: next(it)[n], text))
    return out


def operand(text, line):
    if text in FIXED:
        return ('FIXED', 'FIX_' + text)
    kind, size = text[0], text[1:]
    if kind not in KINDS or size not in SIZES:
        fail(line, f'operand {text}')
    return (kind, 'SIZE_' + (size or 'none'))


def flags(letters):
    return sum(FLAG_BITS[l] for l in letters)


def encode(row, text, line):
    tokens = text.split()
    row.prefix, row.map, row.digit, row.modrm, row.mod, row.count, row.cc = 0, 0, -1, -1, 0, 1, False
    row.has_modrm, row.vex = False, 'VEX_NONE'
    if tokens[0] in VEX:
        row.vex = VEX[tokens.pop(0)]
        if tokens[0] not in PREFIXES or tokens[1] != '0F':
            fail(line, 'VEX needs NP, 66, F3 or F2 and a map')
    if tokens[0] in PREFIXES and len(tokens) > 1 and tokens[1] == '0F':
        row.prefix = PREFIXES[tokens.pop(0)]
    elif tokens[0] == 'F3' and tokens[1] == '90':
        row.prefix = PREFIXES[tokens.pop(0)]
    if tokens[0] == '0F':
        tokens.pop(0)
        row.map = 1
        if tokens[0] in ('38', '3A') and re.match(r'[0-9A-F]{2}', tokens[1]):
            row.map = MAPS['0F ' + tokens.pop(0)]
    m = re.fullmatch(r'([0-9A-F]{2})(?:\.\.([0-9A-F]{2}))?(\+r|\+cc)?', tokens.pop(0))
    if not m:
        fail(line, 'opcode byte')
    row.opcode = int(m[1], 16)
    if m[2]:
        row.count = int(m[2], 16) - row.opcode + 1
    if m[3] == '+r':
        row.count = 8
    row.cc = m[3] == '+cc'
    for t in tokens:
        if t == '/r':
            row.has_modrm = True
        elif re.fullmatch('/[0-7]', t):
            row.has_modrm, row.digit = True, int(t[1])
        elif re.fullmatch('=[0-9A-F]{2}', t):
            row.has_modrm, row.modrm = True, int(t[1:], 16)
        elif t in ('mem', 'reg'):
            row.mod = 1 if t == 'mem' else 2
        else:
            fail(line, f'encoding token {t}')


def parse(path):
    rows = []
    for number, raw in enumerate(open(path), 1):
        raw = raw.strip()
        if not raw or raw.startswith('#'):
            continue
        number = f'{os.path.basename(path)}:{number}'
        if raw.startswith('include '):
            rows += parse(os.path.join(os.path.dirname(path), raw.split()[1]))
            continue
        try:
            lines = expand(raw)
        except ValueError as e:
            fail(number, e)
        for text in lines:
            rows += parse_row(text, number)
    return rows


def parse_row(text, number):
    fields = [f.strip() for f in text.split(' ; ')]
    if len(fields) != 5:
        fail(number, 'five columns expected')
    mnemonic, operands, encoding, execute, traits = fields
    base = Row()
    base.line, base.text = number, f'{mnemonic} {operands} = {encoding}'
    encode(base, encoding, number)
    base.operands = [] if operands == '-' else [operand(o, number) for o in operands.split(',')]
    base.builder, _, base.arg = execute.partition(':')
    base.traits, base.timing, base.feature, base.imm_shift, base.quick = [], None, None, 0, '0'
    base.read = base.written = base.undefined = ''
    for t in traits.split():
        if t.startswith('fr:'): base.read = t[3:]
        elif t.startswith('fw:'): base.written = t[3:]
        elif t.startswith('fu:'): base.undefined = t[3:]
        elif t.startswith('t:'): base.timing = t[2:]
        elif t.startswith('lane:'): base.imm_shift = int(t[5:])
        elif t.startswith('cpuid:'): base.feature = t[6:]
        elif t in TRAITS: base.traits.append(t)
        else: fail(number, f'trait {t}')
    if not base.timing:
        fail(number, 'no timing class')
    out = []
    for n in range(16 if base.cc else 1):
        row = Row()
        row.__dict__.update(base.__dict__)
        row.mnemonic = mnemonic
        if base.cc:
            row.mnemonic = mnemonic.replace('cc', CONDITIONS[n])
            row.text = base.text.replace('cc', CONDITIONS[n], 1)
            row.opcode, row.arg, row.read = base.opcode + n, str(n), CONDITION_FLAGS[n]
        out.append(row)
    return out


def unique(items):
    return list(dict.fromkeys(items))


def sse_forms(rows):
    """(id, fn, faults, size, to, from), one per record form pair."""
    forms = {}
    for r in rows:
        if r.builder not in ('sse', 'ssef'):
            continue
        to = 'G' if r.operands[0][0] in 'GRM' else 'V'
        source = r.operands[1] if r.operands[1][0] in 'WUE' or to == 'G' else r.operands[0]
        kind = 'E' if source[0] == 'E' else 'X' if 'unaligned' in r.traits else 'W'
        mark = {'E': 'g', 'X': 'u', 'W': ''}[kind]
        sizes = {'dq': [16], 'q': [8], 'd': [4], 'w': [2], 'b': [1], 'y': [4, 8]}[source[1][5:]]
        for s in sizes:
            ident = f'{r.arg}_{s}{mark}'
            quick = int('quick' in r.traits or (ident in forms and forms[ident][3]))
            forms[ident] = (ident, r.arg, int(r.builder == 'ssef'), quick, s, to, kind)
        r.form = f'FORM_{r.arg}_{sizes[0]}{mark}_r'
    return forms


PREFIX_BYTES = {1: 0, 2: 0x66, 3: 0xf3, 4: 0xf2}


def sse_host(rows):
    """One line per record form that cannot fault, keeps the flags and names all its operands."""
    lines = {}
    forms = sse_forms(rows)
    for r in rows:
        if r.builder != 'sse' or 'soft' in r.traits or r.written:
            continue
        for ident, fn, faults, quick, size, to, source in forms.values():
            if not r.form.startswith('FORM_' + ident + '_') or 'FORM_' + ident + '_r' != r.form or ident in lines:
                continue
            to = {'U': 'U', 'R': 'R', 'M': 'R', 'G': 'G'}.get(r.operands[0][0], 'V')
            immediate = int(any(k == 'I' for k, s in r.operands))
            lines[ident] = (f'SSE_HOST({ident}, 0x{r.opcode:02x}, 0x{PREFIX_BYTES[r.prefix]:02x}, {r.map}, {max(r.digit, 0)}, {immediate}, '
                            f'{int("w1" in r.traits)}, {size}, {to}, {source}, {"CPU_" + r.feature if r.feature else 0})')
    return list(lines.values())


def mmx_forms(rows):
    """(id, fn, faults, size, to, from), one per record form pair."""
    forms = {}
    for r in rows:
        if r.builder not in ('mmx', 'mmxf'):
            continue
        source = r.operands[0 if r.operands[0][0] == 'N' else 1]
        kind = {'Q': 'Q', 'N': 'Q', 'W': 'W', 'U': 'W', 'E': 'E'}[source[0]]
        to = 'P' if r.operands[0][0] == 'N' else r.operands[0][0]
        size = {'dq': 16, 'q': 8, 'd': 4, 'w': 2}[source[1][5:]]
        ident = f'mm_{r.arg}_{to}{kind}{size}'
        forms[ident] = (ident, r.arg, int(r.builder == 'mmxf'), size, to, kind)
        r.form = f'FORM_{ident}_r'
    return forms


AVX_KINDS = {'avx': 'LANE', 'avxf': 'LANE_FAULTING', 'avxw': 'WHOLE', 'avxwf': 'WHOLE_FAULTING'}


def avx_ops(rows):
    """(id, kind, fn, to, shared, imm_shift), one per way in which rows use a function."""
    ops = {}
    for r in rows:
        if r.builder not in AVX_KINDS:
            continue
        kind = AVX_KINDS[r.builder]
        to = 'FLAGS' if r.written else 'GENERAL' if r.operands[0][0] in 'GE' else 'VECTOR'
        wide = r.operands[0][1] in ('SIZE_x', 'SIZE_qq')
        second = [o for o in r.operands if o[0] in 'WU'][-1:]
        shared = int(kind.startswith('LANE') and wide and second != [] and second[0][1] == 'SIZE_dq')
        r.form = f'{r.arg}_{to.lower()}' + ('_shared' if shared else '') + (f'_{r.imm_shift}' if r.imm_shift else '')
        ops[r.form] = (r.form, kind, r.arg, to, shared, r.imm_shift)
        r.form = 'AVX_OP_' + r.form
    return ops


def avx_forms(rows):
    """Operations whose SSE sister is quick.  (macro, id, fn, [size,] to, from); sets row.quick to the first form's name."""
    quick = {r.arg for r in rows if r.builder in ('sse', 'ssef') and 'quick' in r.traits}
    ops, forms = avx_ops(rows), {}
    for r in rows:
        if r.builder not in ('avx', 'avxf') or r.arg not in quick:
            continue
        form, kind, fn, to, shared, shift = ops[r.form[len('AVX_OP_'):]]
        source = [o for o in r.operands if o[0] in 'WUE'][-1]
        size = {'SIZE_d': 4, 'SIZE_q': 8, 'SIZE_w': 2}.get(source[1], 16)
        if shared or shift or r.operands[0][0] in 'UE':
            continue
        kind = 'E' if source[0] == 'E' else 'W'
        ident = f'avx_{fn}_{size}{kind.lower()}'
        if to == 'VECTOR' and size == 16 and kind == 'W':
            forms[ident] = ('AVX_FORM', ident, fn)
        else:
            forms[ident] = ('AVX_FORM_SCALAR', ident, fn, size, to, kind)
        r.quick = f'FORM_{ident}_r'
    return forms


def avx_host(rows):
    sisters = {r.arg: r for r in rows if r.builder == 'sse' and r.map == 1 and 'soft' not in r.traits and not r.written}
    lines = []
    for form in avx_forms(rows).values():
        r = sisters.get(form[2])
        if form[0] != 'AVX_FORM' or r is None:
            continue
        immediate = int(any(k == 'I' for k, s in r.operands))
        lines.append(f'AVX_HOST({form[1]}, 0x{r.opcode:02x}, 0x{PREFIX_BYTES[r.prefix]:02x}, {max(r.digit, 0)}, {immediate}, '
                     f'{"U" if r.operands[0][0] == "U" else "V"})')
    return lines


def c_row(r):
    traits = '|'.join('TRAIT_' + t.upper() for t in r.traits) or '0'
    ops = ', '.join(f'{{ KIND_{k}, {s} }}' for k, s in r.operands)
    arg, call, x87 = '0', 'NULL', 'NULL'
    if r.builder in SYS_BUILDERS:
        call = r.arg
    elif r.builder in ('sse', 'ssef', 'mmx', 'mmxf') or r.builder in AVX_KINDS:
        arg = r.form
    elif r.builder.startswith('x87'):
        x87 = r.arg
    elif r.arg:
        arg = r.arg if r.arg.isdigit() else f'ARG_{r.builder}_{r.arg}'
    builder = builder_of(r)
    feature = 'CPU_' + r.feature if r.feature else '0'
    return (f'    {{ .op = OP_{r.mnemonic}, .map = {r.map}, .vex = {r.vex}, .opcode = 0x{r.opcode:02x}, .count = {r.count}, .prefix = {r.prefix}, '
            f'.digit = {r.digit}, .modrm = {r.modrm}, .mod = {r.mod}, .has_modrm = {str(r.has_modrm).lower()}, '
            f'.build = build_{builder}, .arg = {arg}, .sys = {call}, .x87 = {x87}, .operand = {{ {ops} }}, .traits = {traits}, '
            f'.timing = TIMING_{r.timing}, .flags_read = 0x{flags(r.read):x}, .flags_written = 0x{flags(r.written):x}, '
            f'.flags_undefined = 0x{flags(r.undefined):x}, .text = "{r.text}", .exec = "{r.builder}{":" + r.arg if r.arg else ""}", .line = "{r.line}", .feature = {feature}, .quick = {r.quick} }},')


def builder_of(r):
    return r.builder[:3] if r.builder in ('ssef', 'mmxf') else 'avx' if r.builder in AVX_KINDS else r.builder


def write_rows(rows):
    sse_forms(rows)
    mmx_forms(rows)
    avx_forms(rows)
    out = ['const struct x86_row x86_rows[] = {'] + [c_row(r) for r in rows] + ['};',
            f'const unsigned x86_row_count = {len(rows)};']
    lists, index = [], []
    for m in range(MAP_COUNT):
        for opcode in range(256):
            hits = [n for n, r in enumerate(rows) if r.map + (MAP_VEX if r.vex != 'VEX_NONE' else 0) == m and r.opcode <= opcode < r.opcode + r.count]
            index.append(f'{{ {len(lists)}, {len(hits)} }}')
            lists += hits
    out += ['const uint16_t x86_candidates[] = {', ', '.join(map(str, lists)), '};',
            'const struct x86_candidate_list x86_index[X86_MAP_COUNT][256] = {']
    for m in range(MAP_COUNT):
        out.append('{ ' + ', '.join(index[m * 256:m * 256 + 256]) + ' },')
    return out + ['};']


def write_opcodes(rows):
    names = unique(r.mnemonic for r in rows)
    classes = ['NONE'] + unique(r.timing for r in rows) # 0: not the first record of an instruction
    out = ['#ifndef X86_OPCODES_H', '#define X86_OPCODES_H', 'enum op { OP_NONE,'] + [f'    OP_{n},' for n in names] + ['    OP_COUNT', '};']
    out += ['enum timing_class {'] + [f'    TIMING_{c},' for c in classes] + ['    TIMING_CLASS_COUNT', '};']
    out += ['#define X86_OP_NAMES(X) \\'] + [f'    X(OP_{n}, "{n.lower()}") \\' for n in names] + ['']
    out += ['#define X86_TIMING_CLASSES(X) \\'] + [f'    X({c}) \\' for c in classes] + ['']
    return out + ['#endif']


def main():
    rows = parse(sys.argv[1])
    name = sys.argv[2].rsplit('/', 1)[1]
    if name == 'opcodes.h':
        out = write_opcodes(rows)
    elif name == 'opcode_rows.inc':
        out = write_rows(rows)
    elif name == 'builders.h':
        out = [f'build_fn build_{b};' for b in unique(builder_of(r) for r in rows if r.builder != 'sys')]
        out += ['build_fn build_sys;']
    elif name == 'sse_forms.def':
        out = ['SSE_FORM(%s, %s, %d, %d, %d, %s, %s)' % f for f in sse_forms(rows).values()]
    elif name == 'sse_host.def':
        out = sse_host(rows)
    elif name == 'sys_functions.h':
        out = ['#ifndef X86_SYS_FUNCTIONS_H', '#define X86_SYS_FUNCTIONS_H', '#include "sim/cpu/cpu.h"']
        out += [f'sys_fn {f};' for f in unique(r.arg for r in rows if r.builder in SYS_BUILDERS)] + ['#endif']
    elif name == 'x87_functions.h':
        out = ['#ifndef X86_X87_FUNCTIONS_H', '#define X86_X87_FUNCTIONS_H', '#include "sim/cpu/cpu.h"']
        out += [f'x87_fn {f};' for f in unique(r.arg for r in rows if r.builder.startswith('x87'))] + ['#endif']
    elif name == 'sse_functions.h':
        out = ['#ifndef X86_SSE_FUNCTIONS_H', '#define X86_SSE_FUNCTIONS_H', '#include "sim/cpu/cpu.h"']
        lanes = [(o[2], int(o[1] == 'LANE_FAULTING')) for o in avx_ops(rows).values() if o[1].startswith('LANE')]
        for fn, faults in unique([(f[1], f[2]) for f in sse_forms(rows).values()] + lanes):
            out.append(f'{"enum exec_result" if faults else "void"} {fn}(struct cpu *, union xmm *to, const union xmm *from, unsigned imm);')
        out += ['#endif']
    elif name == 'mmx_forms.def':
        out = ['MMX_FORM(%s, %s, %d, %d, %s, %s)' % f for f in mmx_forms(rows).values()]
    elif name == 'mmx_functions.h':
        out = ['#ifndef X86_MMX_FUNCTIONS_H', '#define X86_MMX_FUNCTIONS_H', '#include "sim/cpu/cpu.h"']
        for fn, faults in unique((f[1], f[2]) for f in mmx_forms(rows).values() if f[1].startswith('mmx_')):
            out.append(f'{"enum exec_result" if faults else "void"} {fn}(struct cpu *, union xmm *to, const union xmm *from, unsigned imm);')
        out += ['#endif']
    elif name == 'avx_forms.def':
        out = ['%s(%s)' % (f[0], ', '.join(map(str, f[1:]))) for f in avx_forms(rows).values()]
    elif name == 'avx_host.def':
        out = avx_host(rows)
    elif name == 'avx_ops.def':
        out = ['AVX_OP(%s, %s, %s, %s, %d, %d)' % o for o in avx_ops(rows).values()]
    elif name == 'avx_functions.h':
        out = ['#ifndef X86_AVX_FUNCTIONS_H', '#define X86_AVX_FUNCTIONS_H', '#include "sim/cpu/avx/avx.h"']
        for fn, kind in unique((o[2], o[1]) for o in avx_ops(rows).values() if o[1].startswith('WHOLE')):
            out.append(f'{"avxf_fn" if kind == "WHOLE_FAULTING" else "avx_fn"} {fn};')
        out += ['#endif']
    else:
        sys.exit(f'{name}: not something this script writes')
    with open(sys.argv[2], 'w') as f:
        f.write('/* Made from spec/x86/opcodes.tbl by tools/gen/x86_opcodes.py. */\n' + '\n'.join(out) + '\n')


if __name__ == "__main__":
    main()
