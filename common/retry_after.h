/* When to come back, where pages of other origins can read it as well. */
#ifndef ESN_RETRY_AFTER_H
#define ESN_RETRY_AFTER_H

/* Followed by seconds. RFC 9110, 10.2.3; Fetch standard, "CORS-safelisted response-header name":
 * Retry-After is not one. */
#define RETRY_AFTER "Access-Control-Expose-Headers: Retry-After\r\nRetry-After: "

#endif
