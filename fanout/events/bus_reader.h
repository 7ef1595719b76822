/* Takes events off the bus for the intake. */
#ifndef ESN_BUS_READER_H
#define ESN_BUS_READER_H

#include "bus/bus.h"

#include <stdbool.h>
#include <stdint.h>

struct bus_reader;
struct intake;
struct net;

/* Binds the bus and joins the loop: what comes is given to the intake, with what was queued for
 * connections written in between. In a crowd of clients it looks after the bus between batches of
 * them. take_up: whose streams it goes on with (see bus_options); NULL: nobody's. NULL on failure,
 * with a sentence in error. */
struct bus_reader *bus_reader_open(struct net *net, struct intake *intake, uint64_t epoch,
                                   const struct bus_take_up *take_up, char error[BUS_ERROR_SIZE]);
/* Takes no more events; acknowledgements can still be sent. Handlers keep what is not acknowledged.
 */
void bus_reader_pause(struct bus_reader *reader);
/* Leaves the loop, which must run once more before bus_reader_free(). */
void bus_reader_stop(struct bus_reader *reader);
/* Where daemons share the engine the others count this one as gone. */
void bus_reader_free(struct bus_reader **reader);
/* Unbinds at once, so that another program may bind, and leaves the loop, which frees it. What was
 * not read is sent again by who sent it. */
void bus_reader_leave(struct bus_reader **reader);
/* What the engine gave when it was opened. */
struct bus_facts bus_reader_facts(const struct bus_reader *reader);
/* Why no events come at present: a sentence; NULL: they do. */
const char *bus_reader_trouble(const struct bus_reader *reader);
uint64_t bus_reader_malformed(const struct bus_reader *reader);

#endif
