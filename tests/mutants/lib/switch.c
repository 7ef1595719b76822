/* Linked into every program of a tree with slips: which slip is on stands in a file, since not every
 * program is started with an environment that a test could set; which ones were come by is marked in
 * another, shared by all. */
#include "switch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

unsigned char *esn_slips_reached;
int esn_slip_now = -1;

__attribute__((constructor)) static void read_slip(void)
{
    char text[16] = "";
    int file = open(ESN_SLIPS_FOLDER "/now", O_RDONLY | O_CLOEXEC);

    if (file >= 0) {
        if (read(file, text, sizeof text - 1) > 0)
            esn_slip_now = atoi(text);
        close(file);
    }
    file = open(ESN_SLIPS_FOLDER "/reached", O_RDWR | O_CLOEXEC);
    if (file >= 0) {
        void *map = mmap(NULL, ESN_SLIPS_MOST, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (map != MAP_FAILED)
            esn_slips_reached = map;
        close(file);
    }
}
