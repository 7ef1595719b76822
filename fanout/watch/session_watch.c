#include "watch/session_watch.h"

#include "clock.h"
#include "messages.h"
#include "sessions/redis_session.h"
#include "sessions/session_events.h"
#include "sessions/session_id.h"
#include "watch/held_sessions.h"
#include "watch/watch_notices.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    TURN_MAX = 200,   /* notices in one turn of the loop */
    LIST_STEPS = 100, /* of a list, likewise */
    ALIVE_MS = 5000,  /* after so long without a message Redis is asked whether it is there */
    PAUSE_MIN_MS = 100,
    PAUSE_MAX_MS = 5000,
    LOOK_SHARE = 20 /* all sessions are looked at for one part in so many of the time */
};

struct session_watch {
    const struct config *config;
    struct session_watch_user user;
    const struct redis_config *redis;
    uv_async_t woken;
    int wake; /* eventfd(2): there is something for the thread */
    pthread_t thread;
    atomic_bool stopping;
    atomic_bool has_sessions; /* some were seen there */
    struct watch_notices notices;
    /* The thread's own. */
    struct redis_client *events, *commands;
    struct held_sessions *held; /* while they are looked at */
    char cursor[24];            /* of SCAN, meanwhile */
    uint64_t alive_at_ms;       /* when Redis said something last */
    uint64_t look_began_ms;     /* at all that are held */
    uint64_t look_at_ms; /* when it is time for it again; UINT64_MAX: it is on its way, or never */
    enum session_events_state events_state;
};

/* ---- notices ---- */

static void tell_loop(struct session_watch *watch, const struct notice *notice)
{
    watch_notices_post(&watch->notices, &watch->notices.for_loop, notice);
    (void)uv_async_send(&watch->woken);
}

static void tell_thread(struct session_watch *watch, const struct notice *notice)
{
    watch_notices_post(&watch->notices, &watch->notices.for_thread, notice);
    (void)eventfd_write(watch->wake, 1);
}

/* ---- in the loop ---- */

/* A part of the list, and then comes the notice back for the next one. */
static void list_further(struct session_watch *watch, struct notice *notice)
{
    const struct session_watch_user *user = &watch->user;
    struct notice more = *notice;
    notice->list = BYTES_EMPTY;
    for (unsigned steps = 0; steps < LIST_STEPS; steps++) {
        more.cursor = user->list(user->context, more.cursor, &more.list);
        if (more.cursor == 0) {
            more.kind = NOTICE_LIST;
            tell_thread(watch, &more);
            return;
        }
    }
    tell_loop(watch, &more);
}

static void act_on(struct session_watch *watch, struct notice *notice)
{
    const struct session_watch_user *user = &watch->user;
    struct notice more = {0};
    switch (notice->kind) {
    case NOTICE_ENDED:
        user->ended(user->context, notice->sid);
        break;
    case NOTICE_IS_OF:
        user->is_of(user->context, notice->sid, notice->text);
        break;
    case NOTICE_WRITTEN:
        more = *notice;
        more.kind = NOTICE_LOOK;
        if (user->holds(user->context, notice->sid))
            tell_thread(watch, &more);
        break;
    default:
        list_further(watch, notice);
    }
}

/* The rest is for the next turn. */
static void on_woken(uv_async_t *woken)
{
    struct session_watch *watch = woken->data;
    struct notice *notice;
    for (unsigned done = 0; done < TURN_MAX; done++) {
        notice = watch_notices_take(&watch->notices, &watch->notices.for_loop);
        if (notice == NULL)
            return;
        if (notice->kind == NOTICE_WANTS_LIST)
            done = TURN_MAX; /* a part of it is enough for a turn */
        act_on(watch, notice);
        watch_notices_free(&notice);
    }
    (void)uv_async_send(&watch->woken);
}

/* ---- in the thread ---- */

static void tell_of(struct session_watch *watch, enum notice_kind kind, const char *id,
                    size_t length, const char *user)
{
    struct notice notice = {.kind = kind};
    if (!session_id_hash(notice.sid, id, length))
        return;
    memcpy(notice.text, user != NULL ? user : id, user != NULL ? strlen(user) : length);
    tell_loop(watch, &notice);
}

