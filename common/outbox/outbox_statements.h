/* What outbox_table.c asks, for each kind of database. Not for anybody else. */
#ifndef ESN_OUTBOX_STATEMENTS_H
#define ESN_OUTBOX_STATEMENTS_H

#include "sql/sql_types.h"

enum outbox_statement {
    OUTBOX_LOCK,      /* -> 1: ours */
    OUTBOX_READ,      /* queues to leave out -> rows; "LIMIT n" is added */
    OUTBOX_READ_HELD, /* the same without queues that have a failed row */
    OUTBOX_CONFIRM,
    OUTBOX_FAIL,  /* words, id */
    OUTBOX_COUNT, /* -> waiting, failed, oldest, now */
    OUTBOX_LIST,  /* 1: failed, 0: waiting -> entries */
    OUTBOX_RETRY, /* id */
    OUTBOX_RETRY_ALL,
    OUTBOX_DROP, /* id */
    OUTBOX_DROP_FAILED,
    OUTBOX_STATEMENT_COUNT
};

extern const struct sql_statement outbox_statements_sqlite[OUTBOX_STATEMENT_COUNT];
extern const struct sql_statement outbox_statements_mariadb[OUTBOX_STATEMENT_COUNT];

#endif
