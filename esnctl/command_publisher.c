/* esnctl publisher: backends that publish under names of their own. */
#include "bytes.h"
#include "commands.h"
#include "publishers/publishers_file.h"
#include "publishers_edit.h"
#include "secret_output.h"
#include "settings.h"
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "Usage: esnctl publisher [OPTION...] --topics TOPICS add NAME\n"
    "       esnctl publisher [OPTION...] list\n"
    "       esnctl publisher [OPTION...] remove NAME\n"
    "\n"
    "Keeps [publish] publishers_file: backends with a name, a secret and limits of their own. add "
    "makes\n"
    "the secret, NAME.key beside the file, unless --key names one that is there, and makes the "
    "file when\n"
    "there is none. What would make the file wrong is not written. esn-event reads it again when "
    "it is\n"
    "reloaded.\n"
    "\n"
    "Options:\n"
    "  --topics TOPICS     of add: what it may publish on, with blanks between them; '#': "
    "everything\n"
    "  --may WORDS         of add: what is more than plain events: bound whisper private users "
    "drop report\n"
    "  --signed            of add: its bare secret is refused, its posts have to be signed\n"
    "  --rate N            of add: at most so many events a second\n"
    "  --addresses RANGES  of add: it publishes from there alone, as 10.0.0.0/8\n"
    "  --key FILE          of add: its secret, or the public key of an Ed25519 pair in PEM\n"
    "  --file FILE         the file (default: [publish] publishers_file)\n"
    "  --json              of list: as JSON\n"
    "  --config FILE       configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help              this text\n"
    "\n"
    "Examples:\n"
    "  esnctl publisher --topics 'orders/# news/+' --may 'private users' --signed add shop\n"
    "  esnctl publisher list\n"
    "  esnctl publisher remove shop && systemctl reload esn-event\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 usage.\n";

enum {
    OPTION_TOPICS = SETTINGS_OPTION_OWN,
    OPTION_MAY,
    OPTION_SIGNED,
    OPTION_RATE,
    OPTION_ADDRESSES,
    OPTION_KEY,
    OPTION_FILE,
    FILE_MAX = 4 << 20
};

struct publisher_call {
    struct settings settings;
    const char *file; /* of publishers */
    const char *topics, *may, *rate, *addresses, *key;
    bool is_signed;
};

/* ---- the file ---- */

/* All of the file, "" when there is none. False after it said why. */
static bool read_text(const char *path, struct bytes *text)
{
    FILE *file = fopen(path, "re");
    char piece[4096];
    size_t got;
    if (file == NULL && errno != ENOENT) {
        (void)command_fail("%s: %s", path, strerror(errno));
        return false;
    }
    while (file != NULL && text->length <= FILE_MAX &&
           (got = fread(piece, 1, sizeof piece, file)) > 0)
        bytes_append(text, piece, got);
    bool good = file == NULL || !ferror(file);
    if (file != NULL)
        (void)fclose(file);
    if (good && bytes_terminate(text) != NULL && text->length <= FILE_MAX &&
        strlen(text->data) == text->length)
        return true;
    (void)command_fail("%s: cannot be read, is no text, or too large", path);
    return false;
}

/* Whose the file was, it stays. False after it said why. */
static bool write_new(const char *path, const char *former, const struct bytes *text)
{
    struct stat of;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool was_there = stat(former, &of) == 0;
    bool written = file >= 0 && fchmod(file, was_there ? of.st_mode & 0777 : 0640) == 0 &&
                   (!was_there || fchown(file, of.st_uid, of.st_gid) == 0) &&
                   write(file, text->data, text->length) == (ssize_t)text->length &&
                   fsync(file) == 0;
    if (!written)
        (void)command_fail("%s: %s", path, strerror(errno));
    if (file >= 0)
        (void)close(file);
    if (file >= 0 && !written)
        (void)unlink(path);
    return written;
}

