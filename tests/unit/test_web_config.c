#include "../../esnctl/doctor/web_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/web-config-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static void write_file(const char *name, const char *text, char path[256])
{
    (void)snprintf(path, 256, "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"nginx.conf", "site.conf", "apache.conf", "more.conf"};
    char path[256];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static void nginx_is_read_with_its_blocks_and_what_it_includes(void **state)
{
    char main_file[256], site[256];
    struct web_config config;
    (void)state;
    write_file("site.conf",
               "# a comment; { }\nlocation /notify/ {\n  proxy_pass http://127.0.0.1:8010/;\n"
               "  proxy_buffering off; gzip\n    off;\n}\nset $a \"b;{\"; add_header X '}';\n",
               site);
    write_file("nginx.conf",
               "events { worker_connections 512; }\nhttp {\n  gzip on;\n  server {\n"
               "    include site.conf;\n  }\n}\n",
               main_file);
    assert_true(web_config_load(&config, WEB_SERVER_NGINX, main_file));
    const struct web_statement *pass = web_config_next(&config, "proxy_pass", NULL);
    assert_non_null(pass);
    assert_string_equal(pass->file, site);
    assert_int_equal(pass->line, 3);
    const struct web_statement *gzip = web_config_find(&config, "gzip", pass->block);
    assert_non_null(gzip);
    assert_string_equal(web_statement_value(gzip), "off");
    assert_int_equal(gzip->line, 4);
    const struct web_statement *outer =
        web_config_find(&config, "gzip", config.list[pass->block - 1].block);
    assert_non_null(outer);
    assert_string_equal(web_statement_value(outer), "on");
    assert_string_equal(outer->file, main_file);
    assert_null(web_config_find(&config, "worker_connections", pass->block));
    assert_string_equal(web_statement_value(web_config_next(&config, "worker_connections", NULL)),
                        "512");
    assert_string_equal(web_statement_value(web_config_next(&config, "set", NULL)), "$a \"b;{\"");
    assert_string_equal(web_statement_value(web_config_next(&config, "add_header", NULL)), "X '}'");
    assert_null(web_config_next(&config, "proxy_pass", pass));
    web_config_free(&config);
}

static void apache_is_read_by_lines(void **state)
{
    char main_file[256], more[256];
    struct web_config config;
    (void)state;
    write_file("more.conf",
               "<Location \"/_fanout/\">\n  Require env REDIRECT_STATUS\n</Location>\n"
               "ProxyPass  \"/notify/\"\t\"http://127.0.0.1:8010/\" timeout=5\n",
               more);
    char text[512];
    (void)snprintf(text, sizeof text,
                   "MaxRequestWorkers 150\nIncludeOptional \"%s\"\n# ProxyPass no\n", more);
    write_file("apache.conf", text, main_file);
    assert_true(web_config_load(&config, WEB_SERVER_APACHE, main_file));
    const struct web_statement *pass = web_config_next(&config, "proxypass", NULL);
    assert_non_null(pass);
    assert_string_equal(pass->text, "ProxyPass \"/notify/\" \"http://127.0.0.1:8010/\" timeout=5");
    assert_int_equal(pass->line, 4);
    assert_int_equal(pass->block, 0);
    assert_null(web_config_next(&config, "ProxyPass", pass));
    assert_null(web_config_find(&config, "Require", pass->block));
    assert_non_null(web_config_next(&config, "<Location", NULL));
    web_config_free(&config);
}

static void what_is_broken_or_goes_in_circles_comes_to_an_end(void **state)
{
    char main_file[256];
    struct web_config config;
    (void)state;
    write_file("nginx.conf", "}}} include nginx.conf; a \"b", main_file);
    assert_true(web_config_load(&config, WEB_SERVER_NGINX, main_file));
    assert_int_equal(config.count, 9);
    web_config_free(&config);
    write_file("apache.conf", "</X>\n<Y>\nInclude apache.conf\n", main_file);
    assert_true(web_config_load(&config, WEB_SERVER_APACHE, main_file));
    web_config_free(&config);
    assert_false(web_config_load(&config, WEB_SERVER_NGINX, "/nowhere/nginx.conf"));
    web_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nginx_is_read_with_its_blocks_and_what_it_includes),
        cmocka_unit_test(apache_is_read_by_lines),
        cmocka_unit_test(what_is_broken_or_goes_in_circles_comes_to_an_end),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
