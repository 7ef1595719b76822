#include "outbox_worker.h"

#include "clock.h"
#include "messages.h"
#include "publish_queue.h"
#include "queue_plan.h"
#include "row_posts.h"
#include "settling.h"
#include "trouble.h"

#include <stdio.h>
#include <stdlib.h>

/* A queue whose row cannot be decided about now, since a database does not answer. */
enum { HOLD_MS = 500 };

struct outbox_worker {
    const struct outbox_settings *settings;
    struct outbox_table *table;
    struct publish_queue *bus;
    struct authority_common *common;
    struct publish_judge judge;
    struct outbox_rows rows; /* used again for each reading */
    struct settling settling;
    struct held_queues held;
    struct bytes names;     /* of those, for the database */
    struct trouble trouble; /* the log says that the table does not answer */
    struct trouble standby; /* likewise, that another worker is at it */
};

/* ---- opening ---- */

static bool open_table(struct outbox_worker *worker)
{
    const struct config *config = &worker->settings->event.config;
    const struct outbox_limits limits = {.rows = (size_t)config->outbox_batch,
                                         .bytes = (size_t)config->outbox_batch_size,
                                         .hold_failed = config->outbox_hold_failed};
    worker->table = outbox_table_open(&worker->settings->database.options, &limits);
    return worker->table != NULL;
}

static bool open_judge(struct outbox_worker *worker, char error[CONFIG_ERROR_SIZE])
{
    const struct event_settings *settings = &worker->settings->event;
    worker->bus = publish_queue_new(&settings->bus.options, &settings->config);
    worker->common = authority_common_open(&settings->config);
    if (worker->bus == NULL || worker->common == NULL)
        return false;
    worker->judge =
        (struct publish_judge){.config = &settings->config,
                               .authority = authority_open(settings, worker->common, error),
                               .queue = worker->bus,
                               .whole = true};
    return worker->judge.authority != NULL &&
           event_settings_open_bind_keys(settings, &worker->judge.bind_keys, error);
}

struct outbox_worker *outbox_worker_open(const struct outbox_settings *settings,
                                         char error[CONFIG_ERROR_SIZE])
{
    (void)snprintf(error, CONFIG_ERROR_SIZE, "out of memory");
    struct outbox_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return NULL;
    worker->settings = settings;
    if (!open_table(worker) || !open_judge(worker, error))
        outbox_worker_close(&worker);
    return worker;
}

void outbox_worker_close(struct outbox_worker **worker)
{
    struct outbox_worker *old = *worker;
    if (old == NULL)
        return;
    *worker = NULL;
    bind_key_reader_close(&old->judge.bind_keys);
    authority_close(&old->judge.authority);
    authority_common_close(&old->common);
    publish_queue_free(&old->bus);
    outbox_table_close(&old->table);
    outbox_rows_free(&old->rows);
    settling_free(&old->settling);
    held_queues_free(&old->held);
    bytes_free(&old->names);
    free(old);
}

/* ---- what is said ---- */

static bool is_well(struct outbox_worker *worker, enum sql_status status)
{
    switch (trouble_note(&worker->trouble, status != SQL_OK)) {
    case TROUBLE_BEGINS:
        message_error("the outbox's database does not answer",
                      message_text("reason", outbox_table_error(worker->table)));
        break;
    case TROUBLE_ENDS:
        message_info("the outbox's database answers");
        break;
    case TROUBLE_STAYS:
        break;
    }
    return status == SQL_OK;
}

static void note_standby(struct outbox_worker *worker, bool stands_by)
{
    enum trouble_change change = trouble_note(&worker->standby, stands_by);
    if (change == TROUBLE_BEGINS)
        message_info("another worker publishes; standing by");
    else if (change == TROUBLE_ENDS)
        message_info("no other worker publishes any more; going on");
}

static void tell_refused(const struct outbox_row *row, const char *words)
{
    message_warning("row refused", message_number("id", (int64_t)row->id),
                    message_text("queue", row->queue.text),
                    message_text("by", row->publisher.length > 0 ? row->publisher.text : NULL),
                    message_text("reason", words));
}

/* ---- publishing ---- */

/* Of a queue that cannot be held any more rows are tried again at once. */
static void hold(struct outbox_worker *worker, const struct outbox_row *row, unsigned wait_ms)
{
    uint64_t wait = wait_ms > 0 ? wait_ms : HOLD_MS;
    (void)held_queues_add(&worker->held, &row->queue, clock_monotonic_ms() + wait);
}

/* False: the daemon is away. */
static bool settle_row(struct outbox_worker *worker, struct queue_plan *plan,
                       const struct outbox_row *row, const struct row_outcome *outcome)
{
    switch (outcome->verdict) {
    case ROW_DONE:
        settling_add_done(&worker->settling, row->id);
        return true;
    case ROW_REFUSED:
        tell_refused(row, outcome->words);
        settling_add_failed(&worker->settling, row->id, outcome->words);
        if (worker->settings->event.config.outbox_hold_failed)
            queue_plan_stop(plan, row);
        return true;
    case ROW_HELD:
        hold(worker, row, outcome->wait_ms);
        queue_plan_stop(plan, row);
        return true;
    case ROW_AWAY:
        break;
    }
    return false;
}

