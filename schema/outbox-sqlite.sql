-- The outbox in SQLite (3.37 or newer), in the application's own file. docs/outbox.md says what it is for.
-- Made by hand with: sqlite3 shop.db < outbox-sqlite.sql
--
-- A row that is inserted in a transaction is a post once that is committed:
--   INSERT INTO outgoing_events (queue, body) VALUES ('orders/7', '{"ep": ["orders/7"], "e": {"type": "paid"}}');
--
-- The folder must be writable for esn-outbox's user, since SQLite keeps more files beside the database.
CREATE TABLE IF NOT EXISTS outgoing_events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Rows of one queue are published in the order of their ids.
    queue      TEXT NOT NULL DEFAULT '',
    -- Who publishes, one of [outbox] publishers; '': the first of them.
    publisher  TEXT NOT NULL DEFAULT '',
    -- As POST /event takes it.
    body       TEXT NOT NULL,
    -- By which a second attempt is known. Ids can come again, from a backup; this does not.
    post_key   TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    -- Milliseconds since 1970.
    created_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
    -- Of a row that was refused for ever, with the words.
    failed_at  INTEGER,
    failure    TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX IF NOT EXISTS outgoing_events_waiting ON outgoing_events (failed_at, id);
