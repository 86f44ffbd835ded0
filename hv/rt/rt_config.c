/* The "config" module: key=value lines (spec/hv/boot.h). */
#include "hv/rt/rt.h"

bool rt_string_equal(const char *a, const char *b)
{
    size_t n = strlen(a);
    return n == strlen(b) && memcmp(a, b, n) == 0;
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\0'; }

/* Finds the value of 'key' in one line; NULL if the line is another's. */
static const char *line_value(const char *line, size_t size, const char *key, size_t *length)
{
    size_t n = strlen(key), i = 0;
    while (i < size && blank(line[i]))
        i++;
    if (i < size && line[i] == '#')
        return NULL;
    if (size - i < n || memcmp(line + i, key, n) != 0)
        return NULL;
    for (i += n; i < size && blank(line[i]); i++) {
    }
    if (i >= size || line[i] != '=')
        return NULL;
    for (i++; i < size && blank(line[i]); i++) {
    }
    while (size > i && blank(line[size - 1]))
        size--;
    *length = size - i;
    return line + i;
}

int rt_config_get(const struct rt_config *config, const char *key, char *value, size_t size)
{
    const char *found = NULL;
    size_t length = 0;
    for (size_t at = 0; at < config->size;) {
        size_t end = at;
        while (end < config->size && config->text[end] != '\n')
            end++;
        size_t n;
        const char *v = line_value(config->text + at, end - at, key, &n);
        if (v) {
            found = v;
            length = n;
        }
        at = end + 1;
    }
    if (!found || length + 1 > size)
        return -1;
    memcpy(value, found, length);
    value[length] = '\0';
    return (int)length;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool rt_parse_number(const char *text, uint64_t *value)
{
    unsigned base = 10;
    uint64_t v = 0;
    if (text[0] == '0' && (text[1] | 0x20) == 'x') {
        base = 16;
        text += 2;
    }
    if (!*text)
        return false;
    for (; *text; text++) {
        int d = digit(*text);
        if (d < 0 || (unsigned)d >= base || v > (UINT64_MAX - (unsigned)d) / base)
            return false;
        v = v * base + (unsigned)d;
    }
    *value = v;
    return true;
}

uint64_t rt_config_number(const struct rt_config *config, const char *key, uint64_t fallback)
{
    char text[32];
    uint64_t value;
    if (rt_config_get(config, key, text, sizeof(text)) < 0 || !rt_parse_number(text, &value))
        return fallback;
    return value;
}

bool rt_config_mac(const struct rt_config *config, const char *key, uint8_t mac[6])
{
    char text[24];
    if (rt_config_get(config, key, text, sizeof(text)) != 17)
        return false;
    for (unsigned i = 0; i < 6; i++) {
        int high = digit(text[3 * i]), low = digit(text[3 * i + 1]);
        if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
            return false;
        mac[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
