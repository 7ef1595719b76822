#include "table.h"

#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH_LIMIT = 48 };

/* Writes text (NULL: nowhere) with its control characters, those of C1 too, as \xNN. Returns how
 * many letters it takes on the screen, nearly: one a code point. */
static int write_safely(FILE *out, const char *text)
{
    int width = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        bool second_of_c1 = *at == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
        if (*at < 0x20 || *at == 0x7f || second_of_c1) {
            at += second_of_c1;
            width += 4;
            if (out != NULL)
                (void)fprintf(out, "\\x%02x", *at);
        } else {
            width += (*at & 0xc0) != 0x80;
            if (out != NULL)
                (void)fputc(*at, out);
        }
    }
    return width;
}

static int text_width(const char *text)
{
    return write_safely(NULL, text);
}

static void print_padded(const char *text, int width)
{
    int printed = write_safely(stdout, text);
    (void)printf("%*s", printed < width ? width - printed : 0, "");
}

static void print_value(json_t *value)
{
    if (json_is_string(value)) {
        (void)write_safely(stdout, json_string_value(value));
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        (void)fputs(text != NULL ? text : "?", stdout);
        free(text);
    }
}

/* Visits every value that is no filled object or array; `name` is its path. */
struct table_walk {
    struct bytes name;
    int width;
    bool prints; /* else it measures */
};

static void visit(struct table_walk *walk, json_t *value);

static void visit_named(struct table_walk *walk, const char *name, json_t *value)
{
    size_t length = walk->name.length;
    bytes_append_text(&walk->name, length > 0 ? "." : "");
    bytes_append_text(&walk->name, name);
    visit(walk, value);
    walk->name.length = length;
}

static void visit_leaf(struct table_walk *walk, json_t *value)
{
    const char *name = bytes_terminate(&walk->name);
    if (name == NULL)
        return;
    if (walk->prints) {
        if (*name != '\0')
            print_padded(name, walk->width + 2);
        print_value(value);
        (void)putchar('\n');
    } else if (text_width(name) > walk->width) {
        walk->width = text_width(name);
    }
}

static void visit(struct table_walk *walk, json_t *value)
{
    if (json_is_object(value) && json_object_size(value) > 0) {
        for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at))
            visit_named(walk, json_object_iter_key(at), json_object_iter_value(at));
    } else if (json_is_array(value) && json_array_size(value) > 0) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            char index[24];
            (void)snprintf(index, sizeof index, "%zu", i);
            visit_named(walk, index, json_array_get(value, i));
        }
    } else {
        visit_leaf(walk, value);
    }
}

void table_print(json_t *tree)
{
    struct table_walk walk = {0};
    visit(&walk, tree);
    if (walk.width > NAME_WIDTH_LIMIT)
        walk.width = NAME_WIDTH_LIMIT;
    walk.prints = true;
    visit(&walk, tree);
    bytes_free(&walk.name);
}

struct count_row {
    const char *name;
    json_int_t count;
};

static int compare_rows(const void *a, const void *b)
{
    const struct count_row *left = a, *right = b;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return strcmp(left->name, right->name);
}

static void print_rows(const struct count_row *rows, size_t count, const char *name_head,
                       const char *count_head)
{
    int width = text_width(name_head);
    for (size_t i = 0; i < count; i++) {
        if (text_width(rows[i].name) > width)
            width = text_width(rows[i].name);
    }
    if (width > NAME_WIDTH_LIMIT)
        width = NAME_WIDTH_LIMIT;
    print_padded(name_head, width);
    (void)printf("  %s\n", count_head);
    for (size_t i = 0; i < count; i++) {
        print_padded(rows[i].name, width);
        (void)printf("  %*" JSON_INTEGER_FORMAT "\n", text_width(count_head), rows[i].count);
    }
}

void table_print_counts(json_t *counts, const char *name_head, const char *count_head)
{
    struct count_row *rows = calloc(json_object_size(counts) + 1, sizeof *rows);
    size_t count = 0;
    for (void *at = json_object_iter(counts); rows != NULL && at != NULL;
         at = json_object_iter_next(counts, at))
        rows[count++] = (struct count_row){.name = json_object_iter_key(at),
                                           .count = json_integer_value(json_object_iter_value(at))};
    if (rows != NULL) {
        qsort(rows, count, sizeof *rows, compare_rows);
        print_rows(rows, count, name_head, count_head);
    }
    free(rows);
}
