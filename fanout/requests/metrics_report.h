/* GET /metrics: what Prometheus and its like are told (docs/operate.md). Every number is counted as
 * things happen, so that to ask for them costs the same with one stream and with a hundred thousand;
 * no label has a topic, a client or a user. */
#ifndef ESN_METRICS_REPORT_H
#define ESN_METRICS_REPORT_H

struct connection;
struct http_request;

void metrics_report_answer(struct connection *connection, const struct http_request *request);

#endif
