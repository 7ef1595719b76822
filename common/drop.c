#include "drop.h"

#include "big_endian.h"

#include <string.h>

/* Offsets; docs/bus.md has them as a table. */
enum { AT_KIND = 0, AT_ZERO = 1, AT_NUMBER = 4 };

void drop_write(unsigned char out[DROP_RECORD_SIZE], const struct drop *drop)
{
    memset(out, 0, DROP_RECORD_SIZE);
    out[AT_KIND] = (unsigned char)drop->kind;
    big_endian_write(out + AT_NUMBER, 8,
                     drop->kind == DROP_CONNECTION ? drop->connid : drop->for_ms);
}

bool drop_read(struct drop *drop, const void *record, size_t length, const char *name,
               size_t name_length)
{
    const unsigned char *in = record;

    if (length != DROP_RECORD_SIZE || in[AT_KIND] < DROP_USER || in[AT_KIND] > DROP_CLIENT ||
        big_endian_read(in + AT_ZERO, 3) != 0)
        return false;
    uint64_t number = big_endian_read(in + AT_NUMBER, 8);
    *drop = (struct drop){
        .kind = (enum drop_kind)in[AT_KIND], .name = name, .name_length = name_length};
    if (drop->kind == DROP_CONNECTION) {
        drop->connid = number;
        return number != 0 && name_length == 0;
    }
    drop->for_ms = number;
    return name_length > 0 && name_length <= DROP_NAME_MAX &&
           memchr(name, '\0', name_length) == NULL &&
           (number == 0 || drop->kind == DROP_USER || drop->kind == DROP_SESSION);
}

const char *drop_kind_name(enum drop_kind kind)
{
    static const char *const names[] = {[DROP_USER] = "uid",
                                        [DROP_SESSION] = "sid",
                                        [DROP_CONNECTION] = "connid",
                                        [DROP_CLIENT] = "clid"};
    return names[kind];
}
