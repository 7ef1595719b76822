#include "near_topic.h"

#include "topic.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { LONGEST = 255, APART = 2 };

const char *near_topic_words(enum near_topic near)
{
    static const char *const words[] = {[NEAR_NOT] = "",
                                        [NEAR_LETTERS] = "a letter or two apart",
                                        [NEAR_LEVELS] = "another number of levels",
                                        [NEAR_SLASH] = "a slash apart",
                                        [NEAR_CASE] = "apart in capital letters"};
    return words[near];
}

/* Without slashes at the ends and with one where there are several, of LONGEST bytes at most. Returns
 * the length. */
static size_t without_slashes(char out[LONGEST + 1], const char *topic, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++)
        if (topic[i] != '/' || (used > 0 && out[used - 1] != '/'))
            out[used++] = topic[i];
    while (used > 0 && out[used - 1] == '/')
        used--;
    out[used] = '\0';
    return used;
}

/* One of them goes on, at a slash, where the other ends. */
static bool is_above(const char *high, size_t high_length, const char *low, size_t low_length)
{
    return high_length > 0 && high_length < low_length && low[high_length] == '/' &&
           topic_matches(high, high_length, low, high_length);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many letters have to come, go, change, or change places with their neighbour (Damerau's
 * distance, by rows). */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][LONGEST + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_length; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned other = a[i - 1] != b[j - 1];
            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + other);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_length];
}

static bool is_few_letters_apart(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t longer = a_length > b_length ? a_length : b_length;

    if (longer < 3 || longer - (a_length + b_length - longer) > APART)
        return false;
    /* Of short names a smaller part may differ; digits alone are other numbers, not slips. */
    return distance(a, a_length, b, b_length) <= (longer < 6 ? 1 : APART);
}

/* orders/17 and orders/18 are two topics that nobody takes for each other. */
static bool differs_in_digits_alone(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t i = 0, j = 0;

    while (i < a_length || j < b_length) {
        bool a_digit = i < a_length && a[i] >= '0' && a[i] <= '9';
        bool b_digit = j < b_length && b[j] >= '0' && b[j] <= '9';
        if (a_digit || b_digit) {
            i += a_digit;
            j += b_digit;
        } else if (i < a_length && j < b_length && a[i] == b[j]) {
            i++;
            j++;
        } else {
            return false;
        }
    }
    return true;
}

enum near_topic near_topic_is(const char *requested, size_t requested_length, const char *emitted,
                              size_t emitted_length)
{
    char a[LONGEST + 1], b[LONGEST + 1];

    if (requested_length == emitted_length &&
        strncasecmp(requested, emitted, requested_length) == 0)
        return NEAR_CASE;
    if (requested_length > LONGEST || emitted_length > LONGEST)
        return NEAR_NOT;
    size_t a_length = without_slashes(a, requested, requested_length);
    size_t b_length = without_slashes(b, emitted, emitted_length);
    if (a_length > 0 && topic_matches(a, a_length, b, b_length))
        return NEAR_SLASH;
    if (is_above(a, a_length, b, b_length) || is_above(b, b_length, a, a_length))
        return NEAR_LEVELS;
    if (!differs_in_digits_alone(a, a_length, b, b_length) &&
        is_few_letters_apart(a, a_length, b, b_length))
        return NEAR_LETTERS;
    return NEAR_NOT;
}
