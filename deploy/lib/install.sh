# shellcheck shell=bash disable=SC2034,SC2154
# What has to be on the machine before anything is built.

packages_needed() {
    printf '%s\n' autoconf automake gcc libc6-dev make pkg-config curl openssl php-fpm php-curl
    case $web-$handoff in
        nginx-*) echo nginx ;;
        apache-local) printf '%s\n' apache2-bin libapache2-mod-fcgid ;;
        apache-*) echo apache2-bin ;;
    esac
    case $acl in
        sqlite) printf '%s\n' sqlite3 php-sqlite3 ;;
        mariadb) printf '%s\n' mariadb-server php-mysql ;;
    esac
    [[ ${redis:-no} == no ]] || printf '%s\n' redis-server php-redis
    "$clone/deploy/lib/build-packages"
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

# Some are in folders that an ordinary user's PATH may lack; quickstart has added them.
require_commands() {
    local command missing=()
    php_fpm=$(compgen -c | grep -E '^php-fpm[0-9.]*$' | sort -V | tail -n 1)
    for command in autoreconf automake make cc pkg-config curl openssl "${php_fpm:-php-fpm}" flock setpriv setsid \
        $(commands_of_choice); do
        command -v "$command" >/dev/null || missing+=("$command")
    done
    require_php_extension curl curl
    require_php_extension "pdo_${acl/mariadb/mysql}" "$acl"
    [[ $redis == no ]] || require_php_extension redis Redis
    [[ $web == nginx ]] || require_apache_modules
    ((${#missing[@]} == 0)) || fail "not on this machine: ${missing[*]}"
}

commands_of_choice() {
    printf '%s\n' "${web/apache/apache2}"
    [[ $redis == no || -n $redis_url ]] || echo redis-server
    [[ $acl == sqlite ]] && echo sqlite3 || printf '%s\n' mariadb mariadbd mariadb-install-db
}

require_php_extension() { # MODULE NAME
    [[ -z $php_fpm || $("$php_fpm" -m) == *$'\n'"$1"$'\n'* ]] || missing+=("PHP's $2 extension")
}

require_apache_modules() {
    local module
    apache_module_folder=/usr/lib/apache2/modules
    for module in $(apache_modules); do
        [[ -e $apache_module_folder/mod_$module.so ]] || missing+=("Apache's mod_$module")
    done
}
