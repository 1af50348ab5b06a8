"""What is shipped: built for speed, and with nothing in it that is not for users."""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _fast_impl(settings, _attr):
    # `bazel run //:install` must not install an -O0 library; -c dbg is respected
    mode = settings["//command_line_option:compilation_mode"]
    return {"//command_line_option:compilation_mode": "opt" if mode == "fastbuild" else mode}

_fast = transition(
    implementation = _fast_impl,
    inputs = ["//command_line_option:compilation_mode"],
    outputs = ["//command_line_option:compilation_mode"],
)

_ALLOW = attr.label(default = "@bazel_tools//tools/allowlists/function_transition_allowlist")

def _optimised_impl(ctx):
    return [DefaultInfo(files = depset(ctx.files.srcs), runfiles = ctx.runfiles(files = ctx.files.srcs))]

optimised = rule(
    implementation = _optimised_impl,
    doc = "The same files, built with -c opt where nothing else was asked for.",
    attrs = {
        "srcs": attr.label_list(cfg = _fast, allow_files = True),
        "_allowlist_function_transition": _ALLOW,
    },
)

def _merged_archive_impl(ctx):
    cc = find_cpp_toolchain(ctx)
    parts = []
    for dep in ctx.attr.deps:
        for given in dep[CcInfo].linking_context.linker_inputs.to_list():
            for library in given.libraries:
                part = library.pic_static_library or library.static_library
                if part and part not in parts:
                    parts.append(part)
    out = ctx.outputs.out
    ctx.actions.run_shell(
        inputs = depset(parts, transitive = [cc.all_files]),
        outputs = [out],
        mnemonic = "MergeArchive",
        progress_message = "Merging into %s" % out.short_path,
        arguments = [cc.ld_executable, cc.objcopy_executable, cc.ar_executable, ctx.attr.keep, out.path] +
                    [p.path for p in parts],
        # One object, so that what the parts call from each other can be made local.
        command = """set -e
ld=$1 objcopy=$2 ar=$3 keep=$4 out=$5; shift 5
name=${out%.a}
"$ld" -r --whole-archive -o "$name.o" "$@"
"$objcopy" --wildcard --keep-global-symbol="$keep" "$name.o"
rm -f "$out"
"$ar" rcsD "$out" "$name.o"
rm "$name.o"
""",
    )
    return [DefaultInfo(files = depset([out]))]

merged_archive = rule(
    implementation = _merged_archive_impl,
    doc = "One archive out of this workspace's static libraries behind deps; only symbols that match `keep` are global.",
    attrs = {
        "deps": attr.label_list(providers = [CcInfo]),
        "keep": attr.string(mandatory = True),
        "out": attr.output(mandatory = True),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
