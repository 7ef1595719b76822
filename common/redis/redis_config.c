#include "redis/redis_config.h"

#include "redis/redis_sentinel.h"

#include <stdio.h>

bool redis_config_load(struct redis_config *redis, const struct config *config,
                       char error[SECRET_ERROR_SIZE])
{
    const char *file = config->redis_password_file;
    *redis = (struct redis_config){0};
    const char *fault = redis_url_read(&redis->options.url, config->redis_url);
    if (fault != NULL) {
        (void)snprintf(error, SECRET_ERROR_SIZE, "[redis] url %s", fault);
        return false;
    }
    if (!secret_list_load(&redis->password, file, error))
        return false;
    if (file != NULL && redis->password.count != 1) {
        (void)snprintf(error, SECRET_ERROR_SIZE, "%.180s: should hold one line, the password",
                       file);
        redis_config_free(redis);
        return false;
    }
    redis->options.user = config->redis_user;
    redis->options.password = file != NULL ? redis->password.values[0] : NULL;
    redis->options.connect_ms = config->redis_connect_time;
    redis->options.limit_ms = config->redis_time;
    redis->options.max_answer = (size_t)config->redis_max_answer;
    redis->options.sentinels = config->redis_sentinels;
    redis->options.sentinel_master = config->redis_sentinel_master;
    if (config->redis_sentinels[0] != NULL)
        redis->options.locate = redis_sentinel_locate;
    return true;
}

void redis_config_free(struct redis_config *redis)
{
    secret_list_free(&redis->password);
    *redis = (struct redis_config){0};
}
