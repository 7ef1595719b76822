#include "config/config.h"
#include "config/config_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scene {
    char folder[64];
    char path[96];
    char error[CONFIG_ERROR_SIZE];
    struct config config;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    (void)snprintf(scene->folder, sizeof scene->folder, "/tmp/esn-config-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    (void)snprintf(scene->path, sizeof scene->path, "%s/a.conf", scene->folder);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    config_free(&scene->config);
    (void)unlink(scene->path);
    assert_int_equal(rmdir(scene->folder), 0);
    free(scene);
    return 0;
}

static bool load_bytes(struct scene *scene, const char *bytes, size_t length)
{
    FILE *file = fopen(scene->path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    config_free(&scene->config);
    return config_load(&scene->config, scene->path, scene->error);
}

static void load_well(struct scene *scene, const char *text)
{
    if (!load_bytes(scene, text, strlen(text)))
        fail_msg("refused: %s", scene->error);
    assert_string_equal(scene->error, "");
}

/* Expects exactly these faults; "@" stands for the file's path. */
static void load_badly(struct scene *scene, const char *text, const char *faults)
{
    char expected[2 * CONFIG_ERROR_SIZE] = "";
    size_t used = 0;
    for (; *faults != '\0'; faults++) {
        used += (size_t)(*faults == '@'
                             ? snprintf(expected + used, sizeof expected - used, "%s", scene->path)
                             : snprintf(expected + used, sizeof expected - used, "%c", *faults));
    }
    assert_false(load_bytes(scene, text, strlen(text)));
    assert_string_equal(scene->error, expected);
    assert_null(scene->config.listen);
    assert_null(scene->config.path);
}

static void expect_list(char **list, const char *const *words)
{
    for (; *words != NULL; list++, words++) {
        assert_non_null(*list);
        assert_string_equal(*list, *words);
    }
    assert_null(*list);
}
#define EXPECT_LIST(list, ...) expect_list(list, (const char *const[]){__VA_ARGS__, NULL})

static void an_empty_file_gives_the_defaults(void **state)
{
    struct scene *scene = *state;
    load_well(scene, "");
    EXPECT_LIST(scene->config.listen, "127.0.0.1:8010");
    assert_int_equal(scene->config.stream_time, 3600000);
    assert_int_equal(scene->config.max_headers, 16384);
    assert_int_equal(scene->config.bus_mode, 0660);
    assert_true(scene->config.keep_headers);
    assert_null(scene->config.admin_token_file);
    assert_null(scene->config.bus_topics[0]);
    assert_int_equal(scene->config.message_level, 2);
    assert_string_equal(scene->config.path, scene->path);
}

static void each_kind_of_value_is_read(void **state)
{
    struct scene *scene = *state;
    load_well(scene, "[fanout]\n"
                     "listen = 10.1.2.3:80 [::1]:8010 unix:/run/x.sock example.org:65535\n"
                     "stream_time=90 s\nkeep_alive : 2m\nidle_time = 1500ms\nlinger_time = 0\n"
                     "max_body = 2M\nmax_headers = 1024\nmax_topics = 7\nkeep_headers = no\n"
                     "[messages]\nlevel = debug\ndestination = journal\n"
                     "[bus]\nmode = 0600\ntopics = a/ b\n"
                     "[fanout]\nbody_time = 1h\n");
    EXPECT_LIST(scene->config.listen, "10.1.2.3:80", "[::1]:8010", "unix:/run/x.sock",
                "example.org:65535");
    EXPECT_LIST(scene->config.bus_topics, "a/", "b");
    assert_int_equal(scene->config.stream_time, 90000);
    assert_int_equal(scene->config.keep_alive, 120000);
    assert_int_equal(scene->config.idle_time, 1500);
    assert_int_equal(scene->config.linger_time, 0);
    assert_int_equal(scene->config.body_time, 3600000);
    assert_int_equal(scene->config.max_body, 2097152);
    assert_int_equal(scene->config.max_headers, 1024);
    assert_int_equal(scene->config.max_topics, 7);
    assert_false(scene->config.keep_headers);
    assert_int_equal(scene->config.message_level, 3);
    assert_int_equal(scene->config.message_destination, 1);
    assert_int_equal(scene->config.bus_mode, 0600);
}

static void relative_paths_are_taken_from_the_files_folder(void **state)
{
    struct scene *scene = *state;
    char expected[PATH_MAX], here[PATH_MAX];
    load_well(scene, "[publish]\ntoken_file = tokens/entry\n[admin]\ntoken_file = /etc/admin\n");
    (void)snprintf(expected, sizeof expected, "%s/tokens/entry", scene->folder);
    assert_string_equal(scene->config.publish_token_file, expected);
    assert_string_equal(scene->config.admin_token_file, "/etc/admin");

    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(scene->folder), 0);
    config_free(&scene->config);
    bool loaded = config_load(&scene->config, "a.conf", scene->error);
    assert_int_equal(chdir(here), 0);
    assert_true(loaded);
    assert_string_equal(scene->config.publish_token_file, expected);
}

