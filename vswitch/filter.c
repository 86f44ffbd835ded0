/* Filter extension: rules from the configuration (grammar: extension.h). */
#include "vswitch/extension.h"

enum term { TERM_SOURCE = 1, TERM_DESTINATION = 2, TERM_TYPE = 4, TERM_VLAN = 8, TERM_PORT = 16 };

struct rule {
    uint64_t source, destination;
    uint16_t type, vlan, port;
    uint8_t terms; /* enum term */
    uint8_t allow;
};
struct filter {
    unsigned count;
    struct rule rule[VSW_FILTER_RULES_MAX];
};
_Static_assert(sizeof(struct filter) <= VSW_FILTER_SIZE, "fits what tests give");

/* Skips 'word' at *text; false leaves the text alone. */
static bool take(const char **text, const char *word)
{
    const char *t = *text;
    while (*word)
        if (*t++ != *word++)
            return false;
    *text = t;
    return true;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_number(const char **text, uint16_t *value)
{
    int base = take(text, "0x") ? 16 : 10, count = 0;
    uint32_t number = 0;
    for (; digit(**text) >= 0 && digit(**text) < base && number <= 0xFFFF; (*text)++, count++)
        number = number * (uint32_t)base + (uint32_t)digit(**text);
    *value = (uint16_t)number;
    return count > 0 && number <= 0xFFFF;
}

static bool take_mac(const char **text, uint64_t *mac)
{
    *mac = 0;
    for (unsigned i = 0; i < 6; i++) {
        const char *t = *text;
        if ((i > 0 && *t++ != ':') || digit(t[0]) < 0 || digit(t[1]) < 0)
            return false;
        *mac = *mac << 8 | (uint64_t)(digit(t[0]) * 16 + digit(t[1]));
        *text = t + 2;
    }
    return true;
}

static bool take_term(const char **text, struct rule *rule)
{
    if (take(text, "src=")) {
        rule->terms |= TERM_SOURCE;
        return take_mac(text, &rule->source);
    }
    if (take(text, "dst=")) {
        rule->terms |= TERM_DESTINATION;
        return take_mac(text, &rule->destination);
    }
    if (take(text, "type=")) {
        rule->terms |= TERM_TYPE;
        return take_number(text, &rule->type);
    }
    if (take(text, "vlan=")) {
        rule->terms |= TERM_VLAN;
        return take_number(text, &rule->vlan);
    }
    if (take(text, "port=")) {
        rule->terms |= TERM_PORT;
        return take_number(text, &rule->port);
    }
    return false;
}

int vsw_filter_parse(const char *text, void *memory)
{
    struct filter *filter = memory;
    filter->count = 0;
    while (*text) {
        struct rule rule = { 0 };
        while (take(&text, " ") || take(&text, ";"))
            ;
        if (!*text)
            break;
        if (filter->count == VSW_FILTER_RULES_MAX)
            return -1;
        if (take(&text, "allow"))
            rule.allow = 1;
        else if (!take(&text, "drop"))
            return -1;
        while (take(&text, " "))
            if (*text && *text != ';' && *text != ' ' && !take_term(&text, &rule))
                return -1;
        if (*text && *text != ';')
            return -1;
        filter->rule[filter->count++] = rule;
    }
    return (int)filter->count;
}

static void *filter_start(void)
{
    const char *text = svc_config("switch.filter");
    if (!text || !*text)
        return NULL;
    struct filter *filter = svc_alloc(sizeof *filter, 64);
    if (vsw_filter_parse(text, filter) < 0)
        svc_panic("switch.filter=%s: not a list of rules (drop|allow src= dst= type= vlan= port=; ...)\n", text);
    return filter;
}

static bool matches(const struct rule *rule, const struct vsw_frame *frame, unsigned port)
{
    return (!(rule->terms & TERM_SOURCE) || rule->source == frame->source) &&
           (!(rule->terms & TERM_DESTINATION) || rule->destination == frame->destination) &&
           (!(rule->terms & TERM_TYPE) || rule->type == frame->type) &&
           (!(rule->terms & TERM_VLAN) || rule->vlan == frame->vid) &&
           (!(rule->terms & TERM_PORT) || rule->port == port);
}

static bool filter_look(void *state, const struct svc_packet *packet, const struct vsw_frame *frame,
                        unsigned port)
{
    const struct filter *filter = state;
    (void)packet;
    for (unsigned i = 0; i < filter->count; i++)
        if (matches(&filter->rule[i], frame, port))
            return filter->rule[i].allow;
    return true;
}

const struct vsw_extension vsw_extension_filter = { "filter", filter_start, filter_look };
