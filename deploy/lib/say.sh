# shellcheck shell=bash disable=SC2034,SC2154
# How quickstart talks.

say() {
    printf 'quickstart: %s\n' "$*"
}

fail() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

# The end of a log, indented, for a message that follows it.
show_log_end() { # FILE [LINES]
    [[ -s $1 ]] && tail -n "${2:-20}" -- "$1" | sed 's/^/    /' >&2
}