static void comments_and_blanks_are_no_part_of_values(void **state)
{
    struct scene *scene = *state;
    load_well(scene, "\xef\xbb\xbf# first\r\n\r\n[fanout] ; the daemon\r\n"
                     "  ; indented\r\n   max_topics = 5 ; five\r\n\tmax_alive = 6\t; six\r\n"
                     "[publish]\r\ntoken_file = /a;b\r\n[messages]\r\nlevel = error");
    assert_int_equal(scene->config.max_topics, 5);
    assert_int_equal(scene->config.max_alive, 6);
    assert_string_equal(scene->config.publish_token_file, "/a;b");
    assert_int_equal(scene->config.message_level, 0);
}

static void indented_lines_continue_a_list_and_nothing_else(void **state)
{
    struct scene *scene = *state;
    load_well(scene, "[fanout]\nlisten = 127.0.0.1:1 ; one\n  [::1]:2 ; two\n\n# between\n"
                     "\tunix:/three 127.0.0.1:4\n  max_topics = 9\n");
    EXPECT_LIST(scene->config.listen, "127.0.0.1:1", "[::1]:2", "unix:/three", "127.0.0.1:4");
    assert_int_equal(scene->config.max_topics, 9);
    load_badly(scene, "[fanout]\nmax_topics = 9\n  10\n",
               "@:3: should be \"key = value\", [section] or a comment");
    load_badly(scene, "[bus]\ntopics = a\n[messages]\n  b\n",
               "@:4: should be \"key = value\", [section] or a comment");
    load_well(scene, "[bus]\ntopics = a\n  [messages]\nlevel = error\n");
    EXPECT_LIST(scene->config.bus_topics, "a");
}

static void lines_may_be_long(void **state)
{
    struct scene *scene = *state;
    char text[20000], word[9000];
    memset(word, 'x', sizeof word);
    word[sizeof word - 1] = '\0';
    (void)snprintf(text, sizeof text, "# %s\n[bus]\ntopics = %s ; %s\n  b\n", word, word, "c");
    load_well(scene, text);
    EXPECT_LIST(scene->config.bus_topics, word, "b");
    (void)snprintf(text, sizeof text, "[bus]\ntopics = a\n\t%s ; %s", word, word);
    load_well(scene, text);
    EXPECT_LIST(scene->config.bus_topics, "a", word);
    load_badly(scene, "[bus]\n = 5\n", "@:2: should be \"key = value\", [section] or a comment");
}

