/* Ports and connections (TLFS "Inter-Partition Communication").
 *
 * A port belongs to the partition that receives and says where (VP, SINT, for
 * events: which flags); a connection belongs to the partition that sends and
 * names a port.  Senders know connection ids only.
 *
 * hvlab: ports are made by the root partition, for itself; connections for its
 * children.  Services inside the hypervisor (placement monolithic) are reached by
 * connections of kind CONNECTION_SERVICE.
 */
#ifndef HV_IPC_IPC_H
#define HV_IPC_IPC_H

#include "hv/hv.h"
#include "spec/hv/hypercall.h"
#include "spec/hv/status.h"

struct partition;
struct vp;

enum { PORTS_MAX = 1024, CONNECTIONS_MAX = 64 };

struct port { bool used; uint32_t id; struct hv_port_info info; uint32_t connections; };
struct port_table { struct port port[PORTS_MAX]; };

enum connection_kind { CONNECTION_NONE, CONNECTION_PORT, CONNECTION_SERVICE };
struct connection {
    enum connection_kind kind;
    uint32_t id;
    struct port *port;          /* CONNECTION_PORT: of the root */
    void (*handler)(void *ctx); /* CONNECTION_SERVICE: a signal */
    void *ctx;
};
struct connection_table { struct connection connection[CONNECTIONS_MAX]; };

enum hv_status ipc_create_port(struct partition *, uint32_t id, const struct hv_port_info *);
enum hv_status ipc_delete_port(struct partition *, uint32_t id);
enum hv_status ipc_connect(struct partition *sender, uint32_t id, struct partition *receiver, uint32_t port, uint32_t type);
enum hv_status ipc_disconnect(struct partition *, uint32_t id);
void ipc_disconnect_all(struct partition *);

enum hv_status ipc_post(struct vp *from, const struct hv_post_message *);
enum hv_status ipc_signal(struct vp *from, uint32_t connection, uint32_t flag);

/* For services in the hypervisor: binds a signal connection of a child. False: table full or id taken. */
bool ipc_bind_service(struct partition *, uint32_t id, void (*handler)(void *ctx), void *ctx);
bool ipc_find_service(struct partition *, uint32_t id, void (**handler)(void *ctx), void **ctx);

#endif
