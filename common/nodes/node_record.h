/* What a daemon says of itself to those who share its Redis (docs/nodes.md): an entry of the hash
 * PREFIXnodes, whose field is the node's number, decimal, and whose value is a line of words with a
 * blank between them:
 *
 *     1 BOOT COUNTER STREAMS WAY RENEWED
 *
 * 1 is the form. BOOT is another text at each start of a daemon, COUNTER a number that grows
 * with each renewal, STREAMS how many streams the node holds, WAY where it is reached from
 * outside ([fanout] node_url), "-" when it said none. RENEWED is when it wrote this, in
 * milliseconds since 1970 by its own clock: for people, since clocks differ. Words behind that
 * are for later forms and passed over. Pure. */
#ifndef ESN_NODE_RECORD_H
#define ESN_NODE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NODE_NUMBERS = 1024, /* they fit into 10 bits of a connection id */
    NODE_BOOT_SIZE = 40, /* with its NUL, as the next */
    NODE_WAY_SIZE = 512,
    NODE_RECORD_SIZE = NODE_BOOT_SIZE + NODE_WAY_SIZE + 64
};

struct node_record {
    char boot[NODE_BOOT_SIZE];
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

/* Ends with NUL; the length. boot and way are such as can be read. */
size_t node_record_write(char out[NODE_RECORD_SIZE], const struct node_record *record);
/* False: it is none of a form that is known here. */
bool node_record_read(struct node_record *record, const char *text, size_t length);
/* False: it is no number of a node. */
bool node_number_read(unsigned *node, const char *text, size_t length);

#endif