/* Puts the text in the place of the file when it is one of publishers. */
static int replace(const char *path, const struct bytes *text)
{
    char *new = NULL, error[PUBLISHERS_ERROR_SIZE];
    struct publisher_entry *entries = NULL;
    size_t count = 0;
    int status = COMMAND_FAILED;
    if (asprintf(&new, "%s.new", path) < 0)
        return command_fail("out of memory");
    if (write_new(new, path, text)) {
        if (!publishers_file_load(new, &entries, &count, error))
            (void)command_fail("nothing was changed: %s", error);
        else if (rename(new, path) != 0)
            (void)command_fail("%s: %s", path, strerror(errno));
        else
            status = COMMAND_GOOD;
        publishers_file_free(&entries, count);
        if (status != COMMAND_GOOD)
            (void)unlink(new);
    }
    free(new);
    return status;
}

/* ---- add ---- */

static void write_section(const struct publisher_call *call, struct bytes *text, const char *name,
                          const char *key)
{
    if (text->length > 0)
        bytes_append_text(text, text->data[text->length - 1] == '\n' ? "\n" : "\n\n");
    bytes_append_format(text, "[%s]\nsecret_file = %s\ntopics = %s\n", name, key, call->topics);
    if (call->may != NULL)
        bytes_append_format(text, "may = %s\n", call->may);
    if (call->is_signed)
        bytes_append_text(text, "signed = yes\n");
    if (call->rate != NULL)
        bytes_append_format(text, "rate = %s\n", call->rate);
    if (call->addresses != NULL)
        bytes_append_format(text, "addresses = %s\n", call->addresses);
}

static bool is_of_one_line(const struct publisher_call *call)
{
    const char *const values[] = {call->topics, call->may, call->rate, call->addresses, call->key};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i] != NULL && strpbrk(values[i], "\r\n;") != NULL)
            return false;
    return true;
}

/* Makes the secret first: the file is read with it. It goes again when the file would be wrong. */
static int add_with_secret(const struct publisher_call *call, struct bytes *text, const char *name,
                           const char *folder)
{
    char *made = NULL;
    if (call->key == NULL && asprintf(&made, "%s/%s.key", folder, name) < 0)
        return command_fail("out of memory");
    int status = COMMAND_FAILED;
    if (secret_output_take_group(folder, "esn-event") &&
        (made == NULL || secret_output_write(made))) {
        write_section(call, text, name, made != NULL ? made : call->key);
        status = text->failed ? command_fail("out of memory") : replace(call->file, text);
        if (status != COMMAND_GOOD && made != NULL)
            (void)unlink(made);
    }
    if (status == COMMAND_GOOD)
        (void)printf("added %s, with the secret of %s; reload esn-event\n", name,
                     made != NULL ? made : call->key);
    free(made);
    return status;
}

static int add(const struct publisher_call *call, const char *name)
{
    struct bytes text = BYTES_EMPTY;
    char *copy = strdup(call->file);
    int status = COMMAND_FAILED;
    if (call->topics == NULL)
        status =
            command_usage(&command_publisher, "what it may publish on has to be said: --topics");
    else if (strpbrk(name, "/[]\r\n") != NULL || !is_of_one_line(call))
        status = command_usage(&command_publisher, "a name or value has a sign that cannot stand "
                                                   "in the file");
    else if (copy == NULL)
        status = command_fail("out of memory");
    else if (read_text(call->file, &text))
        status = publishers_edit_has(text.data, name)
                     ? command_fail("%s: has a publisher %s already", call->file, name)
                     : add_with_secret(call, &text, name, dirname(copy));
    free(copy);
    bytes_free(&text);
    return status;
}

/* ---- remove ---- */

static int remove_one(const struct publisher_call *call, const char *name)
{
    struct bytes text = BYTES_EMPTY, rest = BYTES_EMPTY;
    int status = COMMAND_FAILED;
    if (read_text(call->file, &text)) {
        publishers_edit_remove(&rest, text.data, name);
        if (rest.failed)
            status = command_fail("out of memory");
        else if (!publishers_edit_has(text.data, name))
            status = command_fail("%s: has no publisher %s", call->file, name);
        else
            status = replace(call->file, &rest);
    }
    if (status == COMMAND_GOOD)
        (void)printf("removed %s; its secret's file stays; reload esn-event\n", name);
    bytes_free(&text);
    bytes_free(&rest);
    return status;
}

