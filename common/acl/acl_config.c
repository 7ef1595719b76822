#include "acl/acl_config.h"

#include <stdio.h>

_Static_assert((int)SQL_SQLITE == (int)CONFIG_ACL_SQLITE &&
                   (int)SQL_MARIADB == (int)CONFIG_ACL_MARIADB,
               "the kinds are in the order of the words");

static struct sql_options options_of(const struct config *config,
                                     const struct secret_list *password)
{
    return (struct sql_options){
        .kind = (enum sql_kind)config->acl_kind,
        .limit_ms = (unsigned)config->acl_time,
        .path = config->acl_file,
        .read_only = true,
        .host = config->acl_host,
        .port = (unsigned)config->acl_port,
        .socket = config->acl_socket,
        .user = config->acl_user,
        .password = password->count > 0 ? password->values[0] : NULL,
        .database = config->acl_database,
        .tls = config->acl_tls,
        .tls_ca = config->acl_tls_ca,
        .tls_cert = config->acl_tls_cert,
        .tls_key = config->acl_tls_key,
    };
}

bool acl_config_load(struct acl_config *acl, const struct config *config,
                     char error[SECRET_ERROR_SIZE])
{
    const char *file = config->acl_password_file;
    *acl = (struct acl_config){0};
    if (!secret_list_load(&acl->password, file, error))
        return false;
    if (file != NULL && acl->password.count != 1) {
        snprintf(error, SECRET_ERROR_SIZE, "%s: should hold one line, the password", file);
        acl_config_free(acl);
        return false;
    }
    acl->options = options_of(config, &acl->password);
    return true;
}

void acl_config_free(struct acl_config *acl)
{
    secret_list_free(&acl->password);
    *acl = (struct acl_config){0};
}

struct bind_key_options bind_key_config_options(const struct config *config)
{
    return (struct bind_key_options){
        .private_key_file = config->bind_key_file,
        .padding = (enum bind_key_padding)config->bind_key_padding,
        .tolerance_s = (unsigned)(config->bind_key_tolerance / 1000),
        .skew_s = (unsigned)(config->bind_key_skew / 1000),
    };
}

struct bind_key_options bind_key_config_options_of_subscribers(const struct config *config)
{
    struct bind_key_options options = bind_key_config_options(config);
    if (config->binding_mode == CONFIG_BINDING_REDIS)
        options.private_key_file = config->binding_key_file;
    return options;
}
