/* Layouts of the Intel 82599 that are not registers: receive and transmit
 * descriptors, the PF/VF mailbox protocol, configuration space, SFP module.
 *
 * Facts only, shared by the card model and by drivers.  Every descriptor is
 * two little-endian quadwords; bits are given as masks of a quadword.  Section
 * titles are those of the 82599 datasheet, chapters "Receive Descriptors" and
 * "Transmit Descriptors".
 */
#ifndef SPEC_NIC_DESCRIPTORS_H
#define SPEC_NIC_DESCRIPTORS_H

#include <stdint.h>

enum { I82599_DESC_SIZE = 16, I82599_RING_ALIGN = 128, I82599_RING_ENTRIES_MIN = 8 };

struct i82599_desc {
    uint64_t lo, hi;
};
_Static_assert(sizeof(struct i82599_desc) == I82599_DESC_SIZE, "a descriptor is 16 bytes");

/* --- receive, advanced: software gives lo = packet buffer, hi = header buffer (bit 0 zero) -- */

/* Write-back, low quadword. */
#define I82599_RXD_RSS_TYPE 0x000Full
#define I82599_RXD_PTYPE_SHIFT 4
#define I82599_RXD_PTYPE_IPV4 (1ull << 4)
#define I82599_RXD_PTYPE_IPV4_OPT (1ull << 5)
#define I82599_RXD_PTYPE_IPV6 (1ull << 6)
#define I82599_RXD_PTYPE_IPV6_EXT (1ull << 7)
#define I82599_RXD_PTYPE_TCP (1ull << 8)
#define I82599_RXD_PTYPE_UDP (1ull << 9)
#define I82599_RXD_PTYPE_SCTP (1ull << 10)
#define I82599_RXD_PTYPE_ETQF (1ull << 15) /* then bits 6:4 are the filter's index */
#define I82599_RXD_RSC_COUNT_SHIFT 17
#define I82599_RXD_SPH (1ull << 31)
#define I82599_RXD_HASH_SHIFT 32           /* RXCSUM.PCSD = 1 */
#define I82599_RXD_IP_ID_SHIFT 32          /* RXCSUM.PCSD = 0 */
#define I82599_RXD_FRAGMENT_SHIFT 48       /* RXCSUM.PCSD = 0 */

/* Write-back, high quadword: extended status 19:0, errors 31:20. */
#define I82599_RXD_DD (1ull << 0)
#define I82599_RXD_EOP (1ull << 1)
#define I82599_RXD_FLM (1ull << 2)
#define I82599_RXD_VP (1ull << 3)
#define I82599_RXD_UDPCS (1ull << 4)
#define I82599_RXD_L4CS (1ull << 5)
#define I82599_RXD_IPCS (1ull << 6)
#define I82599_RXD_PIF (1ull << 7)
#define I82599_RXD_UDPV (1ull << 10)
#define I82599_RXD_LB (1ull << 18)
#define I82599_RXD_CE (1ull << 24)
#define I82599_RXD_LE (1ull << 25)
#define I82599_RXD_TCPE (1ull << 30)
#define I82599_RXD_IPE (1ull << 31)
#define I82599_RXD_LENGTH_SHIFT 32
#define I82599_RXD_VLAN_SHIFT 48

enum { I82599_RSS_NONE, I82599_RSS_TCP_IPV4, I82599_RSS_IPV4, I82599_RSS_TCP_IPV6, I82599_RSS_IPV6_EX, I82599_RSS_IPV6,
       I82599_RSS_TCP_IPV6_EX, I82599_RSS_UDP_IPV4, I82599_RSS_UDP_IPV6, I82599_RSS_UDP_IPV6_EX };

/* Legacy write-back, high quadword (low keeps the address). */
#define I82599_RXD_LEGACY_CHECKSUM_SHIFT 16
#define I82599_RXD_LEGACY_DD (1ull << 32)
#define I82599_RXD_LEGACY_EOP (1ull << 33)
#define I82599_RXD_LEGACY_VP (1ull << 35)
#define I82599_RXD_LEGACY_UDPCS (1ull << 36)
#define I82599_RXD_LEGACY_L4CS (1ull << 37)
#define I82599_RXD_LEGACY_IPCS (1ull << 38)
#define I82599_RXD_LEGACY_PIF (1ull << 39)
#define I82599_RXD_LEGACY_RXE (1ull << 40)
#define I82599_RXD_LEGACY_TCPE (1ull << 46)
#define I82599_RXD_LEGACY_IPE (1ull << 47)
#define I82599_RXD_LEGACY_VLAN_SHIFT 48

enum { I82599_DESCTYPE_LEGACY = 0, I82599_DESCTYPE_ADVANCED_ONE = 1, I82599_DESCTYPE_SPLIT = 2, I82599_DESCTYPE_SPLIT_ALWAYS = 5 };

/* --- transmit, advanced data (low quadword = buffer) ------------------------------------- */

#define I82599_TXD_LENGTH 0xFFFFull
#define I82599_TXD_DTYP_SHIFT 20
#define I82599_TXD_DTYP_CONTEXT (2ull << 20)
#define I82599_TXD_DTYP_DATA (3ull << 20)
#define I82599_TXD_DTYP_MASK (0xFull << 20)
#define I82599_TXD_EOP (1ull << 24)
#define I82599_TXD_IFCS (1ull << 25)
#define I82599_TXD_RS (1ull << 27)
#define I82599_TXD_DEXT (1ull << 29)
#define I82599_TXD_VLE (1ull << 30)
#define I82599_TXD_TSE (1ull << 31)
#define I82599_TXD_DD (1ull << 32)
#define I82599_TXD_IDX_SHIFT 36
#define I82599_TXD_CC (1ull << 39)
#define I82599_TXD_IXSM (1ull << 40)
#define I82599_TXD_TXSM (1ull << 41)
#define I82599_TXD_IPSEC (1ull << 42)
#define I82599_TXD_PAYLEN_SHIFT 46

