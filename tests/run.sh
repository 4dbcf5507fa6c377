#!/usr/bin/env bash
# The one door to all checks. Installs what is missing, builds under build/, runs, and ends with a
# line "N passed, N failed"; the exit status is 0 only when nothing failed.
#
#   tests/run.sh [full] [CTEST ARGS]  everything: unit, crash, model, integration, style
#   tests/run.sh fast [CTEST ARGS]    about a minute: unit tests and the quick style rules
#   tests/run.sh asan|ubsan|tsan [CTEST ARGS]
#                                     unit, crash and integration tests under sanitizers: address
#                                     and undefined, which go together in one build, or thread
#   tests/run.sh model [ARGS]         the model tests alone; ARGS go to each of them
#   tests/run.sh fuzz [SECONDS] [NAME]  each fuzz target (or NAME_fuzz) for SECONDS (default 60)
#   tests/run.sh torture [CYCLES]     kill -9 under load, CYCLES times (2000), and power-loss states
#                                     of the operation log, ten times as many
#   tests/run.sh bench [FILTER]       the benchmarks, and the comparison with Redis
#   tests/run.sh style                the style rules alone
#   tests/run.sh format               rewrite the sources with clang-format
#   tests/run.sh tidy [PATH ...]      clang-tidy over all sources, or those whose path matches
#   tests/run.sh tcl FOLDER [UNIT ...]  the suite in FOLDER, a source tree of Redis 7.2
#   tests/run.sh demo                 real data end to end (tests/demo.sh)
#   tests/run.sh docker               build the image and try it (tests/docker_check.sh)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages() { docker/packages.sh install "$@"; }

# The tests with Node.js need npm, of any origin. Without it they are skipped, no more.
npm_if_possible() {
  command -v npm >/dev/null || packages clients || echo "tests/run.sh: no npm, no tests with Node.js"
}

# configure FOLDER [CMAKE ARGS]
configure() {
  local folder=$1
  shift
  cmake --log-level=NOTICE -S . -B "$folder" -G Ninja -DVERSO_TESTS=ON "$@" >/dev/null
}

# build FOLDER [CMAKE ARGS] [-- NINJA TARGETS]
build() {
  local folder=$1 options=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
  [ $# -eq 0 ] || shift
  configure "$folder" "${options[@]}"
  ninja -C "$folder" "$@"
}

# run_ctest FOLDER ARGS: ctest, then its result as one plain line
run_ctest() {
  local folder=$1 log status=0
  shift
  log=$folder/ctest.log
  ctest --test-dir "$folder" -j2 --output-on-failure --no-tests=error "$@" 2>&1 | tee "$log" ||
    status=$?
  # What a test script left out, and why: ctest counts the script as passed.
  grep -h "\.\.\. skipped '" "$folder/Testing/Temporary/LastTest.log" || true
  awk '/tests? failed out of/ {
         for (i = 1; i <= NF; i++) { if ($i == "failed") failed = $(i - 2); if ($i == "of") all = $(i + 1) }
       }
       END { printf "%d passed, %d failed\n", all - failed, failed }' "$log"
  return "$status"
}

sources() {
  find storage persistence server client tests -name '*.h' -o -name '*.cpp'
}

