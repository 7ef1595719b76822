-- The registered topics of the demo, for SQLite and MariaDB alike. What is there already stays as it is.
INSERT INTO registered_topics (topic, owner, pub, sub)
SELECT 'CASA/NIVEL_AGUA', '', '["sensor"]', '["ana"]' FROM (SELECT 1 AS one) AS new
WHERE NOT EXISTS (SELECT 1 FROM registered_topics WHERE topic = 'CASA/NIVEL_AGUA');

INSERT INTO topic_followers (topic_id, user_id)
SELECT id, 'ana' FROM registered_topics
WHERE topic = 'CASA/NIVEL_AGUA' AND NOT EXISTS (SELECT 1 FROM topic_followers WHERE topic_id = registered_topics.id);
