/* What the handlers have in common: options, configuration, signals, workers, and the loop that
 * takes requests. */
#ifndef ESN_HANDLER_MAIN_H
#define ESN_HANDLER_MAIN_H

#include "handler_program.h"

/* Runs until it is asked to end; the process's exit status. */
int handler_main(const struct handler_program *program, int argc, char **argv);

#endif
