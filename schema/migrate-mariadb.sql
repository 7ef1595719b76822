-- From the original's table registered_endpoints to registered_topics, in the same MariaDB database. Run mariadb.sql
-- first. migrate.md says what to look at before and after. All or nothing: one bad row and nothing was moved.

-- Refuses UTF-8 that the table takes for another character set: it would become other letters without a word.
SET SESSION sql_mode = '';
CREATE TEMPORARY TABLE utf8_in_disguise (endpoint LONGBLOB, CONSTRAINT utf8_in_disguise CHECK (endpoint <> endpoint));
INSERT INTO utf8_in_disguise (endpoint)
WITH texts AS (
    SELECT endpoint, CAST(CONVERT(endpoint USING latin1) AS BINARY) AS bytes
    FROM registered_endpoints WHERE CHARSET(endpoint) <> 'binary'
    UNION ALL SELECT endpoint, CAST(CONVERT(owner USING latin1) AS BINARY)
    FROM registered_endpoints WHERE CHARSET(owner) <> 'binary'
    UNION ALL SELECT endpoint, CAST(CONVERT(pub USING latin1) AS BINARY)
    FROM registered_endpoints WHERE CHARSET(pub) <> 'binary'
    UNION ALL SELECT endpoint, CAST(CONVERT(sub USING latin1) AS BINARY)
    FROM registered_endpoints WHERE CHARSET(sub) <> 'binary'
)
SELECT endpoint FROM texts
WHERE CHAR_LENGTH(CONVERT(bytes USING utf8mb4)) < LENGTH(bytes)
  AND CAST(CONVERT(bytes USING utf8mb4) AS BINARY) = bytes;
DROP TEMPORARY TABLE utf8_in_disguise;
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION';

START TRANSACTION;

INSERT INTO registered_topics (topic, owner, pub, sub, pub_password)
SELECT endpoint,
       COALESCE(owner, ''),
       COALESCE(NULLIF(TRIM(pub), ''), '[]'),
       COALESCE(NULLIF(TRIM(sub), ''), '[]'),
       COALESCE(pub_password, '')
FROM registered_endpoints;

COMMIT;
