#include "bus/bus_redis_agreement.h"

#include "bus/bus_redis_entry.h"
#include "bus/bus_redis_look.h"
#include "clock.h"
#include "messages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What survey.lua found. */
struct survey {
    const char *agreed;      /* run; "": none */
    const char *epoch;       /* "": none */
    struct redis_place last; /* newest id of the log */
    struct redis_place seen; /* the farthest that anybody has seen */
    bool all_have_said;      /* who lives has left word here */
    bool some_are_dead;      /* who did not, and lives no more */
};

/* Nothing beyond has been given to the loop: false while the reader may still read from another server. */
static bool find_own_place(struct redis_keeper *keeper, struct redis_place *place)
{
    struct redis_node *node = keeper->node;
    (void)pthread_mutex_lock(&node->lock);
    bool known = node->reader_run[0] == '\0' || strcmp(node->reader_run, keeper->link.run) == 0;
    *place = node->seen;
    (void)pthread_mutex_unlock(&node->lock);
    return known;
}

static struct redis_answer *ask_survey(struct redis_keeper *keeper, struct redis_place own)
{
    char node[REDIS_NUMBER_SIZE], epoch[REDIS_NUMBER_SIZE], sequence[REDIS_NUMBER_SIZE];
    const struct redis_word words[] = {redis_word_of(keeper->link.run),
                                       redis_word_number(node, keeper->number),
                                       redis_word_of(keeper->boot),
                                       redis_word_number(epoch, own.epoch),
                                       redis_word_number(sequence, own.sequence),
                                       {(const char *)keeper->key, sizeof keeper->key}};
    return redis_link_call(&keeper->link, BUS_REDIS_SURVEY, words, 6);
}

/* ---- who has said how far he has seen ---- */

struct word {
    unsigned node;
    uint64_t boot;
    struct redis_place seen;
};

static bool read_word(struct word *word, const struct redis_answer *said, size_t index)
{
    size_t length;
    const char *node = redis_answer_text(redis_answer_part(said, index), &length);
    const char *text = redis_answer_text(redis_answer_part(said, index + 1), &length);
    if (node == NULL || text == NULL)
        return false;
    word->node = (unsigned)strtoul(node, NULL, 10);
    return sscanf(text, "%16" SCNx64 " %20" SCNu64 " %20" SCNu64, &word->boot, &word->seen.epoch,
                  &word->seen.sequence) == 3;
}

static bool has_said(const struct redis_answer *said, const struct redis_peer *peer)
{
    struct word word;
    for (size_t i = 0; i + 1 < redis_answer_count(said); i += 2)
        if (read_word(&word, said, i) && word.node == peer->node && word.boot == peer->record.boot)
            return true;
    return false;
}

static void judge_words(struct survey *survey, const struct redis_keeper *keeper,
                        const struct redis_answer *said)
{
    uint64_t now = clock_monotonic_ms();
    struct word word;
    for (size_t i = 0; i + 1 < redis_answer_count(said); i += 2)
        if (read_word(&word, said, i) && redis_place_is_before(survey->seen, word.seen))
            survey->seen = word.seen;
    survey->all_have_said = true;
    for (size_t i = 0; i < keeper->peers.count; i++) {
        const struct redis_peer *peer = &keeper->peers.list[i];
        bool is_own = peer->node == keeper->number && peer->record.boot == keeper->node->boot;
        if (is_own || has_said(said, peer))
            continue;
        /* Its record may be among what this server does not have: who was known is waited for all the same. */
        if (now < peer->changed_at + keeper->peers.lease_ms)
            survey->all_have_said = false;
        else
            survey->some_are_dead = true;
    }
}

/* ---- settling ---- */

