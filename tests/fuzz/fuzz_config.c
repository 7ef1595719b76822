/* The configuration: any bytes in the file; what is good can be shown, and read again the same. */
#include "config/config.h"
#include "config/config_value.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool load(struct config *config, const void *bytes, size_t size)
{
    char path[64], error[CONFIG_ERROR_SIZE] = "";
    int file = memfd_create("conf", MFD_CLOEXEC);

    if (file < 0 || write(file, bytes, size) != (ssize_t)size)
        abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    bool good = config_load(config, path, error);
    if (good == (error[0] != '\0') || strnlen(error, sizeof error) == sizeof error)
        abort();
    close(file);
    return good;
}

/* Every key as it would stand in the file, those that are empty left out. */
static char *show(const struct config *config, bool as_file)
{
    char *text = NULL, *value = NULL;
    size_t size, value_size;
    FILE *out = open_memstream(&text, &size);

    for (const struct config_key *key = config_keys; out != NULL && key->section != NULL; key++) {
        FILE *one = open_memstream(&value, &value_size);
        if (one == NULL)
            abort();
        config_print_value(one, config, key);
        if (fclose(one) != 0)
            abort();
        if (value_size > 0 && as_file)
            fprintf(out, "[%s]\n", key->section);
        if (value_size > 0)
            fprintf(out, "%s = %s\n", key->name, value);
        free(value);
    }
    if (out == NULL || fclose(out) != 0)
        abort();
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config, again;
    char *shown, *file;

    if (!load(&config, data, size))
        return 0;
    shown = show(&config, false);
    file = show(&config, true);
    if (load(&again, file, strlen(file))) {
        char *second = show(&again, false);
        if (strcmp(shown, second) != 0)
            abort();
        free(second);
        config_free(&again);
    }
    free(shown);
    free(file);
    config_free(&config);
    return 0;
}
