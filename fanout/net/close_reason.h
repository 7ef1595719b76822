/* Why connections are closed; /state counts and the messages name it. */
#ifndef ESN_CLOSE_REASON_H
#define ESN_CLOSE_REASON_H

enum close_reason {
    CLOSE_CLIENT,      /* the client closed */
    CLOSE_RESET,       /* reset or vanished, as the kernel says */
    CLOSE_DONE,        /* after an answer without keep-alive */
    CLOSE_IDLE,        /* no next request in time */
    CLOSE_HEAD_TIME,   /* head of a request not there in time */
    CLOSE_BODY_TIME,   /* body not there in time */
    CLOSE_STREAM_TIME, /* stream_time is over */
    CLOSE_SLOW,        /* does not read what is sent to it */
    CLOSE_TALKATIVE,   /* sends while it should listen */
    CLOSE_REFUSED,     /* malformed request, or over a limit */
    CLOSE_FULL,        /* max_connections, or no descriptors left */
    CLOSE_ADDRESS,     /* max_connections_per_address */
    CLOSE_MEMORY,
    CLOSE_STOPPING, /* the daemon ends */
    CLOSE_REPLACED, /* the same client came back on another connection */
    CLOSE_SILENT,   /* asked whether it is there, and did not answer */
    CLOSE_EXPIRED,  /* the proof of its user has ended */
    CLOSE_DROPPED,  /* by order of a backend */
    CLOSE_TLS,      /* no handshake, or what is no TLS */
    CLOSE_REASONS
};

const char *close_reason_name(enum close_reason reason);

#endif
