/* A virtual function's registers and MSI-X table: 32-bit, little-endian, uncached. */
#include "guests/mini/vf.h"

uint32_t vf_reg_read(const struct vf *vf, uint32_t offset) { return vf->regs[offset / 4]; }
void vf_reg_write(struct vf *vf, uint32_t offset, uint32_t value) { vf->regs[offset / 4] = value; }
void vf_msix_write(struct vf *vf, unsigned word, uint32_t value) { vf->msix[word] = value; }
