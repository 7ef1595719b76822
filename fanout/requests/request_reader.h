/* Reads requests off a connection that speaks HTTP, and has each answered before the next one. */
#ifndef ESN_REQUEST_READER_H
#define ESN_REQUEST_READER_H

#include "net/connection.h"

extern const struct connection_user request_reader_user;

#endif