static void every_fault_is_told_with_its_line(void **state)
{
    load_badly(
        *state,
        "max = 3\n[fanout]\nkeep_alife = 20s\nmax_body = 0\nlevel = info\n"
        "keep_alive = 20\nmax_topics = 5x\nmax_alive = 18446744073709551616\n"
        "max_headers = 17179869184G\nmax_headers = 16k\nkeep_headers = true\ngarbage\nzzz = 1\n"
        "[fanuot]\nx = 1\n[qqqqqqqq]\n[messages]\nlevel = loud\n[bus\nmode = 660\n[bus]\nmode = "
        "0778\n[faqqqt]\n",
        "@:1: \"max\" stands before the first section; put such as [fanout] above it\n"
        "@:3: unknown key \"keep_alife\" in [fanout]; did you mean keep_alive?\n"
        "@:4: max_body: 0 is out of bounds: from 1 to 100M are allowed\n"
        "@:5: unknown key \"level\" in [fanout]; did you mean level of [messages]?\n"
        "@:6: keep_alive: \"20\" should be a duration: digits, then ms, s, m, h or d, such as "
        "20s\n"
        "@:7: max_topics: \"5x\" should be a number: digits alone, such as 100\n"
        "@:8: max_alive: \"18446744073709551616\" should be a number: digits alone, such as 10\n"
        "@:9: max_headers: \"17179869184G\" should be a size in bytes: digits, then nothing, k, "
        "M or G, such as 32k\n"
        "@:10: max_headers was set before, on line 9; keep one of them\n"
        "@:11: keep_headers: \"true\" should be yes or no\n"
        "@:12: should be \"key = value\", [section] or a comment\n"
        "@:13: unknown key \"zzz\" in [fanout]\n"
        "@:14: unknown section [fanuot]; did you mean [fanout]?\n"
        "@:16: unknown section [qqqqqqqq]\n"
        "@:18: level: \"loud\" should be one of: error warning info debug\n"
        "@:19: a section should be its name in brackets alone: [fanout]\n"
        "@:22: mode: \"0778\" should be an octal file mode that begins with 0, such as 0600\n"
        "@:23: unknown section [faqqqt]");
}

static void a_comment_sign_that_is_none_is_told(void **state)
{
    load_badly(*state, "[bus]\ntopics = a # b\n",
               "@:2: \"#\" begins a comment only where a line begins; write \";\" behind a value");
}

static void a_nul_byte_is_refused(void **state)
{
    static const char text[] = "[messages]\nlevel = in\0fo\n";
    struct scene *scene = *state;
    assert_false(load_bytes(scene, text, sizeof text - 1));
    assert_non_null(strstr(scene->error, "a.conf:2: holds a NUL byte; the file should be text"));
}

static void faults_that_do_not_fit_are_counted(void **state)
{
    struct scene *scene = *state;
    char text[4096] = "[fanout]\n";
    for (int i = 0; i < 200; i++)
        strcat(text, "zzzzzzzz = 1\n");
    assert_false(load_bytes(scene, text, strlen(text)));
    unsigned more = 0, told = 0;
    for (const char *line = scene->error; line != NULL; line = strchr(line + 1, '\n')) {
        if (sscanf(line, "\nand %u more", &more) != 1)
            told++;
    }
    assert_int_equal(told + more, 200);
    assert_true(told >= 10);
}

static void files_that_cannot_be_read_are_named(void **state)
{
    struct scene *scene = *state;
    assert_false(config_load(&scene->config, scene->path, scene->error));
    assert_non_null(strstr(scene->error, "a.conf: No such file or directory"));
    assert_false(config_load(&scene->config, scene->folder, scene->error));
    assert_non_null(strstr(scene->error, ": Is a directory"));
}

static void addresses_are_checked(void **state)
{
    struct scene *scene = *state;
    load_badly(
        scene,
        "[fanout]\nlisten = 8010 a:b ::1:80 []:1 a:65536 unix:x\n[bus]\nevents =\n"
        "acks = ipc://x inproc://a tcp://127.0.0.1:0\n",
        "@:2: [fanout] listen: \"8010\" should be host:port, [ipv6]:port or unix:/path\n"
        "@:2: [fanout] listen: \"a:b\" should be host:port, [ipv6]:port or unix:/path\n"
        "@:2: [fanout] listen: \"::1:80\" should be host:port, [ipv6]:port or unix:/path\n"
        "@:2: [fanout] listen: \"[]:1\" should be host:port, [ipv6]:port or unix:/path\n"
        "@:2: [fanout] listen: \"a:65536\" should be host:port, [ipv6]:port or unix:/path\n"
        "@:2: [fanout] listen: \"unix:x\" should have an absolute path, one that begins with "
        "/\n"
        "@:4: [bus] events: is empty; write such as ipc:///run/es-web-notify/events\n"
        "@:5: [bus] acks: \"ipc://x\" should have an absolute path, one that begins with /\n"
        "@:5: [bus] acks: \"inproc://a\" should be ipc:///path or tcp://host:port\n"
        "@:5: [bus] acks: \"tcp://127.0.0.1:0\" should be ipc:///path or tcp://host:port");

    char text[300];
    (void)snprintf(text, sizeof text, "[fanout]\nlisten = unix:/%0107d\n", 0);
    assert_false(load_bytes(scene, text, strlen(text)));
    assert_non_null(strstr(scene->error, "is too long for a socket: the path may have 107 bytes"));
    (void)snprintf(text, sizeof text, "[fanout]\nlisten = unix:/%0106d\n", 0);
    load_well(scene, text);
}

