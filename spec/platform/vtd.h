/* VT-d facts: registers, table entries, descriptors, fault reasons.
 *
 * Intel Virtualization Technology for Directed I/O Architecture Specification:
 * "Register Descriptions", "Translation Structure Formats" (legacy mode),
 * "Invalidation Queue Interface", "Interrupt Remapping Table Entry", "Fault
 * Conditions".  Offsets in bytes from the unit's base; masks in register bits.
 */
#ifndef SPEC_PLATFORM_VTD_H
#define SPEC_PLATFORM_VTD_H

/* --- registers --- */
#define VTD_VER 0x00
#define VTD_CAP 0x08
#define VTD_ECAP 0x10
#define VTD_GCMD 0x18
#define VTD_GSTS 0x1C
#define VTD_RTADDR 0x20
#define VTD_CCMD 0x28
#define VTD_FSTS 0x34
#define VTD_FECTL 0x38
#define VTD_FEDATA 0x3C
#define VTD_FEADDR 0x40
#define VTD_FEUADDR 0x44
#define VTD_IQH 0x80
#define VTD_IQT 0x88
#define VTD_IQA 0x90
#define VTD_ICS 0x9C
#define VTD_IECTL 0xA0
#define VTD_IEDATA 0xA4
#define VTD_IEADDR 0xA8
#define VTD_IEUADDR 0xAC
#define VTD_IRTA 0xB8

/* CAP */
#define VTD_CAP_ND(cap) ((cap) & 7)               /* domain-id bits = 4 + 2 * ND */
#define VTD_CAP_SAGAW(cap) ((cap) >> 8 & 0x1F)    /* bit 1: 3-level, bit 2: 4-level */
#define VTD_CAP_MGAW(cap) (((cap) >> 16 & 0x3F) + 1)
#define VTD_CAP_FRO(cap) (((cap) >> 24 & 0x3FF) * 16)
#define VTD_CAP_SLLPS(cap) ((cap) >> 34 & 0xF)    /* bit 0: 2 MiB, bit 1: 1 GiB */
#define VTD_CAP_PSI (1ull << 39)
#define VTD_CAP_NFR(cap) (((cap) >> 40 & 0xFF) + 1)
#define VTD_CAP_MAMV(cap) ((cap) >> 48 & 0x3F)
#define VTD_CAP_DWD (1ull << 54)
#define VTD_CAP_DRD (1ull << 55)
/* ECAP */
#define VTD_ECAP_C (1ull << 0)    /* page walks are coherent */
#define VTD_ECAP_QI (1ull << 1)
#define VTD_ECAP_IR (1ull << 3)
#define VTD_ECAP_EIM (1ull << 4)
#define VTD_ECAP_PT (1ull << 6)
#define VTD_ECAP_SC (1ull << 7)
#define VTD_ECAP_IRO(ecap) (((ecap) >> 8 & 0x3FF) * 16) /* IVA; the IOTLB register is 8 beyond */
#define VTD_ECAP_MHMV(ecap) ((ecap) >> 20 & 0xF)

/* GCMD and GSTS share positions */
#define VTD_GCMD_TE (1u << 31)
#define VTD_GCMD_SRTP (1u << 30)
#define VTD_GCMD_QIE (1u << 26)
#define VTD_GCMD_IRE (1u << 25)
#define VTD_GCMD_SIRTP (1u << 24)
#define VTD_GCMD_CFI (1u << 23)

/* CCMD */
#define VTD_CCMD_ICC (1ull << 63)
#define VTD_CCMD_CIRG_SHIFT 61
#define VTD_CCMD_CAIG_SHIFT 59
#define VTD_CCMD_FM_SHIFT 32
#define VTD_CCMD_SID_SHIFT 16
/* IOTLB */
#define VTD_IOTLB_IVT (1ull << 63)
#define VTD_IOTLB_IIRG_SHIFT 60
#define VTD_IOTLB_IAIG_SHIFT 57
#define VTD_IOTLB_DID_SHIFT 32
/* Granularities of both, and of descriptors */
#define VTD_GRANULE_GLOBAL 1
#define VTD_GRANULE_DOMAIN 2
#define VTD_GRANULE_DEVICE 3 /* context cache */
#define VTD_GRANULE_PAGE 3   /* IOTLB */

