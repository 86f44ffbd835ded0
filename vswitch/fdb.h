/* The forwarding database of one network: which port wants an address.
 *
 * Two kinds of entries.  First, static ones, the address of each vPort: they
 * never age, and an address that is a vPort's own is never learned elsewhere,
 * whatever frames arrive with it as source.  Second, learned ones, which a
 * source address makes at the port it came from, and which age after
 * VSW_FDB_AGE without being seen.  The table is a small hash with a bounded
 * probe; when a bucket is full, the oldest learned entry gives way.
 */
#ifndef VSWITCH_FDB_H
#define VSWITCH_FDB_H

#include <stdbool.h>
#include <stdint.h>

enum { VSW_FDB_BUCKETS = 256, VSW_FDB_WAYS = 4, VSW_FDB_NONE = 0xFFFF };
#define VSW_FDB_AGE 3000000000ull /* five minutes [100 ns], the default of 802.1D "Ageing time" */

struct vsw_fdb_entry {
    uint64_t mac;
    uint64_t seen;  /* [100 ns] */
    uint16_t port;
    uint8_t used;
    uint8_t fixed;  /* a vPort's own */
};

struct vsw_fdb {
    struct vsw_fdb_entry entry[VSW_FDB_BUCKETS][VSW_FDB_WAYS];
};

/* False: the bucket is full of other vPorts, or another port has this address. */
bool vsw_fdb_add(struct vsw_fdb *, uint64_t mac, uint16_t port);
void vsw_fdb_remove_port(struct vsw_fdb *, uint16_t port);
void vsw_fdb_learn(struct vsw_fdb *, uint64_t mac, uint16_t port, uint64_t now);
/* The port, or VSW_FDB_NONE. */
uint16_t vsw_fdb_find(const struct vsw_fdb *, uint64_t mac, uint64_t now);

#endif