static void open_topics_are_whole_levels(void **state)
{
    struct scene *scene = *state;
    load_badly(
        scene, "[subscribe]\nopen = news/# a+ b/#/c shop/+/# x/y#\n",
        "@:2: [subscribe] open: \"a+\": + stands for a whole level, and # for the rest, at "
        "the end\n"
        "@:2: [subscribe] open: \"b/#/c\": + stands for a whole level, and # for the rest, at "
        "the end\n"
        "@:2: [subscribe] open: \"x/y#\": + stands for a whole level, and # for the rest, "
        "at the end");
    load_well(scene, "[subscribe]\nopen = news/# shop/+/# +/state status everything\n");
    load_well(scene, "[subscribe]\nopen =\n");
    assert_null(scene->config.open_topics[0]);
}

static void a_port_is_needed_for_lines_too(void **state)
{
    load_badly(*state, "[fanout]\nlisten_lines = nonsense 127.0.0.1\nlisten = 127.0.0.1\n",
               "@:2: [fanout] listen_lines: \"nonsense\" should be host:port, [ipv6]:port or "
               "unix:/path\n"
               "@:2: [fanout] listen_lines: \"127.0.0.1\" should be host:port, [ipv6]:port or "
               "unix:/path\n"
               "@:3: [fanout] listen: \"127.0.0.1\" should be host:port, [ipv6]:port or "
               "unix:/path");
    load_well(*state, "[fanout]\nlisten_lines = 127.0.0.1:8011\n");
}

static void a_database_is_named_whole(void **state)
{
    struct scene *scene = *state;
    load_badly(scene, "[acl]\nkind = mariadb\nport = 3307\n",
               "@:2: [acl] kind: mariadb needs database, its name\n"
               "@:3: [acl] port: needs host; without one the server is asked through its Unix "
               "socket, which has no port");
    load_well(scene, "[acl]\nkind = mariadb\nhost = localhost\nport = 3307\ndatabase = notify\n");
}

static void an_outbox_is_named_whole(void **state)
{
    struct scene *scene = *state;
    load_badly(scene, "[outbox]\nkind = mariadb\nport = 3307\npoll_max = 4ms\n",
               "@:2: [outbox] kind: mariadb needs database, its name\n"
               "@:3: [outbox] port: needs host\n"
               "@:4: [outbox] poll_max: is less than poll_min");
    load_badly(scene, "[outbox]\nkind = sqlite\n", "@:2: [outbox] kind: sqlite needs file");
    load_well(scene, "[outbox]\nkind = sqlite\nfile = shop.db\n");
    load_well(scene, "[outbox]\npublishers = shop *\n");
}

static void an_engine_is_named_with_what_it_needs(void **state)
{
    struct scene *scene = *state;
    load_badly(scene, "[bus]\nengine = redis\ntopics = a/\n[log]\npath = /var/log.db\n",
               "@:2: [bus] engine: redis needs [redis] url\n"
               "@:2: [bus] engine: redis keeps the log itself: [log] path goes with zeromq alone\n"
               "@:2: [bus] engine: redis gives each daemon all topics: [bus] topics goes with "
               "zeromq alone");
    load_badly(scene, "[redis]\nsentinels = a:1 b\n",
               "@:2: [redis] sentinels: \"b\" should be host:port or [ipv6]:port\n"
               "@:2: [redis] sentinels: needs url, of which the database counts");
    load_badly(scene, "[bus]\nengine = redis\nprefix =\n[redis]\nurl = redis://h\n",
               "@:3: [bus] prefix: is empty; write such as esn:");
    load_well(scene, "[bus]\nengine = redis\nevents =\n[redis]\nurl = redis://h\n");
}