/* Context descriptor. */
#define I82599_TXC_IPLEN 0x1FFull            /* lo 8:0 */
#define I82599_TXC_MACLEN_SHIFT 9            /* lo 15:9 */
#define I82599_TXC_VLAN_SHIFT 16             /* lo 31:16 */
#define I82599_TXC_IPV4 (1ull << 10)         /* hi */
#define I82599_TXC_L4T_SHIFT 11              /* hi 12:11 */
#define I82599_TXC_L4LEN_SHIFT 40            /* hi 47:40 */
#define I82599_TXC_MSS_SHIFT 48              /* hi 63:48 */
enum { I82599_L4T_UDP, I82599_L4T_TCP, I82599_L4T_SCTP, I82599_L4T_RSV };

/* Legacy, high quadword. */
#define I82599_TXL_CSO_SHIFT 16
#define I82599_TXL_EOP (1ull << 24)
#define I82599_TXL_IFCS (1ull << 25)
#define I82599_TXL_IC (1ull << 26)
#define I82599_TXL_RS (1ull << 27)
#define I82599_TXL_VLE (1ull << 30)
#define I82599_TXL_CSS_SHIFT 40
#define I82599_TXL_VLAN_SHIFT 48

/* --- sizes ------------------------------------------------------------------------------- */

enum { I82599_QUEUES = 128, I82599_POOLS = 64, I82599_RAR_COUNT = 128, I82599_VECTORS = 64,
       I82599_VF_VECTORS = 3, I82599_VFS_MAX = 64, I82599_MAILBOX_DWORDS = 16, I82599_RX_BUFFER_SIZE = 512 * 1024,
       I82599_TX_BUFFER_SIZE = 160 * 1024, I82599_CSR_SIZE = 0x20000, I82599_BAR0_SIZE = 0x80000,
       I82599_MSIX_BAR_SIZE = 0x4000, I82599_MSIX_PBA_OFFSET = 0x2000, I82599_VF_BAR_SIZE = 0x4000,
       I82599_FRAME_MAX = 16128 };

/* --- mailbox protocol: word 0 is type 15:0, info 23:16, flags -------------------------------- */

#define I82599_MBX_ACK 0x80000000u
#define I82599_MBX_NACK 0x40000000u
#define I82599_MBX_CTS 0x20000000u
#define I82599_MBX_INFO_SHIFT 16
enum { I82599_MBX_RESET = 0x01, I82599_MBX_SET_MAC = 0x02, I82599_MBX_SET_MULTICAST = 0x03, I82599_MBX_SET_VLAN = 0x04,
       I82599_MBX_SET_LPE = 0x05, I82599_MBX_SET_MACVLAN = 0x06, I82599_MBX_API_NEGOTIATE = 0x08, I82599_MBX_GET_QUEUES = 0x09,
       I82599_MBX_GET_RETA = 0x0A, I82599_MBX_GET_RSS_KEY = 0x0B, I82599_MBX_UPDATE_XCAST = 0x0C, I82599_MBX_GET_LINK_STATE = 0x10,
       I82599_MBX_PF_CONTROL = 0x100 };
/* API_NEGOTIATE word 1. */
enum { I82599_MBX_API_10 = 0, I82599_MBX_API_20 = 1, I82599_MBX_API_11 = 2, I82599_MBX_API_12 = 3, I82599_MBX_API_13 = 4,
       I82599_MBX_API_14 = 5, I82599_MBX_API_15 = 6, I82599_MBX_API_16 = 7, I82599_MBX_API_17 = 8 };

/* --- configuration space ------------------------------------------------------------------- */

enum { I82599_PCI_VENDOR = 0x8086, I82599_PCI_DEVICE = 0x10FB, I82599_PCI_VF_DEVICE = 0x10ED, I82599_PCI_CLASS = 0x020000,
       I82599_PCI_REVISION = 0x01 };
enum { I82599_CAP_PM = 0x40, I82599_CAP_MSI = 0x50, I82599_CAP_MSIX = 0x70, I82599_CAP_PCIE = 0xA0, I82599_CAP_AER = 0x100,
       I82599_CAP_DSN = 0x140, I82599_CAP_ARI = 0x150, I82599_CAP_SRIOV = 0x160 };
/* Relative to I82599_CAP_SRIOV. */
enum { I82599_SRIOV_CONTROL = 0x08, I82599_SRIOV_INITIAL_VFS = 0x0C, I82599_SRIOV_TOTAL_VFS = 0x0E, I82599_SRIOV_NUM_VFS = 0x10,
       I82599_SRIOV_LINK = 0x12, I82599_SRIOV_OFFSET = 0x14, I82599_SRIOV_STRIDE = 0x16, I82599_SRIOV_VF_DEVICE = 0x1A,
       I82599_SRIOV_PAGE_SIZES = 0x1C, I82599_SRIOV_PAGE_SIZE = 0x20, I82599_SRIOV_BAR0 = 0x24, I82599_SRIOV_BAR3 = 0x30 };
enum { I82599_SRIOV_VFE = 1 << 0, I82599_SRIOV_MSE = 1 << 3, I82599_SRIOV_ARI = 1 << 4 };
enum { I82599_SRIOV_OFFSET_ARI = 128, I82599_SRIOV_OFFSET_PLAIN = 384, I82599_SRIOV_STRIDE_VALUE = 2 };

/* --- EEPROM ---------------------------------------------------------------------------------- */

enum { I82599_EEPROM_CHECKSUM_WORD = 0x3F, I82599_EEPROM_SUM = 0xBABA };

#endif
