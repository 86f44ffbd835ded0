/* Decoder against Capstone: the length and name of what random bytes and real
 * code mean, in 64-bit and 32-bit mode.  Differences that are understood are
 * rows of explained.def; names that merely differ are rows of names.def. */
#include <capstone/capstone.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/decode/decode.h"
#include "tests/oracle/oracle.h"

enum { COMPLAINTS_MAX = 60, MODE64 = MODE_LONG64 | MODE_PROT | MODE_LMA | MODE_FLAT | MODE_SSE_OK,
       MODE32 = MODE_CODE32 | MODE_PROT | MODE_FLAT | MODE_SSE_OK };

struct checker {
    csh handle;
    cs_insn *insn;
    unsigned bits;
    unsigned long cases, both, neither, not_offered, stray, reordered, explained, wrong;
};

/* --- names ------------------------------------------------------------------------------ */

/* Does 'name' match one of the space-separated patterns? */
static bool matches_one(const char *name, const char *pattern, size_t length)
{
    const char *star = memchr(pattern, '*', length);
    if (!star) {
        return strlen(name) == length && !memcmp(name, pattern, length);
    }
    size_t head = (size_t)(star - pattern), tail = length - head - 1, have = strlen(name);
    return have >= head + tail && !memcmp(name, pattern, head) &&
           !memcmp(name + have - tail, star + 1, tail);
}

static bool matches(const char *name, const char *patterns)
{
    while (*patterns) {
        size_t length = strcspn(patterns, " ");
        if (matches_one(name, patterns, length)) {
            return true;
        }
        patterns += length + (patterns[length] == ' ');
    }
    return false;
}

/* jz and je, setnbe and seta, cmovnl and cmovge. */
static bool same_condition(const char *ours, const char *theirs, const char *cc, const char *their_cc)
{
    static const char *const stems[] = { "j", "set", "cmov" };
    for (unsigned i = 0; i < 3; i++) {
        size_t n = strlen(stems[i]);
        if (!strncmp(ours, stems[i], n) && !strcmp(ours + n, cc)) {
            return !strncmp(theirs, stems[i], n) && !strcmp(theirs + n, their_cc);
        }
    }
    return false;
}

static bool same_suffixed(const char *ours, const char *theirs, const char *stem, const char *letters)
{
    size_t n = strlen(stem);
    return !strcmp(ours, stem) && !strncmp(theirs, stem, n) &&
           (theirs[n] == 0 || (strchr(letters, theirs[n]) && (theirs[n + 1] == 0 || theirs[n] == '6')));
}

/* Capstone writes prefixes into the mnemonic. */
static const char *without_prefixes(const char *name)
{
    static const char *const words[] = {
        "lock ", "rep ", "repe ", "repz ", "repne ", "repnz ", "bnd ", "notrack ", "xacquire ", "xrelease ",
        "data16 ", "addr32 ",
    };
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!strncmp(name, words[i], strlen(words[i]))) {
            return without_prefixes(name + strlen(words[i]));
        }
    }
    return name;
}

static bool same_name(const char *ours, const char *theirs)
{
    theirs = without_prefixes(theirs);
    bool same = !strcmp(ours, theirs);
#define NAME(a, b) same |= !strcmp(ours, #a) && matches(theirs, b);
#define CC(a, b) same |= same_condition(ours, theirs, #a, #b);
#define SUFFIX(a, b) same |= same_suffixed(ours, theirs, #a, b);
#include "tests/oracle/names.def"
    return same;
}

/* --- what is known ------------------------------------------------------------------------- */

enum kind { ONLY_CAPSTONE, ONLY_OURS, LENGTH, NAME };
static const char *const kind_names[] = {
    "only Capstone decodes", "only we decode", "length differs", "name differs",
};

static bool explained(enum kind kind, unsigned bits, const char *capstone, const char *ours)
{
    static const struct { enum kind kind; unsigned bits; const char *capstone, *ours; } rows[] = {
#define EXPLAINED(k, b, c, o, why) { k, b, c, o },
#include "tests/oracle/explained.def"
        { ONLY_OURS, 1, "", "" },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].kind == kind && (rows[i].bits == 0 || rows[i].bits == bits) &&
            matches(without_prefixes(capstone), rows[i].capstone) && matches(ours, rows[i].ours)) {
            return true;
        }
    }
    return false;
}

/* Extensions that our CPUID does not offer raise #UD. */
static bool is_not_offered(const struct checker *k)
{
    static const uint8_t groups[] = {
        X86_GRP_3DNOW, X86_GRP_AVX512, X86_GRP_FMA4, X86_GRP_HLE, X86_GRP_RTM, X86_GRP_SSE4A, X86_GRP_XOP, X86_GRP_CDI,
        X86_GRP_ERI, X86_GRP_TBM, X86_GRP_SGX, X86_GRP_DQI, X86_GRP_BWI, X86_GRP_PFI, X86_GRP_VLX,
    };
    for (unsigned i = 0; i < sizeof groups; i++) {
        if (cs_insn_group(k->handle, k->insn, groups[i])) {
            return true;
        }
    }
    return false;
}

