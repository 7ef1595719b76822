#include "http/forwarded.h"

#include "blank.h"

#include <string.h>
#include <strings.h>

/* A part of the list. */
struct span {
    const char *text;
    size_t length;
};

static struct span trim(struct span span)
{
    while (span.length > 0 && is_blank(span.text[0])) {
        span.text++;
        span.length--;
    }
    while (span.length > 0 && is_blank(span.text[span.length - 1]))
        span.length--;
    return span;
}

/* Cuts off what follows the last separator that stands in no quotes; all, where there is none. Read
 * from the end, so that quotes that somebody left open in front reach nothing behind them. */
static struct span take_last(struct span *list, char separator, bool knows_quotes)
{
    bool quoted = false;
    size_t at = list->length;

    for (; at > 0; at--) {
        char character = list->text[at - 1];
        if (character == '"' && knows_quotes)
            quoted = !quoted;
        else if (character == separator && !quoted)
            break;
    }
    struct span last = {list->text + at, list->length - at};
    list->length = at > 0 ? at - 1 : 0;
    return trim(last);
}

static bool read_address(struct ip_address *address, struct span host)
{
    char text[IP_ADDRESS_TEXT_SIZE];

    if (host.length == 0 || host.length >= sizeof text)
        return false;
    memcpy(text, host.text, host.length);
    text[host.length] = '\0';
    return ip_address_read(address, text);
}

/* `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711` */
static bool read_node(struct ip_address *address, struct span node)
{
    const char *colon = memchr(node.text, ':', node.length);
    const char *end = memchr(node.text, ']', node.length);

    if (node.length > 0 && node.text[0] == '[') {
        if (end == NULL || (end + 1 < node.text + node.length && end[1] != ':'))
            return false;
        return read_address(address, (struct span){node.text + 1, (size_t)(end - node.text) - 1});
    }
    if (colon != NULL &&
        memchr(colon + 1, ':', (size_t)(node.text + node.length - colon) - 1) == NULL)
        node.length = (size_t)(colon - node.text);
    return read_address(address, node);
}

/* The value of `for` in `for=192.0.2.60;proto=http;by=203.0.113.43` (RFC 7239, section 4). */
static bool find_for(struct span element, struct span *node)
{
    while (element.length > 0) {
        struct span pair = take_last(&element, ';', true);
        if (pair.length < 4 || strncasecmp(pair.text, "for=", 4) != 0)
            continue;
        *node = (struct span){pair.text + 4, pair.length - 4};
        if (node->length >= 2 && node->text[0] == '"' && node->text[node->length - 1] == '"')
            *node = (struct span){node->text + 1, node->length - 2};
        return true;
    }
    return false;
}

bool forwarded_find_client(struct ip_address *client, const char *list, enum forwarded_form form,
                           const struct address_range *proxies, size_t proxy_count)
{
    struct span rest = {list, strlen(list)};
    bool is_rfc = form == FORWARDED_RFC_7239, found = false;

    while (rest.length > 0) {
        struct span element = take_last(&rest, ',', is_rfc);
        struct ip_address address;
        if (element.length == 0)
            continue;
        if ((is_rfc && !find_for(element, &element)) || !read_node(&address, element))
            return found;
        *client = address;
        found = true;
        if (!address_range_has(proxies, proxy_count, &address))
            return true;
    }
    return found;
}
