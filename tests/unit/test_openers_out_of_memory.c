/* Every allocation of what the programs open fails once, those of OpenSSL too: nothing is opened by
 * halves, nothing is leaked (AddressSanitizer says so), and what is whole is what it is otherwise. */
#include "binding_server.h"
#include "bus/bus.h"
#include "config/config.h"
#include "event_settings.h"
#include "failing_memory.h"
#include "handler_program.h"
#include "handler_serve.h"
#include "identify_subscriber.h"
#include "node_choice.h"
#include "outbox/outbox_table.h"
#include "outbox_worker.h"
#include "past_lookup.h"
#include "publish_event.h"
#include "redis_binding.h"
#include "refresh_store.h"
#include "token_desk.h"
#include "token_families.h"
#include "token_keys.h"
#include "web_request.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Thousands are allocated for a key of OpenSSL's; the first ones are ours. */
enum { NO_END = 5000, FIRST = 20 };

static char folder[] = "/tmp/esn-openers-XXXXXX";
static char secrets[64], private_key[64], sample[64];
static unsigned char derived[JWS_SIGNER_KEY_SIZE];

/* ---- files ---- */

static void write_text(char path[64], const char *name, const char *text)
{
    (void)snprintf(path, 64, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, 0600) == 0);
}

static int make_files(void **state)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    EVP_PKEY *key = EVP_RSA_gen(2048);
    (void)state;
    assert_non_null(mkdtemp(folder));
    write_text(secrets, "secrets", "a-secret-0123456789abcdef0123456789abcdef\n");
    write_text(private_key, "key.pem", "");
    write_text(sample, "es.conf",
               "[fanout]\nlisten = 127.0.0.1:1 [::1]:2\n[ticket]\nsecret_file = secrets\n"
               "[handoff]\nprefix = /_inside/\n[web]\norigins = https://shop.example\n");
    FILE *file = fopen(private_key, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    EVP_PKEY_free(key);
    /* What OpenSSL makes once for all is made now. */
    struct jws_signer *signer = jws_signer_load(secrets, error);
    assert_non_null(signer);
    assert_true(jws_signer_derive(signer, "a purpose", derived));
    jws_signer_free(&signer);
    return web_request_open_library() ? 0 : -1;
}

static int remove_files(void **state)
{
    (void)state;
    web_request_close_library();
    return unlink(secrets) == 0 && unlink(private_key) == 0 && unlink(sample) == 0 &&
                   rmdir(folder) == 0
               ? 0
               : -1;
}

/* ---- trying ---- */

/* Whatever is open, one more file would have this number. */
static int next_descriptor(void)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    return file;
}

/* An attempt opens and closes, and is good when it opened all. `optional`: some of what it
 * allocates it can do without. */
static void try_each(bool (*attempt)(void), bool optional, unsigned most)
{
    bool failed = true;
    unsigned n = 0;
    while (failed && n < most) {
        int next = next_descriptor();
        assert_true(++n < NO_END);
        failing_memory_at(n);
        bool good = attempt();
        failed = failing_memory_stop();
        if (good == failed && !(good && optional))
            fail_msg("allocation %u %s: it says %s", n, failed ? "failed" : "did not fail",
                     good ? "good" : "no memory");
        assert_int_equal(next_descriptor(), next);
    }
    assert_true(n > 1);
}

/* ---- what esn-subscribe opens ---- */

static struct subscribe_settings settings;
static char server_url[] = "http://127.0.0.1:1/";

static bool open_binding_server(void)
{
    struct binding_common common;
    if (!binding_common_open(&common, &settings.config))
        return false;
    struct binding_server *server = binding_server_open(&settings.config, &common);
    bool good = server != NULL;
    binding_server_close(&server);
    binding_common_close(&common);
    return good;
}

static bool open_token_keys(void)
{
    static const struct jose_keys *const none[TOKEN_KEYS_OWN];
    struct token_keys_common *common = token_keys_common_open(&settings.config);
    if (common == NULL)
        return false;
    struct token_keys *keys = token_keys_open(&settings.config, common, none);
    bool good = keys != NULL;
    token_keys_close(&keys);
    token_keys_common_close(&common);
    return good;
}

