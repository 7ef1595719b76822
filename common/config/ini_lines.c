#include "config/ini_lines.h"

#include "blank.h"

#include <stdlib.h>
#include <string.h>

static char *skip_blanks(char *text)
{
    while (is_blank(*text))
        text++;
    return text;
}

static void cut_blanks(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && is_blank(text[length - 1]))
        text[--length] = '\0';
}

/* Cuts off a comment that begins behind a blank, then blanks. Whether a "#" stands behind a blank before that. */
static bool cut_comment(char *text)
{
    bool has_hash = false;
    for (char *at = text; *at != '\0'; at++) {
        bool behind_blank = at > text && is_blank(at[-1]);
        if (behind_blank && *at == '#')
            has_hash = true;
        if (behind_blank && *at == ';') {
            *at = '\0';
            break;
        }
    }
    cut_blanks(text);
    return has_hash;
}

static enum ini_line read_section(struct ini_lines *lines, char *text)
{
    lines->in_list = false;
    char *end = strchr(text, ']');
    if (end == NULL || end[1] != '\0')
        return INI_BAD_SECTION;
    *end = '\0';
    lines->name = text + 1;
    return INI_SECTION;
}

static enum ini_line read_pair(struct ini_lines *lines, char *text)
{
    lines->in_list = false;
    size_t length = strcspn(text, "=:");
    if (length == 0 || text[length] == '\0') {
        lines->fault = "should be \"key = value\", [section] or a comment";
        return INI_BAD_LINE;
    }
    text[length] = '\0';
    cut_blanks(text);
    lines->name = text;
    lines->value = skip_blanks(text + length + 1);
    return INI_PAIR;
}

static enum ini_line read_text(struct ini_lines *lines, char *text, bool is_indented)
{
    lines->has_hash = cut_comment(text);
    if (*text == '[' && (!is_indented || text[strlen(text) - 1] == ']'))
        return read_section(lines, text);
    if (!is_indented || !lines->in_list || strchr(text, '=') != NULL)
        return read_pair(lines, text);
    lines->value = text;
    return INI_MORE;
}

enum ini_line ini_lines_next(struct ini_lines *lines)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    ssize_t length;
    while ((length = getline(&lines->text, &lines->capacity, lines->file)) >= 0) {
        lines->number++;
        char *line = lines->text;
        if (strlen(line) != (size_t)length) {
            lines->has_hash = false;
            lines->fault = "holds a NUL byte; the file should be text";
            return INI_BAD_LINE;
        }
        if (lines->number == 1 && strncmp(line, byte_order_mark, 3) == 0)
            line += 3;
        char *text = skip_blanks(line);
        if (*text != '\0' && *text != '#' && *text != ';')
            return read_text(lines, text, text > line);
    }
    return feof(lines->file) ? INI_END : INI_FAILED;
}

void ini_lines_free(struct ini_lines *lines)
{
    free(lines->text);
    lines->text = NULL;
}
