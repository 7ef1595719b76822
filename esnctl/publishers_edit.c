#include "publishers_edit.h"

#include <string.h>

/* The line after this one, or the end of the text. */
static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end != NULL ? end + 1 : line + strlen(line);
}

/* Within the line; a byte order mark, which the first one may have, is skipped too. */
static const char *skip_blanks(const char *line)
{
    static const char mark[] = "\xef\xbb\xbf";
    if (strncmp(line, mark, sizeof mark - 1) == 0)
        line += sizeof mark - 1;
    return line + strspn(line, " \t");
}

static bool begins_section(const char *line)
{
    return *skip_blanks(line) == '[';
}

static bool begins_section_of(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (!begins_section(line))
        return false;
    const char *at = skip_blanks(skip_blanks(line) + 1);
    return strncmp(at, name, length) == 0 && *skip_blanks(at + length) == ']';
}

static bool is_comment(const char *line)
{
    const char *at = skip_blanks(line);
    return *at == '#' || *at == ';';
}

bool publishers_edit_has(const char *text, const char *name)
{
    for (const char *line = text; *line != '\0'; line = next_line(line))
        if (begins_section_of(line, name))
            return true;
    return false;
}

/* The end of the section whose first line this is. */
static const char *end_of_section(const char *line)
{
    const char *comments = NULL; /* the first of those that no key has followed yet */
    for (line = next_line(line); *line != '\0' && !begins_section(line); line = next_line(line)) {
        if (is_comment(line) && comments == NULL)
            comments = line;
        else if (!is_comment(line) && *skip_blanks(line) != '\n' && *skip_blanks(line) != '\r')
            comments = NULL;
    }
    return comments != NULL && *line != '\0' ? comments : line;
}

void publishers_edit_remove(struct bytes *out, const char *text, const char *name)
{
    for (const char *line = text; *line != '\0';) {
        const char *next = begins_section_of(line, name) ? end_of_section(line) : next_line(line);
        if (!begins_section_of(line, name))
            bytes_append(out, line, (size_t)(next - line));
        line = next;
    }
}
