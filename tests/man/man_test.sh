#!/bin/sh
# SPDX-License-Identifier: MIT
# man_test.sh INSTALL: the manual pages are well-formed, say what the installed
# headers say, leave out nothing of them, and their examples build and run
# against the installed library. KTAP out.
set -u
install=$1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0 bad=0 skipped=0
# the same messages and widths everywhere; man(1) looks for a pager and a home
export LC_ALL=C.UTF-8 MANPAGER=cat HOME="$tmp"
unset DESTDIR MANPATH

# check NAME COMMAND...: passes when the command ends well
check() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/log" 2>&1; then
		echo "ok $n $name"
	else
		bad=$((bad + 1))
		sed 's/^/# /' "$tmp/log"
		echo "not ok $n $name"
	fi
}
skip() {
	n=$((n + 1)) skipped=$((skipped + 1))
	echo "ok $n $1 # SKIP $2"
}
# Nothing comes in: the lines that do are what is wrong.
none() { ! grep .; }

echo "KTAP version 1"
check "installs" "$install" "--prefix=$tmp/usr"
export PKG_CONFIG_PATH="$tmp/usr/lib/pkgconfig" LD_LIBRARY_PATH="$tmp/usr/lib"
man=$tmp/usr/share/man
pages=$(echo docs/man/*.[37])

# ---- what there is to document ----

echo '#include <perch/perch.h>' >"$tmp/all.c"
headers() { cc -std=c11 -E "$@" -I "$tmp/usr/include" "$tmp/all.c"; }
# Of each declaration outside of braces, the name before the parenthesis.
headers -P | tr '\n' ' ' | sed ':a
s/{[^{}]*}/;/g
ta' | grep -o '\<perch_[a-z0-9_]*(' | tr -d '(' | sort -u >"$tmp/functions"
headers -dM | sed -n 's/^#define \(PERCH_[A-Z0-9_]*\)[( ].*/\1/p' | sort -u >"$tmp/macros"
headers -P | tr -s '\n' ' ' | grep -o '\<enum[a-z_ ]*{[^}]*}' | grep -o 'PERCH_[A-Z_]*' | sort -u >"$tmp/enumerators"
fields() { # STRUCT
	headers -P | tr '\n' ' ' | grep -o "struct $1 {[^}]*}" | grep -o '[a-z_]*;' | tr -d ';'
}
# A parser that finds nothing would find nothing amiss.
found() {
	for f in perch_fork perch_task_fork_slow perch_mutex_lock perch_exit perch_run; do
		grep -qx $f "$tmp/functions" || echo "no function $f"
	done
	[ "$(grep -c . "$tmp/functions")" -gt 100 ] || echo "few functions"
	grep -qx PERCH_TASK4 "$tmp/macros" || echo "no macro PERCH_TASK4"
	grep -qx PERCH_RECV "$tmp/enumerators" || echo "no enumerator PERCH_RECV"
	fields perch_config | grep -qx sigquit || echo "no field sigquit"
	fields perch_stats | grep -qx spawned || echo "no field spawned"
}
understood() { found | none; }
check "the headers are understood" understood

# ---- what the pages say ----

names() { sed -n '/^\.Sh NAME/,/^\.Sh SYNOPSIS/s/^\.Nm \([a-z_]*\).*/\1/p' "$1"; }

# The SYNOPSIS as C declarations; names of macros are left out.
prototypes() { # PAGE
	awk '
function arguments(s,    all, one) {
	all = ""
	while (match(s, /"[^"]*"|[^" ]+/)) {
		one = substr(s, RSTART, RLENGTH)
		gsub(/"/, "", one)
		all = all (all == "" ? "" : ", ") one
		s = substr(s, RSTART + RLENGTH)
	}
	return all
}
function declare(name, list) {
	if (name !~ /^[A-Z]/)
		print result " " name "(" list ");"
}
/^\.Sh / { here = $2 == "SYNOPSIS" }
!here { next }
/^\.Ft / { result = substr($0, 5) }
/^\.Fn / { name = $2; sub(/^\.Fn [^ ]* */, ""); declare(name, arguments($0)) }
/^\.Fo / { name = $2; list = "" }
/^\.Fa / { sub(/^\.Fa /, ""); list = list (list == "" ? "" : ", ") arguments($0) }
/^\.Fc/ { declare(name, list) }' "$1"
}
in_synopsis() { sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/s/^\.F[no] "*\([A-Za-z0-9_]*\).*/\1/p' "$1"; }

lint() { mandoc -Tlint -Wwarning "$1"; }
groff() { man --warnings -l "$1" >/dev/null 2>"$tmp/groff" && none <"$tmp/groff"; }
sections() {
	for s in NAME SYNOPSIS DESCRIPTION 'RETURN VALUE' SWITCHING EXAMPLES ERRORS 'SEE ALSO'; do
		case $1.$s in *.7.SWITCHING | *.7.ERRORS | *_signal.7.RETURN*) continue ;; esac # those of no single call
		grep -qx "\.Sh $s" "$1" || echo "$1 has no section $s"
	done | none
}
same_types() {
	{ cat "$tmp/all.c" && prototypes "$1"; } >"$tmp/types.c" &&
		cc -std=c11 -Wall -Wextra -Werror -Wstrict-prototypes -fsyntax-only -I "$tmp/usr/include" "$tmp/types.c"
}
exist() {
	in_synopsis "$1" | while read -r f; do
		grep -qx "$f" "$tmp/functions" "$tmp/macros" || echo "$1: the headers have no $f"
		case $f in
		perch_*) names "$1" | grep -qx "$f" || echo "$1: $f is not under NAME, and so gets no page of its name" ;;
		esac
	done | none
}
shows() { tools/build/man_example.sh "$1" "$2" | diff -u "$1" - && [ "$(wc -l <"$2")" -le 40 ]; }
# shellcheck disable=SC2046 # words
builds() {
	rm -f "$tmp/example"
	cc -std=c11 -O2 -Wall -Wextra -Werror -o "$tmp/example" "$1" $(pkg-config --cflags --libs perch)
}
runs() { timeout 10 "$tmp/example" </dev/null; }

