/* GET /healthz and /readyz, for whatever watches over the daemon (docs/protocol.md section 6). */
#ifndef ESN_HEALTH_H
#define ESN_HEALTH_H

struct connection;
struct http_request;

/* It is alive: its loop turns. To start it anew would mend nothing. */
void health_answer_alive(struct connection *connection, const struct http_request *request);
/* Events and streams may be sent to it: 503 with the reason while it stops, or events are refused. */
void health_answer_ready(struct connection *connection, const struct http_request *request);

#endif
