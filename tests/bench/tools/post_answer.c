#include "post_answer.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a header line, or NULL; `head` ends in an empty line. */
static const char *find_header(const char *head, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " ");
    }
    return NULL;
}

/* Length of a chunked body that starts at `at`, 0 while it is incomplete, or -1. */
static long chunked_length(const char *at, const char *end)
{
    const char *start = at;
    for (;;) {
        const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (line_end == NULL)
            return 0;
        char *digits_end;
        unsigned long size = strtoul(at, &digits_end, 16);
        if (digits_end == at || size > POST_ANSWER_SIZE)
            return -1;
        at = line_end + 2 + size + 2; /* the last chunk's CRLF is the empty trailer's */
        if (at > end)
            return 0;
        if (size == 0)
            return at - start;
    }
}

static enum post_verdict measure(const struct post_answer *answer, const char *body, int status,
                                 size_t *length)
{
    const char *end = answer->data + answer->length;
    const char *content_length = find_header(answer->data, "Content-Length");
    const char *coding = find_header(answer->data, "Transfer-Encoding");
    long body_length = 0;
    if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0) {
        body_length = chunked_length(body, end);
        if (body_length <= 0)
            return body_length == 0 ? POST_INCOMPLETE : POST_MALFORMED;
    } else if (content_length != NULL) {
        body_length = strtol(content_length, NULL, 10);
        if (body_length < 0 || body_length > POST_ANSWER_SIZE)
            return POST_MALFORMED;
    } else if (status != 204) {
        return POST_MALFORMED; /* would end with the connection */
    }
    *length = (size_t)(body - answer->data) + (size_t)body_length;
    return answer->length < *length ? POST_INCOMPLETE : POST_COMPLETE;
}

enum post_verdict post_answer_take(struct post_answer *answer, int *status)
{
    if (answer->length >= POST_ANSWER_SIZE)
        return POST_MALFORMED;
    answer->data[answer->length] = '\0';
    const char *head_end = strstr(answer->data, "\r\n\r\n");
    if (head_end == NULL)
        return POST_INCOMPLETE;
    if (sscanf(answer->data, "HTTP/1.1 %3d", status) != 1)
        return POST_MALFORMED;
    size_t length = 0;
    enum post_verdict verdict = measure(answer, head_end + 4, *status, &length);
    if (verdict == POST_COMPLETE && length != answer->length)
        verdict = POST_MALFORMED;
    if (verdict == POST_COMPLETE)
        answer->length = 0;
    return verdict;
}

enum post_verdict post_answer_count(struct post_answer *answer, const struct marker *mark,
                                    size_t times)
{
    const char *at = answer->data, *end = answer->data + answer->length, *found;
    while ((found = memmem(at, (size_t)(end - at), mark->bytes, mark->length)) != NULL) {
        at = found + mark->length;
        answer->marks++;
    }
    /* What is left may be the beginning of the next mark. */
    size_t left = (size_t)(end - at);
    size_t kept = left < mark->length ? left : mark->length - 1;
    memmove(answer->data, end - kept, kept);
    answer->length = kept;
    if (answer->marks < times)
        return POST_INCOMPLETE;
    bool is_one = answer->marks == times;
    answer->marks = 0;
    return is_one ? POST_COMPLETE : POST_MALFORMED;
}
