#!/bin/sh
# SPDX-License-Identifier: MIT
# test_results_test.sh TEST_RESULTS: what it counts and says of made-up events; CI's last line is
# the sum of what it counts.
set -u
count=$PWD/$1
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh
need_tools python3 python3

# What the target of that name wrote.
log() { cat >"$tmp/$1.log"; }
# One attempt at a test, with that log if there is one; MORE is of its result, as JSON.
result() { # NAME STATUS [ATTEMPT [SHARD [MORE]]]
	output=
	[ ! -f "$tmp/$1.log" ] || output="{\"name\":\"test.xml\",\"uri\":\"file://$tmp/none\"},{\"name\":\"test.log\",\"uri\":\"file://$tmp/$1.log\"}"
	echo "{\"id\":{\"testResult\":{\"label\":\"//a:${1%-*}\",\"run\":1,\"shard\":${4:-1},\"attempt\":${3:-1}}},\"testResult\":{\"status\":\"$2\",\"testActionOutput\":[$output]${5:+,$5}}}" >>"$tmp/events"
}
# Judge the events so far, which are then gone: the numbers, and each line before them.
counts() { # NAME NUMBERS LINE...
	name=$1 numbers=$2 problem='' status=0
	shift 2
	for line; do printf '  %s\n' "$line"; done >"$tmp/expected"
	echo "$numbers" >>"$tmp/expected"
	"$count" "$tmp/events" >"$tmp/out" 2>"$tmp/err" || status=$?
	[ $status = 0 ] || problem=" status $status;"
	diff "$tmp/expected" "$tmp/out" >"$tmp/diff" || problem="$problem other output;"
	[ -z "$problem" ] || sed 's/^/# /' "$tmp/diff" "$tmp/err"
	verdict "$name" "$problem"
	: >"$tmp/events"
}

: >"$tmp/events"
counts "an empty file" "0 0 0"
echo '{"id":{"started":{}},"started":{"command":"test"}}' >>"$tmp/events"
echo '{"id":{"testResult":{"label":"//a:x"}},"aborted":{"reason":"USER_INTERRUPTED"}}' >>"$tmp/events"
counts "events that are no results" "0 0 0"

result good PASSED
result bad FAILED
result slow TIMEOUT
counts "targets without cases" "1 2 0" "//a:bad: FAILED" "//a:slow: TIMEOUT"
result good PASSED 1 1 '"cachedLocally":true'
result other PASSED 1 1 '"executionInfo":{"cachedRemotely":true}'
result third PASSED 1 1 '"executionInfo":{"strategy":"linux-sandbox"}'
counts "what came from the cache is left out" "1 0 0"

# ---- cases ----
log mixed <<'END'
KTAP version 1
ok 1 first
# not ok, says a comment
not ok 2 second: no reason
ok 3 third # SKIP no such device
ok 4 fourth
1..4
END
result mixed FAILED
counts "each case" "2 1 1" "//a:mixed: second: no reason" "//a:mixed: skipped: third # SKIP no such device"
log short <<'END'
KTAP version 1
1..3
ok 1 first
END
result short FAILED
counts "cases that did not come to their end" "1 1 0" "//a:short: 1 of 3 planned tests ended (FAILED)"
log lacks <<'END'
KTAP version 1
1..0 # SKIP no tool
END
result lacks PASSED
counts "what cannot run here" "0 0 1" "//a:lacks: skipped: no tool"
log crashed <<'END'
KTAP version 1
1..1
ok 1 first
END
result crashed FAILED
counts "a test that fails behind its last case" "1 1 0" "//a:crashed: FAILED"
result shards PASSED 1 1
result shards PASSED 1 2
result shards FAILED 1 3
counts "each shard" "2 1 0" "//a:shards: FAILED"

# ---- tried again ----
cp "$tmp/mixed.log" "$tmp/flaky-1.log"
sed 's/^not ok/ok/' "$tmp/mixed.log" >"$tmp/flaky-2.log"
result flaky-1 FAILED 1
result flaky-2 PASSED 2
counts "the second attempt counts, the first is said" "3 0 1" \
	"//a:flaky: second: no reason (attempt 1; it was tried again)" "//a:flaky: skipped: third # SKIP no such device"
result flaky-2 PASSED 2
result flaky-1 FAILED 1
counts "in whatever order they come" "3 0 1" \
	"//a:flaky: second: no reason (attempt 1; it was tried again)" "//a:flaky: skipped: third # SKIP no such device"
result bad FAILED 1
result bad FAILED 2
counts "failed twice is one failure" "0 1 0" "//a:bad: FAILED (attempt 1; it was tried again)" "//a:bad: FAILED"
result shards FAILED 1 1
result shards PASSED 1 2
result shards PASSED 2 1
counts "one shard that was tried again" "2 0 0" "//a:shards: FAILED (attempt 1; it was tried again)"

# ---- a file that breaks off: no numbers, so that .ci/run takes it as a failure ----
result good PASSED
printf '{"id":{"testRes' >>"$tmp/events"
problem=''
"$count" "$tmp/events" >"$tmp/out" 2>"$tmp/err" && problem=" status 0;"
[ ! -s "$tmp/out" ] || problem="$problem numbers all the same;"
verdict "a broken line" "$problem"

# ---- one program ----
program() { # NAME STATUS LOG NUMBERS LINE...
	name=$1 status=$2 log=$3 numbers=$4 problem=''
	shift 4
	for line; do printf '  %s\n' "$line"; done >"$tmp/expected"
	echo "$numbers" >>"$tmp/expected"
	"$count" --log "a program" "$status" "$tmp/$log.log" >"$tmp/out" 2>&1 || problem=" status $?;"
	diff "$tmp/expected" "$tmp/out" >"$tmp/diff" || problem="$problem other output;"
	[ -z "$problem" ] || sed 's/^/# /' "$tmp/diff"
	verdict "$name" "$problem"
}
program "a program's cases" 1 mixed "2 1 1" "a program: second: no reason" "a program: skipped: third # SKIP no such device"
program "4 is its status when all of it is skipped" 4 lacks "0 0 1" "a program: skipped: no tool"
program "a program that ends badly" 139 crashed "1 1 0" "a program: status 139"
done_checking
