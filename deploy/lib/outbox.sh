# shellcheck shell=bash disable=SC2034,SC2154
# The outbox: a table in the database of a shop, here a file of its own for SQLite, or beside the registered topics in MariaDB.

choose_outbox() {
    outbox_dsn=sqlite:$dir/data/shop.db
    [[ $acl == sqlite ]] || outbox_dsn=$rights_dsn
    outbox_doorbell=unix:$sockets/outbox.sock
}

print_outbox_conf() {
    printf 'publishers = *\ndoorbell = %s\n' "$outbox_doorbell"
    [[ $acl != sqlite ]] || printf 'kind = sqlite\nfile = %s\n' "$dir/data/shop.db"
}

# Of MariaDB the tables are made with the others.
prepare_outbox() {
    [[ $acl == sqlite ]] || return 0
    { echo 'PRAGMA journal_mode = WAL;' && cat -- "$clone/schema/outbox-sqlite.sql"; } |
        "${as_run_user[@]}" sqlite3 -bail "$dir/data/shop.db" >/dev/null || fail "cannot make $dir/data/shop.db"
}