/* Capstone ignores prefixes that make an opcode undefined: LOCK where it is not
 * allowed, and 66, F2, F3 that select no row.  So is it defined without some? */
static bool stray_prefix(const struct checker *k, const uint8_t *bytes)
{
    static const char *const strays[] = { "\xf0", "\x66", "\xf2\xf3", "\xf0\xf2\xf3", "\xf0\x66", "\xf0\x66\xf2\xf3" };
    for (unsigned n = 0; n < sizeof strays / sizeof strays[0]; n++) {
        uint8_t plain[15];
        struct decoded d;
        bool in_prefixes = true;
        for (unsigned i = 0; i < sizeof plain; i++) {
            bool rex = k->bits == 64 && (bytes[i] & 0xf0) == 0x40;
            in_prefixes &= rex || strchr("\xf0\xf2\xf3\x66\x67\x2e\x36\x3e\x26\x64\x65", bytes[i]) != NULL;
            plain[i] = in_prefixes && bytes[i] && strchr(strays[n], bytes[i]) ? 0x2e : bytes[i];
        }
        if (memcmp(plain, bytes, sizeof plain) &&
            decode_insn(k->bits == 64 ? MODE64 : MODE32, plain, sizeof plain, &d) == DECODE_OK) {
            return true;
        }
    }
    return false;
}

/* Capstone wants a mandatory prefix next to the opcode, and alone; silicon takes
 * prefixes in any order, F2 and F3 before 66, the last of F2 and F3.  So: does
 * Capstone agree once they are put in its order?  'd' is our reading. */
static bool agrees_reordered(struct checker *k, const uint8_t *bytes, const struct decoded *d)
{
    uint8_t plain[15] = { 0 };
    unsigned from = 0, to = 0, limit = 15;
    bool size = false, rex_rules = k->bits == 64;
    uint8_t repeat = 0, rex = 0;
    for (; from < limit; from++) {
        uint8_t b = bytes[from];
        bool is_rex = rex_rules && (b & 0xf0) == 0x40;
        if (b == 0xf2 || b == 0xf3) {
            repeat = b;
        } else if (b == 0x66) {
            size = true;
        } else if (is_rex || b == 0xf0 || b == 0x67 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 ||
                   b == 0x64 || b == 0x65) {
            plain[to] = b;
            to += !is_rex;
        } else {
            break;
        }
        rex = is_rex ? b : 0;
    }
    if (size && !(repeat && d->row->prefix >= PREFIX_F3)) {
        plain[to++] = 0x66;
    }
    if (repeat) {
        plain[to++] = repeat;
    }
    if (rex) {
        plain[to++] = rex;
    }
    unsigned dropped = from - to;
    memcpy(plain + to, bytes + from, limit - from);

    const uint8_t *at = plain;
    size_t left = limit - dropped;
    uint64_t address = 0x400000;
    return cs_disasm_iter(k->handle, &at, &left, &address, k->insn) &&
           k->insn->size + dropped == d->sys.length && same_name(x86_op_name(d->row->op), k->insn->mnemonic);
}

/* --- one instruction -------------------------------------------------------------------------- */

static void complain(struct checker *k, enum kind kind, const uint8_t *bytes, unsigned shown,
                     const char *theirs, unsigned their_length, const char *ours, unsigned our_length)
{
    if (k->wrong++ >= COMPLAINTS_MAX) {
        return;
    }
    printf("%u-bit, %s:", k->bits, kind_names[kind]);
    for (unsigned i = 0; i < shown; i++) {
        printf(" %02x", bytes[i]);
    }
    printf("   Capstone: %s (%u)  ours: %s (%u)\n", theirs, their_length, ours, our_length);
}

/* Returns the length to go on with. */
static unsigned check(struct checker *k, const uint8_t *bytes)
{
    const uint8_t *at = bytes;
    size_t size = 15;
    uint64_t address = 0x400000;
    struct decoded d;
    bool theirs = cs_disasm_iter(k->handle, &at, &size, &address, k->insn);
    bool ours = decode_insn(k->bits == 64 ? MODE64 : MODE32, bytes, 15, &d) == DECODE_OK;
    char their_name[CS_MNEMONIC_SIZE] = "-";
    const char *our_name = ours ? x86_op_name(d.row->op) : "-";
    unsigned their_length = theirs ? k->insn->size : 0, our_length = ours ? d.sys.length : 0;

    if (theirs) {
        snprintf(their_name, sizeof their_name, "%s", k->insn->mnemonic);
    }
    k->cases++;
    if (!theirs && !ours) {
        k->neither++;
        return 1;
    }
    enum kind kind = !ours ? ONLY_CAPSTONE : !theirs ? ONLY_OURS : their_length != our_length ? LENGTH : NAME;
    if (kind == NAME && same_name(our_name, their_name)) {
        k->both++;
    } else if (kind == ONLY_CAPSTONE && is_not_offered(k)) {
        k->not_offered++;
    } else if (kind == ONLY_CAPSTONE && stray_prefix(k, bytes)) {
        k->stray++;
    } else if (explained(kind, k->bits, their_name, our_name)) {
        k->explained++;
    } else if (ours && agrees_reordered(k, bytes, &d)) {
        k->reordered++;
    } else {
        unsigned shown = their_length > our_length ? their_length : our_length;
        complain(k, kind, bytes, shown, their_name, their_length, our_name, our_length);
    }
    return their_length ? their_length : our_length;
}

