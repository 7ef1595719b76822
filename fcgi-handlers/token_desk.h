/* `POST /token` and `DELETE /token` (docs/protocol.md section 4): a pair of access token and
 * refresh token for a bind key, a new pair for a refresh token, and the end of a family of them. */
#ifndef ESN_TOKEN_DESK_H
#define ESN_TOKEN_DESK_H

#include "handler_request.h"
#include "identify_subscriber.h"
#include "subscribe_settings.h"

/* What the threads of a process share, and one thread's. */
struct token_desk_common;
struct token_desk;

/* Settings outlive it. NULL without memory. */
struct token_desk_common *token_desk_common_open(const struct subscribe_settings *settings);
void token_desk_common_close(struct token_desk_common **common);

/* All outlive it. NULL with a sentence in error (CONFIG_ERROR_SIZE). Without [token] sign_file it
 * answers 404. */
struct token_desk *token_desk_open(const struct subscribe_settings *settings,
                                   struct identify *identify, struct token_desk_common *common,
                                   char *error);
void token_desk_close(struct token_desk **desk);

/* Gives the request exactly one answer. */
void token_desk_handle(struct token_desk *desk, struct handler_request *request);

#endif
