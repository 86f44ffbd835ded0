/* What the processor expects of the machine around it, where a test has none. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "sim/base/trace.h"
#include "sim/cpu/cpu.h"
#include "sim/machine.h"

/* The processor asks for stops; here they only have to be noticed. */
void machine_request_stop(struct machine *m, enum machine_stop why, uint32_t code, const char *format, ...)
{
    va_list args;
    if (m->stop != STOP_NONE) {
        return;
    }
    m->stop = why;
    m->stop_code = code;
    va_start(args, format);
    vsnprintf(m->stop_text, sizeof m->stop_text, format, args);
    va_end(args);
    cpu_attend(m->cpu[0], ATTN_STOP);
}

/* Without a trace nobody writes one. */
void trace_write(struct trace *t, uint64_t now, enum trace_event event, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    (void)t, (void)now, (void)event, (void)a, (void)b, (void)c, (void)d;
    assert(!"no trace here");
}

