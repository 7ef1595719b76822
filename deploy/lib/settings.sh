# shellcheck shell=bash disable=SC2034,SC2154
# Tokens, addresses and the programs' own settings, all in $dir/conf; only owner and group can read them.

write_settings() {
    local before
    before=$(umask)
    umask 027
    conf=$dir/conf/es-web-notify.conf
    publish_token=$(keep_token publish) || exit 1
    admin_token=$(keep_token admin) || exit 1
    choose_fanout_port
    base_url=http://127.0.0.1:$port/notify/
    event_url="${base_url}event?token=$publish_token"
    fanout_url=http://127.0.0.1:$fanout_port/
    print_conf >"$conf" && print_php_conf >"$dir/conf/php-fpm.conf" && print_nginx_conf >"$dir/conf/nginx.conf" &&
        print_nginx_include >"$dir/conf/nginx-es-web-notify.conf" || exit 1
    ((EUID)) || chgrp -- "$run_group" "$dir"/conf/*
    umask "$before"
}

keep_token() { # NAME
    local file=$dir/conf/$1.token
    [[ -s $file ]] || od -An -N24 -v -tx1 /dev/urandom | tr -d ' \n' >"$file" || return 1
    cat -- "$file"
}

# The daemon's port: the one it had, if it is still free, else one far enough off that quickstarts on neighbouring ports
# do not meet.
choose_fanout_port() {
    fanout_port=$(sed -n 's/^listen = 127\.0\.0\.1:\([0-9]*\)$/\1/p' "$conf" 2>/dev/null)
    [[ -n $fanout_port && $fanout_port != "$port" ]] || fanout_port=$((port > 55000 ? port - 10000 : port + 10000))
    while is_port_taken "$fanout_port"; do
        fanout_port=$((fanout_port < 65535 ? fanout_port + 1 : 1024))
    done
}

print_conf() {
    cat <<END
# Written by quickstart at each start. What can be set: docs/configuration.md
[fanout]
listen = 127.0.0.1:$fanout_port

[publish]
token_file = publish.token

[bus]
events = ipc://$sockets/events
acks = ipc://$sockets/acks

[admin]
token_file = admin.token
END
}

print_php_conf() {
    cat <<END
[global]
error_log = $dir/log/php-fpm.log
log_level = warning
daemonize = no

[demo]
listen = $sockets/php.sock
listen.mode = 0600
pm = ondemand
pm.max_children = 16
catch_workers_output = yes
php_admin_flag[display_errors] = off
env[ESN_EVENT_URL] = "$event_url"
env[ESN_FANOUT_URL] = "$fanout_url"
env[ESN_ADMIN_TOKEN] = "$admin_token"
END
    ((run_as_root)) && printf '%s = root\n' user group
    return 0
}

# The include is the one of deploy/nginx, with the addresses of this start.
print_nginx_include() {
    sed -e "s|127\.0\.0\.1:8010|127.0.0.1:$fanout_port|" -e "s|/run/es-web-notify/event\.sock|$sockets/event.sock|" \
        "$here/nginx/es-web-notify.conf"
}

print_nginx_conf() {
    ((run_as_root)) && echo 'user root;'
    cat <<END
daemon off;
worker_processes auto;
pid $dir/run/nginx.pid;
error_log $dir/log/nginx.log;
events {
    # A held stream takes two: one to the browser and one to the daemon.
    worker_connections $((open_files < 32768 ? open_files : 32768));
}
http {
    include /etc/nginx/mime.types;
    access_log off;
    server_tokens off;
    client_body_temp_path $dir/run/nginx-body;
    proxy_temp_path $dir/run/nginx-proxy;
    fastcgi_temp_path $dir/run/nginx-fastcgi;
    uwsgi_temp_path $dir/run/nginx-uwsgi;
    scgi_temp_path $dir/run/nginx-scgi;
    server {
        listen 127.0.0.1:$port backlog=4096;
        include $dir/conf/nginx-es-web-notify.conf;

        root $dir/source/deploy/demo;
        index index.php;
        charset utf-8;
        location / {
            add_header Cache-Control no-cache;
        }
        location ~ \.php\$ {
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
            fastcgi_pass unix:$sockets/php.sock;
        }
    }
}
END
}
