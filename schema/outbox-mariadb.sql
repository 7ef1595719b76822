-- The outbox in MariaDB (10.4 or newer), in the application's own database. docs/outbox.md says what it is for.
-- Made by hand with: mariadb DATABASE < outbox-mariadb.sql
--
-- A row that is inserted in a transaction is a post once that is committed:
--   INSERT INTO outgoing_events (queue, body) VALUES ('orders/7', '{"ep": ["orders/7"], "e": {"type": "paid"}}');
CREATE TABLE IF NOT EXISTS outgoing_events (
    id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    -- Rows of one queue are published in the order of their ids.
    queue      VARCHAR(255) NOT NULL DEFAULT '',
    -- Who publishes, one of [outbox] publishers; '': the first of them.
    publisher  VARCHAR(64) NOT NULL DEFAULT '',
    -- As POST /event takes it.
    body       MEDIUMTEXT NOT NULL,
    -- By which a second attempt is known. Ids can come again, after TRUNCATE or from a backup; this does not.
    post_key   CHAR(36) NOT NULL DEFAULT UUID(),
    created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    -- Of a row that was refused for ever, with the words.
    failed_at  TIMESTAMP(3) NULL DEFAULT NULL,
    failure    VARCHAR(500) NOT NULL DEFAULT '',
    PRIMARY KEY (id),
    KEY waiting (failed_at, id)
) ENGINE = InnoDB, DEFAULT CHARACTER SET utf8mb4, COLLATE utf8mb4_nopad_bin;

-- Written to before rows are published. InnoDB shows a commit before it is on the disk; once this one is there, all
-- that were seen before it are, so that a server that is killed takes back nothing that was published.
CREATE TABLE IF NOT EXISTS outgoing_turns (
    one   TINYINT UNSIGNED NOT NULL DEFAULT 1,
    turns BIGINT UNSIGNED NOT NULL DEFAULT 0,
    PRIMARY KEY (one),
    CONSTRAINT one_row CHECK (one = 1)
) ENGINE = InnoDB, DEFAULT CHARACTER SET utf8mb4, COLLATE utf8mb4_nopad_bin;
INSERT IGNORE INTO outgoing_turns (one) VALUES (1);
