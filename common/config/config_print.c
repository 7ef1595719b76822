#include "config/config.h"

#include "config/config_value.h"

#include <string.h>

/* Said once of the whole file, in each of the three forms. */
static const char *const introduction[] = {
    "One file configures all programs of es-web-notify. They look for it where their option "
    "`--config` says, else where "
    "the environment's `ESN_CONF` says, else at `/etc/es-web-notify.conf` (the build's "
    "`sysconfdir`).",
    "A line is `key = value` or `[section]`. A comment is a line that "
    "begins with `#` or "
    "`;`, or what follows a blank and `;` behind a value. A list is words separated by blanks; it "
    "can go on in the "
    "lines below when they are indented.",
    "A size is a number of bytes, or of `k`, `M` or `G` (1024 of the one before): `64k`. A "
    "duration has one of the units "
    "`ms`, `s`, `m`, `h` or `d`: `50s`. A relative path is taken from the folder of the file.",
    "A key or section that is not known, a key given twice and a value that is out of bounds are "
    "errors: the program says "
    "file, line and what would be right, and does not start. `esnctl check-config` says the same "
    "without starting "
    "anything.",
    "A variable of the environment counts more than the file: `ESN_FANOUT_LISTEN` is `listen` of "
    "`[fanout]`, `ESN_TICKET_SECRET_FILE` names the file of `secret_file` of `[ticket]`. One that "
    "begins with `ESN_` and a section's name, and is no setting, is an error too; those that "
    "applications have (`ESN_PUBLISH_TOKEN` and the others of quickstart's `env`) are left alone.",
    "On SIGHUP the file is read again. Keys marked \"on reload\" take their new value then, for "
    "what happens from that "
    "moment on; the others keep theirs until the program starts again, and the log names them. "
    "When the new file "
    "has a fault, the log says so and nothing changes.",
    "Tokens and keys stand in files of their own, refused when everybody can read them.",
};
enum { PARAGRAPHS = sizeof introduction / sizeof *introduction };

static const char expert_words[] = "that hardly anybody has to turn";

enum print_form { PRINT_PLAIN, PRINT_MARKDOWN, PRINT_MAN };

/* Writes one letter of running text; *code is whether it stands between backquotes. */
static void print_letter(FILE *out, enum print_form form, char letter, bool *code)
{
    if (letter == '`' && form != PRINT_MARKDOWN) {
        *code = !*code;
        if (form == PRINT_MAN)
            (void)fputs(*code ? "\\fB" : "\\fR", out);
    } else if (form == PRINT_MAN && letter == '\\') {
        (void)fputs("\\e", out);
    } else if (form == PRINT_MAN && letter == '\'') {
        (void)fputs("\\(aq", out);
    } else if (form == PRINT_MAN && letter == '-') {
        (void)fputs("\\-", out);
    } else {
        (void)fputc(letter, out);
    }
}

/* Letters that a word takes on the page. */
static size_t word_width(enum print_form form, const char *word, size_t length)
{
    size_t width = length;
    for (size_t i = 0; i < length; i++) {
        if (word[i] == '`' && form != PRINT_MARKDOWN)
            width--;
    }
    return width;
}

/* Writes text in lines of at most `width` letters, each begun with prefix. */
static void print_wrapped(FILE *out, enum print_form form, const char *prefix, size_t width,
                          const char *text)
{
    bool code = false;
    size_t column = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        size_t letters = word_width(form, text, length);
        if (column > 0 && column + 1 + letters > width) {
            (void)fputc('\n', out);
            column = 0;
        }
        if (column == 0) {
            /* A dot that begins a line would be a command to man. */
            (void)fputs(form == PRINT_MAN && *text == '.' ? "\\&" : prefix, out);
            column = strlen(prefix);
        } else {
            (void)fputc(' ', out);
            column++;
        }
        for (size_t i = 0; i < length; i++)
            print_letter(out, form, text[i], &code);
        column += letters;
        text += length;
        text += strspn(text, " ");
    }
    (void)fputc('\n', out);
}

