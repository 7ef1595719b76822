# shellcheck shell=bash disable=SC2034,SC2154
# Starts the programs, keeps them running and stops them: nothing but what was started here, by process id.
# Each is the leader of a session of its own, so that Ctrl-C reaches quickstart alone, which then stops them in order, and
# so that what a killed one leaves behind (its workers) can be found.

services=()              # what is started, in this order
declare -A pid_of=()     # program -> process id, while it runs
declare -A group_of=()   # program -> process id that it began with, which is that of its session
declare -A started_at=() # program -> second of quickstart's life
declare -A complained=() # program -> yes: it was said that it does not stay up
to_revive=()             # programs that ended
fanouts=()               # the daemons among them
declare -A watched=()    # process id of who waits for the end of a daemon that took over from one started here -> which one
timer=''                 # process id of the second that is waited before they are started again
declare -A said_taken=() # daemon -> yes: it was said that somebody else has its port
ready=no locked=no step='' own_sockets=''

# As many streams as the machine allows.
raise_open_files() {
    ulimit -n "$(ulimit -Hn)" 2>/dev/null
    open_files=$(ulimit -n)
}

# Daemons: esn-fanout, and esn-fanout-2 and so on with --nodes.
is_fanout() { # PROGRAM
    [[ $1 == esn-fanout || $1 == esn-fanout-* ]]
}

node_of() { # DAEMON
    [[ $1 == esn-fanout ]] && echo 1 || echo "${1#esn-fanout-}"
}

port_of() { # DAEMON
    echo "${node_ports[$(node_of "$1")]}"
}

conf_of() { # DAEMON
    [[ $1 == esn-fanout ]] && echo "$conf" || echo "$dir/conf/node-${1#esn-fanout-}.conf"
}

choose_services() {
    local node
    fanouts=(esn-fanout)
    for ((node = 2; node <= nodes; node++)); do
        fanouts+=("esn-fanout-$node")
    done
    services=("${fanouts[@]}")
    [[ $redis == yes && $redis_url == unix:$sockets/redis.sock ]] && services=(redis "${fanouts[@]}")
    [[ $acl == mariadb ]] && services=(mariadb "${services[@]}")
    services+=(esn-event esn-outbox)
    [[ $handoff == local ]] || services+=(esn-subscribe) # else mod_fcgid starts it
    services+=(php-fpm "$web")
}

start_services() {
    local service
    choose_services
    prepare_rights
    prepare_outbox
    for service in "${services[@]}"; do
        [[ -n ${pid_of[$service]:-} ]] || start_service "$service"
        [[ $service != redis ]] || wait_for_redis
    done
}

start_service() { # PROGRAM
    case $1 in
        esn-fanout | esn-fanout-*) launch "$1" "$dir/install/sbin/esn-fanout" --config "$(conf_of "$1")" ;;
        esn-event | esn-subscribe)
            launch "$1" "$dir/install/libexec/$1" --config "$conf" --listen "unix:$sockets/${1#esn-}.sock" --workers 4
            ;;
        esn-outbox) launch "$1" "$dir/install/libexec/$1" --config "$conf" ;;
        mariadb)
            launch "$1" mariadbd --no-defaults "${mariadb_user[@]}" --datadir="$dir/data/mariadb" --tmpdir="$dir/run/mariadb" \
                --skip-networking --socket="$sockets/database.sock" --pid-file="$dir/run/mariadb.pid" \
                --innodb-buffer-pool-size=32M
            ;;
        # It tells the daemon of sessions that end: docs/protocol.md, "Sessions in Redis".
        redis)
            launch "$1" redis-server --port 0 --unixsocket "$sockets/redis.sock" --unixsocketperm 700 --daemonize no \
                --dir "$dir/data/redis" --save '' --appendonly yes --appendfsync always --notify-keyspace-events 'K$gxe'
            ;;
        php-fpm)
            local as_root=()
            ((run_as_root)) && as_root=(--allow-to-run-as-root)
            launch "$1" "$php_fpm" --nodaemonize "${as_root[@]}" --fpm-config "$dir/conf/php-fpm.conf"
            ;;
        nginx) launch "$1" nginx -p "$dir" -e "$dir/log/nginx.log" -c "$dir/conf/nginx.conf" ;;
        apache) launch "$1" apache2 -D FOREGROUND -f "$dir/conf/apache.conf" ;;
    esac
}

