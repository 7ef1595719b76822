-- Registered topics in MariaDB (10.4 or newer). docs/rights.md says what the columns mean.
-- Made by hand with: mariadb DATABASE < mariadb.sql
--
-- The collation compares byte for byte and, unlike utf8mb4_bin, does not take 'a' and 'a ' for the same topic.
-- topic_key is filled by the server: topics are longer than a key may be, and lookups must be exact and quick.
CREATE TABLE IF NOT EXISTS registered_topics (
    id           INT UNSIGNED NOT NULL AUTO_INCREMENT,
    topic        TEXT NOT NULL,
    owner        VARCHAR(255) NOT NULL DEFAULT '',
    -- JSON arrays of user ids and wildcards: ["ana", 7, "+"]
    pub          MEDIUMTEXT NOT NULL DEFAULT '[]',
    sub          MEDIUMTEXT NOT NULL DEFAULT '[]',
    -- '' or what PHP's password_hash() makes
    pub_password VARCHAR(255) NOT NULL DEFAULT '',
    topic_key    BINARY(32) GENERATED ALWAYS AS (UNHEX(SHA2(topic, 256))) STORED,
    PRIMARY KEY (id),
    UNIQUE KEY topic_key (topic_key),
    KEY topic (topic(191)),
    CONSTRAINT topic_is_named CHECK (topic <> ''),
    CONSTRAINT pub_is_a_list CHECK (JSON_VALID(pub) AND JSON_TYPE(pub) = 'ARRAY'),
    CONSTRAINT sub_is_a_list CHECK (JSON_VALID(sub) AND JSON_TYPE(sub) = 'ARRAY')
) ENGINE = InnoDB, DEFAULT CHARACTER SET utf8mb4, COLLATE utf8mb4_nopad_bin;

-- Who hears targeted events of a topic, wherever they are.
CREATE TABLE IF NOT EXISTS topic_followers (
    topic_id INT UNSIGNED NOT NULL,
    user_id  VARCHAR(255) NOT NULL,
    PRIMARY KEY (topic_id, user_id),
    KEY user_id (user_id),
    CONSTRAINT user_is_named CHECK (user_id <> ''),
    CONSTRAINT follows_a_topic FOREIGN KEY (topic_id) REFERENCES registered_topics (id) ON DELETE CASCADE
) ENGINE = InnoDB, DEFAULT CHARACTER SET utf8mb4, COLLATE utf8mb4_nopad_bin;
