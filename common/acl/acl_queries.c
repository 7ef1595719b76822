#include "acl/acl_queries.h"

#define COLUMNS "topic, owner, pub, sub, pub_password"
/* Exact whatever the column's collation: equal only when the SHA-256 of the bytes is. */
#define OF_TOPIC "topic_key = UNHEX(SHA2(?, 256))"

const struct sql_statement acl_statements_sqlite[ACL_QUERY_COUNT] = {
    [ACL_CHECK] =
        {"SELECT 1 FROM registered_topics LEFT JOIN topic_followers ON topic_id = id LIMIT 1",
         true},
    [ACL_EXAMINE] =
        {"SELECT 'its journal_mode is ' || journal_mode || ': writers and readers would wait"
         " for each other; say PRAGMA journal_mode = WAL in it'"
         " FROM pragma_journal_mode WHERE journal_mode <> 'wal'",
         false},
    [ACL_FIND_TOPIC] = {"SELECT " COLUMNS " FROM registered_topics WHERE topic = ?", true},
    [ACL_LIST_TOPICS] = {"SELECT " COLUMNS " FROM registered_topics ORDER BY topic", false},
    [ACL_ADD_TOPIC] = {"INSERT INTO registered_topics (" COLUMNS ") VALUES (?, ?, ?, ?, ?)", false},
    [ACL_CHANGE_TOPIC] =
        {"UPDATE registered_topics SET owner = COALESCE(?, owner),"
         " pub = COALESCE(?, pub), sub = COALESCE(?, sub),"
         " pub_password = COALESCE(?, pub_password)"
         " WHERE topic = ? AND pub IS COALESCE(?, pub) AND sub IS COALESCE(?, sub)",
         false},
    [ACL_REMOVE_TOPIC] = {"DELETE FROM registered_topics WHERE topic = ?", false},
    [ACL_FIND_FOLLOWERS] = {"SELECT user_id FROM topic_followers JOIN registered_topics"
                            " ON id = topic_id WHERE topic = ? ORDER BY user_id",
                            true},
    [ACL_LIST_FOLLOWED] = {"SELECT " COLUMNS " FROM registered_topics JOIN topic_followers"
                           " ON id = topic_id WHERE user_id = ? ORDER BY topic",
                           true},
    [ACL_ADD_FOLLOWER] = {"INSERT INTO topic_followers (user_id, topic_id)"
                          " SELECT ?, id FROM registered_topics WHERE topic = ?"
                          " ON CONFLICT DO UPDATE SET user_id = excluded.user_id",
                          false},
    [ACL_REMOVE_FOLLOWER] = {"DELETE FROM topic_followers WHERE topic_id ="
                             " (SELECT id FROM registered_topics WHERE topic = ?) AND user_id = ?",
                             false},
};

const struct sql_statement acl_statements_mariadb[ACL_QUERY_COUNT] = {
    [ACL_CHECK] =
        {"SELECT 1 FROM registered_topics LEFT JOIN topic_followers ON topic_id = id LIMIT 1",
         true},
    [ACL_EXAMINE] =
        {"SELECT CONCAT('column ', column_name, ' of ', table_name, ' has the collation ',"
         " COALESCE(collation_name, 'none'), '; it should be utf8mb4_nopad_bin, as in"
         " schema/mariadb.sql') FROM information_schema.columns WHERE table_schema = DATABASE()"
         " AND table_name IN ('registered_topics', 'topic_followers')"
         " AND column_name IN ('topic', 'owner', 'pub', 'sub', 'pub_password', 'user_id')"
         " AND NOT collation_name <=> 'utf8mb4_nopad_bin' ORDER BY table_name, column_name",
         false},
    [ACL_FIND_TOPIC] = {"SELECT " COLUMNS " FROM registered_topics WHERE " OF_TOPIC, true},
    [ACL_LIST_TOPICS] = {"SELECT " COLUMNS " FROM registered_topics ORDER BY topic", false},
    [ACL_ADD_TOPIC] = {"INSERT INTO registered_topics (" COLUMNS ") VALUES (?, ?, ?, ?, ?)", false},
    [ACL_CHANGE_TOPIC] = {"UPDATE registered_topics SET owner = COALESCE(?, owner),"
                          " pub = COALESCE(?, pub), sub = COALESCE(?, sub),"
                          " pub_password = COALESCE(?, pub_password) WHERE " OF_TOPIC
                          " AND pub <=> COALESCE(?, pub) AND sub <=> COALESCE(?, sub)",
                          false},
    [ACL_REMOVE_TOPIC] = {"DELETE FROM registered_topics WHERE " OF_TOPIC, false},
    [ACL_FIND_FOLLOWERS] = {"SELECT user_id FROM topic_followers JOIN registered_topics"
                            " ON id = topic_id WHERE " OF_TOPIC " ORDER BY user_id",
                            true},
    [ACL_LIST_FOLLOWED] = {"SELECT " COLUMNS " FROM registered_topics JOIN topic_followers"
                           " ON id = topic_id WHERE user_id = ? ORDER BY topic",
                           true},
    [ACL_ADD_FOLLOWER] = {"INSERT INTO topic_followers (user_id, topic_id)"
                          " SELECT ?, id FROM registered_topics WHERE " OF_TOPIC
                          " ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)",
                          false},
    [ACL_REMOVE_FOLLOWER] = {"DELETE FROM topic_followers WHERE topic_id ="
                             " (SELECT id FROM registered_topics WHERE " OF_TOPIC
                             ") AND user_id = ?",
                             false},
};
