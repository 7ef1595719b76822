# shellcheck shell=bash disable=SC2034,SC2154
# Where things are kept and who runs them.
#   $dir          state; belongs to whoever started quickstart, so that the programs cannot change what they run
#   $dir/source   copy of what the build needs, so that the clone stays clean and need not be readable to $run_user
#   $dir/build, install, conf    made from it
#   $dir/run, log, data          written by the programs, as $run_user; data (topics, sessions) outlives a start
#   $sockets      $dir/run, or a short folder of its own where the name of a socket would be too long

choose_folder() {
    if [[ -z $dir ]]; then
        dir=/var/lib/es-web-notify/quickstart
        ((EUID == 0)) || dir=${XDG_STATE_HOME:-${HOME:-$(echo ~)}/.local/state}/es-web-notify
    fi
    dir=$(realpath -m -- "$dir")
    # autoconf, nginx and a list of addresses each stumble over some of these.
    local odd=$'*[ \t\n"\'`\\\\$&#;{}()<>|*?,]*'
    # shellcheck disable=SC2053
    [[ $dir != $odd && $dir != / ]] || fail "--dir: no blanks, quotes or other special signs, please: $dir"
    local fresh=no
    [[ -n $(ls -A -- "$dir" 2>/dev/null) ]] || fresh=yes
    mkdir -p -- "$dir" && [[ -w $dir ]] || fail "no right to write in $dir (choose another with --dir)"
    # A new folder may have been made for its owner alone (mktemp -d), but the programs have to pass through.
    [[ $fresh == yes && $EUID == 0 ]] && chmod 755 -- "$dir"
    return 0
}

# Held by this shell alone, so that the kernel drops it however quickstart ends.
lock_folder() {
    { exec 9>>"$dir/lock"; } 2>/dev/null || fail "cannot write $dir/lock (made by another user?)"
    flock -n 9 || fail "a quickstart with $dir is running already (pid $(cat -- "$dir/lock"))"
    locked=yes
    printf '%s\n' $$ >"$dir/lock"
    rm -f -- "$dir/env"
}

is_port_taken() { # PORT
    (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

refuse_taken_port() {
    ! is_port_taken "$port" || fail "port $port is in use by another program (choose another with --port)"
}

# Root starts things as the user behind sudo, or as the web server's user.
choose_user() {
    run_user=$(id -un) run_group=$(id -gn) run_as_root=0 as_run_user=(setpriv --pdeathsig=TERM --)
    ((EUID == 0)) || return 0
    run_as_root=1
    local user=www-data
    [[ ${SUDO_USER:-root} == root ]] || user=$SUDO_USER
    local drop=(setpriv "--reuid=$user" "--regid=$(id -g -- "$user")" --init-groups --inh-caps=-all)
    if ! "${drop[@]}" test -x "$dir"; then
        say "staying root: $user cannot reach $dir (for --dir choose a folder that everybody may pass through)"
        return 0
    fi
    # Ports below 1024 are for root; this one right goes along.
    ((port >= 1024)) || drop+=(--inh-caps=+net_bind_service --ambient-caps=+net_bind_service)
    run_user=$user run_group=$(id -gn -- "$user") run_as_root=0 as_run_user=("${drop[@]}" --pdeathsig=TERM --)
}

make_folders() {
    local folder
    for folder in "$dir"/{source,build,install,conf,run,log,data,data/sessions,data/events,data/redis}; do
        mkdir -p -- "$folder" && [[ -w $folder ]] || fail "no right to write in $folder (made by another user?)"
    done
    chmod 750 -- "$dir"/{conf,run,log,data,data/sessions,data/events,data/redis}
    if ((EUID == 0)); then
        chgrp -- "$run_group" "$dir/conf"
        chown -R -- "$run_user:$run_group" "$dir"/{run,log,data}
    fi
    rm -rf -- "$dir"/run/*
    choose_sockets
    [[ $web == apache ]] && { "${as_run_user[@]}" mkdir -m 700 -- "$sockets/fcgid" || exit 1; }
    return 0
}

# The name of a socket has 107 bytes at most (unix(7)); the longest that is added is "/subscribe.sock".
choose_sockets() {
    local LC_ALL=C
    sockets=$dir/run own_sockets=''
    ((${#sockets} > 90)) || return 0
    sockets=$(mktemp -d /tmp/esn.XXXXXX) || exit 1
    own_sockets=$sockets
    ((EUID)) || chown -- "$run_user:$run_group" "$sockets"
}
