/* printf-like formatting, the part that logs need. */
#include "hv/rt/rt.h"

struct sink { char *to; size_t size, length; };

static void put(struct sink *s, char c)
{
    if (s->length + 1 < s->size)
        s->to[s->length++] = c;
}

struct spec { bool left, zero; unsigned width; int longs; };

static const char *parse_spec(const char *f, struct spec *spec)
{
    *spec = (struct spec){ 0 };
    for (;; f++) {
        if (*f == '-')
            spec->left = true;
        else if (*f == '0')
            spec->zero = true;
        else
            break;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        spec->width = spec->width * 10 + (unsigned)(*f - '0');
    for (; *f == 'l' || *f == 'z'; f++)
        spec->longs++;
    return f;
}

static void put_padded(struct sink *s, const char *text, size_t length, const struct spec *spec)
{
    size_t pad = spec->width > length ? spec->width - length : 0;
    for (size_t i = 0; !spec->left && i < pad; i++)
        put(s, spec->zero ? '0' : ' ');
    for (size_t i = 0; i < length; i++)
        put(s, text[i]);
    for (size_t i = 0; spec->left && i < pad; i++)
        put(s, ' ');
}

static void put_number(struct sink *s, uint64_t value, unsigned base, bool negative, const struct spec *spec)
{
    char digits[24];
    size_t n = sizeof(digits);
    do {
        digits[--n] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        digits[--n] = '-';
    put_padded(s, digits + n, sizeof(digits) - n, spec);
}

static uint64_t take(va_list *args, int longs)
{
    return longs ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
}

/* One conversion; 'args' advances by what it takes. */
static void convert(struct sink *s, char what, const struct spec *spec, va_list *args)
{
    switch (what) {
    case 's': {
        const char *text = va_arg(*args, const char *);
        text = text ? text : "(null)";
        put_padded(s, text, strlen(text), spec);
        break;
    }
    case 'c': {
        char c = (char)va_arg(*args, int);
        put_padded(s, &c, 1, spec);
        break;
    }
    case 'd': case 'i': {
        int64_t v = spec->longs ? va_arg(*args, long) : va_arg(*args, int);
        put_number(s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, v < 0, spec);
        break;
    }
    case 'u':
        put_number(s, take(args, spec->longs), 10, false, spec);
        break;
    case 'x':
        put_number(s, take(args, spec->longs), 16, false, spec);
        break;
    case 'p':
        put(s, '0');
        put(s, 'x');
        put_number(s, (uint64_t)(uintptr_t)va_arg(*args, void *), 16, false, spec);
        break;
    case '%':
        put(s, '%');
        break;
    default:
        put(s, '%');
        put(s, what);
    }
}

size_t rt_vformat(char *to, size_t size, const char *format, va_list args)
{
    struct sink s = { to, size, 0 };
    va_list copy;
    va_copy(copy, args);
    while (*format) {
        if (*format != '%') {
            put(&s, *format++);
            continue;
        }
        struct spec spec;
        format = parse_spec(format + 1, &spec);
        if (!*format)
            break;
        convert(&s, *format++, &spec, &copy);
    }
    va_end(copy);
    if (size)
        to[s.length] = '\0';
    return s.length;
}

size_t rt_format(char *to, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = rt_vformat(to, size, format, args);
    va_end(args);
    return n;
}