/* False when Redis is away. */
static bool look_at(struct session_watch *watch, const char *id, size_t length)
{
    char user[USER_ID_SIZE], error[REDIS_CLIENT_ERROR_SIZE];
    switch (redis_session_user(watch->commands, watch->config, id, length, user, error)) {
    case REDIS_SESSION_USER:
        tell_of(watch, NOTICE_IS_OF, id, length, user);
        return true;
    case REDIS_SESSION_NONE:
        tell_of(watch, NOTICE_ENDED, id, length, NULL);
        return true;
    case REDIS_SESSION_NOT_READ:
        message_info("a session in Redis cannot be read", message_text("reason", error));
        return true;
    default:
        return false;
    }
}

static void hear(struct session_watch *watch, const struct redis_answer *message)
{
    const char *id;
    size_t length;
    enum session_event event =
        session_event_read(message, redis_session_prefix(watch->config), &id, &length);
    if (event != SESSION_EVENT_NONE)
        atomic_store(&watch->has_sessions, true);
    switch (event) {
    case SESSION_EVENT_ENDED:
        tell_of(watch, NOTICE_ENDED, id, length, NULL);
        break;
    case SESSION_EVENT_WRITTEN:
        tell_of(watch, NOTICE_WRITTEN, id, length, NULL);
        break;
    default:
        break;
    }
}

/* ---- looking at all that are held ---- */

static void want_list(struct session_watch *watch)
{
    const struct notice all = {.kind = NOTICE_WANTS_LIST};
    watch->look_at_ms = UINT64_MAX;
    tell_loop(watch, &all);
}

/* A look that took long is not begun again soon. */
static void plan_next_look(struct session_watch *watch)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t rest_ms = (now_ms - watch->look_began_ms) * (LOOK_SHARE - 1);
    if (rest_ms < watch->config->redis_check_time)
        rest_ms = watch->config->redis_check_time;
    watch->look_at_ms = watch->config->redis_check_time > 0 ? now_ms + rest_ms : UINT64_MAX;
}

static void begin_looking(struct session_watch *watch, const struct bytes *list)
{
    watch->look_began_ms = clock_monotonic_ms();
    held_sessions_free(&watch->held);
    watch->held = list->failed ? NULL : held_sessions_new(list->data, list->length);
    watch->cursor[0] = '0';
    watch->cursor[1] = '\0';
    if (watch->held != NULL && held_sessions_count(watch->held) == 0)
        held_sessions_free(&watch->held);
    if (watch->held == NULL)
        plan_next_look(watch);
}

static bool look_at_key(struct session_watch *watch, const struct redis_answer *key)
{
    char sid[SESSION_SID_SIZE];
    size_t length, prefix = strlen(redis_session_prefix(watch->config));
    const char *name = redis_answer_text(key, &length);
    if (name == NULL || length < prefix || !session_id_is_valid(name + prefix, length - prefix) ||
        !session_id_hash(sid, name + prefix, length - prefix))
        return true;
    atomic_store(&watch->has_sessions, true);
    if (!held_sessions_note(watch->held, sid))
        return true;
    return look_at(watch, name + prefix, length - prefix);
}

static struct redis_answer *scan(struct session_watch *watch, char error[REDIS_CLIENT_ERROR_SIZE])
{
    struct bytes pattern = BYTES_EMPTY;
    session_events_write_keys(&pattern, redis_session_prefix(watch->config));
    const struct redis_word words[] = {{"SCAN", 4},  {watch->cursor, strlen(watch->cursor)},
                                       {"MATCH", 5}, {pattern.data, pattern.length},
                                       {"COUNT", 5}, {"500", 3}};
    struct redis_answer *answer =
        pattern.failed
            ? NULL
            : redis_client_ask(watch->commands, words, sizeof words / sizeof *words, error);
    bytes_free(&pattern);
    return answer;
}

static void end_looking(struct session_watch *watch)
{
    size_t at = 0;
    struct notice notice = {.kind = NOTICE_ENDED};
    const char *sid;
    while (atomic_load(&watch->has_sessions) &&
           (sid = held_sessions_next_missing(watch->held, &at)) != NULL) {
        memcpy(notice.sid, sid, SESSION_SID_SIZE);
        tell_loop(watch, &notice);
    }
    held_sessions_free(&watch->held);
    plan_next_look(watch);
}

