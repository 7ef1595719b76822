# shellcheck shell=bash disable=SC2034,SC2154
# The database of registered topics, made at the first start: a file for SQLite, or a MariaDB of its own, which listens on
# a socket in $sockets and nowhere else. deploy/demo/topics.sql has the rows of the demo.

choose_rights() {
    rights_user='' rights_password=''
    if [[ $acl == sqlite ]]; then
        rights_dsn=sqlite:$dir/data/topics.db
        return
    fi
    rights_user=notify
    rights_password=$(keep_token database) || exit 1
    rights_dsn="mysql:unix_socket=$sockets/database.sock;dbname=notify;charset=utf8mb4"
}

print_rights_conf() {
    if [[ $acl == sqlite ]]; then
        printf 'kind = sqlite\nfile = %s\n' "$dir/data/topics.db"
        return
    fi
    printf '%s\n' 'kind = mariadb' "socket = $sockets/database.sock" 'database = notify' "user = $rights_user" \
        'password_file = database.token'
}

# Before the programs that ask it.
prepare_rights() {
    [[ $acl == sqlite ]] && { prepare_sqlite || fail "cannot make $dir/data/topics.db"; }
    [[ $acl == mariadb ]] || return 0
    # A server that starts removes the temporary tables of others that share its folder for them.
    "${as_run_user[@]}" mkdir -m 700 -- "$dir/run/mariadb" || exit 1
    [[ -d $dir/data/mariadb ]] || install_mariadb
    start_service mariadb
    wait_for_mariadb
    fill_mariadb || fail_at mariadb "does not take the tables"
}

prepare_sqlite() {
    local file=$dir/data/topics.db
    [[ -e $file ]] && return
    rm -f -- "$file.new" && cat -- "$clone/schema/sqlite.sql" "$here/demo/topics.sql" |
        "${as_run_user[@]}" sqlite3 -bail "$file.new" >/dev/null && mv -- "$file.new" "$file"
}

mariadb_user=() # it does not run as root unless told so
root_for_mariadb() {
    ((run_as_root)) && mariadb_user=(--user=root)
    return 0
}

install_mariadb() {
    say "making the database; the log is $dir/log/mariadb-install.log"
    rm -rf -- "$dir/data/mariadb.new"
    "${as_run_user[@]}" mariadb-install-db --no-defaults "${mariadb_user[@]}" --datadir="$dir/data/mariadb.new" \
        --tmpdir="$dir/run/mariadb" --skip-test-db \
        --auth-root-authentication-method=socket --auth-root-socket-user="$run_user" \
        >"$dir/log/mariadb-install.log" 2>&1 9>&- </dev/null && mv -- "$dir/data/mariadb.new" "$dir/data/mariadb" ||
        fail "MariaDB cannot be set up; the log is $dir/log/mariadb-install.log"
}

# As the system user who runs it, whom the server knows by the socket.
ask_mariadb() { # OPTION...
    "${as_run_user[@]}" mariadb --no-defaults --socket="$sockets/database.sock" --batch "$@" 9>&-
}

wait_for_mariadb() {
    local limit=$((SECONDS + 60))
    until ask_mariadb -e 'SELECT 1' >/dev/null 2>&1 </dev/null; do
        kill -0 "${pid_of[mariadb]}" 2>/dev/null || fail_at mariadb "ended at once"
        ((SECONDS < limit)) || fail_at mariadb "does not answer after 60 s"
        sleep 0.1
    done
}

# The password goes by standard input, where `ps` does not show it.
fill_mariadb() {
    {
        cat <<END
CREATE DATABASE IF NOT EXISTS notify;
CREATE USER IF NOT EXISTS $rights_user@localhost;
ALTER USER $rights_user@localhost IDENTIFIED BY '$rights_password';
GRANT SELECT, INSERT, UPDATE, DELETE ON notify.* TO $rights_user@localhost;
USE notify;
END
        cat -- "$clone/schema/mariadb.sql" "$clone/schema/outbox-mariadb.sql" "$here/demo/topics.sql"
    } | ask_mariadb >>"$dir/log/mariadb.log" 2>&1
}
