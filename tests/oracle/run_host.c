/* The host's processor as an oracle, one instruction at a time.
 *
 * A signal frame is a complete user-mode state that the kernel loads.  So a
 * child process enters a signal handler once and from then on leaves it with
 * the state of a case in the frame, RFLAGS.TF set; one instruction later it is
 * back, by SIGTRAP or by the fault's own signal, and the frame holds the
 * outcome.  32-bit cases need only another code selector in the frame.
 *
 * A case may do anything a user process can; that is why this is a child.
 */
#define _GNU_SOURCE
#include "tests/oracle/oracle.h"

#if defined(__x86_64__) && defined(__linux__)

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { MAGIC_OFFSET = 464, XSTATE_BV_OFFSET = 512, YMM_HIGH_OFFSET = 576, XSTATE_AVX = 4, STEPS_MAX = 200 };

/* The child's work; a signal handler has no other way to find it. */
static struct {
    const struct oracle_case *cases;
    struct oracle_outcome *outcomes;
    unsigned *done;
    unsigned count, steps;
    bool inside, started;
    gregset_t home;
    uint8_t image[ORACLE_DATA_SIZE];
    uint8_t stack[1 << 16];
} child;

static const int frame_gpr[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static bool is_row(const struct oracle_case *c, const char *exec)
{
    return c->row && !strncmp(c->row->exec, exec, strlen(exec));
}

/* RFLAGS.ID is not part of a signal frame: the kernel takes what is current. */
static void set_id_flag(bool id)
{
    uint64_t flags;
    __asm__ volatile("pushfq\n popq %0" : "=r"(flags));
    flags = (flags & ~(uint64_t)(FLAG_ID | FLAG_AC | 1 << 14)) | (id ? FLAG_ID : 0);
    __asm__ volatile("pushq %0\n popfq" :: "r"(flags) : "cc");
}

static void set_data_segments(const struct oracle_case *c)
{
    __asm__ volatile("mov %0, %%ds\n mov %1, %%es" :: "r"(c->segmented ? c->selector[DS] : SELECTOR_DATA),
                     "r"(c->segmented ? c->selector[ES] : SELECTOR_DATA));
    if (c->segmented) {
        __asm__ volatile("mov %0, %%gs" :: "r"((uint32_t)c->selector[GS]));
    }
}

/* CS and SS are in the frame, the others still in the processor. */
static void get_segments(const greg_t *g, struct oracle_outcome *o)
{
    __asm__ volatile("mov %%ds, %0\n mov %%es, %1\n mov %%gs, %2"
                     : "=rm"(o->selector[DS]), "=rm"(o->selector[ES]), "=rm"(o->selector[GS]));
    o->selector[CS] = (uint16_t)g[REG_CSGSFS];
    o->selector[SS] = (uint16_t)((uint64_t)g[REG_CSGSFS] >> 48);
}

static void make_ldt(void)
{
    for (unsigned i = 0; i < ORACLE_LDT_ENTRIES; i++) {
        const struct oracle_ldt_entry *e = &oracle_ldt[i];
        struct user_desc d = {
            .entry_number = i, .base_addr = e->base, .limit = e->limit, .seg_32bit = e->big, .contents = e->contents,
            .read_exec_only = e->read_exec_only, .limit_in_pages = e->pages, .seg_not_present = e->absent,
        };
        if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d)) {
            _exit(5);
        }
    }
}

/* All but MXCSR and its mask. */
static void put_x87(uint8_t *to, const uint8_t *from)
{
    memcpy(to, from, 24);
    memcpy(to + 32, from + 32, ORACLE_X87_SIZE - 32);
}

static void enter_case(ucontext_t *uc, const struct oracle_case *c)
{
    greg_t *g = uc->uc_mcontext.gregs;
    struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;

    memcpy((void *)(uintptr_t)oracle_code_at(c), c->code, c->sequence ? ORACLE_CODE_ROOM : ORACLE_CODE_MAX);
    memcpy((void *)ORACLE_DATA, child.image, ORACLE_DATA_RW);
    oracle_apply_patches(c, (uint8_t *)ORACLE_DATA);
    for (unsigned i = 0; i < 16; i++) {
        g[frame_gpr[i]] = (greg_t)c->in.gpr[i];
        memcpy(&fp->_xmm[i], &c->in.xmm[i], 16);
    }
    g[REG_RIP] = (greg_t)c->in.rip;
    g[REG_EFL] = (greg_t)(c->in.rflags | (c->sequence ? 0 : FLAG_TF));
    g[REG_CSGSFS] = (g[REG_CSGSFS] & ~(greg_t)0xffff) | (c->mode32 ? SELECTOR_CODE32 : SELECTOR_CODE64);
    if (c->segmented) { /* the frame's word has CS, GS, FS and SS */
        g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffffffff0000) | c->selector[CS] | (greg_t)((uint64_t)c->selector[SS] << 48);
    }
    fp->mxcsr = c->in.mxcsr;
    put_x87((uint8_t *)fp, c->in.x87);
    if (*(uint32_t *)((uint8_t *)fp + MAGIC_OFFSET) == FP_XSTATE_MAGIC1) {
        *(uint64_t *)((uint8_t *)fp + XSTATE_BV_OFFSET) |= 3 | XSTATE_AVX; /* x87, SSE and AVX are in use */
        memcpy((uint8_t *)fp + YMM_HIGH_OFFSET, c->in.ymm_high, sizeof c->in.ymm_high);
    }
    set_id_flag(c->in.rflags & FLAG_ID);
    set_data_segments(c);
    child.steps = 0;
}

