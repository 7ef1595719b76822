/* The log on disk: whatever the bytes of its files are, it is opened and read without a fault,
 * gives no event that was not written, and none before a gap. The first byte says what the others
 * are: 'd' a whole database, 'w' a write-ahead log, 'm' a mark, 'k' a key; 'D', 'W' pieces to put
 * into the database or the write-ahead log of a daemon that was killed (three bytes of place, one
 * of length, then the piece); 'r' changes to single values of a log that was ended. */
#include "log/log_files.h"
#include "secret.h"
#include "stored.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENTS = 24, COLUMNS = 15 };

static struct stored_files ended, killed; /* logs to be damaged */

struct input {
    const uint8_t *at;
    size_t left;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void remove_logs(void)
{
    stored_files_remove(&ended);
    stored_files_remove(&killed);
}

/* The same in each run: SQLite's own random numbers stand in the write-ahead log. */
static void write_logs(void)
{
    must(sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, NULL) == SQLITE_OK);
    stored_files_make(&ended);
    stored_files_make(&killed);
    stored_log_write(&ended, EVENTS, false);
    stored_log_write(&killed, EVENTS, true);
    must(atexit(remove_logs) == 0);
}

static uint8_t take_byte(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

static size_t take_number(struct input *input, int bytes)
{
    size_t number = 0;

    while (bytes-- > 0)
        number = number << 8 | take_byte(input);
    return number;
}

static const uint8_t *take_piece(struct input *input, size_t *length)
{
    const uint8_t *piece = input->at;

    *length = take_byte(input);
    if (*length > input->left)
        *length = input->left;
    piece = input->at;
    input->at += *length;
    input->left -= *length;
    return piece;
}

static void put_pieces(const struct stored_files *files, const char *suffix, struct input *input)
{
    size_t size, length;
    char *bytes = stored_files_read(files, suffix, &size);

    must(bytes != NULL);
    while (input->left > 0) {
        size_t place = take_number(input, 3) % size;
        const uint8_t *piece = take_piece(input, &length);
        memcpy(bytes + place, piece, length < size - place ? length : size - place);
    }
    stored_files_write(files, suffix, bytes, size);
    free(bytes);
}

/* ---- single values ---- */

static const char copy_row[] =
    "INSERT OR IGNORE INTO events SELECT ?1, previous, wall_ms, flags, whisper, key, topic, json,"
    " allowed, checksum FROM events WHERE sequence = ?2";

static const char *const statements[COLUMNS + 2] = {
    "UPDATE OR IGNORE events SET sequence = ?1 WHERE sequence = ?2",
    "UPDATE events SET previous = ?1 WHERE sequence = ?2",
    "UPDATE events SET wall_ms = ?1 WHERE sequence = ?2",
    "UPDATE events SET flags = ?1 WHERE sequence = ?2",
    "UPDATE events SET whisper = ?1 WHERE sequence = ?2",
    "UPDATE events SET key = ?1 WHERE sequence = ?2",
    "UPDATE events SET topic = ?1 WHERE sequence = ?2",
    "UPDATE events SET json = ?1 WHERE sequence = ?2",
    "UPDATE events SET allowed = ?1 WHERE sequence = ?2",
    "UPDATE events SET checksum = ?1 WHERE sequence = ?2",
    "UPDATE state SET epoch = ?1",
    "UPDATE state SET head = ?1",
    "UPDATE state SET lost_through = ?1",
    "UPDATE state SET unsure = ?1",
    "UPDATE state SET checksum = ?1",
    "DELETE FROM events WHERE sequence = ?2",
    copy_row,
};

/* A number when its first byte is even, else bytes. */
static void bind_value(sqlite3_stmt *statement, struct input *input)
{
    size_t length;

    if (take_byte(input) % 2 == 0) {
        (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)take_number(input, 8));
        return;
    }
    const uint8_t *piece = take_piece(input, &length);
    (void)sqlite3_bind_blob(statement, 1, length > 0 ? (const void *)piece : "", (int)length,
                            SQLITE_STATIC);
}

static void change_values(const struct stored_files *files, struct input *input)
{
    sqlite3 *sqlite = NULL;

    must(sqlite3_open(files->path, &sqlite) == SQLITE_OK);
    while (input->left > 0) {
        sqlite3_stmt *statement = NULL;
        size_t which = take_byte(input) % (sizeof statements / sizeof *statements);

        must(sqlite3_prepare_v2(sqlite, statements[which], -1, &statement, NULL) == SQLITE_OK);
        (void)sqlite3_bind_int(statement, 2, take_byte(input));
        bind_value(statement, input);
        (void)sqlite3_step(statement);
        (void)sqlite3_finalize(statement);
    }
    must(sqlite3_close(sqlite) == SQLITE_OK);
}

/* ---- */

/* A key that stands there is believed when it is whole, else another one takes its place. */
static void try_key(const struct stored_files *files, const struct input *input)
{
    unsigned char key[LOG_KEY_SIZE], again[LOG_KEY_SIZE];
    uint64_t check;

    stored_files_write(files, "-key", (const char *)input->at, input->left);
    must(log_key_open(files->path, key));
    must(log_key_open(files->path, again) && memcmp(key, again, LOG_KEY_SIZE) == 0);
    if (input->left < LOG_KEY_SIZE || memcmp(key, input->at, LOG_KEY_SIZE) != 0)
        return;
    must(input->left >= LOG_KEY_SIZE + sizeof check);
    memcpy(&check, input->at + LOG_KEY_SIZE, sizeof check);
    must(check == secret_id((const char *)key, LOG_KEY_SIZE));
}

/* Makes the damaged log; true when the mark must still show that its end is missing. */
static bool damage(const struct stored_files *files, char kind, struct input *input)
{
    const char *suffix = kind == 'd' ? "" : kind == 'w' ? "-wal" : "-mark";

    switch (kind) {
    case 'r':
        stored_files_copy(&ended, files);
        change_values(files, input);
        return true;
    case 'D':
    case 'W':
        stored_files_copy(&killed, files);
        put_pieces(files, kind == 'D' ? "" : "-wal", input);
        return true;
    case 'w':
    case 'm':
        stored_files_copy(&killed, files);
        break;
    default:
        break;
    }
    stored_files_write(files, suffix, (const char *)input->at, input->left);
    return kind != 'd';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char kind = (char)take_byte(&input);
    struct stored_files files;
    bool tail_known;

    if (strchr("dwmkDWr", kind) == NULL || kind == '\0')
        return 0;
    if (ended.folder[0] == '\0')
        write_logs();
    stored_files_make(&files);
    if (kind == 'k') {
        try_key(&files, &input);
    } else {
        tail_known = damage(&files, kind, &input);
        must(stored_log_fault(&files, EVENTS, tail_known) == NULL);
        /* What was found and set aside or believed once is believed again. */
        must(stored_log_fault(&files, EVENTS, tail_known) == NULL);
    }
    stored_files_remove(&files);
    return 0;
}
