#include "password_input.h"

#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Reads one line without its end; NULL when there is none. The caller wipes and frees. */
static char *read_line(FILE *file, size_t *length)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t got = getline(&line, &size, file);
    if (got < 0) {
        free(line);
        return NULL;
    }
    if (got > 0 && line[got - 1] == '\n')
        line[--got] = '\0';
    *length = (size_t)got;
    return line;
}

static void wipe(char *line, size_t length)
{
    if (line != NULL)
        explicit_bzero(line, length);
    free(line);
}

static char *ask(const char *prompt, size_t *length)
{
    struct termios before, unseen;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return NULL;
    unseen = before;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    (void)fputs(prompt, stderr);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen) != 0)
        return NULL;
    char *line = read_line(stdin, length);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)fputc('\n', stderr);
    return line;
}

static char *ask_twice(size_t *length)
{
    size_t again_length = 0;
    char *line = ask("Password: ", length);
    char *again = line != NULL ? ask("Once more: ", &again_length) : NULL;
    bool same = again != NULL && again_length == *length && memcmp(line, again, *length) == 0;
    wipe(again, again_length);
    if (same)
        return line;
    wipe(line, *length);
    (void)command_fail("the two passwords differ");
    return NULL;
}

static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "re");
    char *line = file != NULL ? read_line(file, length) : NULL;
    if (line == NULL)
        (void)command_fail("%s: %s", path, file != NULL ? "is empty" : "cannot be read");
    if (file != NULL)
        (void)fclose(file);
    return line;
}

static char *read_password(const char *path, size_t *length)
{
    if (strcmp(path, "-") != 0)
        return read_file(path, length);
    if (isatty(STDIN_FILENO))
        return ask_twice(length);
    char *line = read_line(stdin, length);
    if (line == NULL)
        (void)command_fail("standard input is empty");
    return line;
}

bool password_input_hash(const char *path, unsigned cost, char hash[PASSWORD_HASH_SIZE])
{
    size_t length = 0;
    char *line = read_password(path, &length);
    if (line == NULL)
        return false;
    bool made = password_make(hash, line, length, cost > 0 ? cost : PASSWORD_COST_DEFAULT);
    wipe(line, length);
    if (!made)
        (void)command_fail("a password has 1 to 72 bytes, without NUL");
    return made;
}
