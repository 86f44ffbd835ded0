/* No services in the parent partition: placements that keep them elsewhere. */
#include "guests/root/root.h"

bool svc_root_present(void) { return false; }
void svc_root_init(void) {}
bool svc_root_work(void) { return false; }
void svc_root_child_created(unsigned child, struct boot_info *info) { (void)child, (void)info; }
