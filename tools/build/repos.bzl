"""Repositories made on this machine, so that no build step needs a network.

system_library: one cc_library per pkg-config module, named as the module.
offline_repos:  @rules_cc, @rules_shell and @remote_coverage_tools stand-ins
                for Bazel 4 (Debian's bazel-bootstrap), which would otherwise
                download them.
"""

load("//bench:clang.bzl", "openmp_clang")
load("//bench:go.bzl", "go_compiler")
load("//bench:peers.bzl", "peer_libraries")

def _system_library_impl(ctx):
    out = ['package(default_visibility = ["//visibility:public"])']
    for m in ctx.attr.modules:
        r = ctx.execute(["pkg-config", "--cflags-only-I", m])
        if r.return_code != 0:
            fail("%s: pkg-config does not know '%s'; try: apt-get install pkg-config %s" %
                 (ctx.name, m, ctx.attr.apt))
        copts = [f for f in r.stdout.strip().split(" ") if f]
        r = ctx.execute(["pkg-config", "--libs", m])
        libs = [f for f in r.stdout.strip().split(" ") if f]
        r = ctx.execute(["pkg-config", "--modversion", m])
        out.append("# %s %s" % (m, r.stdout.strip()))
        out.append("cc_library(name = %r, linkopts = %r)" % (m, libs))
        if copts:
            # /usr/include is searched anyway; anything else needs a real wrapper.
            out.append("# cflags: %s" % " ".join(copts))
    cc = 'load("@rules_cc//cc:defs.bzl", "cc_library")\n'
    ctx.file("BUILD.bazel", cc + "\n".join(out) + "\n")
    ctx.file("WORKSPACE", "")

_system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {
        "modules": attr.string_list(mandatory = True),
        "apt": attr.string(),
    },
    local = True,
    environ = ["PKG_CONFIG_PATH"],
)

URCU = ["liburcu-qsbr", "liburcu-memb", "liburcu-mb", "liburcu-cds"]

def system_libraries():
    _system_library(name = "nettle", apt = "nettle-dev", modules = ["nettle"])
    _system_library(name = "urcu", apt = "liburcu-dev", modules = URCU)
    _system_library(name = "libnuma", apt = "libnuma-dev", modules = ["numa"])
    _system_library(name = "uring", apt = "liburing-dev", modules = ["liburing"])
    openmp_clang(name = "openmp")
    go_compiler(name = "go")
    peer_libraries(name = "peers")

def _stub_impl(ctx):
    ctx.file("WORKSPACE", "")
    for path, text in ctx.attr.files.items():
        ctx.file(path, text)

_stub = repository_rule(implementation = _stub_impl, attrs = {"files": attr.string_dict()})

def _native(names):
    return "".join(["%s = native.%s\n" % (n, n) for n in names])

_JAVA = ["java_binary", "java_import", "java_library", "java_proto_library", "java_runtime", "java_test", "java_toolchain"]
_CC = ["cc_binary", "cc_import", "cc_library", "cc_proto_library", "cc_test", "cc_toolchain", "cc_toolchain_suite", "objc_library", "fdo_profile", "fdo_prefetch_hints", "objc_import"]

def offline_repos():
    v = getattr(native, "bazel_version", "")
    major = int(v.split(".")[0]) if v else 4  # Debian's 4.2.3 has an empty version
    if major < 8:
        _stub(name = "rules_shell", files = {
            "shell/BUILD": "",
            "shell/sh_test.bzl": "sh_test = native.sh_test\n",
            "shell/sh_binary.bzl": "sh_binary = native.sh_binary\n",
        })
    if major >= 5:
        return  # online, or with --distdir, newer Bazels bring their own
    _stub(name = "rules_cc", files = {"cc/BUILD": "", "cc/defs.bzl": _native(_CC)})
    _stub(name = "rules_java", files = {"java/BUILD": "", "java/defs.bzl": _native(_JAVA)})
    _stub(name = "remote_coverage_tools", files = {
        "BUILD": """
package(default_visibility = ["//visibility:public"])
alias(name = "coverage_report_generator", actual = "@perch//tests:cov_merger")
alias(name = "lcov_merger", actual = "@perch//tests:cov_merger")
""",
    })
