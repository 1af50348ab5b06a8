"""Backends of libraries that a machine may lack. What is not installed is skipped, with the reason, when the bench runs.

PERCH_WITHOUT="tbb fiber starpu" (any of them) before ./bazelw builds as if they were not installed, for tests.
"""

# The name of the backend -> what to call it, Debian's package, a header to try, how to compile and link.
_LIBRARIES = {
    "fiber": ("Boost.Fiber", "libboost-fiber-dev", "boost/fiber/detail/config.hpp", "", "-lboost_fiber -lboost_context"),
    "starpu": ("StarPU", "libstarpu-dev", "starpu_config.h", "-I/usr/include/starpu/1.3", "-lstarpu-1.3"),
    "tbb": ("oneTBB", "libtbb-dev", "oneapi/tbb/version.h", "", "-ltbb"),
}

def peer_lacks(name):
    """Why a library cannot be used that is not installed."""
    title, package = _LIBRARIES[name][:2]
    return "%s (%s) is not installed; with PEERS=1 before ./bazelw it will be" % (title, package)

def _peer_libraries_impl(ctx):
    without = ctx.os.environ.get("PERCH_WITHOUT", "").split(" ")
    lacks = {}
    for name, (_, _, header, copts, libs) in _LIBRARIES.items():
        ctx.file(name + ".cpp", "#include <%s>\nint main() { return 0; }\n" % header)
        found = name not in without and ctx.which("g++")
        if found:
            flags = [f for f in ("%s %s.cpp %s" % (copts, name, libs)).split(" ") if f]
            found = ctx.execute(["g++", "-std=gnu++17"] + flags + ["-o", name + ".try"]).return_code == 0
        lacks[name] = "" if found else peer_lacks(name)
    ctx.file("BUILD.bazel", "")
    ctx.file("WORKSPACE", "")
    ctx.file("peers.bzl", "PEER_LACKS = %r\n" % lacks)

peer_libraries = repository_rule(
    implementation = _peer_libraries_impl,
    local = True,
    environ = ["PATH", "PERCH_PEERS", "PERCH_WITHOUT"],  # PERCH_PEERS is by bazelw: looked for again when it changes
)

_FLAGS = "-D_GNU_SOURCE -O2 -g -Wall -Wextra -iquote ."

def peer_bodies(name, srcs):
    """What the peers' programs share, in one object: the same C, by the same compiler, as OpenMP's backend.

    Args:
      name: of the object.
      srcs: C sources and headers.
    """
    native.genrule(
        name = name + "_build",
        srcs = srcs,
        outs = [name],
        cmd = "gcc -std=gnu11 %s -r -nostdlib %s -o $@" % (
            _FLAGS,
            " ".join(["$(location %s)" % s for s in srcs if s.endswith(".c")]),
        ),
    )

def peer_backend(name, backend, src, hdrs, bodies, lacks, testonly = False):
    """One program, if its library is there; else one that says why not, for the table.

    Args:
      name: of the program.
      backend: a name of the libraries above.
      src: its source, C or C++.
      hdrs: headers.
      bodies: a peer_bodies.
      lacks: why the library cannot be used, or empty.
      testonly: as everywhere.
    """
    if lacks:
        srcs = []
        cmd = "echo '#!/bin/sh' >$@; echo \"echo '{\\\"skipped\\\":\\\"%s\\\"}'\" >>$@; chmod 755 $@" % lacks
    else:
        _, _, _, copts, libs = _LIBRARIES[backend]
        srcs = [src, bodies] + hdrs
        cmd = " ".join([
            "gcc -std=gnu11" if src.endswith(".c") else "g++ -std=gnu++17 -Wno-missing-field-initializers",
            _FLAGS,
            copts,
            "$(location %s) $(location %s)" % (src, bodies),
            libs,
            "-lnettle -lm -pthread -o $@",
        ])
    native.genrule(
        name = name + "_build",
        srcs = srcs,
        outs = [name],
        cmd = cmd,
        executable = True,
        testonly = testonly,
    )
