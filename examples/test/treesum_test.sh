#!/bin/sh
# SPDX-License-Identifier: MIT
# treesum_test.sh TREESUM: as a user runs it, beside find and sha256sum, on a tree that has
# all that is awkward, and on a real one: $TREESUM_TREE, or /usr/share/doc.
set -u
case $1 in /*) treesum=$1 ;; *) treesum=$PWD/$1 ;; esac
# shellcheck source=tests/harness/check.sh
. tests/harness/check.sh

reference() { find "$@" -type f -print0 | sort -z | xargs -0 -r sha256sum; }
# same STATUS ARGUMENTS...: that status, and the reference's output
same() {
	want=$1
	shift
	# shellcheck disable=SC2086 # words
	"$treesum" $jobs "$@" >"$tmp/got" 2>"$tmp/err"
	status=$?
	reference "$@" >"$tmp/want" 2>/dev/null
	[ $status = "$want" ] || { echo "status $status"; cat "$tmp/err"; return 1; }
	cmp "$tmp/want" "$tmp/got" || { diff "$tmp/want" "$tmp/got"; return 1; }
	[ "$want" != 0 ] || ! grep . "$tmp/err"
}
jobs=

# ---- names and kinds ----

tree=$tmp/tree
mkdir -p "$tree/sub/a b/c" "$tree/-dash" "$tree/empty" "$tree/sub.d" "$tree/sub-d" || exit 1
# shellcheck disable=SC2016 # just so
for f in plain 'with space' 'back\slash' "new
line" "$(printf 'return\rhere')" "$(printf 'latin-\351-1')" "$(printf 'utf-\303\251-8')" ' lead' -n '*' '$(x)' "it's"; do
	echo "$f" >"$tree/$f"
	echo "sub $f" >"$tree/sub/a b/c/$f"
done
echo x >"$tree/-dash/--help"
echo x >"$tree/sub.d/f" && echo x >"$tree/sub-d/f" # `/` sorts between
mkdir "$tree/odd\\dir
" && echo odd >"$tree/odd\\dir
/f" && : >"$tree/nothing"
for size in 1 55 64 4095 4096 131071 131072 131073 3000001; do
	head -c $size /dev/urandom >"$tree/size-$size"
done
ln -s plain "$tree/link" && ln -s sub "$tree/dirlink" && ln -s nowhere "$tree/dangling" && mkfifo "$tree/fifo"
chmod 4000 "$tree/empty" 2>/dev/null; chmod 755 "$tree/empty"
deep=$tree/deep
while [ ${#deep} -lt 3900 ]; do deep=$deep/dddddddddddddddddddd; done
mkdir -p "$deep" && echo deep >"$deep/f" || exit 1

check "a tree of awkward names, kinds and sizes" same 0 "$tree"
check "with a slash at the end" same 0 "$tree/"
check "several paths, one twice, files and directories" same 0 "$tree/sub" "$tree/plain" "$tree/sub.d" "$tree/plain"
check "links and FIFOs that are named are left out" same 0 "$tree/link" "$tree/dirlink" "$tree/fifo" "$tree/plain"
check "through a link, with a slash" same 0 "$tree/dirlink/"
here() { cd "$tree" && same 0 . && same 0 ./ sub && same 0 ./-dash; }
in_tree() { (here); }
check "from inside" in_tree
for l in C.UTF-8 en_US.UTF-8 de_DE.UTF-8; do
	if locale -a 2>/dev/null | tr -d - | grep -qix "$(echo $l | tr -d -)"; then
		language() { (LC_ALL=$l; export LC_ALL; same 0 "$tree"); }
		check "in the order of $l" language
	else
		skip "in the order of $l" "not here"
	fi
done
jobs='-j 1'
check "on one CPU" same 0 "$tree"
jobs=
check "an empty directory" same 0 "$tree/empty"
printed() { [ ! -s "$tmp/got" ]; }
check "of which nothing is printed" printed
# shellcheck disable=SC3045 # dash and busybox have it
few() { (ulimit -n "$1" && same 0 "$tree"); }
check "32 descriptors" few 32
verified() { "$treesum" "$tree" >"$tmp/sums" && sha256sum --quiet -c "$tmp/sums"; }
check "sha256sum -c takes it" verified

# ---- errors ----

# says PATTERN
says() { grep -q -e "$1" "$tmp/err" || { echo "nothing says '$1':"; cat "$tmp/err"; return 1; }; }
missing() { same 1 "$tree/sub" "$tree/none" && says "^treesum: $tree/none: No such file or directory$"; }
check "a path that is not there" missing
too_deep() {
	(
		mkdir "$tmp/toodeep" && echo x >"$tmp/toodeep/f" && cd "$tmp/toodeep" || exit
		i=0
		while [ $i -lt 25 ]; do # 25 x 201 bytes: no path leads there
			name=$(printf '%0200d' 0)
			mkdir "$name" && echo $i >"$name/f" && cd "$name" || exit
			i=$((i + 1))
		done
	)
	same 1 "$tmp/toodeep" && says 'File name too long' && [ "$(wc -l <"$tmp/got")" -gt 15 ]
}
check "directories deeper than a path can say" too_deep
cannot_read() { same 1 /proc/self/mem && says '^treesum: /proc/self/mem: Input/output error$'; }
check "a file that cannot be read" cannot_read
without_size() { same 0 /proc/version /proc/cpuinfo; }
check "files that do not say their size" without_size
mkdir "$tmp/locked" && cp -r "$tree/sub" "$tmp/locked/d" && echo x >"$tmp/locked/f" && echo y >"$tmp/locked/g"
chmod 0 "$tmp/locked/d" "$tmp/locked/f"
unreadable() {
	same 1 "$tmp/locked" && says "locked/d: Permission denied" && says "locked/f: Permission denied" &&
		grep locked/g "$tmp/got" && ! grep locked/f "$tmp/got"
}
if ls "$tmp/locked/d" >/dev/null 2>&1; then
	skip "a file and a directory without permission" "root may read them"
else
	check "a file and a directory without permission" unreadable
fi
status_of() { # STATUS ARGUMENTS...
	want=$1
	shift
	"$treesum" "$@" >"$tmp/got" 2>"$tmp/err"
	[ $? = "$want" ]
}
usage() {
	status_of 0 -h && grep -q '^usage: treesum' "$tmp/got" && status_of 2 && says '^usage: treesum' && ! [ -s "$tmp/got" ] &&
		status_of 2 -x "$tree" && status_of 2 -j 0 "$tree" && status_of 2 -j x "$tree" && status_of 2 -j -1 "$tree" &&
		status_of 2 -j
}
check "usage" usage
full() {
	"$treesum" "$tree" >/dev/full 2>"$tmp/err"
	[ $? = 1 ] && says '^treesum: standard output: No space left on device$' && [ "$(wc -l <"$tmp/err")" = 1 ]
}
check "a full device: said once" full
closed() {
	"$treesum" "$tree" >&- 2>"$tmp/err"
	[ $? = 1 ] && says 'Bad file descriptor'
}
check "no output at all" closed

# ---- while it runs: its output has to wait, so most files have not been read yet ----

many=$tmp/many
numbers() {
	rm -rf "$many" && mkdir "$many" || exit 1
	i=1000
	while [ $i -lt 4000 ]; do echo $i >"$many/$i"; i=$((i + 1)); done
	reference "$many" >"$tmp/many.want"
}
signals=--default-signal=INT,TERM,PIPE # a shell lets what it has in the background ignore SIGINT
# meanwhile COMMAND...: is run once the first line has come, while the others cannot
meanwhile() {
	rm -f "$tmp/status"
	{
		env "$signals" "$treesum" "$many" 2>"$tmp/err" &
		echo $! >"$tmp/pid"
		wait $!
		echo $? >"$tmp/status"
	} | {
		read -r line
		"$@"
		echo "$line"
		cat
	} >"$tmp/got"
	until_ok test -s "$tmp/status"
	status=$(cat "$tmp/status")
	echo "status $status"
}
change() {
	i=3900
	while [ $i -lt 3990 ]; do rm "$many/$i"; i=$((i + 1)); done
	rm "$many/3990" "$many/3991" "$many/3992" && mkfifo "$many/3990" && ln -s 1000 "$many/3991" && mkdir "$many/3992"
	: >"$many/3993"
	echo longer than before >"$many/3994"
}
# Each file is as it was or as it became, or an error.
each_once() {
	reference "$many" | sort -u - "$tmp/many.want" >"$tmp/allowed"
	! sort "$tmp/got" | comm -13 "$tmp/allowed" - | grep . && cut -c 67- "$tmp/got" | sort -cu &&
		[ "$(($(wc -l <"$tmp/got") + $(wc -l <"$tmp/err")))" = 3000 ]
}
vanish() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do # until none was read before
		numbers
		meanwhile change
		each_once || return
		[ "$(wc -l <"$tmp/err")" = 93 ] && break
	done
	[ "$status" = 1 ] && [ "$(grep -c '/39[0-8][0-9]: No such file or directory$' "$tmp/err")" = 90 ] &&
		says '/3990: ' && says '/3991: Too many levels of symbolic links' && says '/3992: Is a directory' &&
		reference "$many" | cmp - "$tmp/got"
}
check "files that vanish, shrink, grow, and become something else" vanish
numbers
whole_lines() { # the first of what should come
	head -n "$(grep -c '' "$tmp/got")" "$tmp/many.want" | cmp - "$tmp/got"
}
kill_it() { kill "-$1" "$(cat "$tmp/pid")" && until_ok test -s "$tmp/status"; }
ended() { # SIGNAL STATUS
	meanwhile kill_it "$1"
	[ "$status" = "$2" ] && [ -s "$tmp/got" ] && whole_lines && [ "$(wc -l <"$tmp/got")" -lt 2900 ]
}
check "SIGINT ends it, whoever does not read" ended INT 130
check "SIGTERM too" ended TERM 143
into_file() {
	for delay in 0.02 0.04 0.06 0.08 0.1 0.2; do
		env --default-signal=INT "$treesum" "$many" >"$tmp/got" 2>"$tmp/err" &
		sleep $delay
		kill -INT $! 2>/dev/null
		wait $!
		status=$?
		case $status in 0 | 130) ;; *) echo "status $status"; return 1 ;; esac
		whole_lines || return
	done
}
check "no half line in a file" into_file
interrupt() { kill -INT "$(cat "$tmp/pid")"; }
ignored() {
	signals=--ignore-signal=INT
	meanwhile interrupt
	[ "$status" = 0 ] && cmp "$tmp/many.want" "$tmp/got"
}
check "a SIGINT that is ignored" ignored
pipe() { # HOW
	rm -f "$tmp/status"
	{
		env "--$1-signal=PIPE" "$treesum" "$many" 2>"$tmp/err"
		echo $? >"$tmp/status"
	} | head -n 1 >"$tmp/got"
	until_ok test -s "$tmp/status"
	cat "$tmp/status"
	whole_lines
}
broken() { pipe default && [ "$(cat "$tmp/status")" = 141 ] && [ ! -s "$tmp/err" ]; }
check "SIGPIPE" broken
epipe() { pipe ignore && [ "$(cat "$tmp/status")" = 1 ] && says '^treesum: standard output: Broken pipe$'; }
check "SIGPIPE, ignored" epipe

# ---- the bar ----

export treesum many tmp
# shellcheck disable=SC2016 # for that shell
on_terminal() { script -qec '"$treesum" '"$1"' "$many" >"$tmp/got"' /dev/null >"$tmp/terminal" </dev/null; }
bar() {
	on_terminal '' && cat -v "$tmp/terminal" &&
		grep -q '\[#\{20\}\] 3000/3000 files, [0-9.]* MB, [0-9.]* MB/s' "$tmp/terminal" && cmp "$tmp/many.want" "$tmp/got"
}
no_bar() { on_terminal -q && ! grep -q files "$tmp/terminal" && cmp "$tmp/many.want" "$tmp/got"; }
both() { # lines and bar on one terminal
	script -qec "\"\$treesum\" \"\$tree\"" /dev/null >"$tmp/terminal" </dev/null &&
		tr '\r' '\n' <"$tmp/terminal" | sed 's/.*\[K//' | grep '^.\{60,\}  /' | sort >"$tmp/got"
	reference "$tree" | tr '\r' '\n' | grep '^.\{60,\}  /' | sort | cmp - "$tmp/got"
}
if ! command -v script >/dev/null; then
	skip "a bar on a terminal" "no script(1) here"
elif ! script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
	skip "a bar on a terminal" "no pseudo-terminal to be had here"
else
	export tree
	check "a bar on a terminal" bar
	check "-q: none" no_bar
	check "lines and a bar on one terminal" both
fi

# ---- a real tree ----

real=${TREESUM_TREE:-/usr/share/doc}
if [ -d "$real" ]; then check "$real" same 0 "$real"; else skip "$real" "not here"; fi

done_checking
