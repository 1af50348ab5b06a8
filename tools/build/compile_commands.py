#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compile_commands.json for editors and clang-tidy, from what Bazel would run.

    ./bazelw run //tools/build:compile_commands [-- [--output_base=DIR] BUILD OPTIONS...]

Builds everything first: headers that Bazel gathers elsewhere must be there.
"""
import json
import os
import subprocess
import sys

# gcc's alone, or of use to nobody but Bazel
DROP = {"-fno-canonical-system-headers", "-Wunused-but-set-parameter", "-Wno-free-nonheap-object", "-MD"}
DROP_WITH_NEXT = {"-MF", "-o"}
DROP_PREFIX = ("-frandom-seed=",)


def command(arguments, output_path):
    kept, skip = [], False
    for a in arguments:
        if skip:
            skip = False
        elif a in DROP_WITH_NEXT:
            skip = True
        elif a not in DROP and not a.startswith(DROP_PREFIX):
            # the tree has no bazel-out link; compilers need the true place
            at = a.find("bazel-out/")
            if at >= 0 and (at == 0 or a[:at] in ("-I", "-iquote", "-isystem")):
                a = a[:at] + output_path + a[at + len("bazel-out"):]
            kept.append(a)
    return kept


def main():
    root = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if not root:
        sys.exit("run me with: ./bazelw run //tools/build:compile_commands")
    startup = [a for a in sys.argv[1:] if a.startswith("--output_base=")]
    options = [a for a in sys.argv[1:] if a not in startup]
    bazel = ["bazel"] + startup

    if subprocess.run(bazel + ["build", "-k", "--show_result=0"] + options + ["//..."], cwd=root).returncode:
        print("compile_commands: not everything builds; going on with what does", file=sys.stderr)
    output_path = subprocess.check_output(bazel + ["info", "output_path"], cwd=root).decode().strip()
    query = subprocess.run(bazel + ["aquery", "-k"] + options + ["--output=jsonproto", 'mnemonic("CppCompile", //...)'],
                           cwd=root, stdout=subprocess.PIPE).stdout
    if not query:
        sys.exit("compile_commands: bazel aquery gave nothing")
    entries = {}
    for action in json.loads(query).get("actions", []):
        arguments = action["arguments"]
        if "-c" not in arguments:
            continue
        source = arguments[arguments.index("-c") + 1]
        if source.startswith(("external/", "bazel-out/")):
            continue
        seeded = any(a.startswith(("-DPERCH_SEED", "-DPERCH_SECTION", "-DPERCH_INJECT")) for a in arguments)
        # a source that is built in several ways is shown as it is shipped
        if source not in entries or (entries[source][0] and not seeded):
            entries[source] = (seeded, command(arguments, output_path))
    if not entries:
        sys.exit("compile_commands: Bazel compiles nothing here")
    with open(os.path.join(root, "compile_commands.json"), "w") as out:
        json.dump([{"directory": root, "file": s, "arguments": c} for s, (_, c) in sorted(entries.items())], out,
                  indent=1)
        out.write("\n")
    print("compile_commands.json: %d sources" % len(entries))


main()
