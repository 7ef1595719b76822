# shellcheck shell=bash disable=SC2034,SC2154
# From the clone to $dir/install. Each step does only what is not done yet.

build_programs() {
    local log=$dir/build.log
    [[ -e $dir/install/sbin/esn-fanout ]] || say "building; the log is $log"
    : >"$log" || exit 1
    run_step copy_sources
    forget_old_build
    [[ -x $dir/source/configure ]] || run_step autoreconf -fi "$dir/source"
    [[ -e $dir/build/Makefile ]] || run_step configure_build
    run_step make -C "$dir/build" -j "$(nproc)"
    run_step make -C "$dir/build" install
}

# In the background, so that a signal is heard at once, and as a process group, so that all of it can be ended.
run_step() { # COMMAND...
    set -m
    "$@" >>"$log" 2>&1 9>&- </dev/null &
    step=$!
    set +m
    wait "$step" && step='' && return 0
    step=''
    rm -f -- "$dir/build/.stamp" # the next try begins anew
    printf 'quickstart: the build failed at: %s\n' "$*" >&2
    show_log_end "$log" 25
    fail "the whole log: $log"
}

# Copies what differs and leaves the rest its time, so that make sees what has changed.
copy_sources() {
    local folder
    cd -- "$clone" || return 1
    install -C -m 644 -t "$dir/source" -- configure.ac Makefile.am README*.md LICENSE || return 1
    # Only names like sources': what a build in the clone made there would be taken for up to date.
    find */ \( -name '.?*' -o -name 'build*' -o -name node_modules -o -name vendor \) -prune -o -type d -print |
        while IFS= read -r folder; do
            mkdir -p -- "$dir/source/$folder" &&
                find "$folder" -maxdepth 1 -type f -name '[!.]*.*' ! -name '*.[oa]' -print0 |
                xargs -0 -r install -C -m 644 -t "$dir/source/$folder" -- || return 1
        done
}

# A build of another configure.ac, compiler or place is of no use.
forget_old_build() {
    local stamp=$dir/build/.stamp now
    now="$(cksum <"$dir/source/configure.ac") $(cc -dumpfullversion -dumpversion) $dir"
    [[ $(cat -- "$stamp" 2>/dev/null) != "$now" ]] || return 0
    rm -rf -- "$dir/build" "$dir/source/configure" && mkdir -- "$dir/build" && printf '%s\n' "$now" >"$stamp" || exit 1
}

configure_build() {
    cd -- "$dir/build" && exec ../source/configure --prefix="$dir/install" --disable-tests
}