/* One step of it, a few hundred keys. False when Redis is away. */
static bool look_further(struct session_watch *watch, char error[REDIS_CLIENT_ERROR_SIZE])
{
    struct redis_answer *answer = scan(watch, error);
    size_t length;
    const char *cursor = redis_answer_text(redis_answer_part(answer, 0), &length);
    const struct redis_answer *keys = redis_answer_part(answer, 1);
    bool good = cursor != NULL && length < sizeof watch->cursor;
    if (good)
        memcpy(watch->cursor, cursor, length + 1);
    for (size_t i = 0; good && i < redis_answer_count(keys); i++)
        good = look_at_key(watch, redis_answer_part(keys, i));
    redis_answer_free(&answer);
    if (good && strcmp(watch->cursor, "0") == 0)
        end_looking(watch);
    return good;
}

/* ---- connected ---- */

static bool subscribe(struct session_watch *watch, char error[REDIS_CLIENT_ERROR_SIZE])
{
    struct bytes pattern = BYTES_EMPTY;
    session_events_write_pattern(&pattern, watch->redis->options.url.database,
                                 redis_session_prefix(watch->config));
    const struct redis_word words[] = {{"PSUBSCRIBE", 10}, {pattern.data, pattern.length}};
    struct redis_answer *answer =
        pattern.failed ? NULL : redis_client_ask(watch->events, words, 2, error);
    bool good = answer != NULL;
    redis_answer_free(&answer);
    bytes_free(&pattern);
    return good;
}

/* Says it once, and once when it has changed. */
static void note_whether_said(struct session_watch *watch, bool is_new)
{
    char words[REDIS_CLIENT_ERROR_SIZE];
    bool was_off = watch->events_state == SESSION_EVENTS_OFF;
    watch->events_state = session_events_ask(watch->commands, words);
    if (watch->events_state != SESSION_EVENTS_OFF && (is_new || was_off))
        message_info("listening to Redis for the ends of sessions");
    else if (watch->events_state == SESSION_EVENTS_OFF && !was_off)
        message_warning("Redis does not say when sessions end", message_text("reason", words));
}

static bool tell_whether_heard(struct session_watch *watch, char error[REDIS_CLIENT_ERROR_SIZE])
{
    static const struct redis_word ping[] = {{"PING", 4}};
    struct redis_answer *answer = redis_client_ask(watch->commands, ping, 1, error);
    if (answer == NULL)
        return false;
    redis_answer_free(&answer);
    watch->alive_at_ms = clock_monotonic_ms();
    note_whether_said(watch, true);
    return true;
}

/* One that may not be asked what it says is not asked again: Redis keeps a log of such questions. */
static void look_again(struct session_watch *watch)
{
    if (watch->events_state != SESSION_EVENTS_UNKNOWN)
        note_whether_said(watch, false);
    want_list(watch);
}

/* How long to listen at most before there is something else to do. */
static uint64_t listen_ms(const struct session_watch *watch)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (watch->held != NULL || watch->look_at_ms <= now_ms)
        return 0;
    return watch->look_at_ms - now_ms < ALIVE_MS ? watch->look_at_ms - now_ms : ALIVE_MS;
}

/* A connection that only listens does not find out by itself that the other side is gone. */
static bool is_alive(struct session_watch *watch, char error[REDIS_CLIENT_ERROR_SIZE])
{
    if (clock_monotonic_ms() - watch->alive_at_ms < ALIVE_MS)
        return true;
    watch->alive_at_ms = clock_monotonic_ms();
    static const struct redis_word ping[] = {{"PING", 4}};
    struct redis_answer *answer = redis_client_ask(watch->commands, ping, 1, error);
    bool alive = answer != NULL;
    redis_answer_free(&answer);
    return alive;
}

static bool obey(struct session_watch *watch)
{
    struct notice *notice;
    bool good = true;
    eventfd_t ignored;
    (void)eventfd_read(watch->wake, &ignored);
    while (good &&
           (notice = watch_notices_take(&watch->notices, &watch->notices.for_thread)) != NULL) {
        if (notice->kind == NOTICE_LIST)
            begin_looking(watch, &notice->list);
        else
            good = look_at(watch, notice->text, strlen(notice->text));
        watch_notices_free(&notice);
    }
    return good;
}

