#include "acl/acl_examine.h"

#include "acl/acl_config.h"
#include "service_user.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SENTENCE_SIZE = SQL_ERROR_SIZE + 256 };

struct examination {
    acl_examine_report *report;
    void *context;
    const char *database; /* its name, for sentences */
    bool good;
};

static void __attribute__((format(printf, 2, 3)))
report_fault(struct examination *examination, const char *format, ...)
{
    char sentence[SENTENCE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    examination->good = false;
    examination->report(sentence, examination->context);
}

bool acl_examine_is_wanted(const struct config *config)
{
    return config->bind_key_file != NULL || config->acl_kind == SQL_MARIADB ||
           (config->acl_file != NULL && access(config->acl_file, F_OK) == 0);
}

/* SQLite keeps two files beside the database, so that its folder has to be written to. */
static bool examine_files(struct examination *examination, const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *user = service_user_current();
    (void)snprintf(folder, sizeof folder, "%.*s",
                   slash == NULL || slash == path ? 1 : (int)(slash - path),
                   slash != NULL ? path : ".");
    if (access(folder, W_OK | X_OK) != 0)
        report_fault(examination,
                     "%s: the user %s cannot write to this folder (%s), which SQLite needs", folder,
                     user, strerror(errno));
    else if (access(path, F_OK) != 0)
        report_fault(examination, "%s: is not there; make it with: esnctl topic create-tables",
                     path);
    else if (access(path, R_OK | W_OK) != 0)
        report_fault(examination,
                     "%s: the user %s cannot read and write it (%s); give it to the owner "
                     "of its folder",
                     path, user, strerror(errno));
    return examination->good;
}

static void report_of_tables(const char *sentence, void *context)
{
    struct examination *examination = context;
    report_fault(examination, "%s: %s", examination->database, sentence);
}

static void examine_tables(struct examination *examination, const struct sql_options *options)
{
    char error[SQL_ERROR_SIZE];
    struct acl *acl = acl_open(options, error);
    if (acl == NULL) {
        report_fault(examination, "%s: %s", examination->database, error);
        return;
    }
    enum sql_status status = acl_check(acl);
    if (status == SQL_OK)
        status = acl_find_faults(acl, report_of_tables, examination);
    const char *words = acl_error(acl);
    bool no_table =
        strstr(words, "no such table") != NULL || strstr(words, "doesn't exist") != NULL;
    if (status != SQL_OK)
        report_fault(examination, "%s: %s%s", examination->database, words,
                     no_table ? "; make the tables with: esnctl topic create-tables" : "");
    acl_close(&acl);
}

bool acl_examine(const struct config *config, acl_examine_report *report, void *context)
{
    struct examination examination = {report, context, "[acl]", true};
    struct acl_config acl;
    char error[SECRET_ERROR_SIZE];
    if (!acl_config_load(&acl, config, error)) {
        report_fault(&examination, "%s", error);
        return false;
    }
    if (acl.options.kind == SQL_MARIADB || examine_files(&examination, acl.options.path))
        examine_tables(&examination, &acl.options);
    acl_config_free(&acl);
    return examination.good;
}
