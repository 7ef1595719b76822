/* Who had an event, as several daemons say it, each of its own streams (docs/protocol.md section 3). Pure. */
#ifndef ESN_REPORT_MERGE_H
#define ESN_REPORT_MERGE_H

#include "bytes.h"

#include <stdbool.h>

enum { REPORT_MISSING_MOST = 1000 /* streams that are named */ };

/* Puts their answers, JSON objects one after the other, together in one: counts are added, and a
 * stream that is missing at several, since it has moved, is named once, open rather than gone. One
 * alone stays as it is. False, and nothing has changed: it is no such text, or without memory. */
bool report_merge(struct bytes *text);

#endif
