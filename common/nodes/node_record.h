/* What is known of one of several daemons that share a Redis (docs/nodes.md): of its record, and of
 * its own way. Pure. */
#ifndef ESN_NODE_RECORD_H
#define ESN_NODE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NODE_NUMBERS = 1024, /* they fit into 10 bits of a connection id */
    NODE_WAY_SIZE = 512  /* with its NUL */
};

struct node_record {
    uint64_t boot; /* another one at each start */
    uint64_t counter;
    uint64_t streams;
    char way[NODE_WAY_SIZE]; /* "": it has said none */
    uint64_t renewed_ms;     /* 0: it did not say */
};

/* NULL, or what a way has to be, static: a path below the prefix of the web server that ends
 * with "/", such as "node/3/", or an address http:// or https:// that does; without blanks, and
 * short enough for a record. */
const char *node_way_fault(const char *way);
/* Whether it is an address of its own, not a path. */
bool node_way_is_address(const char *way);

/* Of a node's field and value of the hash. False: it is none of a form that is known here, or names
 * no way that is one. */
bool node_record_read(struct node_record *record, const char *text);
/* False: it is no number of a node. */
bool node_number_read(unsigned *node, const char *text);

#endif
