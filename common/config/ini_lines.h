/* The lines of our configuration files: [section], key = value (or key : value), lists that go on in indented
 * lines, comments. A comment is a line that begins with "#" or ";", or what follows a blank and ";". Lines may be
 * of any length and end with LF or CRLF; a byte order mark before the first is skipped. */
#ifndef ESN_INI_LINES_H
#define ESN_INI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum ini_line {
    INI_SECTION,     /* name */
    INI_PAIR,        /* name and value, which may be "" */
    INI_MORE,        /* value: what an indented line adds to the list */
    INI_BAD_SECTION, /* not its name in brackets alone */
    INI_BAD_LINE,    /* fault: a sentence */
    INI_END,
    INI_FAILED /* errno: the file cannot be read, or there is no memory */
};

/* Starts zeroed but for `file`, which stays the caller's. */
struct ini_lines {
    FILE *file;
    unsigned number; /* of the line, from 1 */
    bool
        in_list; /* set after the name of a list: indented lines without "=" add to it, until the next name */
    bool has_hash;      /* a "#" follows a blank, which begins no comment there */
    char *name, *value; /* until the next call */
    const char *fault;
    char *text;
    size_t capacity;
};

/* Goes on to the next line that is neither empty nor a comment. */
enum ini_line ini_lines_next(struct ini_lines *lines);
void ini_lines_free(struct ini_lines *lines);

#endif