static void leave_case(const ucontext_t *uc, int signal, const struct oracle_case *c,
                       struct oracle_outcome *o)
{
    const greg_t *g = uc->uc_mcontext.gregs;
    const struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;

    bool stepped = signal == SIGTRAP && g[REG_TRAPNO] == X_DB;
    o->vector = stepped ? OUTCOME_OK : (int)g[REG_TRAPNO];
    o->error = signal == SIGTRAP ? 0 : (uint32_t)g[REG_ERR];
    o->cr2 = (uint64_t)g[REG_CR2];
    for (unsigned i = 0; i < 16; i++) {
        o->out.gpr[i] = (uint64_t)g[frame_gpr[i]] & (c->segmented ? 0xffffffff : ~0ull); /* the kernel's, above a 16-bit ESP */
        memcpy(&o->out.xmm[i], &fp->_xmm[i], 16);
    }
    bool avx = *(const uint64_t *)((const uint8_t *)fp + XSTATE_BV_OFFSET) & XSTATE_AVX;
    memset(o->out.ymm_high, 0, sizeof o->out.ymm_high);
    if (avx) {
        memcpy(o->out.ymm_high, (const uint8_t *)fp + YMM_HIGH_OFFSET, sizeof o->out.ymm_high);
    }
    get_segments(g, o);
    o->out.rip = (uint64_t)g[REG_RIP];
    o->out.rflags = (uint64_t)g[REG_EFL] & ~(uint64_t)FLAG_TF;
    o->out.mxcsr = fp->mxcsr;
    memset(o->out.x87, 0, sizeof o->out.x87);
    put_x87(o->out.x87, (const uint8_t *)fp);
    memcpy(o->data, (void *)ORACLE_DATA, ORACLE_DATA_RW);
    if (c->segmented) { /* the code can be read */
        memset((void *)(uintptr_t)oracle_code_at(c), 0, ORACLE_CODE_MAX);
    }
    if (is_row(c, "sys:sys_pushf") && o->vector == OUTCOME_OK) {
        uint64_t high = o->out.gpr[RSP] + 1 - ORACLE_DATA; /* our own TF was pushed */
        if (high < ORACLE_DATA_RW) {
            o->data[high] &= (uint8_t)~(FLAG_TF >> 8);
        }
    }
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *g = uc->uc_mcontext.gregs;
    unsigned n = *child.done;
    (void)info;

    if (child.inside) {
        _exit(3); /* a fault of this handler's own */
    }
    child.inside = true;
    if (!child.started) {
        memcpy(child.home, g, sizeof child.home);
        child.started = true;
    } else {
        const struct oracle_case *c = &child.cases[n];
        bool again = signal == SIGTRAP && is_row(c, "string") && (uint64_t)g[REG_RIP] == c->in.rip;
        if (again && child.steps++ < STEPS_MAX) { /* the trap comes after each iteration */
            child.inside = false;
            return;
        }
        leave_case(uc, signal, c, &child.outcomes[n]);
        n = ++*child.done;
    }
    if (n == child.count) {
        set_id_flag(false);
        memcpy(g, child.home, sizeof child.home);
    } else {
        enter_case(uc, &child.cases[n]);
    }
    child.inside = false;
}

static void run_child(void)
{
    static const int signals[] = { SIGTRAP, SIGSEGV, SIGFPE, SIGILL, SIGBUS };
    stack_t stack = { .ss_sp = child.stack, .ss_size = sizeof child.stack };
    struct sigaction action = {
        .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
    };
    const int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

    if (mmap((void *)ORACLE_CODE, ORACLE_CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, fixed, -1, 0) ==
            MAP_FAILED ||
        mmap((void *)ORACLE_DATA, ORACLE_DATA_SIZE, PROT_READ | PROT_WRITE, fixed, -1, 0) == MAP_FAILED) {
        _exit(4);
    }
    oracle_base_image(child.image);
    memcpy((void *)ORACLE_DATA, child.image, ORACLE_DATA_SIZE);
    mprotect((void *)(ORACLE_DATA + ORACLE_DATA_RW), ORACLE_DATA_SIZE - ORACLE_DATA_RW, PROT_READ);
    if (child.cases->segmented) {
        make_ldt();
    }
    syscall(SYS_arch_prctl, ARCH_SET_GS, ORACLE_DATA + ORACLE_GS_OFFSET);
    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaction(signals[i], &action, NULL);
    }
    raise(SIGTRAP);
    _exit(0);
}

const char *oracle_host_unavailable(void)
{
    return NULL;
}

unsigned oracle_host_run(const struct oracle_case *cases, struct oracle_outcome *outcomes, unsigned count)
{
    unsigned *done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (done == MAP_FAILED || count == 0) {
        return 0;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        child.cases = cases;
        child.outcomes = outcomes;
        child.done = done;
        child.count = count;
        run_child();
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        *done = 0;
    }
    unsigned result = *done;

    munmap(done, sizeof *done);
    return result;
}

#else

const char *oracle_host_unavailable(void)
{
    return "the host is not x86-64 Linux";
}

unsigned oracle_host_run(const struct oracle_case *cases, struct oracle_outcome *outcomes, unsigned count)
{
    (void)cases, (void)outcomes, (void)count;
    return 0;
}

#endif
