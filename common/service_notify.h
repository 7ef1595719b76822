/* What a service tells the service manager that started it. */
#ifndef ESN_SERVICE_NOTIFY_H
#define ESN_SERVICE_NOTIFY_H

/* Sends the state, such as "READY=1", as sd_notify(3) does: a datagram to the socket
 * that the environment's NOTIFY_SOCKET names. Without one, nothing happens. That it could not be
 * sent is said in the log: systemd would wait for it and then end the service. */
void service_notify(const char *state);

#endif
