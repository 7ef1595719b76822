-- Registered topics in SQLite (3.37 or newer). docs/rights.md says what the columns mean.
-- Made by hand with: sqlite3 topics.db < sqlite.sql
--
-- The folder must be writable for the handlers' user, since WAL keeps two more files beside the database.
PRAGMA journal_mode = WAL;

CREATE TABLE IF NOT EXISTS registered_topics (
    id           INTEGER PRIMARY KEY,
    topic        TEXT NOT NULL UNIQUE CHECK (topic <> ''),
    owner        TEXT NOT NULL DEFAULT '',
    -- JSON arrays of user ids and wildcards: ["ana", 7, "+"]
    pub          TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(pub) AND json_type(pub) = 'array'),
    sub          TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(sub) AND json_type(sub) = 'array'),
    -- '' or what PHP's password_hash() makes
    pub_password TEXT NOT NULL DEFAULT ''
) STRICT;

-- Who hears targeted events of a topic, wherever they are.
CREATE TABLE IF NOT EXISTS topic_followers (
    topic_id INTEGER NOT NULL REFERENCES registered_topics (id) ON DELETE CASCADE,
    user_id  TEXT NOT NULL CHECK (user_id <> ''),
    PRIMARY KEY (topic_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS topic_followers_by_user ON topic_followers (user_id);