/* ---- list ---- */

static json_t *rights_of(unsigned may)
{
    static const struct {
        unsigned right;
        const char *word;
    } rights[] = {{PUBLISHER_MAY_BOUND, "bound"},     {PUBLISHER_MAY_WHISPER, "whisper"},
                  {PUBLISHER_MAY_PRIVATE, "private"}, {PUBLISHER_MAY_USERS, "users"},
                  {PUBLISHER_MAY_DROP, "drop"},       {PUBLISHER_MAY_REPORT, "report"}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
        if ((may & rights[i].right) != 0)
            (void)json_array_append_new(list, json_string(rights[i].word));
    return list;
}

static json_t *describe(const struct publisher_entry *entry)
{
    json_t *topics = json_array();
    for (size_t i = 0; i < entry->topic_count; i++)
        (void)json_array_append_new(topics, json_string(entry->topics[i]));
    return json_pack("{ss so so sb sI si}", "secret", entry->has_ed25519 ? "Ed25519" : "shared",
                     "topics", topics, "may", rights_of(entry->publisher.may), "signed",
                     entry->publisher.is_signed, "rate", (json_int_t)entry->publisher.rate,
                     "addresses", (int)entry->range_count);
}

static int list(const struct publisher_call *call)
{
    struct publisher_entry *entries = NULL;
    size_t count = 0;
    char error[PUBLISHERS_ERROR_SIZE];
    json_t *all = json_object();
    int status = COMMAND_GOOD;
    if (!publishers_file_load(call->file, &entries, &count, error))
        status = command_fail("%s", error);
    for (size_t i = 0; status == COMMAND_GOOD && i < count; i++)
        if (json_object_set_new(all, entries[i].publisher.name, describe(&entries[i])) != 0)
            status = command_fail("out of memory");
    publishers_file_free(&entries, count);
    if (status == COMMAND_GOOD && call->settings.json) {
        (void)json_dumpf(all, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    } else if (status == COMMAND_GOOD) {
        table_print(all);
    }
    json_decref(all);
    return status;
}

/* ---- options ---- */

static bool take_option(struct publisher_call *call, int option)
{
    const char **const texts[] = {&call->topics,    &call->may, NULL,       &call->rate,
                                  &call->addresses, &call->key, &call->file};
    if (option == OPTION_SIGNED)
        call->is_signed = true;
    else if (option >= OPTION_TOPICS && option <= OPTION_FILE)
        *texts[option - OPTION_TOPICS] = optarg;
    else
        return settings_take_option(&call->settings, option);
    return true;
}

static int act(struct publisher_call *call, int count, char **words)
{
    if (!settings_load(&call->settings))
        return COMMAND_FAILED;
    if (call->file == NULL)
        call->file = call->settings.config.publishers_file;
    if (call->file == NULL)
        return command_fail("[publish] publishers_file is not set; name a file with --file");
    if (count == 2 && strcmp(words[0], "add") == 0)
        return add(call, words[1]);
    if (count == 2 && strcmp(words[0], "remove") == 0)
        return remove_one(call, words[1]);
    if (count == 1 && strcmp(words[0], "list") == 0)
        return list(call);
    return command_usage(&command_publisher, "needs add NAME, remove NAME or list");
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"topics", required_argument, NULL, OPTION_TOPICS},
        {"may", required_argument, NULL, OPTION_MAY},
        {"signed", no_argument, NULL, OPTION_SIGNED},
        {"rate", required_argument, NULL, OPTION_RATE},
        {"addresses", required_argument, NULL, OPTION_ADDRESSES},
        {"key", required_argument, NULL, OPTION_KEY},
        {"file", required_argument, NULL, OPTION_FILE},
        {NULL, 0, NULL, 0},
    };
    struct publisher_call call = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_publisher);
        if (!take_option(&call, option))
            return command_usage_option(&command_publisher);
    }
    int status = act(&call, argc - optind, argv + optind);
    settings_free(&call.settings);
    return status;
}

const struct command command_publisher = {"publisher", "keep publishers with names", help, run};