# The log is opened by the user who will write it.
launch() { # PROGRAM COMMAND...
    # shellcheck disable=SC2016
    setsid "${as_run_user[@]}" sh -c 'log=$1; shift; exec "$@" >>"$log" 2>&1' sh "$dir/log/$1.log" "${@:2}" \
        </dev/null 9>&- &
    pid_of[$1]=$!
    group_of[$1]=$!
    started_at[$1]=$SECONDS
}

# 200 or 204 and nothing else. Posts need a token: it goes by standard input, where `ps` does not show it.
answers() { # URL [CURL OPTION...]
    [[ $(printf 'url = "%s"\nheader = "Authorization: Bearer %s"\n' "$1" "$publish_token" |
        curl -K - -s -o /dev/null -m 5 --noproxy '*' ${certificate:+--cacert "$certificate"} -w '%{http_code}' "${@:2}") == 20[04] ]]
}

# Daemons that share a Redis do not start without it.
wait_for_redis() {
    local limit=$((SECONDS + 30))
    until [[ -S $sockets/redis.sock ]]; do
        kill -0 "${pid_of[redis]}" 2>/dev/null || fail_at redis "ended at once"
        ((SECONDS < limit)) || fail_at redis "does not listen after 30 s"
        sleep 0.05
    done
}

daemons_are_ready() {
    local service
    for service in "${fanouts[@]}"; do
        is_listening "${pid_of[$service]}" "$(port_of "$service")" && answers "http://127.0.0.1:$(port_of "$service")/readyz" || return
    done
}

all_answer() {
    daemons_are_ready && answers "${base_url}healthz" &&
        answers "$event_url" --data '{"ep": ["quickstart"], "e": {"type": "started"}}' &&
        answers "$base_url" -X OPTIONS && answers "$site_url"
}

wait_until_ready() {
    local service limit=$((SECONDS + 30))
    until all_answer; do
        for service in "${services[@]}"; do
            kill -0 "${pid_of[$service]}" 2>/dev/null || fail_at "$service" "ended at once"
        done
        ((SECONDS < limit)) || fail "not all of it answers after 30 s; the logs are in $dir/log"
        sleep 0.1
    done
    ready=yes
}

fail_at() { # PROGRAM WHAT
    printf 'quickstart: %s %s\n' "$1" "$2" >&2
    show_log_end "$dir/log/$1.log" 8
    fail "its log: $dir/log/$1.log"
}

# Whether this very process listens there, not just somebody.
is_listening() { # PID PORT
    local hex inodes
    hex=$(printf ':%04X$' "$2")
    inodes=$(awk -v port="$hex" '$2 ~ port && $4 == "0A" { print "socket:[" $10 "]" }' /proc/net/tcp)
    [[ -n $inodes ]] && find "/proc/$1/fd" -type l -printf '%l\n' 2>/dev/null | grep -qxF -- "$inodes"
}

# Sleeps until something ends. `timer` is a child too: its end says that the waiting second is over.
supervise() {
    local ended status service
    exec 2>/dev/null # bash's own words on killed jobs; what there is to say goes through say()
    while :; do
        ended=''
        wait -n -p ended
        status=$?
        if [[ -n $ended && $ended == "$timer" ]]; then
            timer=''
            revive_services
            continue
        fi
        if [[ -n $ended && -n ${watched[$ended]:-} ]]; then
            service=${watched[$ended]}
            unset "watched[$ended]"
            note_end "$service"
            continue
        fi
        for service in "${services[@]}"; do
            [[ -n $ended && ${pid_of[$service]:-} == "$ended" ]] && note_end "$service" "$status"
        done
    done
}

