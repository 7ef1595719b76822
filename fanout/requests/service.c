#include "requests/service.h"

#include "net/connection.h"

struct service *service_of(const struct connection *connection)
{
    return connection->net->service;
}
