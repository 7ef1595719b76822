/* The web server's own configuration and processes, where they are on this machine and may be read. */
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { FEW_CONNECTIONS = 1024, FEW_REQUESTS = 256 };

/* ---- places ---- */

/* The statement that passes streams on to the daemon; NULL: none is known. */
static const struct web_statement *find_pass(const struct doctor *doctor)
{
    const struct web_config *web = &doctor->web;
    const char *name = web->kind == WEB_SERVER_APACHE ? "ProxyPass" : "proxy_pass";
    const struct web_statement *statement = NULL, *first = web_config_next(web, name, NULL);
    while ((statement = web_config_next(web, name, statement)) != NULL) {
        for (char *const *listen = doctor->settings.config.listen;
             listen != NULL && *listen != NULL; listen++) {
            const char *colon = strrchr(*listen, ':');
            if (colon != NULL && strstr(statement->text, colon) != NULL)
                return statement;
        }
    }
    return first;
}

static const char *write_place(struct doctor *doctor, const struct web_statement *statement)
{
    (void)snprintf(doctor->place, sizeof doctor->place, "%s:%u", statement->file, statement->line);
    return doctor->place;
}

const char *doctor_place_of(struct doctor *doctor, const char *nginx, const char *apache)
{
    const struct web_statement *pass = find_pass(doctor);
    if (doctor->web.count == 0 || pass == NULL)
        return NULL;
    const struct web_statement *of = web_config_find(
        &doctor->web, doctor->web.kind == WEB_SERVER_APACHE ? apache : nginx, pass->block);
    return write_place(doctor, of != NULL ? of : pass);
}

const char *doctor_place_with(struct doctor *doctor, const char *name, const char *text)
{
    const struct web_statement *statement = NULL;
    while ((statement = web_config_next(&doctor->web, name, statement)) != NULL) {
        if (strstr(statement->text, text) != NULL)
            return write_place(doctor, statement);
    }
    return NULL;
}

/* ---- nginx ---- */

static void look_at_connections(struct doctor *doctor)
{
    const struct web_statement *most = web_config_next(&doctor->web, "worker_connections", NULL);
    const struct web_statement *files = web_config_next(&doctor->web, "worker_rlimit_nofile", NULL);
    const struct web_statement *main_file = doctor->web.list;
    long connections = most != NULL ? strtol(web_statement_value(most), NULL, 10) : 512;
    if (connections < FEW_CONNECTIONS)
        findings_add(&doctor->findings, "worker-connections",
                     write_place(doctor, most != NULL ? most : main_file), NULL,
                     "worker_connections is %ld%s: some %ld streams a worker", connections,
                     most != NULL ? "" : ", as it is unless it is said", connections / 2);
    long open_files =
        files != NULL ? strtol(web_statement_value(files), NULL, 10) : doctor->server.open_files;
    if (open_files > 0 && open_files < connections)
        findings_add(&doctor->findings, "worker-files",
                     write_place(doctor, files != NULL ? files : main_file), NULL,
                     "a worker may have %ld files open and %ld connections", open_files,
                     connections);
}

/* nginx speaks HTTP/1.0 to what it passes on to, until it is told otherwise. */
static void look_at_version(struct doctor *doctor)
{
    const struct web_statement *pass = find_pass(doctor);
    if (pass == NULL)
        return;
    const struct web_statement *version =
        web_config_find(&doctor->web, "proxy_http_version", pass->block);
    if (version == NULL || strcmp(web_statement_value(version), "1.0") == 0)
        findings_add(&doctor->findings, "http-1.0",
                     write_place(doctor, version != NULL ? version : pass), NULL,
                     "nginx passes requests on to the daemon as HTTP/1.0");
}

static void look_at_log(struct doctor *doctor)
{
    const struct web_statement *pass = find_pass(doctor);
    const struct web_statement *log =
        pass != NULL ? web_config_find(&doctor->web, "access_log", pass->block) : NULL;
    if (pass != NULL && (log == NULL || strncmp(web_statement_value(log), "off", 3) != 0))
        findings_add(&doctor->findings, "logged-query",
                     write_place(doctor, log != NULL ? log : pass), NULL,
                     "requests of subscribers are written to the access log with their queries");
}

/* ---- Apache ---- */

static void look_at_workers(struct doctor *doctor)
{
    const struct web_statement *most = web_config_next(&doctor->web, "MaxRequestWorkers", NULL);
    long workers = most != NULL ? strtol(web_statement_value(most), NULL, 10) : 400;
    bool holds_streams = doctor->settings.config.handoff_mode == CONFIG_HANDOFF_LOCAL;
    if (most != NULL && holds_streams && workers < FEW_REQUESTS)
        findings_add(&doctor->findings, "worker-connections", write_place(doctor, most), NULL,
                     "MaxRequestWorkers is %ld, and each stream takes one of them", workers);
}