# Who goes on in the session of a daemon that was told to `esnctl upgrade`; nothing when nobody does.
successor_of() { # SESSION
    cat /proc/[0-9]*/stat | awk -v session="$1" \
        '/^[0-9]+ \(esn-fanout\) / { pid = $1; sub(/^.*\) /, ""); if ($4 == session && $1 != "Z") { print pid; exit } }'
}

# It is no child of ours: one waits for its end that is.
follow_successor() { # DAEMON PID
    pid_of[$1]=$2
    tail --pid="$2" -s 0.2 -f /dev/null 9>&- &
    watched[$!]=$1
    write_env
    say "$1 goes on as pid $2"
}

note_end() { # PROGRAM [STATUS]
    local how='' successor
    [[ -n ${2:-} ]] && how=" with status $2"
    ((${2:-0} > 128)) && how=" by signal $(($2 - 128))"
    if is_fanout "$1" && ((${2:-0} == 0)); then
        successor=$(successor_of "${group_of[$1]}")
        [[ -n $successor ]] && follow_successor "$1" "$successor" && return
    fi
    if ((SECONDS - started_at[$1] > 5)); then
        complained[$1]=''
    fi
    if [[ -z ${complained[$1]:-} ]]; then
        say "$1 (pid ${pid_of[$1]}) ended$how; starting it again"
        ((SECONDS - started_at[$1] > 5)) || complained[$1]=yes
    fi
    kill -KILL -- "-${group_of[$1]}" 2>/dev/null # workers it left behind
    unset "pid_of[$1]"
    revive_later "$1"
}

revive_later() { # PROGRAM
    to_revive+=("$1")
    [[ -n $timer ]] && return
    sleep 1 9>&- &
    timer=$!
}

revive_services() {
    local service again=("${to_revive[@]}")
    to_revive=()
    for service in "${again[@]}"; do
        if is_fanout "$service"; then
            revive_fanout "$service"
        else
            start_service "$service"
        fi
    done
}

# While somebody else has the port (an operator's own daemon, say) it is left alone: starting would only take the bus away.
revive_fanout() { # DAEMON
    local own_port
    own_port=$(port_of "$1")
    if is_port_taken "$own_port"; then
        [[ ${said_taken[$1]:-} == yes ]] || say "port $own_port is in use by another program; $1 waits until it is free"
        said_taken[$1]=yes
        revive_later "$1"
        return
    fi
    said_taken[$1]=no
    start_service "$1"
    local limit=$((SECONDS + 30))
    while kill -0 "${pid_of[$1]}" && ((SECONDS < limit)); do
        if is_listening "${pid_of[$1]}" "$own_port"; then
            write_env
            say "$1 runs again, pid ${pid_of[$1]}"
            return
        fi
        sleep 0.05
    done
}

write_env() {
    local new
    new=$(mktemp "$dir/.env.XXXXXX") && print_env >"$new" || { say "cannot write $dir/env" && exit 1; }
    [[ $run_user == "${SUDO_USER:-}" ]] && chown -- "$run_user" "$new"
    mv -f -- "$new" "$dir/env" || exit 1
}

