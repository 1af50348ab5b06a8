"""The cross compiler for aarch64, and the arm64 libraries beside it (--config=aarch64).

Nothing is downloaded here: tools/build/aarch64/sysroot.sh does that, and bazelw
calls it when it sees --config=aarch64.
"""

_BUILD = """
load("@rules_cc//cc:defs.bzl", "cc_toolchain", "cc_toolchain_suite")
load("@bazel_tools//tools/cpp:unix_cc_toolchain_config.bzl", "cc_toolchain_config")

package(default_visibility = ["//visibility:public"])

filegroup(name = "none")

cc_toolchain_suite(
    name = "suite",
    toolchains = {{
        "aarch64": ":toolchain",
        "aarch64|gcc": ":toolchain",
    }},
)

cc_toolchain(
    name = "toolchain",
    all_files = ":none",
    ar_files = ":none",
    as_files = ":none",
    compiler_files = ":none",
    dwp_files = ":none",
    linker_files = ":none",
    objcopy_files = ":none",
    strip_files = ":none",
    supports_param_files = 1,
    toolchain_config = ":config",
    toolchain_identifier = "aarch64-linux-gnu",
)

cc_toolchain_config(
    name = "config",
    abi_libc_version = "glibc",
    abi_version = "gcc",
    compile_flags = [
        "-fdiagnostics-color=never",
        "-isystem",
        "{sysroot}/usr/include",
        "-isystem",
        "{sysroot}/usr/include/aarch64-linux-gnu",
    ],
    compiler = "gcc",
    cpu = "aarch64",
    cxx_builtin_include_directories = [
        "/usr/aarch64-linux-gnu/include",
        "/usr/lib/gcc-cross/aarch64-linux-gnu",
        "{sysroot}/usr/include",
    ],
    dbg_compile_flags = ["-g"],
    host_system_name = "local",
    # -rpath-link: liburcu's libraries need each other
    link_flags = [
        "-L{sysroot}/usr/lib/aarch64-linux-gnu",
        "-Wl,-rpath-link,{sysroot}/usr/lib/aarch64-linux-gnu",
    ],
    opt_compile_flags = ["-O2", "-DNDEBUG"],
    target_libc = "glibc",
    target_system_name = "aarch64-linux-gnu",
    tool_paths = {{
        "ar": "/usr/bin/aarch64-linux-gnu-ar",
        "cpp": "/usr/bin/aarch64-linux-gnu-cpp",
        "dwp": "/usr/bin/aarch64-linux-gnu-dwp",
        "gcc": "/usr/bin/aarch64-linux-gnu-gcc",
        "gcov": "/usr/bin/aarch64-linux-gnu-gcov",
        "ld": "/usr/bin/aarch64-linux-gnu-ld",
        "llvm-cov": "/usr/bin/aarch64-linux-gnu-gcov",  # must be named; not used
        "nm": "/usr/bin/aarch64-linux-gnu-nm",
        "objcopy": "/usr/bin/aarch64-linux-gnu-objcopy",
        "objdump": "/usr/bin/aarch64-linux-gnu-objdump",
        "strip": "/usr/bin/aarch64-linux-gnu-strip",
    }},
    toolchain_identifier = "aarch64-linux-gnu",
)
"""

def _impl(ctx):
    env = ctx.os.environ
    cache = env.get("PERCH_AARCH64") or (env.get("XDG_CACHE_HOME") or env.get("HOME", "/root") + "/.cache") + "/perch-aarch64"
    sysroot = ctx.path(cache + "/sysroot")
    if not sysroot.exists or not ctx.which("aarch64-linux-gnu-gcc"):
        fail("no aarch64 compiler, or nothing in %s; run tools/build/aarch64/sysroot.sh" % sysroot)
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD.bazel", _BUILD.format(sysroot = sysroot))

aarch64_toolchain = repository_rule(
    implementation = _impl,
    environ = ["PERCH_AARCH64", "XDG_CACHE_HOME", "HOME"],
    local = True,
)
