# shellcheck shell=bash disable=SC2034,SC2154
# Tokens, keys, addresses and the programs' own settings, all in $dir/conf; only owner and group can read them.

write_settings() {
    local before
    before=$(umask)
    umask 027
    conf=$dir/conf/es-web-notify.conf
    publish_token=$(keep_token publish) || exit 1
    admin_token=$(keep_token admin) || exit 1
    [[ -n $redis_url || $redis == no ]] || redis_url=unix:$sockets/redis.sock
    keep_token ticket >/dev/null && keep_secret token.keys >/dev/null && keep_secret shop.key >/dev/null &&
        keep_key_pair publish && keep_key_pair subscribe || exit 1
    root_for_mariadb
    choose_rights
    choose_outbox
    choose_fanout_ports
    choose_addresses || exit 1
    print_publishers >"$dir/conf/publishers.conf" || exit 1
    print_conf >"$conf" && write_node_confs && print_php_conf >"$dir/conf/php-fpm.conf" && write_web_settings || exit 1
    ((EUID)) || chgrp -- "$run_group" "$dir"/conf/*
    umask "$before"
}

# All that a page, PHP or a shell asks; between the web server and the daemon nothing leaves the machine, and is plain.
choose_addresses() {
    local scheme=http
    fanout_url=http://127.0.0.1:$fanout_port/
    if [[ $tls == yes ]]; then
        scheme=https
        fanout_url=https://127.0.0.1:$fanout_tls_port/
        keep_certificate || return 1
    fi
    site_url=$scheme://127.0.0.1:$port/
    base_url=${site_url}notify/
    event_url=${base_url}event
}

# For this machine alone: nobody has signed it but itself, so a browser asks once. Made anew a day before it ends.
keep_certificate() {
    local key=$dir/conf/tls.key
    certificate=$dir/conf/tls.crt
    [[ -s $key && -s $certificate ]] && openssl x509 -in "$certificate" -noout -checkend 86400 >/dev/null && return 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$key.new" -out "$certificate.new" 2>/dev/null &&
        chmod 640 -- "$key.new" && mv -f -- "$key.new" "$key" && mv -f -- "$certificate.new" "$certificate"
}

keep_token() { # NAME
    keep_secret "$1.token"
}

keep_secret() { # FILE
    local file=$dir/conf/$1
    [[ -s $file ]] || od -An -N32 -v -tx1 /dev/urandom | tr -d ' \n' >"$file" || return 1
    cat -- "$file"
}

# RSA, as clients/php/README.md has it: pages prove with the pair "subscribe" who they are, publishers with "publish".
keep_key_pair() { # NAME
    local private=$dir/conf/$1.private.pem public=$dir/conf/$1.public.pem
    [[ -s $private ]] || { openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$private.new" &&
        chmod 640 -- "$private.new" && mv -- "$private.new" "$private"; } >/dev/null 2>&1 || return 1
    [[ -s $public ]] || openssl pkey -in "$private" -pubout -out "$public"
}

# The daemon's ports: those it had, if they are still free, else some far enough off that quickstarts on neighbouring ports
# do not meet, and none that Linux may have given to an outgoing connection, which nothing shows until the daemon listens.
choose_fanout_ports() {
    local near=$((port + 10000)) outgoing=32768
    { read -r outgoing _ </proc/sys/net/ipv4/ip_local_port_range; } 2>/dev/null
    ((near + 1 < outgoing)) || near=$((port % 10000 + 12000))
    fanout_port=$(free_port_near "$(port_of_before listen)" "$near")
    fanout_tls_port=''
    choose_node_ports
    [[ $tls == no ]] || fanout_tls_port=$(free_port_near "$(port_of_before listen_tls)" "$((fanout_port < 65535 ? fanout_port + 1 : 1024))")
}

# Of the first daemon and the others, by their numbers here.
choose_node_ports() {
    local node last=$fanout_port
    node_ports=([1]=$fanout_port)
    for ((node = 2; node <= nodes; node++)); do
        last=$(free_port_near '' "$((last < 65535 ? last + 1 : 1024))")
        node_ports[node]=$last
    done
}

port_of_before() { # KEY
    sed -n "s/^$1 = 127\\.0\\.0\\.1:\\([0-9]*\\)\$/\\1/p" "$conf" 2>/dev/null
}

free_port_near() { # PORT OF BEFORE, or empty; PORT
    local found=$1
    [[ -n $found && $found != "$port" ]] || found=$2
    while is_port_taken "$found"; do
        found=$((found < 65535 ? found + 1 : 1024))
    done
    echo "$found"
}

# Each daemon's own: what differs from the first one's, whose file is everybody's.
write_node_confs() {
    local node
    for ((node = 2; node <= nodes; node++)); do
        sed -e "s|^listen = .*|listen = 127.0.0.1:${node_ports[node]}|" -e "s|^node_url = .*|node_url = node/$node/|" \
            -e '/^listen_tls = /d; /^tls_/d' "$conf" >"$dir/conf/node-$node.conf" || return 1
    done
}

print_bus_conf() {
    if ((nodes)); then
        printf '%s\n' '[bus]' 'engine = redis'
    else
        printf '%s\n' '[bus]' "events = ipc://$sockets/events" "acks = ipc://$sockets/acks" '' '[log]' "path = $dir/data/events/log"
    fi
}

print_conf() {
    cat <<END
# Written by quickstart at each start. What can be set: docs/configuration.md
[fanout]
listen = 127.0.0.1:$fanout_port
$( ((nodes)) && echo 'node_url = node/1/')
$(print_tls_conf)

[publish]
token_file = publish.token
publishers_file = publishers.conf

$(print_bus_conf)

[admin]
token_file = admin.token

[acl]
$(print_rights_conf)

[outbox]
$(print_outbox_conf)

[bind_key]
private_key_file = publish.private.pem

[ticket]
secret_file = ticket.token

[token]
keys_file = token.keys
sign_file = token.keys
store_file = $dir/data/tokens.db

[binding]
$(print_binding_conf)
$(print_redis_conf)

[subscribe]
url = $base_url

[handoff]
mode = $handoff
url = $fanout_url
END
}

print_tls_conf() {
    [[ $tls == no ]] || printf '%s\n' "listen_tls = 127.0.0.1:$fanout_tls_port" "tls_cert = $certificate" "tls_key = $dir/conf/tls.key"
}

# Beside the token: a publisher with a name, which signs its posts.
print_publishers() {
    cat <<END
[shop]
secret_file = shop.key
topics = #
may = bound whisper private users drop
signed = yes
END
}

print_binding_conf() {
    if [[ -n $binding ]]; then
        printf 'url = %s\nmethod = POST\n' "$binding"
    elif [[ $redis == yes ]]; then
        printf '%s\n' 'mode = redis' 'private_key_file = subscribe.private.pem'
    else
        echo "url = ${site_url}binding.php"
        [[ $tls == no ]] || echo 'ca_file = tls.crt'
    fi
}

print_redis_conf() {
    [[ $redis == no ]] || printf '%s\n' '' '[redis]' "url = $redis_url" 'session_user = uid'
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
env[ESN_PUBLISH_TOKEN] = "$publish_token"
env[ESN_FANOUT_URL] = "$fanout_url"
env[ESN_HANDOFF] = "$handoff"
env[ESN_ADMIN_TOKEN] = "$admin_token"
env[ESN_PUBLISH_PUBLIC_KEY] = "$dir/conf/publish.public.pem"
env[ESN_SUBSCRIBE_PUBLIC_KEY] = "$dir/conf/subscribe.public.pem"
env[ESN_SUBSCRIBE_PRIVATE_KEY] = "$dir/conf/subscribe.private.pem"
env[ESN_TOKEN_KEYS] = "$dir/conf/token.keys"
env[ESN_RIGHTS_DSN] = "$rights_dsn"
$(print_php_sessions)
php_admin_flag[session.use_strict_mode] = on
php_admin_flag[session.cookie_httponly] = on
php_admin_value[session.cookie_samesite] = Lax
END
    [[ $tls == no ]] || printf '%s\n' 'php_admin_flag[session.cookie_secure] = on' "php_admin_value[curl.cainfo] = $certificate" \
        "php_admin_value[openssl.cafile] = $certificate"
    [[ -z $rights_user ]] ||
        printf 'env[%s] = "%s"\n' ESN_RIGHTS_USER "$rights_user" ESN_RIGHTS_PASSWORD "$rights_password"
    ((run_as_root)) && printf '%s = root\n' user group
    return 0
}

# [redis] url as phpredis writes it.
session_path() {
    local url=$redis_url
    case $url in
        unix:*) url=unix://${url#unix:} && echo "${url/\?db=/?database=}" ;;
        *)
            url=tcp://${url#redis://}
            [[ $url == tcp://*/* ]] && echo "${url%/*}?database=${url##*/}" || echo "$url"
            ;;
    esac
}

print_php_sessions() {
    if [[ $redis == yes ]]; then
        printf 'php_admin_value[session.save_handler] = redis\nphp_admin_value[session.save_path] = "%s"\n' "$(session_path)"
    else
        echo "php_admin_value[session.save_path] = $dir/data/sessions"
    fi
}
