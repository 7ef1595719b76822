#include "handover_tables.h"

#include "clock.h"
#include "events/drops.h"
#include "events/node_notes.h"
#include "server_parts.h"
#include "used_tickets.h"

static void save_tickets(const struct server *server, struct saved_writer *writer)
{
    saved_put(writer, server->service.tickets.opened_ms);
    used_tickets_save(server->service.tickets.used, writer);
}

static bool load_tickets(struct server *server, struct saved_reader *reader)
{
    server->service.tickets.opened_ms = saved_take(reader);
    return used_tickets_load(server->service.tickets.used, reader);
}

static void save_revocations(const struct server *server, struct saved_writer *writer)
{
    revocations_save(&server->streams.revocations, writer);
}

/* With fewer of them allowed than before the others count no more. */
static bool load_revocations(struct server *server, struct saved_reader *reader)
{
    uint64_t left_out;
    bool loaded =
        revocations_load(&server->streams.revocations, reader, clock_wall_ms(), &left_out);

    drops_tell_left_out(left_out);
    return loaded;
}

static void save_secrets(const struct server *server, struct saved_writer *writer)
{
    stream_secrets_save(&server->streams.secrets, writer);
}

static bool load_secrets(struct server *server, struct saved_reader *reader)
{
    return stream_secrets_load(&server->streams.secrets, reader);
}

static void save_rates(const struct server *server, struct saved_writer *writer)
{
    rate_limits_save(&server->rates, writer);
}

static bool load_rates(struct server *server, struct saved_reader *reader)
{
    return rate_limits_load(&server->rates, reader);
}

static void save_seen(const struct server *server, struct saved_writer *writer)
{
    seen_events_save(&server->seen, writer);
}

static bool load_seen(struct server *server, struct saved_reader *reader)
{
    return seen_events_load(&server->seen, reader);
}

static void save_events(const struct server *server, struct saved_writer *writer)
{
    event_log_save(&server->log, server->upgrade.ahead, writer);
}

static bool load_events(struct server *server, struct saved_reader *reader)
{
    return event_log_load(&server->log, reader);
}

static void save_values(const struct server *server, struct saved_writer *writer)
{
    last_values_save(&server->log.values, writer);
}

static bool load_values(struct server *server, struct saved_reader *reader)
{
    return last_values_load(&server->log.values, reader);
}

static void save_presence(const struct server *server, struct saved_writer *writer)
{
    presence_save(&server->streams.presence, writer);
}

static bool load_presence(struct server *server, struct saved_reader *reader)
{
    return presence_load(&server->streams.presence, reader);
}

static void save_nodes(const struct server *server, struct saved_writer *writer)
{
    node_notes_save(server->nodes.notes, writer);
}

static bool load_nodes(struct server *server, struct saved_reader *reader)
{
    return node_notes_load(&server->nodes.notes, &server->streams.presence, reader);
}

static void save_decisions(const struct server *server, struct saved_writer *writer)
{
    decisions_save(&server->streams.decisions, writer);
}

static bool load_decisions(struct server *server, struct saved_reader *reader)
{
    return decisions_load(&server->streams.decisions, reader);
}

/* In the order of enum saved_section. */
static const struct {
    enum saved_section section;
    void (*save)(const struct server *server, struct saved_writer *writer);
    bool (*load)(struct server *server, struct saved_reader *reader);
} tables[] = {
    {SAVED_SECRETS, save_secrets, load_secrets},
    {SAVED_TICKETS, save_tickets, load_tickets},
    {SAVED_RATES, save_rates, load_rates},
    {SAVED_REVOCATIONS, save_revocations, load_revocations},
    {SAVED_SEEN, save_seen, load_seen},
    {SAVED_EVENTS, save_events, load_events},
    {SAVED_VALUES, save_values, load_values},
    {SAVED_PRESENCE, save_presence, load_presence},
    {SAVED_NODES, save_nodes, load_nodes},
    {SAVED_DECISIONS, save_decisions, load_decisions},
};

enum { TABLES = sizeof tables / sizeof *tables };

void handover_tables_save(const struct server *server, struct saved_writer *writer)
{
    for (size_t i = 0; i < TABLES; i++) {
        saved_begin_section(writer, tables[i].section);
        tables[i].save(server, writer);
        saved_end_section(writer);
    }
}

bool handover_tables_load(struct server *server, struct saved_reader *sections,
                          enum saved_section *failed)
{
    for (size_t i = 0; i < TABLES; i++) {
        struct saved_reader *reader = &sections[tables[i].section];
        *failed = tables[i].section;
        if (!tables[i].load(server, reader) || !saved_is_read(reader))
            return false;
    }
    return true;
}