struct wave {
    const struct outbox_row **rows;
    struct row_outcome *outcomes;
};

/* Wave after wave, until all is settled. False: the daemon is away, or there is no memory. */
static bool publish_waves(struct outbox_worker *worker, struct queue_plan *plan,
                          const struct wave *wave)
{
    size_t count;
    bool there = true;
    while (there && (count = queue_plan_next(plan, wave->rows)) > 0) {
        row_posts_publish(worker->settings, &worker->judge, wave->rows, count, wave->outcomes);
        for (size_t i = 0; i < count; i++)
            there = settle_row(worker, plan, wave->rows[i], &wave->outcomes[i]) && there;
    }
    return there;
}

/* Leaves out queues that wait; false when nothing is left. */
static bool leave_out_held(const struct outbox_worker *worker, struct queue_plan *plan)
{
    bool any = false;
    for (size_t i = 0; i < plan->run_count; i++) {
        struct queue_run *run = &plan->runs[i];
        run->stopped = held_queues_has(&worker->held, &plan->order[run->next]->queue);
        any |= !run->stopped;
    }
    return any;
}

static bool publish_plan(struct outbox_worker *worker, struct queue_plan *plan)
{
    size_t count = plan->row_count;
    if (!leave_out_held(worker, plan))
        return true;
    if (!is_well(worker, outbox_table_confirm(worker->table)))
        return false;
    const struct wave wave = {.rows = calloc(count, sizeof(struct outbox_row *)),
                              .outcomes = calloc(count, sizeof *wave.outcomes)};
    bool published = wave.rows != NULL && wave.outcomes != NULL &&
                     settling_reserve(&worker->settling, count) &&
                     publish_waves(worker, plan, &wave);
    free(wave.rows);
    free(wave.outcomes);
    return published;
}

static bool publish_rows(struct outbox_worker *worker)
{
    struct queue_plan plan;
    bool published = queue_plan_make(&plan, &worker->rows) && publish_plan(worker, &plan);
    queue_plan_free(&plan);
    return published;
}

/* Nothing is said of a database that was not asked. */
static bool settle(struct outbox_worker *worker)
{
    return settling_is_empty(&worker->settling) ||
           is_well(worker, settling_write(&worker->settling, worker->table));
}

/* ---- a turn ---- */

enum step { STEP_MORE, STEP_END, STEP_AWAY };

static enum sql_status read_rows(struct outbox_worker *worker)
{
    bytes_clear(&worker->names);
    held_queues_write(&worker->held, &worker->names);
    const char *names = bytes_terminate(&worker->names);
    const struct sql_text held = {names, worker->names.length};
    return names != NULL ? outbox_table_read(worker->table, &held, &worker->rows) : SQL_NO_MEMORY;
}

/* One reading, and what is to be done with it. */
static enum step take_step(struct outbox_worker *worker)
{
    if (!is_well(worker, read_rows(worker)))
        return STEP_AWAY;
    if (worker->rows.count == 0)
        return STEP_END;
    bool there = publish_rows(worker);
    bool any = !settling_is_empty(&worker->settling);
    if (!settle(worker) || !there)
        return STEP_AWAY;
    return any ? STEP_MORE : STEP_END;
}

enum outbox_turn outbox_worker_turn(struct outbox_worker *worker, const volatile sig_atomic_t *stop)
{
    unsigned steps = 0;
    enum step step = STEP_MORE;
    held_queues_expire(&worker->held, clock_monotonic_ms());
    if (!settle(worker))
        return TURN_AWAY;
    enum sql_status lock = outbox_table_lock(worker->table);
    note_standby(worker, lock == SQL_CONFLICT);
    if (lock == SQL_CONFLICT)
        return TURN_STANDBY;
    /* It is well when rows can be read, not before. */
    if (lock != SQL_OK) {
        (void)is_well(worker, lock);
        return TURN_AWAY;
    }
    for (; step == STEP_MORE && *stop == 0; steps++)
        step = take_step(worker);
    outbox_rows_clear(&worker->rows);
    if (step == STEP_AWAY)
        return TURN_AWAY;
    return steps > 1 ? TURN_WORKED : TURN_IDLE;
}

uint64_t outbox_worker_wait_ms(const struct outbox_worker *worker)
{
    uint64_t first = held_queues_first(&worker->held), now = clock_monotonic_ms();
    if (first == UINT64_MAX)
        return first;
    return first > now ? first - now : 0;
}

void outbox_worker_settle(struct outbox_worker *worker)
{
    if (settling_write(&worker->settling, worker->table) != SQL_OK)
        message_warning("what was published last is not marked so in the database; it is "
                        "recognised when it is published again",
                        message_text("reason", outbox_table_error(worker->table)));
}