/* The same server, which had all on its disk before anybody heard of it: nothing can be missing. */
static bool keeps_all(struct redis_keeper *keeper)
{
    const struct redis_word words[] = {
        {"CONFIG", 6}, {"GET", 3}, {"appendonly", 10}, {"appendfsync", 11}};
    if (keeper->link.was_promoted)
        return false;
    struct redis_answer *answer = redis_link_ask(&keeper->link, words, 4);
    bool is_on = false, is_always = false;
    if (answer == NULL && redis_client_is_connected(keeper->link.client))
        message_warning(
            "Redis does not say whether it has all on its disk: its user needs +config|get",
            message_text("reason", keeper->link.error));
    for (size_t i = 0; i + 1 < redis_answer_count(answer); i += 2) {
        const struct redis_answer *value = redis_answer_part(answer, i + 1);
        is_on = is_on || redis_answer_is(value, "yes");
        is_always = is_always || redis_answer_is(value, "always");
    }
    redis_answer_free(&answer);
    return is_on && is_always;
}

static bool settle(struct redis_keeper *keeper, const struct survey *survey, bool lost)
{
    char seen[REDIS_NUMBER_SIZE], newest[REDIS_NUMBER_SIZE];
    uint64_t epoch =
        survey->seen.epoch > survey->last.epoch ? survey->seen.epoch : survey->last.epoch;
    uint64_t sequence = survey->seen.sequence > survey->last.sequence ? survey->seen.sequence
                                                                      : survey->last.sequence;
    const struct redis_word words[] = {
        redis_word_of(keeper->link.run), redis_word_of(survey->agreed),
        redis_word_of(survey->epoch),    redis_word_of(lost ? "1" : "0"),
        redis_word_number(seen, epoch),  redis_word_number(newest, sequence)};
    struct redis_answer *answer = redis_link_call(&keeper->link, BUS_REDIS_SETTLE, words, 6);
    bool is_mine = redis_answer_is(answer, "OK");
    if (is_mine && lost)
        message_warning("Redis has lost events that were published: ids begin anew",
                        message_number("epoch", (int64_t)epoch),
                        message_number("had", (int64_t)survey->last.sequence),
                        message_number("seen", (int64_t)survey->seen.sequence));
    else if (is_mine)
        message_info("all daemons have agreed on this Redis",
                     message_text("run", keeper->link.run));
    bool good = answer != NULL;
    redis_answer_free(&answer);
    return good;
}

static enum redis_agreement judge(struct redis_keeper *keeper, const struct survey *survey)
{
    /* Sequences go on over epochs: a server that begins with small ones has lost all. */
    bool is_behind = redis_place_is_before(survey->last, survey->seen) ||
                     survey->last.sequence < survey->seen.sequence;
    bool is_known = strcmp(survey->agreed, keeper->link.run) == 0 && survey->epoch[0] != '\0';
    keeper->caught_up = survey->last;
    if (is_known && !is_behind)
        return REDIS_AGREED;
    if (!is_known && !survey->all_have_said)
        return REDIS_NOT_YET;
    bool lost =
        is_behind || survey->epoch[0] == '\0' || (survey->some_are_dead && !keeps_all(keeper));
    return settle(keeper, survey, lost) ? REDIS_NOT_YET : REDIS_FAILED;
}

enum redis_agreement redis_agreement_seek(struct redis_keeper *keeper)
{
    struct survey survey = {0};
    size_t length;
    if (!find_own_place(keeper, &survey.seen))
        return REDIS_NOT_YET;
    struct redis_answer *answer = ask_survey(keeper, survey.seen);
    if (answer == NULL)
        return REDIS_FAILED;
    enum redis_agreement found = REDIS_FAILED;
    survey.agreed = redis_answer_text(redis_answer_part(answer, 0), &length);
    survey.epoch = redis_answer_text(redis_answer_part(answer, 1), &length);
    if (survey.agreed != NULL && survey.epoch != NULL &&
        redis_place_read(&survey.last, redis_answer_part(answer, 2))) {
        redis_look_at_nodes(&keeper->peers, redis_answer_part(answer, 4));
        judge_words(&survey, keeper, redis_answer_part(answer, 3));
        found = judge(keeper, &survey);
    }
    redis_answer_free(&answer);
    return found;
}
