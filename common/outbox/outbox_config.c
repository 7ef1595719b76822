#include "outbox/outbox_config.h"

#include "acl/acl_config.h"

#include <stdio.h>

static bool load_acl(struct outbox_config *outbox, const struct config *config,
                     char error[SECRET_ERROR_SIZE])
{
    struct acl_config acl;
    if (!acl_config_load(&acl, config, error))
        return false;
    *outbox = (struct outbox_config){.options = acl.options, .password = acl.password};
    outbox->options.read_only = false;
    outbox->options.limit_ms = (unsigned)config->outbox_time;
    return true;
}

static struct sql_options options_of(const struct config *config,
                                     const struct secret_list *password)
{
    bool mariadb = config->outbox_kind == CONFIG_OUTBOX_MARIADB;
    return (struct sql_options){
        .kind = mariadb ? SQL_MARIADB : SQL_SQLITE,
        .limit_ms = (unsigned)config->outbox_time,
        .path = config->outbox_file,
        .host = config->outbox_host,
        .port = (unsigned)config->outbox_port,
        .socket = config->outbox_socket,
        .user = config->outbox_user,
        .password = password->count > 0 ? password->values[0] : NULL,
        .database = config->outbox_database,
        .tls = config->outbox_tls,
        .tls_ca = config->outbox_tls_ca,
        .tls_cert = config->outbox_tls_cert,
        .tls_key = config->outbox_tls_key,
    };
}

bool outbox_config_load(struct outbox_config *outbox, const struct config *config,
                        char error[SECRET_ERROR_SIZE])
{
    const char *file = config->outbox_password_file;
    *outbox = (struct outbox_config){0};
    if (config->outbox_kind == CONFIG_OUTBOX_ACL)
        return load_acl(outbox, config, error);
    if (!secret_list_load(&outbox->password, file, error))
        return false;
    if (file != NULL && outbox->password.count != 1) {
        snprintf(error, SECRET_ERROR_SIZE, "%s: should hold one line, the password", file);
        outbox_config_free(outbox);
        return false;
    }
    outbox->options = options_of(config, &outbox->password);
    return true;
}

void outbox_config_free(struct outbox_config *outbox)
{
    secret_list_free(&outbox->password);
    *outbox = (struct outbox_config){0};
}
