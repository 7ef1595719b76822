/* What the log says, for tests that look at it: standard error is a file meanwhile. */
#ifndef ESN_TEST_CAPTURED_MESSAGES_H
#define ESN_TEST_CAPTURED_MESSAGES_H

/* From now on every line is kept. */
void captured_messages_begin(void);
/* All that was said since the last call, with a NUL; valid until the next one. */
const char *captured_messages_take(void);
/* How often the text stands in all that was said since the last call or _take(). */
unsigned captured_messages_count(const char *text);
/* Standard error is what it was. */
void captured_messages_end(void);

#endif
