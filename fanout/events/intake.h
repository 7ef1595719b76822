/* What happens to an event that came: known already or new, kept, delivered, acknowledged. With a
 * log on disk that is synced always, an event is delivered and acknowledged when it is on the disk,
 * in the order in which they came; otherwise at once. */
#ifndef ESN_INTAKE_H
#define ESN_INTAKE_H

#include "bus/bus.h"
#include "events/intake_parts.h"
#include "log/log_store.h"

#include <stdbool.h>
#include <stdint.h>

struct intake;

/* Opens the log on disk, when one is configured, and loads it into the log and the seen events,
 * which are open and empty. NULL with a sentence in error. */
struct intake *intake_open(const struct intake_parts *parts, char error[LOG_DATABASE_ERROR_SIZE]);
/* Where acknowledgements go; before the first event is taken. */
void intake_set_inbox(struct intake *intake, struct bus_inbox *inbox);
/* Acknowledges through the inbox, now or later, or not at all while an earlier copy is on its way
 * to the disk. */
void intake_take(struct intake *intake, const struct bus_message *message);
/* Writes what is on its way, settles it and leaves the loop, which must run once more before
 * intake_free(). */
void intake_stop(struct intake *intake);
void intake_free(struct intake **intake);
/* Settles all that is on its way to the disk, and lets go of the file; no event comes until it goes
 * on. False when the end of the file cannot be noted: nobody else can take it up. */
bool intake_rest(struct intake *intake);
/* False with a sentence in error: the log on disk cannot be taken up again. */
bool intake_go_on(struct intake *intake, char error[LOG_DATABASE_ERROR_SIZE]);

/* What the secrets of streams are made with: the log's own on disk, else one of this process. */
const unsigned char *intake_stream_key(const struct intake *intake);
/* Why events are refused at present, all of them or most: a sentence. NULL when one was taken since
 * the last one that was refused, or none was refused for half a minute. */
const char *intake_trouble(const struct intake *intake);
bool intake_has_store(const struct intake *intake);
struct log_store_figures intake_figures(const struct intake *intake);
const struct intake_counters *intake_counters(const struct intake *intake);
/* Memory of what is on its way to the disk, and of what is known about publishers. */
uint64_t intake_bytes(const struct intake *intake);

#endif
