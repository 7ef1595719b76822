/* Whose session it is: texts as PHP 8.2 writes them, and what is broken in them. */
#include "sessions/session_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* session_encode() of a float, an object with public, private and protected properties, texts,
 * null, arrays. */
static const char php[] =
    "a|d:1.5;user|O:1:\"U\":3:{s:1:\"n\";s:3:\"x\"y\";s:5:\"\0U\0id\";i:7;s:4:\"\0*\0p\";a:2:{i:0;"
    "i:1;i:"
    "1;i:2;}}uid|s:3:\"ana\";n|N;deep|a:1:{s:1:\"x\";a:1:{s:1:\"y\";i:42;}}l|a:2:{i:0;i:1;i:1;s:5:"
    "\"\xc3\xa9|;}\";}no|b:0;empty|s:0:\"\";";
static const char serialized[] = "a:5:{s:1:\"a\";d:1.5;s:3:\"uid\";i:-5;s:4:\"deep\";a:1:{s:1:"
                                 "\"x\";a:1:{s:1:\"y\";s:4:\"luis\";}}"
                                 "s:1:\"r\";R:2;s:1:\"c\";C:1:\"K\":3:{;}x}}";
static const char json[] =
    "{\"uid\":7.0,\"user\":{\"id\":\"ana\",\"none\":null},\"empty\":\"\",\"no\":false,\"l\":[1]}";

static enum session_result found(const char *text, size_t length, enum session_format format,
                                 const char *path, const char *user)
{
    char got[USER_ID_SIZE];
    enum session_result result = session_text_user(text, length, format, path, got);
    if (result == SESSION_USER)
        assert_string_equal(got, user);
    return result;
}
#define FOUND(text, format, path, user)                                                            \
    assert_int_equal(found(text, sizeof text - 1, format, path, user), SESSION_USER)
#define NOBODY(text, format, path)                                                                 \
    assert_int_equal(found(text, sizeof text - 1, format, path, ""), SESSION_NOBODY)
#define NOT_READ(text, format, path)                                                               \
    assert_int_equal(found(text, sizeof text - 1, format, path, ""), SESSION_NOT_READ)

static void test_users_are_found_along_their_path(void **state)
{
    (void)state;
    FOUND(php, SESSION_PHP, "uid", "ana");
    FOUND(php, SESSION_PHP, "user.id", "7");
    FOUND(php, SESSION_PHP, "user.p.1", "2");
    FOUND(php, SESSION_PHP, "user.n", "x\"y");
    FOUND(php, SESSION_PHP, "deep.x.y", "42");
    FOUND(php, SESSION_PHP, "l.1", "\xc3\xa9|;}");
    FOUND(serialized, SESSION_PHP_SERIALIZE, "uid", "-5");
    FOUND(serialized, SESSION_PHP_SERIALIZE, "deep.x.y", "luis");
    FOUND(json, SESSION_JSON, "uid", "7");
    FOUND(json, SESSION_JSON, "user.id", "ana");
}

static void test_a_session_may_have_no_user(void **state)
{
    (void)state;
    NOBODY(php, SESSION_PHP, "id");
    NOBODY(php, SESSION_PHP, "n");
    NOBODY(php, SESSION_PHP, "n.id");
    NOBODY(php, SESSION_PHP, "no");
    NOBODY(php, SESSION_PHP, "empty");
    NOBODY(php, SESSION_PHP, "deep.z");
    NOBODY("", SESSION_PHP, "uid");
    NOBODY("!uid|a|i:1;", SESSION_PHP, "uid");
    NOBODY(serialized, SESSION_PHP_SERIALIZE, "user.id");
    NOBODY("", SESSION_PHP_SERIALIZE, "uid");
    NOBODY(json, SESSION_JSON, "user.none");
    NOBODY(json, SESSION_JSON, "user.other");
    NOBODY(json, SESSION_JSON, "empty");
    NOBODY(json, SESSION_JSON, "no");
}

static void test_what_is_no_user_id_is_none(void **state)
{
    (void)state;
    NOT_READ(php, SESSION_PHP, "a");
    NOT_READ(php, SESSION_PHP, "deep");
    NOT_READ(php, SESSION_PHP, "uid.id");
    NOT_READ("uid|s:1:\"*\";", SESSION_PHP, "uid");
    NOT_READ("uid|s:2:\"\xff\xfe\";", SESSION_PHP, "uid");
    NOT_READ("uid|b:1;", SESSION_PHP, "uid");
    NOT_READ("uid|i:99999999999999999999;", SESSION_PHP, "uid");
    NOT_READ(json, SESSION_JSON, "l");
    NOT_READ(json, SESSION_JSON, "user");
    NOT_READ("[1]", SESSION_JSON, "uid");
    NOT_READ("uid|i:1;", SESSION_JSON, "uid");
    NOT_READ("uid|i:1;", SESSION_PHP_SERIALIZE, "uid");
    NOT_READ("i:1;", SESSION_PHP_SERIALIZE, "uid");
}

/* However it is cut or changed, it is read as what it is or not at all. */
static void test_broken_texts(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < sizeof serialized - 1; cut++)
        assert_int_equal(found(serialized, cut, SESSION_PHP_SERIALIZE, "uid", ""),
                         SESSION_NOT_READ);
    NOT_READ("uid|s:5:\"ana\";", SESSION_PHP, "uid");
    NOT_READ("uid|s:2:\"ana\";", SESSION_PHP, "uid");
    NOT_READ("uid|s:99999999999999999999:\"ana\";", SESSION_PHP, "uid");
    NOT_READ("uid|i:1", SESSION_PHP, "uid");
    NOT_READ("uid|x:1;", SESSION_PHP, "uid");
    NOT_READ("uid|i:1;rest", SESSION_PHP, "uid");
    NOT_READ("a|a:2:{i:0;i:1;}uid|i:1;", SESSION_PHP, "uid");
    NOT_READ("a|a:99999999999:{i:0;i:1;}uid|i:1;", SESSION_PHP, "uid");
    NOT_READ("{\"uid\":7", SESSION_JSON, "uid");
    char deep[1024] = "uid|";
    for (int i = 0; i < 100; i++)
        (void)strcat(deep, "a:1:{i:0;");
    assert_int_equal(found(deep, strlen(deep), SESSION_PHP, "uid", ""), SESSION_NOT_READ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users_are_found_along_their_path),
        cmocka_unit_test(test_a_session_may_have_no_user),
        cmocka_unit_test(test_what_is_no_user_id_is_none),
        cmocka_unit_test(test_broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
