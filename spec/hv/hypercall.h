/* Hypercall convention and the input/output blocks (TLFS "Hypercall
 * Interface").
 *
 *   RCX control word, RDX input GPA, R8 output GPA, RAX result
 *   fast: RDX, R8 are the input itself
 *
 * The instruction is VMCALL at offset 0 of the page that HV_MSR_HYPERCALL
 * enables.  Blocks are 8-byte aligned and do not cross a page. */
#ifndef SPEC_HV_HYPERCALL_H
#define SPEC_HV_HYPERCALL_H

#include <stddef.h>
#include <stdint.h>

#include "spec/hv/boot.h"

enum hv_call {
#define HV_CALL(code, ident, name, form, in, rep_in, out, rep_out, privilege) HV_CALL_##ident = code,
#include "spec/hv/hypercalls.def"
#undef HV_CALL
};

/* Control word. */
#define HV_CONTROL_CODE 0xFFFFull
#define HV_CONTROL_FAST (1ull << 16)
#define HV_CONTROL_VARIABLE_SHIFT 17 /* 26:17, qwords */
#define HV_CONTROL_VARIABLE_MASK 0x3FFull
#define HV_CONTROL_REP_COUNT_SHIFT 32 /* 43:32 */
#define HV_CONTROL_REP_START_SHIFT 48 /* 59:48 */
#define HV_CONTROL_REP_MASK 0xFFFull
#define HV_CONTROL_RESERVED ((0x1Full << 27) | (0xFull << 44) | (0xFull << 60)) /* and bit 31: nested */
/* Result: 15:0 status, 43:32 reps completed. */
#define HV_RESULT_STATUS 0xFFFFull
#define HV_RESULT_REPS_SHIFT 32

#define HV_PARTITION_SELF 0xFFFFFFFFFFFFFFFFull
#define HV_VP_SELF 0xFFFFFFFEu
#define HV_VP_ANY 0xFFFFFFFFu

/* HvCallMapGpaPages flags. */
#define HV_MAP_READ (1u << 0)
#define HV_MAP_WRITE (1u << 1)
#define HV_MAP_KERNEL_EXECUTE (1u << 2)
#define HV_MAP_USER_EXECUTE (1u << 3)
#define HV_MAP_NO_ACCESS (1u << 16)
#define HV_MAP_UNCACHED (1u << 21)
#define HV_MAP_LARGE (1u << 31) /* each element is the first GPFN of an aligned 2 MiB run; so is each target */

enum hv_port_type { HV_PORT_MESSAGE = 1, HV_PORT_EVENT = 2 };
struct hv_port_info {
    uint32_t type; /* [enum hv_port_type] */
    uint32_t pad;
    uint32_t target_sint;
    uint32_t target_vp;
    uint16_t base_flag;  /* event ports */
    uint16_t flag_count;
    uint32_t reserved;
};
_Static_assert(sizeof(struct hv_port_info) == 24, "port info");
enum { HV_PORT_ID_MASK = 0xFFFFFF, HV_CONNECTION_ID_MASK = 0xFFFFFF };

/* Interrupt types of HvCallAssertVirtualInterrupt and of the local APIC. */
enum { HV_INTERRUPT_FIXED = 0, HV_INTERRUPT_LOWEST = 1, HV_INTERRUPT_NMI = 4, HV_INTERRUPT_INIT = 5, HV_INTERRUPT_SIPI = 6 };

/* Partition properties. */
enum hv_property {
    HV_PROPERTY_PRIVILEGE_FLAGS = 0x00010000,
    HV_PROPERTY_SYNTHETIC_FEATURES = 0x00010001,
    HV_PROPERTY_SUSPEND = 0x00020000,       /* 1: no VP of the partition runs */
    HV_PROPERTY_CPU_WEIGHT = 0x00020003,    /* 1..10000, default 100 */
    HV_PROPERTY_REFERENCE_TIME = 0x00030005,/* read [100 ns] */
    HV_PROPERTY_UNIMPLEMENTED_MSR = 0x00050017, /* 0 #GP, 1 ignore */
    HV_PROPERTY_GUEST_OS_ID = 0x00070000,
    HV_PROPERTY_LAB_CHANNEL = 0x000F0001,   /* hvlab: channel of spec/lab/lab.h whose ports the partition may touch */
    HV_PROPERTY_LP_MASK = 0x000F0002,       /* hvlab: logical processors its VPs may run on; VP n takes the n-th, 0 = any */
};