static void a_daemons_own_way_is_a_path_or_an_address(void **state)
{
    struct scene *scene = *state;
    load_badly(
        scene, "[fanout]\nnode_url = /node/3/\n",
        "@:2: [fanout] node_url: \"/node/3/\" should be a path below the web server's prefix "
        "such as \"node/3/\", of letters, digits, - . _ ~ and /");
    load_badly(
        scene, "[fanout]\nnode_url = http://three.example\n",
        "@:2: [fanout] node_url: \"http://three.example\" should be a path or an address that "
        "ends with \"/\"");
    load_well(scene, "[fanout]\nnode_url = node/3/\n");
    load_well(scene, "[fanout]\nnode_url = https://three.example/notify/\n");
}

static void what_has_no_meaning_empty_is_refused(void **state)
{
    load_badly(*state, "[bus]\nacks =\n[redis]\nsession_user =\n",
               "@:2: [bus] acks: is empty; write such as ipc:///run/es-web-notify/acks\n"
               "@:4: [redis] session_user: is empty; write such as uid");
}

static void an_open_bus_needs_keys(void **state)
{
    static const char *const open[] = {"*",    "0.0.0.0",   "10.0.0.5",         "eth0",
                                       "[::]", "128.0.0.1", "127.evil.example", "127.0.0.1.nip.io"};
    static const char *const closed[] = {"127.0.0.1", "127.9.9.9", "localhost", "[::1]"};
    struct scene *scene = *state;
    char text[200];
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        (void)snprintf(text, sizeof text, "[bus]\nevents = tcp://%s:1\n", open[i]);
        assert_false(load_bytes(scene, text, strlen(text)));
        assert_non_null(strstr(scene->error, "leaves this machine unencrypted"));
        (void)snprintf(text, sizeof text, "[bus]\nacks = tcp://%s:1\npublic_key_file = k\n",
                       open[i]);
        load_well(scene, text);
    }
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        (void)snprintf(text, sizeof text, "[bus]\nevents = tcp://%s:1\n", closed[i]);
        load_well(scene, text);
    }
    load_badly(scene, "[bus]\nsecret_key_file = k\n",
               "@:2: [bus] secret_key_file: is of no use without public_key_file; set both");
}

static void limits_must_agree(void **state)
{
    load_badly(
        *state, "[fanout]\nmax_pending = 2M\nmax_pending_soft = 3M\nmax_pending_total = 1M\n",
        "@:3: [fanout] max_pending_soft: 3M is above max_pending, which is 2M; it may be equal "
        "at most\n"
        "@:4: [fanout] max_pending_total: 1M is below max_pending, which is 2M; it should be "
        "equal at least");
    load_badly(
        *state, "[fanout]\nmax_pending = 64k\n",
        "@: [fanout] max_pending_soft: 1M is above max_pending, which is 64k; it may be equal "
        "at most");
    load_well(*state, "[fanout]\nmax_pending = 1M\nmax_pending_soft = 1M\n");
    load_badly(*state, "[ticket]\nlife = 61s\n",
               "@:2: [ticket] life: is longer than life_max, which is 1m: every ticket would be "
               "refused");
    load_well(*state, "[ticket]\nlife = 60s\n");
}

static void remember_told(const struct config_key *key, void *context)
{
    const struct config_key **told = context;
    while (*told != NULL)
        told++;
    *told = key;
}

static void a_reload_takes_what_it_may(void **state)
{
    struct scene *scene = *state;
    struct config running = {0};
    const struct config_key *told[100] = {NULL};
    load_well(scene, "[fanout]\nlisten = 127.0.0.1:1\nmax_topics = 3\n[publish]\ntoken_file = /a\n"
                     "[bus]\nmode = 0600\ntopics = x\n");
    running = scene->config;
    scene->config = (struct config){0};
    load_well(scene, "[fanout]\nlisten = 127.0.0.1:1 127.0.0.1:2\nmax_topics = 4\n[publish]\n"
                     "token_file = /b\n[messages]\nlevel = error\n[bus]\nmode = 0600\n");
    config_apply_reload(&running, &scene->config, remember_told, told);
    config_free(&scene->config);

    EXPECT_LIST(running.listen, "127.0.0.1:1");
    EXPECT_LIST(running.bus_topics, "x");
    assert_int_equal(running.max_topics, 4);
    assert_string_equal(running.publish_token_file, "/b");
    assert_int_equal(running.message_level, 0);
    assert_ptr_equal(told[0], config_key_find("fanout", "listen"));
    assert_ptr_equal(told[1], config_key_find("bus", "topics"));
    assert_null(told[2]);
    config_free(&running);
}