# Both do complain when there is a reason to.
sed 's/^\.El/.Ed/; s/^\.Fn /.Xn /' docs/man/perch_mutex.3 >"$tmp/bad.3"
notices() { ! "$1" "$tmp/bad.3"; }
has_mandoc=$(command -v mandoc) has_man=$(command -v man >/dev/null && command -v troff)
[ -z "$has_mandoc" ] || check "mandoc sees a bad page" notices lint
[ -z "$has_man" ] || check "man sees a bad page" notices groff

for page in $pages; do
	p=${page##*/}
	example=docs/man/examples/${p%.*}.c
	if [ -n "$has_mandoc" ]; then check "$p: mandoc has nothing to say" lint "$page"; else skip "$p: mandoc" "no mandoc here"; fi
	if [ -n "$has_man" ]; then check "$p: man has nothing to say" groff "$page"; else skip "$p: man" "no man here"; fi
	check "$p: has its sections" sections "$page"
	check "$p: what it names exists" exist "$page"
	check "$p: types as in the headers" same_types "$page"
	check "$p: shows its example" shows "$page" "$example"
	check "$p: the example builds" builds "$example"
	check "$p: the example runs" runs
done

# ---- all of them together ----

# In a page's NAME and SYNOPSIS; or at least told not to be used.
documented() {
	for page in $pages; do
		names "$page" >"$tmp/names"
		in_synopsis "$page" | grep -Fx -f "$tmp/names"
		sed -n '/^\.Ss Not for direct use/,/^\.S[hs] RETURN/s/^\.Fn \([a-z_]*\).*/\1/p' "$page"
	done | sort >"$tmp/documented"
	uniq -d "$tmp/documented" | sed 's/$/ is documented twice/'
	sort -u "$tmp/documented" | comm -23 "$tmp/functions" - | sed 's/$/ is documented nowhere/'
}
all_documented() { documented | none; }
check "each function of the headers is documented, once" all_documented

# shellcheck disable=SC2086 # words
mentioned() { # WORD...
	for w; do
		grep -q "\<$w\>" $pages || echo "no page says $w"
	done | none
}
# shellcheck disable=SC2046 # words
constants() {
	# include guards, magic numbers, and what the others are made of
	mentioned $(cat "$tmp/enumerators"; grep -v -e '_H$' -e '_MAGIC$' -e '_$' -e '_INIT_KIND$' -e '^PERCH_WAITQ_INIT$' \
		-e '^PERCH_TASK_[A-Z]' -e '^PERCH_\(VOID_\)*TASK[1-3]$' -e '^PERCH_VERSION$' "$tmp/macros")
}
check "so is each constant and macro" constants
settings() {
	for f in $(fields perch_config); do
		v=PERCH_$(echo "$f" | tr '[:lower:]' '[:upper:]')
		grep -qx "\.It Va $f Pq Ev $v" docs/man/perch.7 || echo "perch.7 does not have $f ($v)"
	done | none
}
check "so is each setting, with its variable" settings
counters() {
	for f in $(fields perch_stats); do
		grep -qx "\.It Va $f" docs/man/perch_stats.3 || echo "perch_stats.3 does not have $f"
	done | none
}
check "so is each counter" counters
# shellcheck disable=SC2086 # words
references() {
	cat $pages | sed -n 's/^\.Xr \(perch[a-z_]*\) \([0-9]\).*/\1.\2/p' | sort -u | while read -r x; do
		[ -f "$man/man${x##*.}/$x" ] || echo "there is no $x"
	done | none
}
check "the pages that are referred to exist" references
command_page() {
	for s in NAME SYNOPSIS DESCRIPTION ENVIRONMENT 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
		grep -qx "\.Sh $s" docs/man/perch.1 || echo "perch.1 has no section $s"
	done
	# what it can do, by its own help, without the dashes' escapes
	"$tmp/usr/bin/perch" --help | grep -o -e '--[a-z]*' -e '^  [a-z]*' | tr -d ' -' | grep . | sort -u | while read -r w; do
		grep -q "\<$w\>" docs/man/perch.1 || echo "perch.1 does not say $w"
	done
}
whole_command_page() { command_page | none && [ -f "$man/man1/perch.1" ]; }
check "perch.1 has its sections, and what the command's help has" whole_command_page
[ -z "$has_mandoc" ] || check "perch.1 is well-formed" lint docs/man/perch.1
[ -z "$has_man" ] || check "perch.1 can be read by man" groff docs/man/perch.1
programs() {
	for e in docs/man/examples/*.c; do
		p=${e##*/}
		[ -f "docs/man/${p%.c}.3" ] || [ -f "docs/man/${p%.c}.7" ] || echo "$e belongs to no page"
	done | none
}
check "no example is left over" programs

echo "1..$n"
echo "# Totals: pass:$((n - bad - skipped)) fail:$bad xfail:0 xpass:0 skip:$skipped error:0"
[ $bad = 0 ]