/* --- input and output blocks --------------------------------------------------- */

struct hv_create_partition {
    uint64_t flags, proximity;
    uint32_t compatibility_version, pad;
    uint64_t disabled_features[2], disabled_xsave, isolation;
};
struct hv_get_property { uint64_t partition; uint32_t code, pad; };
struct hv_set_property { uint64_t partition; uint32_t code, pad; uint64_t value; };
struct hv_withdraw_memory { uint64_t partition, proximity; };
struct hv_memory_balance { uint64_t available, in_use; }; /* output [pages] */
struct hv_map_gpa_pages { uint64_t partition, target_gpfn; uint32_t flags, pad; /* u64 source GPFN[] */ };
struct hv_install_intercept { uint64_t partition; uint32_t access, type; uint64_t parameter; };
struct hv_create_vp {
    uint64_t partition;
    uint32_t vp_index;
    uint8_t pad[3], subnode_type;
    uint64_t subnode_id, proximity, flags;
};
struct hv_delete_vp { uint64_t partition; uint32_t vp_index, pad; };
struct hv_vp_registers { uint64_t partition; uint32_t vp_index; uint8_t vtl, pad[3]; /* names or elements */ };
struct hv_register_assoc { uint32_t name, pad; uint64_t pad2; union hv_register_value_raw { uint64_t u64[2]; } value; };
struct hv_translate_address { uint64_t partition; uint32_t vp_index, pad; uint64_t flags, gva_page; };
struct hv_translate_result { uint64_t result, gpfn; };
enum { HV_TRANSLATE_READ = 1, HV_TRANSLATE_WRITE = 2, HV_TRANSLATE_EXECUTE = 4 };
enum { HV_TRANSLATE_SUCCESS = 0, HV_TRANSLATE_NOT_PRESENT = 1, HV_TRANSLATE_PRIVILEGE = 2,
       HV_TRANSLATE_INVALID_FLAGS = 3, HV_TRANSLATE_GPA_UNMAPPED = 4 };
struct hv_delete_port { uint64_t partition; uint32_t port_id, pad; };
struct hv_disconnect_port { uint64_t partition; uint32_t connection_id, pad; };
struct hv_post_message {
    uint32_t connection_id, reserved, message_type, payload_size;
    uint8_t payload[240];
};
struct hv_signal_event { uint32_t connection_id; uint16_t flag, reserved; };
struct hv_assert_interrupt {
    uint64_t partition;
    uint32_t type;  /* [HV_INTERRUPT_*] */
    uint32_t flags; /* bit 0 level, bit 1 logical destination */
    uint64_t destination;
    uint32_t vector;
    uint8_t vtl, pad[3];
};
struct hv_create_port {
    uint64_t port_partition;
    uint32_t port_id;
    uint8_t vtl, min_vtl;
    uint16_t pad;
    uint64_t connection_partition;
    struct hv_port_info info;
    uint64_t proximity;
};
struct hv_connect_port {
    uint64_t connection_partition;
    uint32_t connection_id;
    uint8_t vtl, pad[3];
    uint64_t port_partition;
    uint32_t port_id, reserved;
    struct { uint32_t type, pad; uint64_t reserved[3]; } info;
    uint64_t proximity;
};
struct hv_vp_index_from_apic_id { uint64_t partition; uint8_t vtl, pad[7]; /* u32 APIC id[] */ };
struct hv_signal_event_direct { uint64_t partition; uint32_t vp_index; uint8_t vtl, sint; uint16_t flag; };
struct hv_post_message_direct {
    uint64_t partition;
    uint32_t vp_index;
    uint8_t vtl, pad[3];
    uint8_t sint, pad2[3];
    uint8_t message[256]; /* struct hv_message; 'sender' is kept */
    uint32_t pad3;
};
struct hv_initial_segment { uint64_t base; uint32_t limit; uint16_t selector, attributes; };
struct hv_initial_table { uint16_t pad[3], limit; uint64_t base; };
struct hv_initial_context { /* of HvCallStartVirtualProcessor */
    uint64_t rip, rsp, rflags;
    struct hv_initial_segment cs, ds, es, fs, gs, ss, tr, ldtr;
    struct hv_initial_table idtr, gdtr;
    uint64_t efer, cr0, cr3, cr4, pat;
};
struct hv_start_vp { uint64_t partition; uint32_t vp_index; uint8_t vtl, pad[3]; struct hv_initial_context context; };

