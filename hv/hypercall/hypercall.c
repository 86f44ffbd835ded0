/* Dispatch of hypercalls (TLFS "Hypercall Interface"). */
#include "hv/hypercall/hypercall.h"

#include "hv/exits/exits.h"
#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"

enum { PAGE = 4096, ALIGNMENT = 8, FAST_SIZE = 16 };
enum { SIMPLE = 0, REP = 1, FAST = 2, VARIABLE = 4 };

struct row {
    uint16_t code, in, rep_in, out, rep_out, form;
    uint64_t privilege;
    enum hv_status (*handler)(struct call *);
};
static const struct row rows[] = {
#define HV_CALL(code, ident, name, form, in, rep_in, out, rep_out, privilege) \
    { code, in, rep_in, out, rep_out, form, HV_PRIVILEGE_##privilege, hypercall_##name },
#include "spec/hv/hypercalls.def"
#undef HV_CALL
};

/* Rows are sorted by code. */
static const struct row *find(unsigned code)
{
    unsigned low = 0, high = sizeof(rows) / sizeof(rows[0]);
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (rows[middle].code == code)
            return &rows[middle];
        if (rows[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct control { unsigned code, variable, rep_count, rep_start; bool fast; };

static struct control decode(uint64_t word)
{
    return (struct control){
        .code = word & HV_CONTROL_CODE,
        .fast = word & HV_CONTROL_FAST,
        .variable = word >> HV_CONTROL_VARIABLE_SHIFT & HV_CONTROL_VARIABLE_MASK,
        .rep_count = word >> HV_CONTROL_REP_COUNT_SHIFT & HV_CONTROL_REP_MASK,
        .rep_start = word >> HV_CONTROL_REP_START_SHIFT & HV_CONTROL_REP_MASK,
    };
}

static enum hv_status check_control(uint64_t word, const struct control *c, const struct row *row)
{
    if (word & (HV_CONTROL_RESERVED | 1ull << 31))
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    if (row->form & REP ? c->rep_count == 0 || c->rep_start >= c->rep_count : c->rep_count || c->rep_start)
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    if (c->fast && !(row->form & FAST))
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    if (c->variable && !(row->form & VARIABLE))
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    return HV_STATUS_SUCCESS;
}

/* A block of guest memory, or NULL: misaligned, across pages, or not there. */
static void *block(struct vp *vp, uint64_t gpa, unsigned size, bool write)
{
    if (gpa % ALIGNMENT || gpa % PAGE + size > PAGE)
        return NULL;
    return vp_gpa_pointer(vp, gpa, write);
}

static unsigned input_size(const struct row *row, const struct control *c)
{
    return row->in + c->variable * 8 + row->rep_in * c->rep_count;
}

static unsigned output_size(const struct row *row, const struct control *c)
{
    return row->out + row->rep_out * c->rep_count;
}

/* Copies the input and finds the output page. */
static enum hv_status open_blocks(struct vp *vp, const struct row *row, const struct control *c, void **output)
{
    struct lp *lp = lp_self();
    const uint64_t *gpr = vp->context.gpr;
    unsigned in = input_size(row, c), out = output_size(row, c);
    *output = NULL;
    if (c->fast) {
        lp->input[0] = gpr[GPR_RDX];
        lp->input[1] = gpr[GPR_R8];
        return HV_STATUS_SUCCESS;
    }
    if (in) {
        const void *from = block(vp, gpr[GPR_RDX], in, false);
        if (!from)
            return HV_STATUS_INVALID_ALIGNMENT;
        memcpy(lp->input, from, in);
    }
    if (out) {
        *output = block(vp, gpr[GPR_R8], out, true);
        if (!*output)
            return HV_STATUS_INVALID_ALIGNMENT;
    }
    return HV_STATUS_SUCCESS;
}

static void give_output(const struct call *c, const struct row *row, uint8_t *output)
{
    if (row->out)
        memcpy(output, c->out, row->out);
    if (row->rep_out && c->rep_done > c->rep_start)
        memcpy(output + row->out + row->rep_out * c->rep_start, (uint8_t *)c->rep_out + row->rep_out * c->rep_start,
               row->rep_out * (c->rep_done - c->rep_start));
}

/* Everything but RIP. '*again': more reps remain and RCX says from where. */
static uint64_t perform(struct vp *vp, uint64_t word, bool *again)
{
    struct control control = decode(word);
    const struct row *row = find(control.code);
    void *output;
    if (!row)
        return HV_STATUS_INVALID_HYPERCALL_CODE;
    if ((vp->partition->privileges & row->privilege) != row->privilege)
        return HV_STATUS_ACCESS_DENIED;
    enum hv_status status = check_control(word, &control, row);
    if (!status)
        status = open_blocks(vp, row, &control, &output);
    if (status)
        return status;

    struct lp *lp = lp_self();
    uint8_t *in = (uint8_t *)lp->input;
    struct call call = {
        .vp = vp, .caller = vp->partition, .in = in, .variable = (uint64_t *)(in + row->in),
        .variable_count = control.variable, .rep_in = in + row->in + 8 * control.variable,
        .out = output ? lp->output : NULL, .rep_out = (uint8_t *)lp->output + row->out,
        .rep_count = control.rep_count, .rep_start = control.rep_start, .rep_done = control.rep_start,
        .fast = control.fast,
    };
    if (output)
        memset(lp->output, 0, output_size(row, &control));
    status = row->handler(&call);
    if (output && (status == HV_STATUS_SUCCESS || row->rep_out))
        give_output(&call, row, output);
    *again = status == HV_STATUS_SUCCESS && call.rep_done < call.rep_count;
    return status | (uint64_t)call.rep_done << HV_RESULT_REPS_SHIFT;
}

void hypercall_execute(struct vp *vp)
{
    uint64_t *gpr = vp->context.gpr;
    bool again = false;
    uint64_t word = gpr[GPR_RCX], result = perform(vp, word, &again);
    if (again) {
        uint64_t mask = HV_CONTROL_REP_MASK << HV_CONTROL_REP_START_SHIFT;
        gpr[GPR_RCX] = (word & ~mask) | (result >> HV_RESULT_REPS_SHIFT) << HV_CONTROL_REP_START_SHIFT;
        return;
    }
    gpr[GPR_RAX] = result;
    vp_skip_instruction(vp);
}

/* Only kernels of 64-bit guests may call. */
void exit_vmcall(struct vp *vp)
{
    enum { RIGHTS_L = 1 << 13, RIGHTS_DPL_SHIFT = 5 };
    bool kernel = !(arch_vmread(VMCS_GUEST_SS_RIGHTS) >> RIGHTS_DPL_SHIFT & 3);
    bool is_64 = arch_vmread(VMCS_GUEST_CS_RIGHTS) & RIGHTS_L;
    if (!kernel || !is_64) {
        vp_inject_ud(vp);
        return;
    }
    hypercall_execute(vp);
}