# run_each PATTERN ARGS: every program build/release/bin/PATTERN; counts those that fail
run_each() {
  local pattern=$1 program passed=0 failed=0
  shift
  for program in $pattern; do
    [ -x "$program" ] || continue
    echo "== ${program##*/} $*"
    if "$program" "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  done
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

full() {
  packages build test
  npm_if_possible
  build build/release
  run_ctest build/release "$@"
}

fast() {
  packages build test
  build build/release
  run_ctest build/release -LE 'slow|integration|crash' -E '^style: headers$' "$@"
}

sanitized() {
  local name=$1 kind=$2
  shift 2
  packages build test
  # What is not run (models, benchmarks) is not built either.
  build "build/$name" "-DVERSO_SANITIZE=$kind" -- \
    verso-server verso-cli verso_client_library \
    verso_test_{storage,persistence,server,client,crash}
  export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:${ASAN_OPTIONS-}
  export UBSAN_OPTIONS=print_stacktrace=1:${UBSAN_OPTIONS-}
  export LSAN_OPTIONS=suppressions=$PWD/tests/support/lsan.supp:print_suppressions=0:${LSAN_OPTIONS-}
  # The snapshot writer is a forked child that starts RocksDB's threads.
  export TSAN_OPTIONS=die_after_fork=0:second_deadlock_stack=1:suppressions=$PWD/tests/support/tsan.supp:${TSAN_OPTIONS-}
  run_ctest "build/$name" -LE 'slow|style' "$@"
}

model() {
  packages build test
  build build/release
  run_each 'build/release/bin/verso_model_*' "$@"
}

fuzz() {
  local seconds=${1:-60} name=${2:-} program target corpus passed=0 failed=0
  packages build test lint
  build build/fuzz -DVERSO_FUZZ=ON -DCMAKE_CXX_COMPILER=clang++-14 -- verso_fuzz
  for program in build/fuzz/bin/verso_*"$name"_fuzz; do
    [ -x "$program" ] || continue
    target=${program##*/verso_}
    corpus=build/fuzz/corpus/$target
    mkdir -p "$corpus" build/fuzz/found
    local seeds=()
    [ ! -d "tests/fuzz/corpus/${target%_fuzz}" ] || seeds=("tests/fuzz/corpus/${target%_fuzz}")
    [ ! -f "tests/fuzz/${target%_fuzz}.dict" ] || seeds+=("-dict=tests/fuzz/${target%_fuzz}.dict")
    echo "== $target for $seconds s"
    if "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
      -verbosity=1 -artifact_prefix="build/fuzz/found/$target-" "$corpus" "${seeds[@]}" \
      >"build/fuzz/$target.log" 2>&1; then
      passed=$((passed + 1))
      grep -E 'stat::(number_of_executed_units|average_exec_per_sec)' "build/fuzz/$target.log"
    else
      failed=$((failed + 1))
      tail -n 60 "build/fuzz/$target.log"
    fi
  done
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

torture() {
  local cycles=${1:-2000} status=0
  packages build test
  build build/release
  VERSO_KILL_CYCLES=$cycles PYTHONPATH=tests/support /usr/bin/python3 tests/integration/test_log_kill.py || status=1
  VERSO_LOG_STATES=$((10 * cycles)) build/release/bin/verso_test_persistence '*power loss*' || status=1
  return $status
}

bench() {
  local status=0
  packages build test compare
  build build/release
  run_each 'build/release/bin/verso_*_bench' ${1:+"--benchmark_filter=$1"} || status=$?
  # With a filter only what it names; else the comparison with Redis too.
  [ $# -gt 0 ] || tests/bench/bars.py || status=$?
  return "$status"
}

tcl() {
  packages build suite
  build build/release -- verso-server
  local folder
  folder=$(cd "$OLDPWD" && realpath "${1:-.}")  # the caller may have named it from elsewhere
  exec tests/compat/tcl.py "$folder" "${@:2}"
}

tidy() {
  packages build test lint
  configure build/release  # for its list of compile commands
  # With the precise list of files: the default would also match what others leave in build/.
  local pattern='/(storage|persistence|server|client)/.*\.cpp$'
  [ $# -eq 0 ] || pattern=$(IFS='|'; echo "($*)")
  run-clang-tidy-14 -p build/release -quiet -j "$(nproc)" "$pattern"
}

command=${1:-full}
case $command in
  -*) command=full ;;                # only arguments for ctest
  *) [ $# -eq 0 ] || shift ;;
esac
case $command in
  full | fast | model | fuzz | torture | bench | tcl | tidy) "$command" "$@" ;;
  asan | ubsan) sanitized asan address,undefined "$@" ;;
  tsan) sanitized tsan thread "$@" ;;
  style) packages build test && exec /usr/bin/python3 tests/style/check.py "$@" ;;
  format) packages test && sources | xargs clang-format-14 -i ;;
  demo) exec tests/demo.sh "$@" ;;
  docker) exec tests/docker_check.sh "$@" ;;
  *) awk 'NR > 1 && /^#/ { sub(/^# ?/, ""); print; next } NR > 1 { exit }' tests/run.sh >&2; exit 2 ;;
esac