static bool open_past_lookup(void)
{
    struct past_lookup_common *common = past_lookup_common_open(&settings.config);
    if (common == NULL)
        return false;
    struct past_lookup *lookup = past_lookup_open(&settings, common);
    bool good = lookup != NULL;
    past_lookup_close(&lookup);
    past_lookup_common_close(&common);
    return good;
}

static bool open_identify(void)
{
    char error[CONFIG_ERROR_SIZE];
    struct identify_common *common = identify_common_open(&settings);
    if (common == NULL)
        return false;
    struct identify *identify = identify_open(&settings, common, error);
    bool good = identify != NULL;
    if (!good)
        assert_string_equal(error, "out of memory");
    identify_close(&identify);
    identify_common_close(&common);
    return good;
}

static bool open_token_desk(void)
{
    char error[CONFIG_ERROR_SIZE];
    struct token_desk_common *common = token_desk_common_open(&settings);
    if (common == NULL)
        return false;
    struct token_desk *desk = token_desk_open(&settings, NULL, common, error);
    bool good = desk != NULL;
    if (!good)
        assert_string_equal(error, "out of memory");
    token_desk_close(&desk);
    token_desk_common_close(&common);
    return good;
}

static bool open_node_choice(void)
{
    struct node_choice *choice = node_choice_open(&settings.config, &settings.redis);
    bool good = choice != NULL;
    node_choice_close(&choice);
    return good;
}

static bool open_redis_binding(void)
{
    struct redis_binding_common common;
    if (!redis_binding_common_open(&common, &settings.config))
        return false;
    struct redis_binding *binding = redis_binding_open(&settings.config, &settings.redis, &common);
    bool good = binding != NULL;
    redis_binding_close(&binding);
    redis_binding_common_close(&common);
    return good;
}

/* ---- what esn-event opens, and how any handler begins ---- */

static struct event_settings event;

static bool open_publishing(void)
{
    const struct handler_service *service = &publish_event_service;
    void *shared = service->open(&event, true);
    if (shared == NULL)
        return false;
    void *one = service->begin(&event, shared);
    bool good = one != NULL;
    if (good)
        service->end(one);
    service->close(shared);
    return good;
}

static void what_publishing_opens_is_whole_or_none(void **state)
{
    static char endpoint[] = "ipc:///nowhere/bus", *endpoints[] = {endpoint, NULL};
    (void)state;
    event.config.bus_events = event.config.bus_acks = endpoints;
    event.acl.options = (struct sql_options){.kind = SQL_SQLITE, .path = "/nowhere/topics.db"};
    try_each(open_publishing, true, NO_END); /* the bus is opened again later */
}

static void *open_nothing(const void *context, bool lasting)
{
    static char nothing;
    (void)context, (void)lasting;
    return &nothing;
}

static void *begin_nothing(const void *context, void *shared)
{
    (void)context;
    return shared;
}

static void end_nothing(void *context)
{
    (void)context;
}

static unsigned served;

static void serve_nothing(void *context, struct handler_request *request)
{
    (void)context, (void)request;
    served++;
}

static void say_nothing(const struct handler *handler)
{
    (void)handler;
}

/* As a web server starts one for each request. */
static bool serve_once(void)
{
    static const struct handler_settings plain;
    static const struct handler_service idle = {.open = open_nothing,
                                                .close = end_nothing,
                                                .begin = begin_nothing,
                                                .end = end_nothing,
                                                .handle = serve_nothing,
                                                .together = 1};
    static const struct handler_program program = {
        .name = "test", .settings = &plain, .service = &idle};
    struct handler handler = {
        .program = &program, .settings = &event, .listener = HANDLER_CGI, .serving = say_nothing};
    unsigned before = served;
    bool good = handler_serve(&handler) == EXIT_SUCCESS;
    assert_int_equal(served, before + good);
    return good;
}

