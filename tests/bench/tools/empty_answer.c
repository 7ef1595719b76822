/* empty_answer SOCKET WORKERS: FastCGI on a unix socket, answering every request 200 with nothing
 * in it.
 *
 * What the web server and FastCGI cost by themselves; esn-event is compared with it. The workers
 * end with the parent, which ends on SIGTERM. */
#include <fcgiapp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKLOG = 1024, WORKERS_MAX = 64 };

static int answer_requests(int listener)
{
    FCGX_Request request;
    if (FCGX_InitRequest(&request, listener, 0) != 0)
        return 1;
    while (FCGX_Accept_r(&request) == 0) {
        if (FCGX_PutS("Content-Type: application/json\r\nContent-Length: 0\r\n\r\n", request.out) <
            0)
            return 1;
        FCGX_Finish_r(&request);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int workers = argc == 3 ? atoi(argv[2]) : 0;
    if (workers < 1 || workers > WORKERS_MAX) {
        fputs("usage: empty_answer SOCKET WORKERS\n", stderr);
        return 2;
    }
    int listener = FCGX_Init() == 0 ? FCGX_OpenSocket(argv[1], BACKLOG) : -1;
    if (listener < 0) {
        fprintf(stderr, "cannot listen on %s\n", argv[1]);
        return 1;
    }
    for (int i = 0; i < workers; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
                return 1;
            return answer_requests(listener);
        }
        if (pid < 0) {
            perror("fork");
            return 1;
        }
    }
    while (wait(NULL) > 0)
        continue;
    return 1; /* the workers end only when something is wrong */
}
