/* GET /connections (docs/protocol.md section 6): who is there, for holders of the admin token. With
 * tens of thousands of streams it is written piece by piece (piecewise_answer.h). Streams that come or go
 * meanwhile may be in it or not. */
#ifndef ESN_CONNECTIONS_REPORT_H
#define ESN_CONNECTIONS_REPORT_H

struct connection;
struct http_request;

void connections_report_answer(struct connection *connection, const struct http_request *request);

#endif