print_env() {
    cat <<END
ESN_BASE_URL=$base_url
ESN_EVENT_URL=$event_url
ESN_PUBLISH_TOKEN=$publish_token
ESN_FANOUT_URL=$fanout_url
ESN_ADMIN_TOKEN=$admin_token
ESN_FANOUT_PID=${pid_of[esn-fanout]}
ESN_CONF=$conf
ESN_DEMO_URL=$site_url
ESN_PUBLISH_PUBLIC_KEY=$dir/conf/publish.public.pem
ESN_SUBSCRIBE_PUBLIC_KEY=$dir/conf/subscribe.public.pem
ESN_TOKEN_KEYS=$dir/conf/token.keys
ESN_TICKET_SECRET=$dir/conf/ticket.token
ESN_SHOP_KEY=$dir/conf/shop.key
ESN_SESSION_PATH=$dir/data/sessions
ESN_RIGHTS_DSN='$rights_dsn'
ESN_OUTBOX_DSN='$outbox_dsn'
ESN_OUTBOX_DOORBELL=$outbox_doorbell
END
    [[ -z $rights_user ]] || printf 'ESN_RIGHTS_USER=%s\nESN_RIGHTS_PASSWORD=%s\n' "$rights_user" "$rights_password"
    [[ $tls == no ]] || echo "CURL_CA_BUNDLE=$certificate"
    [[ $redis_url != unix:* ]] || echo "ESN_REDIS_SOCKET=$(socket_of_redis)"
    [[ $redis == no ]] || echo "ESN_REDIS_URL=$redis_url"
    ((nodes == 0)) || print_env_nodes
}

socket_of_redis() {
    local socket=${redis_url#unix:}
    echo "${socket%%\?*}"
}

print_env_nodes() {
    local service pids='' ports=''
    for service in "${fanouts[@]}"; do
        pids+=" ${pid_of[$service]:-}"
        ports+=" $(port_of "$service")"
    done
    printf "ESN_NODE_PIDS='%s'\nESN_NODE_PORTS='%s'\n" "${pids# }" "${ports# }"
}

show_nodes() {
    local service
    ((nodes)) || return 0
    for service in "${fanouts[@]}"; do
        printf '    Daemon       %snode/%s/     127.0.0.1:%s, pid %s\n' "$base_url" "$(node_of "$service")" "$(port_of "$service")" \
            "${pid_of[$service]}"
    done
}

show_redis() {
    [[ $redis == no ]] || echo "    Redis        $redis_url${pid_of[redis]:+     pid ${pid_of[redis]}}"
}

show_addresses() {
    cat <<END

  es-web-notify runs (as $run_user).

    The demo     $site_url     open it in two browsers
    Subscribe    $base_url
    Publish      $event_url     (the token: ESN_PUBLISH_TOKEN in $dir/env)
    Rights       ${rights_dsn%%;*}
$(show_redis; show_nodes)
    Logs         $dir/log

  Ctrl-C stops it.

END
}

stop_by_signal() {
    trap '' INT TERM HUP
    [[ $ready == yes ]] && exit 0
    exit 130
}

# The daemon first: it ends its streams cleanly, and the web server passes that on. The database last.
clean_up() {
    trap '' INT TERM HUP
    [[ $locked == yes ]] || return
    exec 2>/dev/null # as in supervise()
    [[ -n $step ]] && kill -- "-$step"
    [[ -n $timer ]] && kill "$timer"
    ((${#watched[@]})) && kill "${!watched[@]}"
    [[ $ready == yes ]] && printf '\nquickstart: stopping\n'
    stop_services "${fanouts[@]}"
    stop_services esn-event esn-outbox esn-subscribe php-fpm "${web:-}"
    stop_services mariadb redis
    [[ -n $own_sockets ]] && rm -rf -- "$own_sockets"
    rm -f -- "$dir"/env "$dir"/.env.* "$dir"/.install.*
}

# Asks, waits up to 10 s (the daemon: [fanout] stop_time), then insists; a group can outlive its leader.
stop_services() { # PROGRAM...
    local service group pids=() groups=() limit=$((SECONDS + 10))
    for service in "$@"; do
        [[ -n ${pid_of[$service]:-} ]] && pids+=("${pid_of[$service]}") && groups+=("${group_of[$service]}")
    done
    ((${#pids[@]})) || return 0
    kill -TERM -- "${pids[@]}"
    while kill -0 -- "${pids[@]}" && ((SECONDS < limit)); do
        sleep 0.05
    done
    for group in "${groups[@]}"; do
        kill -KILL -- "-$group"
    done
}
