/* Latencies of what lies between devices, memory and processors. */
#include "sim/time/timing.h"

#include <assert.h>

#include "sim/machine.h"
#include "spec_timing_fabric.h"

uint64_t
time_fabric(const struct machine *m, enum fabric_kind kind, uint64_t bytes)
{
    static const uint64_t latency_ns[FABRIC_KIND_COUNT] = {
        [FABRIC_DMA_READ] = FABRIC_DMA_READ_NS, [FABRIC_DMA_WRITE] = FABRIC_DMA_WRITE_NS,
        [FABRIC_MSI] = FABRIC_MSI_NS, [FABRIC_IPI] = FABRIC_IPI_NS,
        [FABRIC_LPC] = FABRIC_LPC_NS, [FABRIC_IOTLB_MISS] = FABRIC_IOTLB_MISS_NS,
        [FABRIC_DISK] = FABRIC_DISK_NS, [FABRIC_DISK_COMMAND] = FABRIC_DISK_COMMAND_NS,
    };
    (void)m;
    assert(kind < FABRIC_KIND_COUNT);
    uint64_t rate = kind == FABRIC_DISK_BUSY ? FABRIC_DISK_BYTES_PER_NS : FABRIC_PCIE_BYTES_PER_NS;
    return machine_ns_to_cycles(latency_ns[kind] + bytes / rate);
}

uint64_t
time_wire_cycles(const struct machine *m, uint64_t frame_bytes)
{
    uint64_t bits = (frame_bytes + FABRIC_WIRE_OVERHEAD) * 8;
    (void)m;
    return (uint64_t)((unsigned __int128)bits * MACHINE_TSC_HZ
                      / (FABRIC_WIRE_BITS_PER_NS * 1000000000ull));
}