/* Until Redis is away, or it is time to end. */
static void serve(struct session_watch *watch, char error[REDIS_CLIENT_ERROR_SIZE])
{
    want_list(watch);
    while (!atomic_load(&watch->stopping) && obey(watch)) {
        if (watch_notices_took_loss(&watch->notices))
            want_list(watch);
        else if (watch->held == NULL && watch->look_at_ms <= clock_monotonic_ms())
            look_again(watch);
        struct redis_answer *message =
            redis_client_next(watch->events, watch->wake, listen_ms(watch), error);
        if (message == NULL && error[0] != '\0')
            return;
        hear(watch, message);
        redis_answer_free(&message);
        if ((watch->held != NULL && !look_further(watch, error)) || !is_alive(watch, error))
            return;
    }
}

/* ---- the thread ---- */

/* What is asked meanwhile is moot: all is looked at when there is a connection again. */
static void pause_for(struct session_watch *watch, uint64_t ms)
{
    struct pollfd file = {.fd = watch->wake, .events = POLLIN};
    uint64_t end_ms = clock_monotonic_ms() + ms, now_ms;
    struct notice *notice;
    while (!atomic_load(&watch->stopping) && (now_ms = clock_monotonic_ms()) < end_ms) {
        eventfd_t ignored;
        if (poll(&file, 1, (int)(end_ms - now_ms)) > 0)
            (void)eventfd_read(watch->wake, &ignored);
        while ((notice = watch_notices_take(&watch->notices, &watch->notices.for_thread)) != NULL)
            watch_notices_free(&notice);
    }
}

static void *run(void *context)
{
    struct session_watch *watch = context;
    char error[REDIS_CLIENT_ERROR_SIZE];
    uint64_t pause_ms = PAUSE_MIN_MS;
    bool away = false;
    while (!atomic_load(&watch->stopping)) {
        error[0] = '\0';
        if (subscribe(watch, error) && tell_whether_heard(watch, error)) {
            away = false;
            pause_ms = PAUSE_MIN_MS;
            serve(watch, error);
        }
        held_sessions_free(&watch->held);
        redis_client_disconnect(watch->events);
        if (!atomic_load(&watch->stopping) && !away)
            message_warning("cannot listen to Redis: logging out ends no streams meanwhile",
                            message_text("reason", error));
        away = true;
        pause_for(watch, pause_ms);
        pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
    }
    return NULL;
}

/* ---- opening ---- */

static bool open_clients(struct session_watch *watch)
{
    watch->events = redis_client_open(&watch->redis->options);
    watch->commands = redis_client_open(&watch->redis->options);
    watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return watch->events != NULL && watch->commands != NULL && watch->wake >= 0;
}

static void close_clients(struct session_watch *watch)
{
    redis_client_close(&watch->events);
    redis_client_close(&watch->commands);
    if (watch->wake >= 0)
        (void)close(watch->wake);
}

/* Signals are the loop's. */
static bool start_thread(struct session_watch *watch)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&watch->thread, NULL, run, watch) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

struct session_watch *session_watch_open(uv_loop_t *loop, const struct config *config,
                                         const struct redis_config *redis,
                                         const struct session_watch_user *user, bool has_sessions)
{
    struct session_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    atomic_init(&watch->has_sessions, has_sessions);
    watch->config = config;
    watch->redis = redis;
    watch->user = *user;
    watch_notices_open(&watch->notices);
    watch->woken.data = watch;
    if (open_clients(watch) && uv_async_init(loop, &watch->woken, on_woken) == 0) {
        if (start_thread(watch))
            return watch;
        /* The loop knows the handle: it has to let go of it first. */
        uv_close((uv_handle_t *)&watch->woken, NULL);
        (void)uv_run(loop, UV_RUN_NOWAIT);
    }
    watch_notices_close(&watch->notices);
    close_clients(watch);
    free(watch);
    return NULL;
}

bool session_watch_has_sessions(const struct session_watch *watch)
{
    return watch != NULL && atomic_load(&watch->has_sessions);
}

void session_watch_stop(struct session_watch *watch)
{
    if (watch == NULL || atomic_exchange(&watch->stopping, true))
        return;
    (void)eventfd_write(watch->wake, 1);
    (void)pthread_join(watch->thread, NULL);
    uv_close((uv_handle_t *)&watch->woken, NULL);
}

void session_watch_free(struct session_watch **watch)
{
    struct session_watch *old = *watch;
    if (old == NULL)
        return;
    *watch = NULL;
    watch_notices_close(&old->notices);
    close_clients(old);
    free(old);
}
