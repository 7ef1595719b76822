/* Seals what is queued for a connection. */
#ifndef ESN_TLS_OUTPUT_H
#define ESN_TLS_OUTPUT_H

#include "net/output.h"
#include "net/tls_session.h"

/* One record of the oldest bytes, ranges that are short together, which goes where the session has
 * it go. They are queued no longer. False: nothing can be sent any more. */
bool tls_output_seal(struct output *output, struct tls_session *session);
/* All that is queued makes one record, and the batch of the context has room for it. */
bool tls_output_fits_batch(const struct output *output, const struct tls_session *session);
/* The same as tls_output_seal(), into that batch: *sealed is what is to be sent before anything
 * else, or empty, when other bytes wait already and this waits behind them. */
bool tls_output_seal_for_batch(struct output *output, struct tls_session *session,
                               struct iovec *sealed);

#endif
