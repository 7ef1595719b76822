/* The files of fanout/window, made into bytes by the Makefile. */
#ifndef ESN_WINDOW_FILES_H
#define ESN_WINDOW_FILES_H

#include <stddef.h>

struct window_file {
    const char *path, *type;
    const unsigned char *bytes;
    size_t size;
};

/* Ended by one whose path is NULL. */
extern const struct window_file window_files[];

#endif