static void the_path_is_option_or_environment_or_built_in(void **state)
{
    (void)state;
    assert_int_equal(setenv("ESN_CONF", "/from/environment", 1), 0);
    assert_string_equal(config_path("/from/option"), "/from/option");
    assert_string_equal(config_path(NULL), "/from/environment");
    assert_int_equal(setenv("ESN_CONF", "", 1), 0);
    assert_string_equal(config_path(NULL), SYSCONFDIR "/es-web-notify.conf");
    assert_int_equal(unsetenv("ESN_CONF"), 0);
    assert_string_equal(config_path(NULL), SYSCONFDIR "/es-web-notify.conf");
}

static char *print(void (*printer)(FILE *out, const struct config *config,
                                   const struct config_key *key),
                   const struct config *config, const struct config_key *key)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    printer(out, config, key);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* What some of the examples presuppose. */
static void write_presupposed(char *text, size_t size, const struct config_key *key)
{
    static const struct {
        const char *section, *name, *value;
    } presupposed[] = {
        {"bus", "public_key_file", "k"},
        {"fanout", "max_pending_soft", "64k"},
        {"fanout", "tls_cert", "c"},
        {"fanout", "tls_key", "k"},
        {"bind_key", "private_key_file", "k"},
        {"handoff", "url", "http://h/"},
        {"acl", "database", "d"},
        {"acl", "host", "h"},
        {"outbox", "database", "d"},
        {"outbox", "file", "f"},
        {"outbox", "host", "h"},
        {"redis", "password_file", "p"},
        {"redis", "url", "redis://h"},
    };
    size_t length = 0;
    for (size_t i = 0; i < sizeof presupposed / sizeof *presupposed; i++) {
        bool own = strcmp(presupposed[i].section, key->section) == 0 &&
                   strcmp(presupposed[i].name, key->name) == 0;
        if (!own)
            length +=
                (size_t)snprintf(text + length, size - length, "[%s]\n%s = %s\n",
                                 presupposed[i].section, presupposed[i].name, presupposed[i].value);
    }
}

/* Writes each key with the given text and reads the file; then writes what the values print as, and
 * reads that. */
static void every_default_and_example_can_be_read(void **state)
{
    struct scene *scene = *state;
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        const char *const values[] = {key->default_text, key->example};
        char presupposed[500];
        write_presupposed(presupposed, sizeof presupposed, key);
        assert_string_not_equal(key->default_text, key->example);
        for (size_t i = 0; i < 2; i++) {
            char text[900];
            (void)snprintf(text, sizeof text, "%s[%s]\n%s = %s\n", presupposed, key->section,
                           key->name, values[i]);
            load_well(scene, text);
            char *once = print(config_print_value, &scene->config, key);
            (void)snprintf(text, sizeof text, "%s[%s]\n%s = %s\n", presupposed, key->section,
                           key->name, once);
            load_well(scene, text);
            char *twice = print(config_print_value, &scene->config, key);
            assert_string_equal(once, twice);
            free(once);
            free(twice);
        }
    }
}

static void every_key_is_of_a_section_that_is_explained(void **state)
{
    (void)state;
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        const struct config_section *section = config_sections;
        while (section->name != NULL && strcmp(section->name, key->section) != 0)
            section++;
        if (section->name == NULL)
            fail_msg("[%s] is not among config_sections", key->section);
    }
    for (const struct config_section *section = config_sections; section->name != NULL; section++)
        assert_true(strlen(section->help) > 0);
}

static void expect_tracked(const char *name, void (*printer)(FILE *out))
{
    const char *folder = getenv("srcdir");
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : ".", name);
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    assert_non_null(out);
    printer(out);
    assert_int_equal(fclose(out), 0);

    FILE *file = fopen(path, "re");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    char *tracked = calloc(1, size + 2);
    assert_non_null(tracked);
    size_t length = fread(tracked, 1, size + 1, file);
    assert_int_equal(fclose(file), 0);
    if (length != size || memcmp(tracked, printed, size) != 0)
        fail_msg("%s is not what the table of keys prints: run make docs", name);
    free(tracked);
    free(printed);
}

