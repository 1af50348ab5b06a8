"""openmp_clang: is there a clang that can build OpenMP programs? If not, the bench says why, and goes on without."""

def _openmp_clang_impl(ctx):
    lacks = ""
    clang = ctx.which("clang")
    if not clang:
        lacks = "clang is not installed; with CLANG=1 before ./bazelw it will be"
    else:
        ctx.file("try.c", "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n")
        r = ctx.execute([clang, "-fopenmp", "try.c", "-o", "try"])
        if r.return_code:
            lacks = "clang has no OpenMP library (libomp-dev); with CLANG=1 before ./bazelw it will be installed"
    ctx.file("BUILD.bazel", "")
    ctx.file("WORKSPACE", "")
    ctx.file("openmp.bzl", "CLANG = %r\nCLANG_LACKS = %r\n" % (str(clang) if clang else "clang", lacks))

openmp_clang = repository_rule(
    implementation = _openmp_clang_impl,
    local = True,
    environ = ["PATH", "PERCH_CLANG"],  # by bazelw: looked for again when it is installed
)
