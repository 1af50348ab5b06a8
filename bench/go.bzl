"""The backend in Go: is there a compiler, and how it is called. If there is none, the bench says so, and goes on without."""

def _go_compiler_impl(ctx):
    lacks = ""
    go = ctx.which("go")
    if not go:
        lacks = "Go is not installed; with GO=1 before ./bazelw it will be"
    ctx.file("BUILD.bazel", "")
    ctx.file("WORKSPACE", "")
    ctx.file("go.bzl", "GO = %r\nGO_LACKS = %r\n" % (str(go) if go else "go", lacks))

go_compiler = repository_rule(
    implementation = _go_compiler_impl,
    local = True,
    environ = ["PATH", "PERCH_GO"],  # by bazelw: looked for again when it is installed
)

def go_backend(name, srcs, catalogue, compiler, tags = "", lacks = "", testonly = False):
    """One program in Go, without modules from elsewhere, nor any of C.

    Args:
      name: of the program.
      srcs: its directory's Go sources, go.mod and catalogue.sed.
      catalogue: the C source whose cases catalogue.sed makes into catalogue.go.
      compiler: the command.
      tags: of the Go build.
      lacks: why the compiler cannot be used; the program then says so, for the table.
      testonly: as everywhere.
    """
    if lacks:
        cmd = "echo '#!/bin/sh' >$@; echo \"echo '{\\\"skipped\\\":\\\"%s\\\"}'\" >>$@; chmod 755 $@" % lacks
    else:
        cmd = "\n".join([
            "here=$$PWD work=$$(mktemp -d) && trap 'chmod -R u+w $$work; rm -rf $$work' EXIT",
            "mkdir $$work/src && cp -L %s $$work/src" % " ".join(["$(location %s)" % s for s in srcs]),
            "sed -n -f $$work/src/catalogue.sed $(location %s) >$$work/src/catalogue.go" % catalogue,
            "cd $$work/src && export HOME=$$work GOCACHE=$$work/cache GOPATH=$$work/path GOENV=off",
            "export GO111MODULE=on GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0",
            "%s build -trimpath -tags '%s' -o $$here/$@ ." % (compiler, tags),
        ])
    native.genrule(
        name = name + "_build",
        srcs = srcs + [catalogue],
        outs = [name],
        cmd = "set -e\n" + cmd,
        executable = True,
        testonly = testonly,
    )
