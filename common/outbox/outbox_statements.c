#include "outbox/outbox_statements.h"

#define EVENTS " FROM outgoing_events "
#define NOT_HELD " AND queue NOT IN (SELECT queue" EVENTS "WHERE failed_at IS NOT NULL) ORDER BY id"
#define RETRY                                                                                      \
    "UPDATE outgoing_events SET failed_at = NULL, failure = '' WHERE failed_at IS NOT NULL"

#define SQLITE_READ                                                                                \
    "SELECT id, queue, publisher, body, post_key, created_at" EVENTS                               \
    "WHERE failed_at IS NULL AND instr(?, ',' || hex(queue) || ',') = 0"
#define SQLITE_NOW "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

const struct sql_statement outbox_statements_sqlite[OUTBOX_STATEMENT_COUNT] = {
    [OUTBOX_LOCK] = {"SELECT 1", false},
    [OUTBOX_READ] = {SQLITE_READ " ORDER BY id", false},
    [OUTBOX_READ_HELD] = {SQLITE_READ NOT_HELD, false},
    [OUTBOX_CONFIRM] = {"SELECT 1", false},
    [OUTBOX_FAIL] = {"UPDATE outgoing_events SET failed_at = " SQLITE_NOW ", failure = ?"
                     " WHERE id = CAST(? AS INTEGER)",
                     false},
    [OUTBOX_COUNT] = {"SELECT COUNT(*) - COUNT(failed_at), COUNT(failed_at),"
                      " MIN(CASE WHEN failed_at IS NULL THEN created_at END), " SQLITE_NOW
                      " FROM outgoing_events",
                      false},
    [OUTBOX_LIST] = {"SELECT id, queue, publisher, created_at, failed_at, failure,"
                     " substr(body, 1, 200)" EVENTS
                     "WHERE (failed_at IS NOT NULL) = CAST(? AS INTEGER) ORDER BY id LIMIT 1000",
                     false},
    [OUTBOX_RETRY] = {RETRY " AND id = CAST(? AS INTEGER)", false},
    [OUTBOX_RETRY_ALL] = {RETRY, false},
    [OUTBOX_DROP] = {"DELETE" EVENTS "WHERE id = CAST(? AS INTEGER)", false},
    [OUTBOX_DROP_FAILED] = {"DELETE" EVENTS "WHERE failed_at IS NOT NULL", false},
};

#define MARIADB_CREATED "CAST(UNIX_TIMESTAMP(created_at) * 1000 AS UNSIGNED)"
#define MARIADB_FAILED "CAST(UNIX_TIMESTAMP(failed_at) * 1000 AS UNSIGNED)"
#define MARIADB_NOW "CAST(UNIX_TIMESTAMP(CURRENT_TIMESTAMP(3)) * 1000 AS UNSIGNED)"
#define MARIADB_READ                                                                               \
    "SELECT id, queue, publisher, body, post_key, " MARIADB_CREATED EVENTS                         \
    "WHERE failed_at IS NULL AND NOT INSTR(?, CONCAT(',', HEX(queue), ','))"

/* Of rows one by one, by their primary key: no gap is locked, where others insert. */
const struct sql_statement outbox_statements_mariadb[OUTBOX_STATEMENT_COUNT] = {
    [OUTBOX_LOCK] = {"SELECT GET_LOCK(CONCAT('esn-outbox.', MD5(DATABASE())), 0)", false},
    [OUTBOX_READ] = {MARIADB_READ " ORDER BY id", false},
    [OUTBOX_READ_HELD] = {MARIADB_READ NOT_HELD, false},
    [OUTBOX_CONFIRM] = {"INSERT INTO outgoing_turns (one) VALUES (1)"
                        " ON DUPLICATE KEY UPDATE turns = turns + 1",
                        false},
    [OUTBOX_FAIL] = {"UPDATE outgoing_events SET failed_at = CURRENT_TIMESTAMP(3), failure = ?"
                     " WHERE id = CAST(? AS UNSIGNED)",
                     false},
    [OUTBOX_COUNT] = {"SELECT COUNT(*) - COUNT(failed_at), COUNT(failed_at),"
                      " MIN(IF(failed_at IS NULL, " MARIADB_CREATED ", NULL)), " MARIADB_NOW EVENTS,
                      false},
    [OUTBOX_LIST] = {"SELECT id, queue, publisher, " MARIADB_CREATED ", " MARIADB_FAILED
                     ", failure, LEFT(body, 200)" EVENTS
                     "WHERE (failed_at IS NOT NULL) = CAST(? AS UNSIGNED) ORDER BY id LIMIT 1000",
                     false},
    [OUTBOX_RETRY] = {RETRY " AND id = CAST(? AS UNSIGNED)", false},
    [OUTBOX_RETRY_ALL] = {RETRY, false},
    [OUTBOX_DROP] = {"DELETE" EVENTS "WHERE id = CAST(? AS UNSIGNED)", false},
    [OUTBOX_DROP_FAILED] = {"DELETE" EVENTS "WHERE failed_at IS NOT NULL", false},
};
