#include "hand_off.h"

#include "handler_reply.h"
#include "nodes/node_record.h"

#include <string.h>

/* A secret is 32 characters; what cannot be one is not handed on. */
enum { LONGEST_SECRET = 64 };

static struct handler_reach reach_of(const char *origin, const struct config *config)
{
    return (struct handler_reach){.origins = config->web_origins, .origin = origin};
}

static void append_escaped(struct bytes *out, const char *text)
{
    for (; *text != '\0'; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9');
        if (plain)
            bytes_append(out, text, 1);
        else
            bytes_append_format(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

static void append_target(struct bytes *out, const char *base, const struct hand_off *hand_off)
{
    const char *way = hand_off->way != NULL ? hand_off->way : "";
    bytes_append_format(out, "%s%s%s?ticket=", node_way_is_address(way) ? "" : base, way,
                        hand_off->path);
    bytes_append(out, hand_off->ticket, hand_off->ticket_length);
    if (hand_off->has_wait) {
        bytes_append_text(out, "&wait=");
        bytes_append_number(out, hand_off->wait_ms);
    }
    if (hand_off->says_had)
        bytes_append_text(out, "&report=true");
    if (hand_off->connid == 0 || strlen(hand_off->secret) > LONGEST_SECRET)
        return;
    bytes_append_text(out, "&connid=");
    bytes_append_number(out, hand_off->connid);
    bytes_append_text(out, "&secret=");
    append_escaped(out, hand_off->secret);
}

/* The web server takes the headers of the answer from the daemon. */
static void write_accel(struct bytes *out, const struct hand_off *hand_off,
                        const struct config *config)
{
    bytes_append_text(out, "Status: 200 OK\r\nContent-Type: text/plain\r\nX-Accel-Redirect: ");
    append_target(out, config->handoff_prefix, hand_off);
    bytes_append_text(out, "\r\n\r\n");
}

/* The client is asked to send the same again, with a ticket (RFC 9110 section 15.4.8). */
static void write_again(struct bytes *out, const char *base, const struct hand_off *hand_off,
                        const struct config *config)
{
    handler_reply_write_head(out, 307, "Temporary Redirect", reach_of(hand_off->origin, config));
    bytes_append_text(out, "Location: ");
    append_target(out, base, hand_off);
    bytes_append_text(out, "\r\nContent-Length: 0\r\n\r\n");
}

/* To the same path (RFC 3986 section 5.2.2), or the same of a daemon's own way, where the web server
 * passes on who has a ticket. A local redirect has no body any more. */
static void write_again_here(struct bytes *out, const struct hand_off *hand_off,
                             const struct config *config)
{
    struct hand_off here = *hand_off;
    if (here.way == NULL)
        here.path = "";
    write_again(out, "", &here, config);
}

/* RFC 3875 section 6.2.2: no other field and no body. */
static void write_local(struct bytes *out, const struct hand_off *hand_off,
                        const struct config *config)
{
    if (hand_off->needs_body) {
        write_again_here(out, hand_off, config);
        return;
    }
    bytes_append_text(out, "Location: ");
    append_target(out, config->handoff_prefix, hand_off);
    bytes_append_text(out, "\r\n\r\n");
}

static void write_redirect(struct bytes *out, const struct hand_off *hand_off,
                           const struct config *config)
{
    if (hand_off->needs_body) {
        write_again(out, config->handoff_url, hand_off, config);
        return;
    }
    handler_reply_write_head(out, 303, "See Other", reach_of(hand_off->origin, config));
    bytes_append_text(out, "Location: ");
    append_target(out, config->handoff_url, hand_off);
    bytes_append_text(out, "\r\nContent-Length: 0\r\n\r\n");
}

void hand_off_write_ticket(struct bytes *out, const struct hand_off *hand_off,
                           const struct config *config)
{
    struct bytes body = BYTES_EMPTY, url = BYTES_EMPTY;
    bytes_append_text(&body, "{\"ticket\":");
    bytes_append_json_string(&body, hand_off->ticket, hand_off->ticket_length);
    bool has_address = hand_off->way != NULL && node_way_is_address(hand_off->way);
    if (config->handoff_url != NULL || has_address) {
        append_target(&url, config->handoff_url, hand_off);
        bytes_append_text(&body, ",\"url\":");
        bytes_append_json_string(&body, url.data, url.length);
    }
    bytes_append_text(&body, hand_off->needs_body ? ",\"body\":true}\n" : "}\n");
    handler_reply_write_head(out, 200, "OK", reach_of(hand_off->origin, config));
    bytes_append_format(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                        body.length);
    bytes_append(out, body.data, body.length);
    out->failed = out->failed || url.failed || body.failed;
    bytes_free(&url);
    bytes_free(&body);
}

void hand_off_write(struct bytes *out, const struct hand_off *hand_off, const struct config *config)
{
    switch (config->handoff_mode) {
    case CONFIG_HANDOFF_LOCAL:
        write_local(out, hand_off, config);
        break;
    case CONFIG_HANDOFF_REDIRECT:
        write_redirect(out, hand_off, config);
        break;
    case CONFIG_HANDOFF_JSON:
        hand_off_write_ticket(out, hand_off, config);
        break;
    default:
        write_accel(out, hand_off, config);
    }
}

/* What the web server took for a query has no line ends; a control character ends it all the same.
 */
static size_t header_length(const char *text)
{
    size_t length = 0;
    while ((unsigned char)text[length] > ' ' && text[length] != 0x7f)
        length++;
    return length;
}

void hand_off_write_query(struct bytes *out, const char *path, const char *query,
                          const char *origin, const struct config *config)
{
    handler_reply_write_head(out, 307, "Temporary Redirect", reach_of(origin, config));
    bytes_append_format(out, "Location: %s%s?%.*s\r\nContent-Length: 0\r\n\r\n",
                        config->handoff_url, path, (int)header_length(query), query);
}

void hand_off_write_alive(struct bytes *out, const char *origin, const struct config *config)
{
    handler_reply_write_head(out, 307, "Temporary Redirect", reach_of(origin, config));
    bytes_append_format(out, "Location: %salive\r\nContent-Length: 0\r\n\r\n", config->handoff_url);
}
