#include "sim/debug/gdb_registers.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/cpu.h"
#include "sim/cpu/x87/x87.h"

enum kind { GPR, RIP, FLAGS, SELECTOR, ST, X87, XMM, MXCSR, YMMH, BASE, SYSTEM, FREE };

static const struct { uint8_t kind, size; uint32_t index; } row[] = {
#define FEATURE(name)
#define REG(name, bits, type, kind, index) { kind, (bits) / 8, index },
#include "sim/debug/gdb_registers.def"
#undef FEATURE
#undef REG
};
const unsigned gdb_register_count = sizeof row / sizeof *row;

unsigned gdb_register_size(unsigned number)
{
    return row[number].size;
}

static uint64_t x87_control(const struct cpu *c, unsigned index)
{
    switch (index) {
    case 0: return c->x87.cw;
    case 1: return x87_status(c);
    case 2: return x87_tags(c);
    case 3: return c->x87.cs;
    case 4: return (uint32_t)c->x87.ip;
    case 5: return c->x87.ds;
    case 6: return (uint32_t)c->x87.dp;
    default: return c->x87.op;
    }
}

void gdb_register_get(struct cpu *c, unsigned number, uint8_t to[16])
{
    uint32_t index = row[number].index;
    uint64_t value = 0;

    memset(to, 0, 16);
    switch ((enum kind)row[number].kind) {
    case GPR: value = c->gpr[index]; break;
    case RIP: value = c->rip; break;
    case FLAGS: value = cpu_rflags(c); break;
    case SELECTOR: value = c->seg[index].selector; break;
    case ST: memcpy(to, x87_st(c, index), 10); return;
    case X87: value = x87_control(c, index); break;
    case XMM: memcpy(to, &c->xmm[index], 16); return;
    case MXCSR: value = c->mxcsr; break;
    case YMMH: memcpy(to, &c->ymm_high[index], 16); return;
    case BASE: value = c->seg[index].base; break;
    case SYSTEM: case FREE: memcpy(&value, (const char *)c + index, row[number].size); break;
    }
    memcpy(to, &value, 8);
}

static bool set_x87_control(struct cpu *c, unsigned index, uint64_t value)
{
    switch (index) {
    case 0: x87_set_control(c, (uint16_t)value); return true;
    case 1: x87_set_status(c, (uint16_t)value); return true;
    case 2: x87_set_tags(c, (uint16_t)value); return true;
    default: return false; /* where the last instruction was is for reading */
    }
}

static bool set_mxcsr(struct cpu *c, uint64_t value)
{
    if (value >> 16) { /* reserved: LDMXCSR would fault */
        return false;
    }
    c->mxcsr = (uint32_t)value;
    return true;
}

static bool set_address(const struct cpu *c, void *field, uint64_t value)
{
    if (!cpu_canonical(c, value)) {
        return false;
    }
    memcpy(field, &value, sizeof value);
    return true;
}

bool gdb_register_set(struct cpu *c, unsigned number, const uint8_t from[16])
{
    enum { TF_AND_STATUS = 0x1cd5 | 1 << 9 | 1 << 10 }; /* what a debugger may do to RFLAGS without changing the mode */
    uint32_t index = row[number].index;
    uint64_t value;

    memcpy(&value, from, 8);
    switch ((enum kind)row[number].kind) {
    case GPR: c->gpr[index] = value; return true;
    case RIP: c->rip = value; return true;
    case FLAGS: cpu_set_rflags(c, (cpu_rflags(c) & ~(uint64_t)TF_AND_STATUS) | (value & TF_AND_STATUS)); return true;
    case ST: memcpy(x87_st(c, index), from, 10); return true;
    case XMM: memcpy(&c->xmm[index], from, 16); return true;
    case YMMH: memcpy(&c->ymm_high[index], from, 16); return true;
    case X87: return set_x87_control(c, index, value);
    case MXCSR: return set_mxcsr(c, value);
    case FREE: return set_address(c, (char *)c + index, value);
    case BASE: return (index == FS || index == GS) && set_address(c, &c->seg[index].base, value);
    default: return false;
    }
}

#define FLAG(name, bit) "<field name=\"" name "\" start=\"" bit "\" end=\"" bit "\"/>"

static const char system_types[] =
    "<flags id=\"cr0_flags\" size=\"8\">"
    FLAG("PE", "0") FLAG("MP", "1") FLAG("EM", "2") FLAG("TS", "3") FLAG("ET", "4") FLAG("NE", "5") FLAG("WP", "16") FLAG("AM", "18")
    FLAG("NW", "29") FLAG("CD", "30") FLAG("PG", "31")
    "</flags><flags id=\"cr4_flags\" size=\"8\">"
    FLAG("VME", "0") FLAG("PVI", "1") FLAG("TSD", "2") FLAG("DE", "3") FLAG("PSE", "4") FLAG("PAE", "5") FLAG("MCE", "6") FLAG("PGE", "7")
    FLAG("PCE", "8") FLAG("OSFXSR", "9") FLAG("OSXMMEXCPT", "10") FLAG("UMIP", "11") FLAG("LA57", "12") FLAG("VMXE", "13")
    FLAG("FSGSBASE", "16") FLAG("PCIDE", "17") FLAG("OSXSAVE", "18") FLAG("SMEP", "20") FLAG("SMAP", "21") FLAG("PKE", "22")
    "</flags><flags id=\"efer_flags\" size=\"8\">"
    FLAG("SCE", "0") FLAG("LME", "8") FLAG("LMA", "10") FLAG("NXE", "11") FLAG("SVME", "12") FLAG("FFXSR", "14")
    "</flags>";

/* Types that a feature's registers use. */
static const char *types_of(const char *feature)
{
    if (!strcmp(feature, "org.gnu.gdb.i386.core")) {
        return "<flags id=\"i386_eflags\" size=\"4\">"
               FLAG("CF", "0")
               FLAG("", "1")
               FLAG("PF", "2")
               FLAG("AF", "4")
               FLAG("ZF", "6")
               FLAG("SF", "7")
               FLAG("TF", "8")
               FLAG("IF", "9")
               FLAG("DF", "10")
               FLAG("OF", "11")
               FLAG("NT", "14")
               FLAG("RF", "16")
               FLAG("VM", "17")
               FLAG("AC", "18")
               FLAG("VIF", "19")
               FLAG("VIP", "20")
               FLAG("ID", "21") "</flags>";
    }
    if (!strcmp(feature, "org.gnu.gdb.i386.sse")) {
        return "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
               "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
               "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/><union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
               "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
               "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>";
    }
    if (!strcmp(feature, "org.hvlab.system")) {
        return system_types;
    }
    return "";
}

static const struct { const char *feature, *name, *type; unsigned bits; } text_row[] = {
#define FEATURE(feature) { #feature, NULL, NULL, 0 },
#define REG(name, bits, type, kind, index) { NULL, #name, #type, bits },
#include "sim/debug/gdb_registers.def"
#undef FEATURE
#undef REG
};

char *gdb_target_description(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out) {
        return NULL;
    }
    fputs("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target><architecture>i386:x86-64</architecture>", out);
    for (unsigned i = 0; i < sizeof text_row / sizeof *text_row; i++) {
        const char *feature = text_row[i].feature;
        if (feature) {
            fprintf(out, "%s<feature name=\"%s\">%s", i ? "</feature>" : "", feature, types_of(feature));
        } else {
            fprintf(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>", text_row[i].name, text_row[i].bits, text_row[i].type);
        }
    }
    fputs("</feature></target>", out);
    fclose(out);
    return text;
}
