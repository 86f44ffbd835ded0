/* Extensions: what looks at every frame between a port and the forwarding decision.
 *
 * They stand in a fixed order (capture, filter), each with its own state.  An
 * extension may look and may refuse; it never changes a frame.  Which of them
 * run is configuration: "switch.capture=1", "switch.filter=RULES".
 *
 * RULES: rules separated by ';', the first that matches decides, a frame that
 * none matches passes.  A rule: "drop" or "allow", then any of
 *      src=MAC dst=MAC type=NUMBER vlan=NUMBER port=NUMBER
 * separated by spaces; all given terms must match.
 */
#ifndef VSWITCH_EXTENSION_H
#define VSWITCH_EXTENSION_H

#include <stdbool.h>

#include "vswitch/parse.h"
#include "vsp/runtime/svc.h"

struct vsw_extension {
    const char *name;
    void *(*start)(void); /* its state, or NULL: not wanted by the configuration */
    bool (*look)(void *state, const struct svc_packet *, const struct vsw_frame *, unsigned port);
};

extern const struct vsw_extension vsw_extension_capture;
extern const struct vsw_extension vsw_extension_filter;

/* For tests: how many rules the text has; -1 if it is no rule text. */
int vsw_filter_parse(const char *text, void *filter);
enum { VSW_FILTER_RULES_MAX = 16, VSW_FILTER_SIZE = 1024 };

#endif
