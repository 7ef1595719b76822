/* What happens to an event that came: known already or new, kept, delivered, acknowledged. With a
 * log on disk that is synced always, an event is delivered and acknowledged when it is on the disk,
 * in the order in which they came; otherwise at once. */
#ifndef ESN_INTAKE_H
#define ESN_INTAKE_H

#include "bus/bus.h"
#include "log/log_store.h"

#include <stdbool.h>

struct intake;
struct server;

/* Opens the log on disk, when one is configured, and loads it into server->events and server->seen,
 * which are open and empty. NULL with a sentence in error. */
struct intake *intake_open(struct server *server, char error[LOG_DATABASE_ERROR_SIZE]);
/* Acknowledges through server->bus, now or later, or not at all while an earlier copy is on its way
 * to the disk. */
void intake_take(struct intake *intake, const struct bus_message *message);
/* Writes what is on its way, settles it and leaves the loop, which must run once more before
 * intake_free(). */
void intake_stop(struct intake *intake);
void intake_free(struct intake **intake);

/* What the secrets of streams are made with: the log's own on disk, else one of this process. */
const unsigned char *intake_stream_key(const struct intake *intake);
bool intake_has_store(const struct intake *intake);
struct log_store_figures intake_figures(const struct intake *intake);

#endif