static void the_tracked_documents_are_what_the_table_prints(void **state)
{
    (void)state;
    expect_tracked("docs/configuration.md", config_print_markdown);
    expect_tracked("docs/man/es-web-notify.conf.5", config_print_manual);
    expect_tracked("deploy/es-web-notify.conf.sample", config_print_sample);
}

/* With its comment signs taken off, the sample sets every key to its default. */
static void the_sample_is_a_file_of_defaults(void **state)
{
    struct scene *scene = *state;
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    assert_non_null(out);
    config_print_sample(out);
    assert_int_equal(fclose(out), 0);
    load_well(scene, printed);
    unsigned opened = 0;
    for (char *line = printed; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (line[0] == '#' && line[1] != ' ' && line[1] != '\n') {
            line[0] = ' ';
            opened++;
        }
    }
    load_well(scene, printed);
    unsigned keys = 0;
    for (const struct config_key *key = config_keys; key->section != NULL; key++)
        keys++;
    assert_int_equal(opened, keys);
    free(printed);
}

/* In each section, those for experts come after a heading, and the others before it. */
static void keys_for_experts_stand_below_a_heading(void **state)
{
    (void)state;
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    assert_non_null(out);
    config_print_sample(out);
    assert_int_equal(fclose(out), 0);
    unsigned experts = 0;
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        char section[64], heading[64], line[64];
        (void)snprintf(section, sizeof section, "\n[%s]\n", key->section);
        (void)snprintf(heading, sizeof heading, "\n# ---- [%s] for experts", key->section);
        (void)snprintf(line, sizeof line, "\n#%s =", key->name);
        const char *begin = strstr(printed, section);
        assert_non_null(begin);
        const char *end = strstr(begin + 1, "\n["), *at = strstr(begin, line);
        const char *below = strstr(begin, heading);
        assert_true(at != NULL && (end == NULL || at < end));
        bool is_below = below != NULL && at > below;
        if (is_below != key->expert)
            fail_msg("[%s] %s is on the wrong side of the heading", key->section, key->name);
        experts += key->expert;
    }
    assert_true(experts > 0);
    assert_true(config_key_find("fanout", "send_buffer")->expert);
    assert_false(config_key_find("fanout", "listen")->expert);
    free(printed);
}