static void a_handler_serves_or_says_that_it_cannot(void **state)
{
    static const int taken[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t before;
    (void)state;
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &before), 0);
    try_each(serve_once, false, NO_END);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        assert_true(signal(taken[i], SIG_DFL) != SIG_ERR);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

static void what_subscribe_opens_is_whole_or_none(void **state)
{
    (void)state;
    settings.config.binding_mode = CONFIG_BINDING_SERVER;
    settings.config.binding_url = server_url;
    settings.config.token_jwks_url = server_url;
    settings.config.subscribe_threads = 2;
    try_each(open_binding_server, false, NO_END);
    try_each(open_token_keys, false, NO_END);
    try_each(open_past_lookup, false, NO_END);
    try_each(open_identify, false, NO_END);
    try_each(open_token_desk, false, NO_END);
}

/* With a client of its own, of the Redis in which all say where they are reached. */
static void a_choice_of_daemons_is_opened_whole_or_not_at_all(void **state)
{
    (void)state;
    settings.config.bus_engine = CONFIG_BUS_REDIS;
    assert_null(redis_url_read(&settings.redis.options.url, "redis://127.0.0.1:1/"));
    try_each(open_node_choice, false, NO_END);
    settings.config.bus_engine = CONFIG_BUS_ZEROMQ;
}

static void sessions_in_redis_are_opened_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_null(redis_url_read(&settings.redis.options.url, "redis://127.0.0.1:1/"));
    try_each(open_redis_binding, false, NO_END);
}

/* With a key of its own to the sessions that PHP keeps in Redis. */
static void sessions_are_opened_and_closed(void **state)
{
    (void)state;
    settings.config.binding_mode = CONFIG_BINDING_REDIS;
    settings.config.binding_key_file = private_key;
    assert_null(redis_url_read(&settings.redis.options.url, "redis://127.0.0.1:1/"));
    assert_true(open_identify());
}

/* ---- secrets and keys ---- */

static bool load_pem_signer(void)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    struct jws_signer *signer = jws_signer_load(private_key, error);
    bool good = signer != NULL;
    jws_signer_free(&signer);
    return good;
}

static bool load_signer(void)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    unsigned char key[JWS_SIGNER_KEY_SIZE];
    struct jws_signer *signer = jws_signer_load(secrets, error);
    if (signer == NULL)
        return false;
    failing_memory_pause(true);
    assert_true(jws_signer_derive(signer, "a purpose", key));
    failing_memory_pause(false);
    assert_memory_equal(key, derived, sizeof key);
    jws_signer_free(&signer);
    return true;
}

static void a_signer_signs_with_its_own_key_or_not_at_all(void **state)
{
    (void)state;
    try_each(load_signer, true, NO_END);
    try_each(load_pem_signer, true, FIRST);
}

static bool open_bind_keys(void)
{
    char error[BIND_KEY_ERROR_SIZE];
    const struct bind_key_options options = {private_key, BIND_KEY_PKCS1, 3, 0};
    struct bind_key_reader *reader = bind_key_reader_open(&options, error);
    if (reader == NULL)
        return false;
    bind_key_reader_close(&reader);
    return true;
}

static void a_key_file_is_closed_again(void **state)
{
    (void)state;
    try_each(open_bind_keys, true, FIRST);
}

/* ---- what all of them read ---- */

static bool load_config(void)
{
    struct config config;
    char error[CONFIG_ERROR_SIZE];
    if (!config_load(&config, sample, error)) {
        if (strstr(error, "memory") == NULL)
            fail_msg("%s", error);
        return false;
    }
    assert_string_equal(config.listen[0], "127.0.0.1:1");
    assert_string_equal(config.listen[1], "[::1]:2");
    assert_non_null(config.handoff_prefix);
    assert_string_equal(config.handoff_prefix, "/_inside/");
    assert_string_equal(config.ticket_secret_file, secrets);
    assert_string_equal(config.web_origins[0], "https://shop.example");
    assert_non_null(config.bus_events[0]);
    assert_non_null(config.bus_acks[0]);
    config_free(&config);
    return true;
}