static void print_text(FILE *out, enum print_form form, const char *text)
{
    bool code = false;
    for (; *text != '\0'; text++)
        print_letter(out, form, *text, &code);
}

static const char *type_words(enum config_type type)
{
    switch (type) {
    case CONFIG_TEXT:
        return "text";
    case CONFIG_PATH:
        return "path";
    case CONFIG_LIST:
        return "list of words";
    case CONFIG_NUMBER:
        return "number";
    case CONFIG_SIZE:
        return "size";
    case CONFIG_DURATION:
        return "duration";
    case CONFIG_BOOL:
        return "yes or no";
    case CONFIG_MODE:
        return "file mode";
    default:
        return "choice";
    }
}

static void print_bounds(FILE *out, const struct config_key *key)
{
    for (const char *const *choice = key->choices; choice != NULL && *choice != NULL; choice++)
        (void)fprintf(out, "%s%s", choice == key->choices ? "" : ", ", *choice);
    if (key->minimum == 0 && key->maximum == 0)
        return;
    config_number_print(out, key->type, key->minimum);
    (void)fputs(" to ", out);
    config_number_print(out, key->type, key->maximum);
}

static bool has_bounds(const struct config_key *key)
{
    return key->choices != NULL || key->minimum != 0 || key->maximum != 0;
}

static bool is_in(const struct config_key *key, const struct config_section *section)
{
    return strcmp(key->section, section->name) == 0;
}

/* Those of the section that everybody may want to turn, or those for experts alone. */
static void print_keys(FILE *out, const struct config_section *section, bool expert,
                       void (*print_key)(FILE *out, const struct config_key *key))
{
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        if (is_in(key, section) && key->expert == expert)
            print_key(out, key);
    }
}

static bool has_expert_keys(const struct config_section *section)
{
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        if (is_in(key, section) && key->expert)
            return true;
    }
    return false;
}

/* ---- the sample file ---- */

static void print_sample_key(FILE *out, const struct config_key *key)
{
    const char *space = *key->default_text != '\0' ? " " : "";
    (void)fputc('\n', out);
    print_wrapped(out, PRINT_PLAIN, "# ", 100, key->help);
    (void)fprintf(out, "# (%s", type_words(key->type));
    if (has_bounds(key)) {
        (void)fputs(": ", out);
        print_bounds(out, key);
    }
    (void)fprintf(out, "; %s; such as %s)\n", key->reloadable ? "on reload" : "at start",
                  key->example);
    (void)fprintf(out, "#%s =%s%s\n", key->name, space, key->default_text);
}

void config_print_sample(FILE *out)
{
    (void)fputs("# es-web-notify.conf(5): every key at its default, commented out.\n", out);
    for (size_t i = 0; i < PARAGRAPHS; i++) {
        (void)fputs("#\n", out);
        print_wrapped(out, PRINT_PLAIN, "# ", 100, introduction[i]);
    }
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        (void)fputc('\n', out);
        print_wrapped(out, PRINT_PLAIN, "# ", 100, section->help);
        (void)fprintf(out, "[%s]\n", section->name);
        print_keys(out, section, false, print_sample_key);
        if (has_expert_keys(section)) {
            (void)fprintf(out, "\n# ---- [%s] for experts: keys %s ----\n", section->name,
                          expert_words);
            print_keys(out, section, true, print_sample_key);
        }
    }
}

/* ---- docs/configuration.md ---- */

static void print_markdown_key(FILE *out, const struct config_key *key)
{
    (void)fprintf(out, "\n%s [%s] %s\n\n", key->expert ? "####" : "###", key->section, key->name);
    (void)fputs("| type | default | bounds | new value |\n|---|---|---|---|\n", out);
    (void)fprintf(out, "| %s | ", type_words(key->type));
    (void)fprintf(out, *key->default_text != '\0' ? "`%s`" : "empty%s", key->default_text);
    (void)fputs(" | ", out);
    print_bounds(out, key);
    (void)fprintf(out, " | %s |\n\n", key->reloadable ? "on reload" : "at start");
    print_wrapped(out, PRINT_MARKDOWN, "", 110, key->help);
    (void)fprintf(out, "\n```ini\n[%s]\n%s = %s\n```\n", key->section, key->name, key->example);
}

