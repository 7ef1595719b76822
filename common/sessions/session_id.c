#include "sessions/session_id.h"

#include "hex.h"

#include <openssl/evp.h>
#include <string.h>

enum { DIGEST_SIZE = 32 };

bool session_id_is_valid(const char *text, size_t length)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789,-";
    size_t good = 0;
    while (good < length && text[good] != '\0' && strchr(letters, text[good]) != NULL)
        good++;
    return length > 0 && length <= SESSION_ID_MAX && good == length;
}

bool session_id_hash(char sid[SESSION_SID_SIZE], const char *id, size_t length)
{
    unsigned char digest[DIGEST_SIZE];
    if (EVP_Digest(id, length, digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    memcpy(sid, SESSION_SID_PREFIX, sizeof SESSION_SID_PREFIX - 1);
    hex_write(sid + sizeof SESSION_SID_PREFIX - 1, digest, DIGEST_SIZE);
    return true;
}

bool session_sid_is_one(const char *sid)
{
    return strncmp(sid, SESSION_SID_PREFIX, sizeof SESSION_SID_PREFIX - 1) == 0 &&
           strlen(sid) == SESSION_SID_SIZE - 1;
}
