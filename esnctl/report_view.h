/* What a person is shown of a report: who had an event. */
#ifndef ESN_REPORT_VIEW_H
#define ESN_REPORT_VIEW_H

#include "bytes.h"

#include <stdbool.h>

/* Whether all have had it of whom that would be known; false also when the text is no report. */
bool report_view_is_complete(const struct bytes *report);
/* Prints what the daemon answered, as it is or in words. The exit status. */
int report_view_print(const struct bytes *report, bool as_json);

#endif