static void print_markdown_contents(FILE *out)
{
    (void)fputs("\n| section | keys |\n|---|---|\n", out);
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        const char *comma = "";
        (void)fprintf(out, "| [\\[%s\\]](#%s) | ", section->name, section->name);
        for (const struct config_key *key = config_keys; key->section != NULL; key++) {
            if (!is_in(key, section))
                continue;
            (void)fprintf(out, "%s[%s](#%s-%s)", comma, key->name, key->section, key->name);
            comma = ", ";
        }
        (void)fputs(" |\n", out);
    }
}

void config_print_markdown(FILE *out)
{
    (void)fputs("<!-- Made by `make docs` from common/config/config_keys.c and "
                "common/config/config_print.c. -->\n"
                "# Configuration: es-web-notify.conf\n",
                out);
    for (size_t i = 0; i < PARAGRAPHS; i++) {
        (void)fputc('\n', out);
        print_wrapped(out, PRINT_MARKDOWN, "", 110, introduction[i]);
    }
    print_markdown_contents(out);
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        (void)fprintf(out, "\n## [%s]\n\n%s\n", section->name, section->help);
        print_keys(out, section, false, print_markdown_key);
        if (has_expert_keys(section)) {
            (void)fprintf(out, "\n### [%s] for experts\n\nKeys %s.\n", section->name, expert_words);
            print_keys(out, section, true, print_markdown_key);
        }
    }
}

/* ---- es-web-notify.conf(5) ---- */

static void print_man_key(FILE *out, const struct config_key *key)
{
    (void)fputs(".TP\n.B ", out);
    print_text(out, PRINT_MAN, key->name);
    (void)fputs(" =", out);
    if (*key->default_text != '\0') {
        (void)fputc(' ', out);
        print_text(out, PRINT_MAN, key->default_text);
    }
    (void)fputc('\n', out);
    print_wrapped(out, PRINT_MAN, "", 80, key->help);
    (void)fprintf(out, ".br\n\\fI%s\\fR", type_words(key->type));
    if (has_bounds(key)) {
        (void)fputs(", ", out);
        print_bounds(out, key);
    }
    (void)fprintf(out, "; %s; such as \\fB", key->reloadable ? "on reload" : "at start");
    print_text(out, PRINT_MAN, key->example);
    (void)fputs("\\fR\n", out);
}

void config_print_manual(FILE *out)
{
    (void)fputs(".\\\" Made by `make docs` from common/config/config_keys.c and "
                "common/config/config_print.c.\n"
                ".TH ES-WEB-NOTIFY.CONF 5 \"\" \"es-web-notify\" \"es-web-notify\"\n.SH NAME\n"
                "es\\-web\\-notify.conf \\- configuration of es\\-web\\-notify\n.SH DESCRIPTION\n",
                out);
    for (size_t i = 0; i < PARAGRAPHS; i++) {
        if (i > 0)
            (void)fputs(".PP\n", out);
        print_wrapped(out, PRINT_MAN, "", 80, introduction[i]);
    }
    (void)fputs(".PP\nBelow, each key stands with its default.\n", out);
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        (void)fprintf(out, ".SH [%s]\n", section->name);
        print_wrapped(out, PRINT_MAN, "", 80, section->help);
        print_keys(out, section, false, print_man_key);
        if (has_expert_keys(section)) {
            (void)fprintf(out, ".SS For experts\nKeys %s.\n", expert_words);
            print_keys(out, section, true, print_man_key);
        }
    }
    (void)fputs(".SH SEE ALSO\n.BR esn\\-fanout (8),\n.BR esn\\-event (8),\n.BR esnctl (1)\n", out);
}