/* FSTS */
#define VTD_FSTS_PFO (1u << 0)
#define VTD_FSTS_PPF (1u << 1)
#define VTD_FSTS_IQE (1u << 4)
#define VTD_FSTS_FRI_SHIFT 8
/* FECTL, IECTL */
#define VTD_EVENT_IM (1u << 31)
#define VTD_EVENT_IP (1u << 30)
#define VTD_ICS_IWC (1u << 0)
/* Fault recording register, high quadword; the low one holds the page (or index << 48) */
#define VTD_FRCD_F (1ull << 63)
#define VTD_FRCD_READ (1ull << 62)
#define VTD_FRCD_FR_SHIFT 32
/* IQA, IRTA */
#define VTD_IQA_QS 7u            /* 2^QS pages of 256 descriptors */
#define VTD_IRTA_EIME (1u << 11)
#define VTD_IRTA_SIZE 0xFu       /* 2^(S+1) entries */

/* --- tables --- */
#define VTD_PRESENT (1ull << 0)
#define VTD_FPD (1ull << 1)
#define VTD_CONTEXT_TT_SHIFT 2
#define VTD_TT_SECOND_LEVEL 0
#define VTD_TT_PASS_THROUGH 2
#define VTD_CONTEXT_AW_3_LEVEL 1 /* high quadword 2:0 */
#define VTD_CONTEXT_AW_4_LEVEL 2
#define VTD_CONTEXT_DID_SHIFT 8  /* high quadword */
#define VTD_PTE_R (1ull << 0)
#define VTD_PTE_W (1ull << 1)
#define VTD_PTE_PS (1ull << 7)
#define VTD_PTE_TM (1ull << 62)

/* Interrupt remapping table entry */
#define VTD_IRTE_LOGICAL (1ull << 2)
#define VTD_IRTE_RH (1ull << 3)
#define VTD_IRTE_LEVEL (1ull << 4)
#define VTD_IRTE_DLM_SHIFT 5
#define VTD_IRTE_POSTED (1ull << 15)
#define VTD_IRTE_VECTOR_SHIFT 16
#define VTD_IRTE_DST_SHIFT 32     /* x2APIC: all 32 bits; xAPIC: bits 47:40 */
#define VTD_IRTE_SQ_SHIFT 16      /* high quadword */
#define VTD_IRTE_SVT_SHIFT 18     /* high quadword */
/* Remappable message address */
#define VTD_MSI_REMAPPABLE (1u << 4)
#define VTD_MSI_SHV (1u << 3)

/* --- invalidation descriptors (type in bits 3:0) --- */
#define VTD_QI_CONTEXT 1
#define VTD_QI_IOTLB 2
#define VTD_QI_INTERRUPT 4
#define VTD_QI_WAIT 5
#define VTD_QI_WAIT_IF (1ull << 4)
#define VTD_QI_WAIT_SW (1ull << 5)
#define VTD_QI_WAIT_FN (1ull << 6)

/* --- fault reasons --- */
#define VTD_FAULT_ROOT_NOT_PRESENT 0x01
#define VTD_FAULT_CONTEXT_NOT_PRESENT 0x02
#define VTD_FAULT_CONTEXT_INVALID 0x03
#define VTD_FAULT_ADDRESS_WIDTH 0x04
#define VTD_FAULT_WRITE 0x05
#define VTD_FAULT_READ 0x06
#define VTD_FAULT_TABLE_ACCESS 0x07
#define VTD_FAULT_ROOT_ACCESS 0x08
#define VTD_FAULT_CONTEXT_ACCESS 0x09
#define VTD_FAULT_ROOT_RESERVED 0x0A
#define VTD_FAULT_CONTEXT_RESERVED 0x0B
#define VTD_FAULT_PTE_RESERVED 0x0C
#define VTD_FAULT_IR_REQUEST_RESERVED 0x20
#define VTD_FAULT_IR_INDEX 0x21
#define VTD_FAULT_IR_NOT_PRESENT 0x22
#define VTD_FAULT_IR_TABLE_ACCESS 0x23
#define VTD_FAULT_IR_RESERVED 0x24
#define VTD_FAULT_IR_COMPATIBILITY 0x25
#define VTD_FAULT_IR_SOURCE 0x26

#endif
