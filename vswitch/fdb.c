#include "vswitch/fdb.h"

#include <stddef.h>

static unsigned bucket_of(uint64_t mac)
{
    mac ^= mac >> 24;
    mac *= 0x9E3779B97F4A7C15ull;
    return (unsigned)(mac >> 56) % VSW_FDB_BUCKETS;
}

static bool aged(const struct vsw_fdb_entry *entry, uint64_t now)
{
    return !entry->fixed && now - entry->seen > VSW_FDB_AGE;
}

static struct vsw_fdb_entry *find(struct vsw_fdb_entry *bucket, uint64_t mac)
{
    for (unsigned i = 0; i < VSW_FDB_WAYS; i++)
        if (bucket[i].used && bucket[i].mac == mac)
            return &bucket[i];
    return NULL;
}

/* A free way, else the learned entry seen longest ago, else NULL. */
static struct vsw_fdb_entry *victim(struct vsw_fdb_entry *bucket)
{
    struct vsw_fdb_entry *oldest = NULL;
    for (unsigned i = 0; i < VSW_FDB_WAYS; i++) {
        if (!bucket[i].used)
            return &bucket[i];
        if (!bucket[i].fixed && (!oldest || bucket[i].seen < oldest->seen))
            oldest = &bucket[i];
    }
    return oldest;
}

bool vsw_fdb_add(struct vsw_fdb *fdb, uint64_t mac, uint16_t port)
{
    struct vsw_fdb_entry *bucket = fdb->entry[bucket_of(mac)];
    struct vsw_fdb_entry *entry = find(bucket, mac);
    if (entry && entry->fixed)
        return entry->port == port;
    if (!entry)
        entry = victim(bucket);
    if (!entry)
        return false;
    *entry = (struct vsw_fdb_entry){ .mac = mac, .port = port, .used = 1, .fixed = 1 };
    return true;
}

void vsw_fdb_remove_port(struct vsw_fdb *fdb, uint16_t port)
{
    for (unsigned b = 0; b < VSW_FDB_BUCKETS; b++)
        for (unsigned i = 0; i < VSW_FDB_WAYS; i++)
            if (fdb->entry[b][i].port == port)
                fdb->entry[b][i].used = 0;
}

void vsw_fdb_learn(struct vsw_fdb *fdb, uint64_t mac, uint16_t port, uint64_t now)
{
    struct vsw_fdb_entry *bucket = fdb->entry[bucket_of(mac)];
    struct vsw_fdb_entry *entry = find(bucket, mac);
    if (entry && entry->fixed)
        return;
    if (!entry)
        entry = victim(bucket);
    if (entry)
        *entry = (struct vsw_fdb_entry){ .mac = mac, .seen = now, .port = port, .used = 1 };
}

uint16_t vsw_fdb_find(const struct vsw_fdb *fdb, uint64_t mac, uint64_t now)
{
    const struct vsw_fdb_entry *bucket = fdb->entry[bucket_of(mac)];
    for (unsigned i = 0; i < VSW_FDB_WAYS; i++)
        if (bucket[i].used && bucket[i].mac == mac)
            return aged(&bucket[i], now) ? VSW_FDB_NONE : bucket[i].port;
    return VSW_FDB_NONE;
}