/* --- sources of code ----------------------------------------------------------------------------- */

static void check_random(struct checker *k, unsigned long count)
{
    static const uint8_t prefixes[] = {
        0x66, 0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x2e, 0x64, 0x65, 0x40, 0x41, 0x48, 0x4f, 0x44,
    };
    uint64_t seed = 0xa4093822299f31d0;
    for (unsigned long n = 0; n < count; n++) {
        uint8_t bytes[16];
        unsigned at = 0;
        for (unsigned i = 0; i < 16; i += 8) {
            uint64_t r = oracle_random(&seed);
            memcpy(bytes + i, &r, 8);
        }
        while (at < 3 && oracle_chance(&seed, 30)) {
            bytes[at++] = prefixes[oracle_random(&seed) % sizeof prefixes];
        }
        if (oracle_chance(&seed, 50)) {
            bytes[at] = 0x0f;
        } else if (oracle_chance(&seed, 30)) { /* VEX; mostly without REX, and of a map that exists */
            at = oracle_chance(&seed, 90) ? 0 : at;
            bytes[at] = 0xc4;
            bytes[at + 1] = (uint8_t)((bytes[at + 1] & 0xe0) | (1 + oracle_random(&seed) % 3));
        }
        check(k, bytes);
    }
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *in = fopen(path, "rb");
    if (!in) {
        return NULL;
    }
    fseek(in, 0, SEEK_END);
    *size = (size_t)ftell(in);
    rewind(in);
    uint8_t *bytes = malloc(*size + 16);
    if (bytes && fread(bytes, 1, *size, in) != *size) {
        free(bytes);
        bytes = NULL;
    }
    fclose(in);
    return bytes;
}

/* Linear sweep over executable sections.  True: there was something. */
static bool check_elf(struct checker *k, const char *path, size_t limit)
{
    size_t size = 0;
    uint8_t *file = read_file(path, &size);
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)file;
    bool any = false;
    if (!file || size < sizeof *h || memcmp(file, ELFMAG, SELFMAG) || file[EI_CLASS] != ELFCLASS64 ||
        h->e_machine != EM_X86_64) {
        free(file);
        return false;
    }
    for (unsigned i = 0; i < h->e_shnum; i++) {
        const Elf64_Shdr *s = (const Elf64_Shdr *)(file + h->e_shoff + i * h->e_shentsize);
        if (s->sh_type != SHT_PROGBITS || !(s->sh_flags & SHF_EXECINSTR) || s->sh_offset + s->sh_size > size) {
            continue;
        }
        size_t end = s->sh_size < limit ? s->sh_size : limit;
        for (size_t at = 0; at + 15 <= end; any = true) {
            at += check(k, file + s->sh_offset + at);
        }
    }
    free(file);
    return any;
}

static void report(const struct checker *k, const char *what)
{
    printf("%s, %u-bit: %lu instructions: %lu agree, %lu neither decodes, %lu not offered, "
           "%lu stray prefixes, %lu agree with prefixes reordered, %lu explained, %lu wrong\n",
           what, k->bits, k->cases, k->both, k->neither, k->not_offered, k->stray, k->reordered, k->explained, k->wrong);
}

int main(int argc, char **argv)
{
    static const char *const files[] = { "/bin/true", "/lib/x86_64-linux-gnu/libc.so.6", "/proc/self/exe" };
    unsigned long count = getenv("HVLAB_LONG") ? 20000000 : 1000000, wrong = 0;

    for (unsigned wide = 0; wide < 2; wide++) {
        struct checker k = { .bits = wide ? 64 : 32 };
        if (cs_open(CS_ARCH_X86, wide ? CS_MODE_64 : CS_MODE_32, &k.handle) != CS_ERR_OK) {
            puts("Capstone does not open");
            return 1;
        }
        cs_option(k.handle, CS_OPT_DETAIL, CS_OPT_ON);
        k.insn = cs_malloc(k.handle);
        check_random(&k, count);
        report(&k, "random bytes");
        for (unsigned i = 0; wide && i < sizeof files / sizeof files[0] + (unsigned)argc - 1; i++) {
            const char *path = i < 3 ? files[i] : argv[i - 2];
            struct checker f = k;
            f.cases = f.both = f.neither = f.not_offered = f.stray = f.reordered = f.explained = f.wrong = 0;
            if (check_elf(&f, path, getenv("HVLAB_LONG") ? SIZE_MAX : 1 << 20)) {
                report(&f, path);
            } else {
                printf("SKIP: %s is no x86-64 ELF file with code\n", path);
            }
            wrong += f.wrong;
        }
        wrong += k.wrong;
        cs_free(k.insn, 1);
        cs_close(&k.handle);
    }
    return wrong != 0;
}
