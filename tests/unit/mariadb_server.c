#include "mariadb_server.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "free_port.h"

enum { COMMAND_SIZE = 1024, START_LIMIT_S = 120 };

static void give_up(const char *what)
{
    (void)fprintf(stderr, "MariaDB for the test: %s\n", what);
    exit(1);
}

/* Text made by us alone, so the shell has nothing to be fooled with. */
static void run_command(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run_command(const char *format, ...)
{
    char command[COMMAND_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof command || system(command) != 0)
        give_up(command);
}

/* mariadbd does not run as root: as nobody then. */
static const char *const ordinary_user = "nobody";

static void make_certificates(struct mariadb_server *server)
{
    (void)snprintf(server->ca, sizeof server->ca, "%s/ca.pem", server->folder);
    (void)snprintf(server->other_ca, sizeof server->other_ca, "%s/other-ca.pem", server->folder);
    const char *const names[] = {"ca", "other-ca"};
    for (int i = 0; i < 2; i++)
        run_command("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=test %s' "
                    "-keyout %s/%s.key -out %s/%s.pem 2>/dev/null",
                    names[i], server->folder, names[i], server->folder, names[i]);
    run_command("cd %s && openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key "
                "-out server.csr 2>/dev/null && "
                "echo subjectAltName=IP:127.0.0.1,DNS:localhost > server.ext && "
                "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
                "-extfile server.ext -out server.pem 2>/dev/null && chmod a+r server.key",
                server->folder);
}

void mariadb_server_create(struct mariadb_server *server)
{
    *server = (struct mariadb_server){.folder = "/tmp/esn-mariadb-XXXXXX"};
    if (mkdtemp(server->folder) == NULL)
        give_up(strerror(errno));
    (void)snprintf(server->socket, sizeof server->socket, "%s/socket", server->folder);
    bool root = geteuid() == 0;
    /* A server that starts removes the temporary tables of others that share its folder for them. */
    run_command("mkdir %s/tmp", server->folder);
    if (root)
        run_command("chown -R %s %s", ordinary_user, server->folder);
    run_command("mariadb-install-db --no-defaults %s%s --datadir=%s/data --tmpdir=%s/tmp "
                "--skip-test-db --auth-root-authentication-method=normal > %s/install.log 2>&1",
                root ? "--user=" : "", root ? ordinary_user : "", server->folder, server->folder,
                server->folder);
    make_certificates(server);
}

/* Also sees to it that the server ends with the test program, however that ends. */
static void become_ordinary(pid_t parent)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(ordinary_user) : NULL;
    if (user != NULL &&
        (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(126);
}

static void become_server(const struct mariadb_server *server, bool tls)
{
    char data[96], temporary[96], socket_path[128], port[32], log[96], ca[128], certificate[128],
        key[128];
    (void)snprintf(data, sizeof data, "--datadir=%s/data", server->folder);
    (void)snprintf(temporary, sizeof temporary, "--tmpdir=%s/tmp", server->folder);
    (void)snprintf(socket_path, sizeof socket_path, "--socket=%s", server->socket);
    (void)snprintf(port, sizeof port, "--port=%u", server->port);
    (void)snprintf(log, sizeof log, "--log-error=%s/data/log", server->folder);
    (void)snprintf(ca, sizeof ca, tls ? "--ssl-ca=%s" : "--pid-file=pid", server->ca);
    (void)snprintf(certificate, sizeof certificate, "--ssl-cert=%s/server.pem", server->folder);
    (void)snprintf(key, sizeof key, "--ssl-key=%s/server.key", server->folder);
    const char *const arguments[] = {"mariadbd",
                                     "--no-defaults",
                                     data,
                                     temporary,
                                     socket_path,
                                     port,
                                     log,
                                     ca,
                                     "--bind-address=127.0.0.1",
                                     "--innodb-buffer-pool-size=16M",
                                     "--innodb-flush-log-at-trx-commit=2",
                                     server->option != NULL ? server->option
                                                            : "--skip-external-locking",
                                     tls ? certificate : NULL,
                                     key,
                                     NULL};
    /* What it says before it knows its log. */
    char early[96];
    (void)snprintf(early, sizeof early, "%s/early.log", server->folder);
    if (freopen(early, "a", stderr) == NULL)
        _exit(126);
    char *own[sizeof arguments / sizeof *arguments];
    memcpy(own, arguments, sizeof own);
    (void)execvp("mariadbd", own);
    (void)execv("/usr/sbin/mariadbd", own);
    _exit(127);
}

/* The Unix socket is the last that the server opens. */
static bool is_listening(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = client >= 0 && connect(client, (struct sockaddr *)&address, sizeof address) == 0;
    if (client >= 0)
        (void)close(client);
    return there;
}

void mariadb_server_start(struct mariadb_server *server, bool tls)
{
    const struct timespec moment = {0, 20000000};
    if (server->port == 0)
        server->port = free_port();
    pid_t parent = getpid();
    server->pid = fork();
    if (server->pid == 0) {
        become_ordinary(parent);
        become_server(server, tls);
    }
    if (server->pid < 0)
        give_up(strerror(errno));
    for (time_t end = time(NULL) + START_LIMIT_S; !is_listening(server->socket);) {
        if (waitpid(server->pid, NULL, WNOHANG) != 0)
            give_up("mariadbd ended instead of listening (Debian package mariadb-server)");
        if (time(NULL) > end)
            give_up("mariadbd does not listen");
        (void)nanosleep(&moment, NULL);
    }
}

void mariadb_server_stop(struct mariadb_server *server, int signal)
{
    if (server->pid == 0)
        return;
    if (kill(server->pid, signal) != 0 || waitpid(server->pid, NULL, 0) != server->pid)
        give_up("mariadbd cannot be stopped");
    server->pid = 0;
}

void mariadb_server_remove(struct mariadb_server *server)
{
    mariadb_server_stop(server, SIGKILL);
    run_command("rm -rf %s", server->folder);
}
