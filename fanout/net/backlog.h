/* What waits for a client whose socket takes no more. */
#ifndef ESN_BACKLOG_H
#define ESN_BACKLOG_H

struct connection;

/* The loop writes what is queued, and what is sealed, when the socket takes more. */
void backlog_begin(struct connection *connection);
/* Of one that has a backlog: closes it when too much waits. */
void backlog_apply_limits(struct connection *connection);

#endif
