/* Takes events off the bus for the intake, and brings acknowledgements back. */
#ifndef ESN_BUS_READER_H
#define ESN_BUS_READER_H

#include "bus/bus.h"

#include <stdbool.h>
#include <stdint.h>

struct server;
struct bus_reader;

/* Binds the bus and joins the loop. NULL on failure, with a sentence in error. */
struct bus_reader *bus_reader_open(struct server *server, char error[BUS_ERROR_SIZE]);
/* To be called for every client that comes, asks or goes: takes events now and then, since the loop
 * would look at the bus only after all that stand before it in a crowd. May close any connection.
 */
void bus_reader_look(struct bus_reader *reader);
/* Takes no more events; acknowledgements can still be sent. Handlers keep what is not acknowledged.
 */
void bus_reader_pause(struct bus_reader *reader);
/* Leaves the loop, which must run once more before bus_reader_free(). */
void bus_reader_stop(struct bus_reader *reader);
void bus_reader_free(struct bus_reader **reader);
/* Queues an acknowledgement; those queued are sent by the flush, or after the present batch. */
void bus_reader_acknowledge(struct bus_reader *reader, uint64_t publisher, const struct ack *ack);
void bus_reader_flush(struct bus_reader *reader);
uint64_t bus_reader_malformed(const struct bus_reader *reader);

#endif
