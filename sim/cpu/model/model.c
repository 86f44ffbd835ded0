/* The models' table, and how a machine gets one. */
#include "sim/cpu/model/model.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"

/* MSR_<NAME>: indices, for the models' constants. */
enum {
#define MSR(index, count, NAME, access, writable, rule, vendor, feature) MSR_##NAME = (int)(index),
#include "spec/x86/msrs.def"
#undef MSR
};

#include "x86/cpu_models.inc"

enum feature_state { HAVE, LACK, LIVE };

static const struct { const char *name; enum feature_state state; } features[CPU_FEATURE_COUNT] = {
#define FEATURE(name, leaf, subleaf, reg, bit, state) [CPU_##name] = { #name, state },
#include "spec/x86/features.def"
#undef FEATURE
};

/* Without the first there is no second; in this order. */
static const struct { uint16_t base, extra; } needs[] = {
    { CPU_SSE3, CPU_SSSE3 }, { CPU_SSSE3, CPU_SSE4_1 }, { CPU_SSE4_1, CPU_SSE4_2 }, { CPU_SSE4_2, CPU_AVX },
    { CPU_XSAVE, CPU_XSAVEOPT }, { CPU_XSAVE, CPU_XSAVEC }, { CPU_XSAVE, CPU_XGETBV1 }, { CPU_XSAVE, CPU_XSAVES },
    { CPU_XSAVE, CPU_AVX }, { CPU_AVX, CPU_AVX2 }, { CPU_AVX, CPU_FMA }, { CPU_AVX, CPU_F16C },
};

const struct cpu_model *cpu_model_at(unsigned n)
{
    return n < CPU_MODEL_COUNT ? &cpu_models[n] : NULL;
}

const struct cpu_model *cpu_model_find(const char *name, size_t length)
{
    for (unsigned n = 0; n < CPU_MODEL_COUNT; n++) {
        if (strlen(cpu_models[n].name) == length && !memcmp(cpu_models[n].name, name, length)) {
            return &cpu_models[n];
        }
    }
    return NULL;
}

const char *cpu_model_vendor_name(const struct cpu_model *model)
{
    return model->vendor == CPU_VENDOR_AMD ? "AMD" : "Intel";
}

const char *cpu_feature_name(enum cpu_feature feature)
{
    return features[feature].name;
}

bool cpu_feature_is_implemented(enum cpu_feature feature)
{
    return feature == CPU_ALWAYS || features[feature].state == HAVE;
}

/* --- giving it to a machine --------------------------------------------------------------- */

static void set(struct cpu_features *f, unsigned feature, bool on)
{
    uint64_t bit = 1ull << feature % 64;

    f->bits[feature / 64] = on ? f->bits[feature / 64] | bit : f->bits[feature / 64] & ~bit;
}

/* Case does not matter, and '-' is as good as '_'. */
static bool same_name(const char *text, size_t length, const char *name)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i] == '-' ? '_' : text[i];
        if (!name[i] || toupper((unsigned char)c) != name[i]) {
            return false;
        }
    }
    return !name[length];
}

static unsigned find_feature(const char *text, size_t length)
{
    for (unsigned f = 1; f < CPU_FEATURE_COUNT; f++) {
        if (features[f].state != LIVE && same_name(text, length, features[f].name)) {
            return f;
        }
    }
    return 0;
}

/* One change: +FEATURE, -FEATURE or phys-bits=N. */
static bool change(struct machine *m, const char *text, size_t length, char *error, unsigned error_size)
{
    static const char width[] = "phys-bits=";

    if (length > sizeof width - 1 && !memcmp(text, width, sizeof width - 1)) {
        long bits = strtol(text + sizeof width - 1, NULL, 10);
        if (bits < 36 || bits > 52) {
            snprintf(error, error_size, "processor model: %.*s: from 36 to 52", (int)length, text);
            return false;
        }
        m->physical_bits = (uint8_t)bits;
        return true;
    }
    unsigned feature = length > 1 && (text[0] == '+' || text[0] == '-') ? find_feature(text + 1, length - 1) : 0;
    if (!feature) {
        snprintf(error, error_size, "processor model: '%.*s': want +FEATURE, -FEATURE or phys-bits=N; "
                                    "spec/x86/features.def has the names", (int)length, text);
        return false;
    }
    if (text[0] == '+' && features[feature].state == LACK) {
        snprintf(error, error_size, "processor model: hvlab does not implement %s", features[feature].name);
        return false;
    }
    set(&m->features, feature, text[0] == '+');
    return true;
}

/* What is lacked, and what makes no sense without it. */
static void mask(struct cpu_features *f)
{
    for (unsigned n = 1; n < CPU_FEATURE_COUNT; n++) {
        if (features[n].state != HAVE) {
            set(f, n, false);
        }
    }
    for (unsigned i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if (!cpu_features_has(f, (enum cpu_feature)needs[i].base)) {
            set(f, needs[i].extra, false);
        }
    }
}

bool cpu_model_apply(struct machine *m, const char *text, bool vtx, char *error, unsigned error_size)
{
    size_t length = strcspn(text, ",");
    const struct cpu_model *model = cpu_model_find(text, length);

    if (!model || strlen(text) >= sizeof m->model_text) {
        snprintf(error, error_size, "no processor model '%s'; `hvlab list cpus` names them", text);
        return false;
    }
    memset(&m->features, 0, sizeof m->features);
    m->model = model;
    m->physical_bits = model->physical_bits;
    snprintf(m->model_text, sizeof m->model_text, "%s", text);
    for (unsigned n = 0; n < model->feature_count; n++) {
        set(&m->features, model->features[n], true);
    }
    for (const char *at = text + length; *at; at += length) {
        at++;
        length = strcspn(at, ",");
        if (!change(m, at, length, error, error_size)) {
            return false;
        }
    }
    if (!vtx) {
        set(&m->features, CPU_VMX, false);
    }
    mask(&m->features);
    return true;
}

void cpu_model_state(struct machine *m, struct state *s)
{
    char text[sizeof m->model_text];

    memcpy(text, m->model_text, sizeof text);
    STATE_VISIT(s, text);
    if (memcmp(text, m->model_text, sizeof text) != 0) {
        text[sizeof text - 1] = 0;
        state_fail(s, "saved with processor model '%s', this machine has '%s'", text, m->model_text);
    }
}

uint32_t cpu_model_signature(const struct cpu *cpu)
{
    return (cpu->machine->model ? cpu->machine->model : cpu_model_at(0))->signature;
}

uint64_t cpu_model_constant(const struct machine *m, uint32_t msr, uint64_t otherwise)
{
    for (unsigned n = 0; m->model && n < m->model->constant_count; n++) {
        if (m->model->constants[n].index == msr) {
            return m->model->constants[n].value;
        }
    }
    return otherwise;
}
