-- From the original's table registered_endpoints to registered_topics, in the same MariaDB database. Run mariadb.sql
-- first. migrate.md says what to look at before and after. All or nothing: one bad row and nothing was moved.
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