static void set_variable(const char *name, const char *value)
{
    assert_int_equal(value != NULL ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void variables_count_more_than_the_file(void **state)
{
    struct scene *scene = *state;
    char path[160];

    set_variable("ESN_FANOUT_LISTEN", "127.0.0.1:81 unix:/run/s");
    set_variable("ESN_FANOUT_STREAM_TIME", "5m");
    set_variable("ESN_BIND_KEY_PADDING", "oaep");
    set_variable("ESN_ADMIN_TOKEN_FILE", "admin.token");
    set_variable("ESN_LOG_PATH", "");
    load_well(scene, "[fanout]\nlisten = 127.0.0.1:80\nmax_alive = 7\n[log]\npath = events\n");
    expect_list(scene->config.listen, (const char *const[]){"127.0.0.1:81", "unix:/run/s", NULL});
    assert_int_equal(scene->config.stream_time, 300000);
    assert_int_equal(scene->config.max_alive, 7);
    assert_int_equal(scene->config.bind_key_padding, 1);
    assert_null(scene->config.log_path);
    (void)snprintf(path, sizeof path, "%s/admin.token", scene->folder);
    assert_string_equal(scene->config.admin_token_file, path);
    for (const char *const *name =
             (const char *const[]){"ESN_FANOUT_LISTEN", "ESN_FANOUT_STREAM_TIME",
                                   "ESN_BIND_KEY_PADDING", "ESN_ADMIN_TOKEN_FILE", "ESN_LOG_PATH",
                                   NULL};
         *name != NULL; name++)
        set_variable(*name, NULL);
}

static void a_variable_that_sets_nothing_is_named(void **state)
{
    struct scene *scene = *state;

    set_variable("ESN_FANOUT_LISTEM", "x");
    load_badly(scene, "",
               "ESN_FANOUT_LISTEM: no setting has this variable; did you mean "
               "ESN_FANOUT_LISTEN?");
    set_variable("ESN_FANOUT_LISTEM", NULL);
    set_variable("ESN_FANOUT_STREAM_TIME", "soon");
    assert_false(load_bytes(scene, "", 0));
    assert_int_equal(strncmp(scene->error, "ESN_FANOUT_STREAM_TIME: ", 24), 0);
    set_variable("ESN_FANOUT_STREAM_TIME", NULL);
    set_variable("ESN_FANOUT_LISTEN", "nowhere");
    assert_false(load_bytes(scene, "", 0));
    assert_int_equal(strncmp(scene->error, "ESN_FANOUT_LISTEN: ", 19), 0);
    set_variable("ESN_FANOUT_LISTEN", NULL);
}

/* Of quickstart's `env`, of tests, and of whoever else has some that begin likewise. */
static void variables_of_applications_are_left_alone(void **state)
{
    static const char *const names[] = {"ESN_PUBLISH_TOKEN", "ESN_ADMIN_TOKEN", "ESN_BASE_URL",
                                        "ESN_FANOUT_URL",    "ESN_BUILD",       "ESN_",
                                        "ESN_FANOUT"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        set_variable(names[i], "x");
    load_well(*state, "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        set_variable(names[i], NULL);
}

static void who_announces_clients_is_one_that_listens(void **state)
{
    struct scene *scene = *state;

    load_well(scene,
              "[fanout]\nlisten = 127.0.0.1:80 127.0.0.1:81\nproxy_protocol = 127.0.0.1:81\n");
    load_badly(scene, "[fanout]\nlisten = 127.0.0.1:80\nproxy_protocol = localhost:80\n",
               "@:3: [fanout] proxy_protocol: \"localhost:80\" is none of the addresses of listen, "
               "listen_lines, listen_tls and listen_lines_tls, word for word");
    load_badly(scene,
               "[fanout]\nlisten = 127.0.0.1:80\nproxy_protocol = 127.0.0.1:80\n"
               "trusted_proxies =\n",
               "@:3: [fanout] proxy_protocol: lets nobody in, since trusted_proxies is empty");
}

static void who_may_see_metrics_is_named_by_address(void **state)
{
    struct scene *scene = *state;

    load_well(scene, "[metrics]\naddresses = 127.0.0.1 ::1 10.0.0.0/8\n");
    load_badly(scene, "[metrics]\naddresses = 127.0.0.1 localhost\n",
               "@:2: [metrics] addresses: \"localhost\" should be an address, or a range of them "
               "such as 10.0.0.0/8");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_file_gives_the_defaults),
        TEST(each_kind_of_value_is_read),
        TEST(relative_paths_are_taken_from_the_files_folder),
        TEST(comments_and_blanks_are_no_part_of_values),
        TEST(indented_lines_continue_a_list_and_nothing_else),
        TEST(lines_may_be_long),
        TEST(every_fault_is_told_with_its_line),
        TEST(a_comment_sign_that_is_none_is_told),
        TEST(a_nul_byte_is_refused),
        TEST(faults_that_do_not_fit_are_counted),
        TEST(files_that_cannot_be_read_are_named),
        TEST(addresses_are_checked),
        TEST(open_topics_are_whole_levels),
        TEST(a_port_is_needed_for_lines_too),
        TEST(a_database_is_named_whole),
        TEST(an_outbox_is_named_whole),
        TEST(an_engine_is_named_with_what_it_needs),
        TEST(a_daemons_own_way_is_a_path_or_an_address),
        TEST(what_has_no_meaning_empty_is_refused),
        TEST(an_open_bus_needs_keys),
        TEST(limits_must_agree),
        TEST(a_reload_takes_what_it_may),
        TEST(the_path_is_option_or_environment_or_built_in),
        TEST(variables_count_more_than_the_file),
        TEST(a_variable_that_sets_nothing_is_named),
        TEST(variables_of_applications_are_left_alone),
        TEST(who_announces_clients_is_one_that_listens),
        TEST(who_may_see_metrics_is_named_by_address),
        TEST(every_default_and_example_can_be_read),
        TEST(every_key_is_of_a_section_that_is_explained),
        TEST(the_tracked_documents_are_what_the_table_prints),
        TEST(the_sample_is_a_file_of_defaults),
        TEST(keys_for_experts_stand_below_a_heading),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
