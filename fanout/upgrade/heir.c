#include "upgrade/heir.h"

#include "clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The other one knows how long it waits, and ends this program then; this is for the case that it
 * hangs. */
enum { PATIENCE_MS = 120000 };

static uint64_t deadline(void)
{
    return clock_monotonic_ms() + PATIENCE_MS;
}

static bool is_channel(int descriptor)
{
    int type = 0;
    socklen_t size = sizeof type;

    return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

struct heir *heir_open(void)
{
    const char *value = getenv(HEIR_VARIABLE);

    if (value == NULL)
        return NULL;
    int channel = atoi(value);
    (void)unsetenv(HEIR_VARIABLE);
    if (channel <= STDERR_FILENO || !is_channel(channel) ||
        fcntl(channel, F_SETFD, FD_CLOEXEC) != 0)
        return NULL;
    struct heir *heir = calloc(1, sizeof *heir);
    if (heir != NULL)
        heir->channel = channel;
    return heir;
}

static bool fail(char error[CHANNEL_ERROR_SIZE], const char *why)
{
    (void)snprintf(error, CHANNEL_ERROR_SIZE, "%s", why);
    return false;
}

/* Owns the file. NULL with a sentence in error. */
static void *map_file(int file, size_t *length, char error[CHANNEL_ERROR_SIZE])
{
    struct stat status;
    void *bytes = MAP_FAILED;

    if (fstat(file, &status) == 0 && status.st_size > 0) {
        *length = (size_t)status.st_size;
        bytes = mmap(NULL, *length, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    }
    (void)close(file);
    if (bytes != MAP_FAILED)
        return bytes;
    (void)fail(error, "the state cannot be read");
    return NULL;
}

static bool map_state(struct heir *heir, int file, char error[CHANNEL_ERROR_SIZE])
{
    char why[SAVED_ERROR_SIZE];

    heir->bytes = map_file(file, &heir->length, error);
    if (heir->bytes == NULL)
        return false;
    return saved_read(&heir->state, heir->bytes, heir->length, why) || fail(error, why);
}

/* Owns the file. */
static bool take_ahead(int file, bool (*take)(void *context, struct saved_reader *reader),
                       void *context, char error[CHANNEL_ERROR_SIZE])
{
    size_t length;
    unsigned char *bytes = map_file(file, &length, error);

    if (bytes == NULL)
        return false;
    struct saved_reader reader = {.at = bytes, .end = bytes + length};
    bool taken = take(context, &reader);
    (void)munmap(bytes, length);
    return taken ||
           fail(error, "what was sent ahead of the state cannot be taken over, or there is "
                       "no memory");
}

/* What comes until the state does. */
static bool await_state(struct heir *heir, struct channel_message *message,
                        bool (*take)(void *context, struct saved_reader *reader), void *context,
                        char error[CHANNEL_ERROR_SIZE])
{
    for (;;) {
        if (!channel_receive(heir->channel, message, deadline(), error))
            return false;
        if (message->count != 1)
            return fail(error, "no state came");
        if (message->kind == CHANNEL_STATE)
            return true;
        if (message->kind != CHANNEL_AHEAD)
            return fail(error, "the other program says something else");
        if (!take_ahead(message->descriptors[0], take, context, error))
            return false;
    }
}

static bool take_descriptors(struct heir *heir, size_t wanted, char error[CHANNEL_ERROR_SIZE])
{
    struct channel_message message;

    heir->descriptors = calloc(wanted + 1, sizeof *heir->descriptors);
    if (heir->descriptors == NULL)
        return fail(error, "out of memory");
    while (heir->count < wanted) {
        if (!channel_await(heir->channel, CHANNEL_DESCRIPTORS, &message, deadline(), error))
            return false;
        if (message.count == 0 || message.count > wanted - heir->count)
            return fail(error, "other descriptors came than were announced");
        memcpy(heir->descriptors + heir->count, message.descriptors, message.count * sizeof(int));
        heir->count += message.count;
    }
    return true;
}

bool heir_receive(struct heir *heir, bool (*take)(void *context, struct saved_reader *reader),
                  void *context, char error[CHANNEL_ERROR_SIZE])
{
    struct channel_message message;
    char form[16];

    (void)snprintf(form, sizeof form, "%d", SAVED_FORM);
    if (!channel_send(heir->channel, CHANNEL_HELLO, form, NULL, 0, deadline(), error) ||
        !await_state(heir, &message, take, context, error))
        return false;
    return map_state(heir, message.descriptors[0], error) &&
           take_descriptors(heir, strtoul(message.text, NULL, 10), error);
}

bool heir_finish(struct heir *heir, char error[CHANNEL_ERROR_SIZE])
{
    struct channel_message message;

    return channel_send(heir->channel, CHANNEL_PREPARED, "", NULL, 0, deadline(), error) &&
           channel_await(heir->channel, CHANNEL_GO, &message, deadline(), error);
}

void heir_refuse(struct heir *heir, const char *why)
{
    char error[CHANNEL_ERROR_SIZE], text[CHANNEL_TEXT_SIZE];

    if (heir == NULL)
        return;
    (void)snprintf(text, sizeof text, "%.*s", CHANNEL_TEXT_SIZE - 2, why);
    (void)channel_send(heir->channel, CHANNEL_REFUSAL, text, NULL, 0, clock_monotonic_ms(), error);
}

void heir_free(struct heir **heir)
{
    struct heir *old = *heir;

    *heir = NULL;
    if (old == NULL)
        return;
    (void)close(old->channel);
    if (old->bytes != NULL)
        (void)munmap(old->bytes, old->length);
    free(old->descriptors);
    free(old);
}
