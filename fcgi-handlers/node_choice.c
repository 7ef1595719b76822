#include "node_choice.h"

#include "clock.h"
#include "messages.h"
#include "nodes/node_look.h"
#include "secret.h"
#include "trouble.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_EVERY_MS = 1000 };

struct node_choice {
    const struct config *config;
    struct redis_client *client; /* of who looks; NULL: there is one daemon alone */
    pthread_mutex_t mutex;       /* of the rest */
    struct node_lives lives;
    uint64_t look_at; /* not before */
    bool is_looking;
    struct trouble trouble;
};

struct node_choice *node_choice_open(const struct config *config, const struct redis_config *redis)
{
    struct node_choice *choice = calloc(1, sizeof *choice);
    if (choice == NULL)
        return NULL;
    *choice = (struct node_choice){.config = config, .lives.lease_ms = config->bus_lease};
    bool opened = pthread_mutex_init(&choice->mutex, NULL) == 0;
    if (opened && config->bus_engine == CONFIG_BUS_REDIS) {
        choice->client = redis_client_open(&redis->options);
        opened = choice->client != NULL;
        if (!opened)
            (void)pthread_mutex_destroy(&choice->mutex);
    }
    if (opened)
        return choice;
    free(choice);
    return NULL;
}

void node_choice_close(struct node_choice **choice)
{
    if (*choice == NULL)
        return;
    redis_client_close(&(*choice)->client);
    node_lives_free(&(*choice)->lives);
    (void)pthread_mutex_destroy(&(*choice)->mutex);
    free(*choice);
    *choice = NULL;
}

/* ---- looking ---- */

static void tell(struct node_choice *choice, bool failed, const char *error)
{
    switch (trouble_note(&choice->trouble, failed)) {
    case TROUBLE_BEGINS:
        message_error("cannot see which daemons live", message_text("reason", error));
        break;
    case TROUBLE_ENDS:
        message_warning("sees again which daemons live");
        break;
    default:
        break;
    }
}

/* Without the lock: Redis may be slow. Nobody else touches what is looked at meanwhile. */
static void look(struct node_choice *choice)
{
    struct node_lives fresh;
    char error[REDIS_CLIENT_ERROR_SIZE] = "out of memory";
    bool looked =
        node_lives_copy(&fresh, &choice->lives) &&
        node_look(choice->client, choice->config->bus_prefix, &fresh, clock_monotonic_ms(), error);
    uint64_t now = clock_monotonic_ms();
    (void)pthread_mutex_lock(&choice->mutex);
    struct node_lives former = looked ? choice->lives : fresh;
    if (looked)
        choice->lives = fresh;
    choice->look_at = now + (looked ? LOOK_EVERY_MS : choice->config->redis_down_time);
    choice->is_looking = false;
    tell(choice, !looked, error);
    (void)pthread_mutex_unlock(&choice->mutex);
    node_lives_free(&former);
}

static void look_when_due(struct node_choice *choice)
{
    (void)pthread_mutex_lock(&choice->mutex);
    bool due = !choice->is_looking && clock_monotonic_ms() >= choice->look_at;
    choice->is_looking = choice->is_looking || due;
    (void)pthread_mutex_unlock(&choice->mutex);
    if (due)
        look(choice);
}

/* ---- choosing ---- */

/* Inside of a web server nothing can be sent to an address. */
static bool can_be_sent(const struct node_choice *choice, const struct node_life *life)
{
    bool inside = choice->config->handoff_mode == CONFIG_HANDOFF_ACCEL ||
                  choice->config->handoff_mode == CONFIG_HANDOFF_LOCAL;
    return life->record.way[0] != '\0' && !(inside && node_way_is_address(life->record.way));
}

static const struct node_life *choose(struct node_choice *choice, uint64_t former_connid)
{
    const struct node_life *life = NULL;
    uint64_t random;
    if (former_connid != 0)
        life = node_lives_find(&choice->lives, (unsigned)(former_connid % NODE_NUMBERS));
    enum node_state state = node_life_state(&choice->lives, life);
    if (state == NODE_LIVING || state == NODE_SEEN) {
        node_lives_give(&choice->lives, life->node);
        return life;
    }
    return secret_random(&random, sizeof random) ? node_lives_pick(&choice->lives, random) : NULL;
}

bool node_choice_make(struct node_choice *choice, uint64_t former_connid,
                      struct chosen_node *chosen)
{
    if (choice->client == NULL)
        return false;
    look_when_due(choice);
    (void)pthread_mutex_lock(&choice->mutex);
    const struct node_life *life = choose(choice, former_connid);
    bool found = life != NULL && can_be_sent(choice, life);
    if (found) {
        chosen->node = life->node;
        (void)snprintf(chosen->way, sizeof chosen->way, "%s", life->record.way);
    }
    (void)pthread_mutex_unlock(&choice->mutex);
    return found;
}
