# shellcheck shell=bash
# What tests/run and .ci/run share. Both count: note PASSED FAILED adds up, finish prints the sum.

passed=0
failed=0
as_root=() # before the runner of test files

note() { # PASSED FAILED
    passed=$((passed + $1))
    failed=$((failed + $2))
}

finish() {
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0 && passed > 0))
    exit
}

# Runs a command with its output in $logs/NAME.log; one line on success, the log's end on failure.
step() { # NAME COMMAND...
    local name=$1 log=$logs/$1.log started=$SECONDS
    shift
    if "$@" >"$log" 2>&1 </dev/null; then
        printf '  ok     %-16s %d s\n' "$name" $((SECONDS - started))
        return 0
    fi
    printf '  FAILED %-16s %d s: %s\n' "$name" $((SECONDS - started)) "$*"
    tail -n 30 -- "$log" | sed 's/^/      /'
    printf '    log: %s\n' "$log"
    return 1
}

# The same, counted as one test.
check() { # NAME COMMAND...
    if step "$@"; then
        note 1 0
    else
        note 0 1
        return 1
    fi
}

# Copies the sources, so that nothing is made in the clone and a build in the clone does not matter. Times are kept: make
# sees what has changed.
copy_sources() { # FROM TO
    mkdir -p -- "$2" || return 1
    if git -C "$1" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        (cd -- "$1" && git ls-files -z --cached --others --exclude-standard | existing |
            tar --null --files-from=- --create --file=-)
    else
        (cd -- "$1" && tar --exclude=node_modules --exclude=./build* --create --file=- .)
    fi | tar --extract --file=- --directory="$2"
}

# Those of the NUL-ended names of standard input that are there (git also names files that were deleted).
existing() {
    local name
    while IFS= read -r -d '' name; do
        if [[ -e $name || -L $name ]]; then
            printf '%s\0' "$name"
        fi
    done
}

make_configure() { # SOURCE
    [[ -x $1/configure ]] || autoreconf -fi "$1"
}

# Configures in BUILD unless that is done; make itself notices a changed configure.ac.
configure() { # SOURCE BUILD OPTION...
    local source=$1 build=$2
    shift 2
    mkdir -p -- "$build" && cd -- "$build" || return 1
    [[ -e Makefile ]] || "$source/configure" "$@"
}

compile() { # BUILD
    make -C "$1" -j "$(nproc)" all
}

# Compiles the unit tests without running them.
compile_tests() { # BUILD
    make -C "$1" -j "$(nproc)" check TESTS=
}

# Runs the unit tests of a build, with the COMMAND before it, and counts each test of each program.
unit_tests() { # NAME BUILD [COMMAND...]
    local name=$1 build=$2 trs
    shift 2
    find "$build/tests/unit" "$build/tests/fuzz" \( -name '*.trs' -o -name '*.log' \) -delete 2>/dev/null
    if ! step "$name" "$@" make -C "$build" -j "$(nproc)" --keep-going check; then
        tell_failed_units "$build"
    fi
    local results=()
    mapfile -t results < <(find "$build/tests/unit" "$build/tests/fuzz" -name '*.trs' | sort)
    if ((${#results[@]} == 0)); then
        echo "    no unit test ran"
        note 0 1
    fi
    for trs in "${results[@]}"; do
        count_unit "$trs"
    done
}

# A program of cmocka says how many of its tests passed and failed; one that ended otherwise than it says counts as failed.
count_unit() { # FILE.trs
    local log=${1%.trs}.log good bad
    good=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | paste -sd+ | add_up)
    bad=$(sed -n 's/^ *\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | paste -sd+ | add_up)
    if grep -qx ':test-result: PASS' "$1"; then
        ((good > 0)) || good=1
    elif ((bad == 0)); then
        bad=1
    fi
    note "$good" "$bad"
}

add_up() {
    local sum
    read -r sum
    echo $((${sum:-0}))
}

# What a failed program says of its failures, or the end of what it says.
tell_failed_units() { # BUILD
    local trs log
    while IFS= read -r trs; do
        log=${trs%.trs}.log
        printf '    %s\n' "$(basename "$trs" .trs)"
        { grep -E '\[  FAILED  \]|\[  ERROR   \]|error:|ERROR:|runtime error' "$log" || tail -n 15 -- "$log"; } |
            head -n 30 | sed 's/^/      /'
        printf '      log: %s\n' "$log"
    done < <(grep -Lx ':test-result: PASS' "$1"/tests/unit/*.trs "$1"/tests/fuzz/*.trs 2>/dev/null)
}

# Runs test files of Node, two at a time, with the programs of BUILD.
node_tests() { # NAME BUILD FILE...
    local name=$1 build=$2 counts=$logs/$1.counts
    shift 2
    mkdir -p -- "$logs/$name"
    rm -f -- "$counts"
    ESN_BUILD=$build "${as_root[@]}" node "$source/tests/system/lib/run-files.js" "$logs/$name" "$counts" "${jobs:-2}" "$@" </dev/null
    if [[ -s $counts ]]; then
        # shellcheck disable=SC2046
        note $(cat -- "$counts")
    else
        echo "    the runner of test files failed"
        note 0 1
    fi
}

# Runs a suite of the PHP package's tests. PHPUnit says "OK (18 tests, ..." or "Tests: 18, ..., Failures: 1.".
php_tests() { # SUITE
    local log=$logs/php-$1.log all bad
    local order=()
    # PHPUnit's seeds are numbers.
    [[ -z ${ESN_SHUFFLE:-} ]] || order=(--order-by=random "--random-order-seed=$(cksum <<<"$ESN_SHUFFLE" | cut -d' ' -f1)")
    step "php-$1" phpunit --configuration "$source/clients/php/phpunit.xml" --testsuite "$1" "${order[@]}"
    local status=$?
    all=$(sed -nE 's/^(OK \(|Tests: )([0-9]+).*/\2/p' "$log" | tail -n 1)
    bad=$(sed -nE '/^Tests: /s/[^:]*: [0-9]+, Assertions: [0-9]+//p' "$log" | grep -oE '[0-9]+' | paste -sd+ | add_up)
    ((status == 0 && bad == 0 && ${all:-0} > 0)) || ((bad > 0)) || bad=1
    note $((${all:-0} > bad ? ${all:-0} - bad : 0)) "$bad"
}