/* Device interrupts.  A device id's bits 15:0 are its PCI routing id (bus 15:8,
 * devfn 7:0).  The caller names the MSI-X entry's target; the hypervisor routes it through
 * interrupt remapping and returns address (31:0) and data (63:32), which the caller writes into
 * the MSI-X table entry verbatim. */
struct hv_interrupt_entry { uint32_t source, reserved; uint64_t msi; };
enum { HV_INTERRUPT_SOURCE_MSI = 1 };
struct hv_map_device_interrupt {
    uint64_t partition, device_id, flags;
    struct hv_interrupt_entry logical;
    uint32_t interrupt_type, trigger_mode, vector_count, reserved;
    uint32_t vector; /* of the guest */
    uint32_t target_flags; /* 0: vp_mask, bit VP index; 2: VP set, not supported */
    uint64_t vp_mask;
};
struct hv_unmap_device_interrupt { uint64_t partition, device_id; struct hv_interrupt_entry entry; };

/* hvlab: gives a PCI function to a partition: its DMA is confined to the
 * partition's GPA space.  Detaching returns it to the root partition. */
struct hv_attach_device { uint64_t partition, device_id; };

/* hvlab: tells the services linked into the hypervisor (placement monolithic)
 * about a partition.  CREATED: memory is mapped, no VP has run; 'data' is the
 * child's number; the output lists the functions that the services gave it.
 * In other placements the call succeeds with an empty list. */
enum { HV_PARTITION_EVENT_CREATED = 0x1001, HV_PARTITION_EVENT_DELETED = 0x1002 };
struct hv_notify_partition_event { uint64_t partition; uint32_t event, pad; uint64_t data; };
struct hv_notify_partition_output { uint64_t device_count; struct boot_device device[BOOT_DEVICES_MAX]; };

/* SIZE of a block must be what hypercalls.def says. */
#define HV_BLOCK(type, size) _Static_assert(sizeof(struct type) == (size), #type)
HV_BLOCK(hv_create_partition, 56);
HV_BLOCK(hv_get_property, 16);
HV_BLOCK(hv_set_property, 24);
HV_BLOCK(hv_map_gpa_pages, 24);
HV_BLOCK(hv_install_intercept, 24);
HV_BLOCK(hv_create_vp, 40);
HV_BLOCK(hv_vp_registers, 16);
HV_BLOCK(hv_register_assoc, 32);
HV_BLOCK(hv_translate_address, 32);
HV_BLOCK(hv_post_message, 256);
HV_BLOCK(hv_signal_event, 8);
HV_BLOCK(hv_assert_interrupt, 32);
HV_BLOCK(hv_create_port, 56);
HV_BLOCK(hv_connect_port, 72);
HV_BLOCK(hv_vp_index_from_apic_id, 16);
HV_BLOCK(hv_signal_event_direct, 16);
HV_BLOCK(hv_post_message_direct, 280);
HV_BLOCK(hv_initial_context, 224);
HV_BLOCK(hv_start_vp, 240);
HV_BLOCK(hv_map_device_interrupt, 72);
HV_BLOCK(hv_unmap_device_interrupt, 32);
HV_BLOCK(hv_notify_partition_output, 168);
#undef HV_BLOCK

#endif