static void a_configuration_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    try_each(load_config, false, NO_END);
}

static bool open_outbox_table(void)
{
    const struct sql_options options = {.kind = SQL_SQLITE, .path = "/nowhere/outbox.db"};
    const struct outbox_limits limits = {.rows = 1, .bytes = 1};
    struct outbox_table *table = outbox_table_open(&options, &limits);
    bool good = table != NULL;
    outbox_table_close(&table);
    outbox_table_close(&table); /* NULL by now */
    return good;
}

static void an_outbox_is_opened_whole_or_not_at_all(void **state)
{
    (void)state;
    try_each(open_outbox_table, false, NO_END);
}

static struct outbox_settings outbox;

static bool open_outbox_worker(void)
{
    char error[CONFIG_ERROR_SIZE];
    struct outbox_worker *worker = outbox_worker_open(&outbox, error);
    bool good = worker != NULL;
    outbox_worker_close(&worker);
    return good;
}

static void a_worker_of_the_outbox_is_opened_whole_or_not_at_all(void **state)
{
    (void)state;
    outbox.database.options =
        (struct sql_options){.kind = SQL_SQLITE, .path = "/nowhere/outbox.db"};
    outbox.event.acl.options =
        (struct sql_options){.kind = SQL_SQLITE, .path = "/nowhere/topics.db"};
    try_each(open_outbox_worker, false, NO_END);
}

/* ---- what says why ---- */

static void the_bus_over_redis_says_that_memory_was_wanting(void **state)
{
    const struct bus_options options = {.engine = BUS_REDIS};
    char error[BUS_ERROR_SIZE] = "";
    (void)state;
    failing_memory_at(1);
    assert_null(bus_inbox_open(&options, 1, error));
    assert_true(failing_memory_stop());
    assert_string_equal(error, "no memory for the bus");
}

static void the_outbox_says_that_memory_was_wanting(void **state)
{
    char error[CONFIG_ERROR_SIZE] = "";
    (void)state;
    failing_memory_at(1);
    assert_null(outbox_worker_open(&outbox, error));
    assert_true(failing_memory_stop());
    assert_string_equal(error, "out of memory");
}

static void stores_of_refresh_tokens_say_that_memory_was_wanting(void **state)
{
    static const struct refresh_store_kind *const kinds[] = {&refresh_sqlite, &refresh_redis};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char error[REFRESH_STORE_ERROR_SIZE] = "";
        failing_memory_at(1);
        assert_null(kinds[i]->open(&settings.config, &settings.redis, error));
        assert_true(failing_memory_stop());
        assert_string_equal(error, "no memory");
    }
}

/* ---- OpenSSL's memory ---- */

static void *allocate(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return malloc(size);
}

static void *reallocate(void *memory, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return realloc(memory, size);
}

static void release(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_publishing_opens_is_whole_or_none),
        cmocka_unit_test(a_handler_serves_or_says_that_it_cannot),
        cmocka_unit_test(what_subscribe_opens_is_whole_or_none),
        cmocka_unit_test(a_choice_of_daemons_is_opened_whole_or_not_at_all),
        cmocka_unit_test(sessions_in_redis_are_opened_whole_or_not_at_all),
        cmocka_unit_test(sessions_are_opened_and_closed),
        cmocka_unit_test(a_signer_signs_with_its_own_key_or_not_at_all),
        cmocka_unit_test(a_key_file_is_closed_again),
        cmocka_unit_test(a_configuration_is_read_whole_or_not_at_all),
        cmocka_unit_test(an_outbox_is_opened_whole_or_not_at_all),
        cmocka_unit_test(a_worker_of_the_outbox_is_opened_whole_or_not_at_all),
        cmocka_unit_test(the_bus_over_redis_says_that_memory_was_wanting),
        cmocka_unit_test(the_outbox_says_that_memory_was_wanting),
        cmocka_unit_test(stores_of_refresh_tokens_say_that_memory_was_wanting),
    };
    if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
