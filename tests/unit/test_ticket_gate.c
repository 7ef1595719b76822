/* Whoever comes with a ticket: in once, and only while it is good. */
#include "requests/ticket_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "messages.h"

enum { NOW = 1700000000 };

static const uint64_t MS = 1000;

#define SECRET "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

struct entrance {
    struct config config;
    struct ticket_gate gate;
    char folder[32], file[64];
    char *default_file;
    char error[SECRET_ERROR_SIZE];
};

static void write_secrets(const struct entrance *entrance, const char *lines)
{
    FILE *file = fopen(entrance->file, "w");

    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_true(fputs(lines, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct entrance *entrance = calloc(1, sizeof *entrance);

    assert_non_null(entrance);
    message_configure("test", MESSAGE_LEVEL_ERROR, MESSAGE_TO_STDERR);
    assert_true(config_set_defaults(&entrance->config));
    (void)snprintf(entrance->folder, sizeof entrance->folder, "/tmp/esn-gate-XXXXXX");
    assert_non_null(mkdtemp(entrance->folder));
    (void)snprintf(entrance->file, sizeof entrance->file, "%s/secret", entrance->folder);
    write_secrets(entrance, SECRET "\n");
    entrance->default_file = entrance->config.ticket_secret_file;
    entrance->config.ticket_secret_file = entrance->file;
    *state = entrance;
    return 0;
}

static int tear_down(void **state)
{
    struct entrance *entrance = *state;

    ticket_gate_close(&entrance->gate);
    entrance->config.ticket_secret_file = entrance->default_file;
    config_free(&entrance->config);
    assert_int_equal(unlink(entrance->file), 0);
    assert_int_equal(rmdir(entrance->folder), 0);
    free(entrance);
    return 0;
}

static void open_gate(struct entrance *entrance)
{
    if (!ticket_gate_open(&entrance->gate, &entrance->config, NOW * MS, entrance->error))
        fail_msg("%s", entrance->error);
}

/* Signed with this secret; text is to be freed. */
static struct bytes make_ticket_at(char *secret, uint64_t wall_ms)
{
    const struct secret_list secrets = {.values = &secret, .count = 1};
    const struct ticket_rules rules = {.secrets = &secrets, .life_s = 10, .life_max_s = 60};
    const struct ticket ticket = {.user = "ana", .clid = "page", .issued_ms = wall_ms};
    struct bytes text = BYTES_EMPTY;

    assert_int_equal(ticket_sign(&text, &rules, &ticket, wall_ms / MS), TICKET_OK);
    return text;
}

static struct bytes make_ticket(char *secret)
{
    return make_ticket_at(secret, NOW * MS);
}

static enum ticket_gate_result admit(struct entrance *entrance, const struct bytes *text,
                                     struct ticket_gate_time now)
{
    struct ticket ticket;
    enum ticket_gate_result result = ticket_gate_admit(&entrance->gate, &entrance->config,
                                                       text->data, text->length, now, &ticket);

    if (result == TICKET_GATE_OPEN)
        assert_string_equal(ticket.user, "ana");
    ticket_free(&ticket);
    return result;
}

/* By a clock that nobody sets. */
static enum ticket_gate_result admit_at(struct entrance *entrance, const struct bytes *text,
                                        uint64_t wall_s)
{
    uint64_t wall_ms = wall_s * MS, opened_ms = entrance->gate.opened_ms;

    return admit(entrance, text,
                 (struct ticket_gate_time){wall_ms, wall_ms > opened_ms ? wall_ms - opened_ms : 0});
}

/* Also in the second in which the one ends and the other begins. */
static void a_restart_within_a_second_is_one(void **state)
{
    struct entrance *entrance = *state;
    char secret[] = SECRET;
    struct bytes before = make_ticket_at(secret, NOW * MS + 409);
    struct bytes in_it = make_ticket_at(secret, NOW * MS + 410);
    struct bytes after = make_ticket_at(secret, NOW * MS + 411);

    assert_true(
        ticket_gate_open(&entrance->gate, &entrance->config, NOW * MS + 410, entrance->error));
    const struct ticket_gate_time now = {NOW * MS + 500, 90};
    assert_int_equal(admit(entrance, &before, now), TICKET_GATE_TOO_OLD);
    assert_int_equal(admit(entrance, &in_it, now), TICKET_GATE_OPEN);
    assert_int_equal(admit(entrance, &after, now), TICKET_GATE_OPEN);
    bytes_free(&before);
    bytes_free(&in_it);
    bytes_free(&after);
}

/* As at the start of a machine whose clock was an hour ahead: nobody waits for that hour. What was
 * signed before is taken neither now nor when its time has come again. */
static void a_clock_that_is_set_back_keeps_nobody_out(void **state)
{
    enum { HOUR = 3600 };
    struct entrance *entrance = *state;
    char secret[] = SECRET;
    struct bytes ahead = make_ticket_at(secret, (NOW + HOUR) * MS - 1);
    struct bytes since = make_ticket_at(secret, (NOW + 5) * MS);
    struct bytes before = make_ticket_at(secret, (NOW - 2) * MS);
    struct bytes later = make_ticket_at(secret, (NOW + 2 * HOUR) * MS);

    assert_true(
        ticket_gate_open(&entrance->gate, &entrance->config, (NOW + HOUR) * MS, entrance->error));
    const struct ticket_gate_time back = {(NOW + 6) * MS, 6 * MS};
    assert_int_equal(admit(entrance, &since, back), TICKET_GATE_OPEN);
    assert_int_equal(admit(entrance, &before, back), TICKET_GATE_TOO_OLD);
    const struct ticket_gate_time again = {(NOW + HOUR + 5) * MS, (HOUR + 5) * MS};
    assert_int_equal(admit(entrance, &ahead, again), TICKET_GATE_TOO_OLD);
    const struct ticket_gate_time then = {(NOW + 2 * HOUR) * MS, 2 * HOUR * MS};
    assert_int_equal(admit(entrance, &later, then), TICKET_GATE_OPEN);
    bytes_free(&ahead);
    bytes_free(&since);
    bytes_free(&before);
    bytes_free(&later);
}

/* What an earlier daemon took it does not take again. */
static void a_ticket_of_before_the_start_is_for_nobody(void **state)
{
    struct entrance *entrance = *state;
    char secret[] = SECRET;
    struct bytes text = make_ticket(secret);

    open_gate(entrance);
    assert_int_equal(admit_at(entrance, &text, NOW), TICKET_GATE_OPEN);
    ticket_gate_close(&entrance->gate);
    assert_true(
        ticket_gate_open(&entrance->gate, &entrance->config, (NOW + 1) * MS, entrance->error));
    assert_int_equal(admit_at(entrance, &text, NOW + 1), TICKET_GATE_TOO_OLD);
    assert_int_equal(admit_at(entrance, &text, NOW + 9), TICKET_GATE_TOO_OLD);
    bytes_free(&text);
}

static void a_ticket_opens_it_once(void **state)
{
    struct entrance *entrance = *state;
    char secret[] = SECRET;
    struct bytes first = make_ticket(secret), second = make_ticket(secret);

    open_gate(entrance);
    assert_int_equal(admit_at(entrance, &first, NOW), TICKET_GATE_OPEN);
    assert_int_equal(admit_at(entrance, &first, NOW), TICKET_GATE_REFUSED);
    assert_int_equal(admit_at(entrance, &first, NOW + 5), TICKET_GATE_REFUSED);
    assert_int_equal(admit_at(entrance, &second, NOW + 5), TICKET_GATE_OPEN);
    bytes_free(&first);
    bytes_free(&second);
}

static void what_is_wrong_makes_no_difference(void **state)
{
    struct entrance *entrance = *state;
    char secret[] = SECRET, other[] = OTHER;
    struct bytes good = make_ticket(secret), forged = make_ticket(other), nonsense = BYTES_EMPTY;

    bytes_append_text(&nonsense, "a.b.c");
    open_gate(entrance);
    assert_int_equal(admit_at(entrance, &forged, NOW), TICKET_GATE_REFUSED);
    assert_int_equal(admit_at(entrance, &nonsense, NOW), TICKET_GATE_REFUSED);
    assert_int_equal(admit_at(entrance, &good, NOW + 3600), TICKET_GATE_REFUSED);
    bytes_free(&good);
    bytes_free(&forged);
    bytes_free(&nonsense);
}

static void without_a_secret_it_stays_closed(void **state)
{
    struct entrance *entrance = *state;
    char secret[] = SECRET;
    struct bytes text = make_ticket(secret);

    entrance->config.ticket_secret_file = NULL;
    open_gate(entrance);
    assert_int_equal(admit_at(entrance, &text, NOW), TICKET_GATE_REFUSED);
    bytes_free(&text);
}

/* Nothing is known of a ticket that cannot be remembered: it is not let in, and may come again. */
static void who_cannot_be_remembered_is_not_let_in(void **state)
{
    struct entrance *entrance = *state;
    char secret[] = SECRET;
    struct bytes texts[3];

    entrance->config.ticket_max_used = 2;
    open_gate(entrance);
    for (int i = 0; i < 3; i++) {
        texts[i] = make_ticket(secret);
        assert_int_equal(admit_at(entrance, &texts[i], NOW),
                         i < 2 ? TICKET_GATE_OPEN : TICKET_GATE_OVERLOADED);
    }
    for (int i = 0; i < 3; i++)
        bytes_free(&texts[i]);
}

/* A secret is changed without a gap: first beside the old one, then alone. */
static void secrets_change_while_it_is_open(void **state)
{
    struct entrance *entrance = *state;
    char old_secret[] = SECRET, fresh_secret[] = OTHER;
    struct bytes old[] = {make_ticket(old_secret), make_ticket(old_secret)};
    struct bytes fresh = make_ticket(fresh_secret);

    open_gate(entrance);
    assert_int_equal(admit_at(entrance, &fresh, NOW), TICKET_GATE_REFUSED);
    write_secrets(entrance, OTHER "\n" SECRET "\n");
    assert_true(ticket_gate_reload(&entrance->gate, &entrance->config, entrance->error));
    assert_int_equal(admit_at(entrance, &fresh, NOW), TICKET_GATE_OPEN);
    assert_int_equal(admit_at(entrance, &old[0], NOW), TICKET_GATE_OPEN);
    write_secrets(entrance, OTHER "\n");
    assert_true(ticket_gate_reload(&entrance->gate, &entrance->config, entrance->error));
    assert_int_equal(admit_at(entrance, &old[1], NOW), TICKET_GATE_REFUSED);
    /* What was used is still remembered. */
    assert_int_equal(admit_at(entrance, &fresh, NOW), TICKET_GATE_REFUSED);
    for (int i = 0; i < 2; i++)
        bytes_free(&old[i]);
    bytes_free(&fresh);
}

static void a_reload_that_fails_leaves_it_as_it_was(void **state)
{
    struct entrance *entrance = *state;
    char secret[] = SECRET;
    struct bytes text = make_ticket(secret);

    open_gate(entrance);
    write_secrets(entrance, "short\n");
    assert_false(ticket_gate_reload(&entrance->gate, &entrance->config, entrance->error));
    assert_non_null(strstr(entrance->error, entrance->file));
    assert_int_equal(admit_at(entrance, &text, NOW), TICKET_GATE_OPEN);
    bytes_free(&text);
}

/* ---- of several daemons ---- */

static struct bytes make_ticket_for(bool names_node, unsigned node)
{
    char secret[] = SECRET;
    char *values[] = {secret};
    const struct secret_list secrets = {.values = values, .count = 1};
    const struct ticket_rules rules = {.secrets = &secrets, .life_s = 10, .life_max_s = 60};
    const struct ticket ticket = {
        .user = "ana", .issued_ms = NOW * MS, .names_node = names_node, .node = node};
    struct bytes text = BYTES_EMPTY;

    assert_int_equal(ticket_sign(&text, &rules, &ticket, NOW), TICKET_OK);
    return text;
}

struct told {
    char id[TICKET_ID_MAX + 1];
    uint64_t forget_after_s;
    int times;
};

static void tell(void *context, const char *id, uint64_t forget_after_s)
{
    struct told *told = context;

    (void)snprintf(told->id, sizeof told->id, "%s", id);
    told->forget_after_s = forget_after_s;
    told->times++;
}

static void open_gate_of_node(struct entrance *entrance, unsigned node, struct told *told)
{
    open_gate(entrance);
    entrance->gate.has_node = true;
    entrance->gate.node = node;
    entrance->gate.tell_used = tell;
    entrance->gate.context = told;
}

static void a_ticket_of_another_daemon_is_not_used_up(void **state)
{
    struct entrance *entrance = *state;
    struct told told = {0};
    struct bytes text = make_ticket_for(true, 7);
    struct ticket ticket;
    const struct ticket_gate_time now = {NOW * MS, 0};

    open_gate_of_node(entrance, 3, &told);
    assert_int_equal(
        ticket_gate_admit(&entrance->gate, &entrance->config, text.data, text.length, now, &ticket),
        TICKET_GATE_ELSEWHERE);
    assert_int_equal(ticket.node, 7);
    assert_null(ticket.storage);
    entrance->gate.node = 7;
    assert_int_equal(admit_at(entrance, &text, NOW), TICKET_GATE_OPEN);
    assert_int_equal(admit_at(entrance, &text, NOW), TICKET_GATE_REFUSED);
    assert_int_equal(told.times, 0);
    bytes_free(&text);
}

static void one_that_names_no_daemon_is_used_at_one_of_them(void **state)
{
    struct entrance *entrance = *state;
    struct told told = {0};
    struct bytes here = make_ticket_for(false, 0), there = make_ticket_for(false, 0);

    open_gate_of_node(entrance, 3, &told);
    assert_int_equal(admit_at(entrance, &here, NOW), TICKET_GATE_OPEN);
    assert_int_equal(told.times, 1);
    assert_int_equal(admit_at(entrance, &here, NOW), TICKET_GATE_REFUSED);
    assert_int_equal(told.times, 1);
    /* Another daemon says what this one has just said. */
    ticket_gate_close(&entrance->gate);
    open_gate_of_node(entrance, 4, &told);
    assert_true(ticket_gate_note_used(&entrance->gate, told.id, told.forget_after_s, NOW * MS));
    assert_int_equal(admit_at(entrance, &here, NOW), TICKET_GATE_REFUSED);
    assert_int_equal(admit_at(entrance, &there, NOW), TICKET_GATE_OPEN);
    assert_false(ticket_gate_note_used(&entrance->gate, "", NOW + 10, NOW * MS));
    bytes_free(&here);
    bytes_free(&there);
}

static void what_was_not_heard_makes_those_of_before_worth_nothing(void **state)
{
    struct entrance *entrance = *state;
    struct told told = {0};
    struct bytes any = make_ticket_for(false, 0), own = make_ticket_for(true, 3);

    open_gate_of_node(entrance, 3, &told);
    ticket_gate_note_gap(&entrance->gate, NOW * MS + 1);
    assert_int_equal(admit_at(entrance, &any, NOW + 1), TICKET_GATE_TOO_OLD);
    assert_int_equal(admit_at(entrance, &own, NOW + 1), TICKET_GATE_OPEN);
    char secret[] = SECRET;
    struct bytes at_once = make_ticket_at(secret, NOW * MS + 1);
    struct bytes later = make_ticket_at(secret, (NOW + 1) * MS);
    assert_int_equal(admit_at(entrance, &at_once, NOW + 1), TICKET_GATE_OPEN);
    assert_int_equal(admit_at(entrance, &later, NOW + 1), TICKET_GATE_OPEN);
    bytes_free(&at_once);
    bytes_free(&later);
    bytes_free(&any);
    bytes_free(&own);
}

/* Whoever signs for several and one: there it is passed over. */
static void one_daemon_alone_takes_each(void **state)
{
    struct entrance *entrance = *state;
    struct bytes text = make_ticket_for(true, 7);

    open_gate(entrance);
    assert_int_equal(admit_at(entrance, &text, NOW), TICKET_GATE_OPEN);
    bytes_free(&text);
}

static void with_a_bad_secret_it_does_not_open(void **state)
{
    struct entrance *entrance = *state;

    write_secrets(entrance, "short\n");
    assert_false(ticket_gate_open(&entrance->gate, &entrance->config, NOW * MS, entrance->error));
    assert_non_null(strstr(entrance->error, entrance->file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ticket_of_before_the_start_is_for_nobody, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_restart_within_a_second_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_keeps_nobody_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_opens_it_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_of_another_daemon_is_not_used_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_names_no_daemon_is_used_at_one_of_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_heard_makes_those_of_before_worth_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_daemon_alone_takes_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_makes_no_difference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_secret_it_stays_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_cannot_be_remembered_is_not_let_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(secrets_change_while_it_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reload_that_fails_leaves_it_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_a_bad_secret_it_does_not_open, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