/* True when a list of words behind the first one has this one; without any it is about all. */
static bool is_about(const struct web_statement *mutex, const char *name)
{
    size_t length = strlen(name);
    const char *word = strchr(web_statement_value(mutex), ' ');
    if (word == NULL)
        return strcmp(name, "default") == 0;
    for (; word != NULL; word = strchr(word, ' ')) {
        word++;
        if (strncasecmp(word, name, length) == 0 && (word[length] == ' ' || word[length] == '\0'))
            return true;
    }
    return false;
}

/* What holds for a mutex of this name: the last that names it, else the last that is about all. */
static const struct web_statement *find_mutex(const struct web_config *web, const char *name)
{
    const struct web_statement *statement = NULL, *own = NULL, *common = NULL;
    while ((statement = web_config_next(web, "Mutex", statement)) != NULL) {
        if (is_about(statement, name))
            own = statement;
        else if (is_about(statement, "default"))
            common = statement;
    }
    return own != NULL ? own : common;
}

/* fcntl(2), as which "file" is too: its EDEADLK knows processes, not threads. */
static bool is_fcntl(const struct web_statement *mutex)
{
    const char *how = web_statement_value(mutex);
    size_t length = strcspn(how, ": ");
    return (length == 4 && strncasecmp(how, "file", length) == 0) ||
           (length == 5 && strncasecmp(how, "fcntl", length) == 0);
}

static void look_at_mutexes(struct doctor *doctor)
{
    static const char *const names[] = {"fcgid-proctbl", "fcgid-pipe"};
    const struct web_statement *module = NULL;
    while ((module = web_config_next(&doctor->web, "LoadModule", module)) != NULL &&
           strncmp(web_statement_value(module), "fcgid_module ", 13) != 0)
        continue;
    for (size_t i = 0; module != NULL && i < sizeof names / sizeof *names; i++) {
        const struct web_statement *mutex = find_mutex(&doctor->web, names[i]);
        if (mutex == NULL || !is_fcntl(mutex))
            continue;
        findings_add(&doctor->findings, "mutex-file", write_place(doctor, mutex), NULL,
                     "%s, and mod_fcgid is loaded, whose mutex %s is of that kind", mutex->text,
                     names[i]);
        return;
    }
}

static void look_at_apache_log(struct doctor *doctor)
{
    const struct web_statement *pass = find_pass(doctor);
    const struct web_statement *log =
        pass != NULL ? web_config_find(&doctor->web, "CustomLog", pass->block) : NULL;
    if (log != NULL && strstr(log->text, " env=") == NULL)
        findings_add(&doctor->findings, "logged-query", write_place(doctor, log), NULL,
                     "requests of subscribers are written to the access log with their queries");
}

/* ---- sockets of the handlers ---- */

/* The path behind "unix:" in a statement; false: there is none. */
static bool find_socket(const struct web_statement *statement, char path[PATH_MAX])
{
    const char *at = strstr(statement->text, "unix:");
    if (at == NULL)
        return false;
    at += 5;
    (void)snprintf(path, PATH_MAX, "%.*s", (int)strcspn(at, "|\" ;:"), at);
    return *path == '/';
}

static void look_at_socket(struct doctor *doctor, const struct web_statement *statement)
{
    char path[PATH_MAX];
    if (!find_socket(statement, path))
        return;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        findings_add(&doctor->findings, "socket-missing", write_place(doctor, statement), NULL,
                     "%s is not there", path);
    else if (access(path, F_OK) == 0 && doctor->server.master != 0 &&
             !web_server_may_open(&doctor->server, path))
        findings_add(&doctor->findings, "socket-group", NULL, NULL,
                     "the web server, user %ld, may not open %s", (long)doctor->server.user, path);
}

static void look_at_sockets(struct doctor *doctor)
{
    static const char *const names[] = {"fastcgi_pass", "ProxyPassMatch", "ProxyPass", "server"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct web_statement *statement = NULL;
        while ((statement = web_config_next(&doctor->web, names[i], statement)) != NULL &&
               !findings_have(&doctor->findings, "socket-missing") &&
               !findings_have(&doctor->findings, "socket-group"))
            look_at_socket(doctor, statement);
    }
}

void doctor_look_at_web_server(struct doctor *doctor)
{
    if (doctor->web.count == 0)
        return;
    if (doctor->web.kind == WEB_SERVER_NGINX) {
        look_at_connections(doctor);
        look_at_version(doctor);
        look_at_log(doctor);
    } else {
        look_at_workers(doctor);
        look_at_mutexes(doctor);
        look_at_apache_log(doctor);
    }
    look_at_sockets(doctor);
}
