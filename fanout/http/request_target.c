#include "http/request_target.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_of_authority(char c)
{
    bool is_usual = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';

    return is_usual || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("_~%!$&'()*+,;=:[]", c) != NULL);
}

bool request_target_is_authority(const char *text, size_t length)
{
    while (length > 0 && is_of_authority(text[length - 1]))
        length--;
    return length == 0;
}

static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
            return false;
    return true;
}

/* Where the path of "scheme://authority/path" begins; 0: it is no such thing. */
static size_t skip_authority(const char *text)
{
    size_t scheme = strspn(text, LETTERS);

    if (scheme == 0 || strncmp(text + scheme, "://", 3) != 0)
        return 0;
    size_t authority = scheme + 3;
    size_t length = strcspn(text + authority, "/?#");
    return length > 0 && request_target_is_authority(text + authority, length) ? authority + length
                                                                               : 0;
}

bool request_target_split(struct request_target *target, char *text, size_t length)
{
    *target = (struct request_target){0, 0};
    if (!is_printable(text, length))
        return false;
    if (strcmp(text, "*") == 0)
        return true;
    size_t path = text[0] == '/' ? 0 : skip_authority(text);
    if (text[path] != '/')
        return false;
    size_t path_end = path + strcspn(text + path, "?#");
    target->path = path;
    text[path + strcspn(text + path, "#")] = '\0';
    if (text[path_end] == '?') {
        target->query = path_end + 1;
        text[path_end] = '\0';
    }
    return true;
}
