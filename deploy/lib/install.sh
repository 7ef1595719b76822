# shellcheck shell=bash disable=SC2034,SC2154
# What has to be on the machine before anything is built.

# The libraries stand in configure.ac alone: the last word of each ESN_..LIBRARY line is a Debian package.
packages_needed() {
    printf '%s\n' autoconf automake gcc libc6-dev make pkg-config curl nginx php-fpm php-curl
    sed -n 's/^ESN_[A-Z_]*LIBRARY(.*\[\([^]]*\)\])$/\1/p' "$clone/configure.ac"
}

packages_missing() {
    local package
    for package in $(packages_needed); do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
    done
}

install_packages() {
    command -v apt-get dpkg-query >/dev/null ||
        fail "this is no Debian: install what README.md names, then use --no-install"
    local missing as_root=() log
    mapfile -t missing < <(packages_missing)
    ((${#missing[@]})) || return 0
    if ((EUID)); then
        command -v sudo >/dev/null || fail "no right to install (neither root nor sudo). Missing: ${missing[*]}"
        as_root=(sudo --)
    fi
    say "installing: ${missing[*]}"
    log=$(mktemp "$dir/.install.XXXXXX") || exit 1
    if ! "${as_root[@]}" "$here/lib/apt-install" "${missing[@]}" >"$log" 2>&1; then
        show_log_end "$log"
        mv -f -- "$log" "$dir/install.log"
        fail "apt could not install all of it; the whole log: $dir/install.log"
    fi
    rm -f -- "$log"
}

# nginx and php-fpm are in folders that an ordinary user's PATH may lack; quickstart has added them.
require_commands() {
    local command missing=()
    php_fpm=$(compgen -c | grep -E '^php-fpm[0-9.]*$' | sort -V | tail -n 1)
    for command in autoreconf automake make cc pkg-config curl nginx "${php_fpm:-php-fpm}" flock setpriv setsid; do
        command -v "$command" >/dev/null || missing+=("$command")
    done
    [[ -z $php_fpm || $("$php_fpm" -m) == *$'\n'curl$'\n'* ]] || missing+=("PHP's curl extension")
    ((${#missing[@]} == 0)) || fail "not on this machine: ${missing[*]}"
}
