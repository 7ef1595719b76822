/* Requests that are about a stream of another one of several daemons (docs/nodes.md): they are
 * sent on to its own way ([fanout] node_url), once: where it does not serve, the web server
 * brings them to yet another daemon, which has to answer. */
#ifndef ESN_ELSEWHERE_H
#define ESN_ELSEWHERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;
struct config;
struct connection;
struct http_request;

/* The path of a request, without this daemon's own way where it begins with that. */
const char *elsewhere_plain_path(const struct config *config, const char *path);

/* Appends where the same stands at another way: an address, or a path relative to this one (RFC
 * 3986, section 5.2), whatever prefix the web server has put before both. own_way: NULL or "":
 * this daemon has none. path: with its "/". */
void elsewhere_write_location(struct bytes *out, const char *own_way, const char *way,
                              const char *path, const char *query);

/* Who shows this secret (hexadecimal, may be anything) of a stream that is not here: when the
 * daemon that made it is another one, which lives and says where it is reached, the request is
 * answered 307 (RFC 9110, section 15.4.8), and true. */
bool elsewhere_send(struct connection *connection, const struct http_request *request,
                    uint64_t connid, const char *secret, size_t length);

#endif
