"""openmp_backend: a backend built by a compiler of its own, whatever the rest is built with."""

def openmp_backend(name, srcs, backend, compiler, lacks = ""):
    """One program with OpenMP.

    Args:
      name: of the program.
      srcs: C sources and headers.
      backend: the name it reports.
      compiler: the command.
      lacks: why the compiler cannot be used; the program then says so, for the table.
    """
    sources = [s for s in srcs if s.endswith(".c")]
    if lacks:
        cmd = "echo '#!/bin/sh' >$@; echo \"echo '{\\\"skipped\\\":\\\"%s\\\"}'\" >>$@; chmod 755 $@" % lacks
    else:
        cmd = " ".join([
            compiler,
            "-std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -fopenmp -iquote .",
            "-DBACKEND_NAME='\"%s\"'" % backend,
            " ".join(["$(location %s)" % s for s in sources]),
            "-lnettle -lm -o $@",
        ])
    native.genrule(
        name = name + "_build",
        srcs = srcs,
        outs = [name],
        cmd = cmd,
        executable = True,
    )
