"""rseq_build: //rseq compiled again with other defines, for the stress test and its seeded bugs."""

load("@rules_cc//cc:defs.bzl", "cc_library")
load("//tests:defs.bzl", "perch_test")

def rseq_build(name, defines = []):
    """`name`: the library; whoever depends on it inlines the sections of that build too."""
    cc_library(
        name = name,
        testonly = True,
        srcs = ["//rseq:sources"],
        defines = defines,
        linkopts = ["-pthread"],
        linkstatic = True,
        alwayslink = True,
    )

STRESS_SRCS = [
    "ring_stress.c",
    "ring_stress.h",
    "stress_item.c",
    "stress_item.h",
    "stress_worker.c",
    "stress_worker.h",
]

def ring_stress_tests(build, variants = []):
    """The stress test on one build of //rseq: some seconds of it, and the long tier."""
    perch_test(
        name = "ring_stress_%s_test" % build,
        srcs = STRESS_SRCS + ["ring_stress_test.c"],
        copts = ["-O2"],
        tags = ["exclusive"],
        variants = variants,
        deps = [":rseq_" + build],
    )
    perch_test(
        name = "ring_stress_%s_long_test" % build,
        srcs = STRESS_SRCS + ["ring_stress_test.c"],
        copts = ["-O2", "-DRING_STRESS_LONG"],
        tier = "stress",
        variants = variants,
        deps = [":rseq_" + build],
    )

def ring_seed_test(seed):
    """A build with a seeded bug, of which the stress test must say that it is broken."""
    define = "PERCH_SEED_" + seed.upper()
    rseq_build(
        name = "rseq_seed_" + seed,
        defines = [define, "PERCH_SECTION_DELAY", "PERCH_INJECT"],
    )
    perch_test(
        name = "ring_seed_%s_test" % seed,
        srcs = STRESS_SRCS + ["ring_seed_test.c"],
        copts = ["-O2"],
        tags = ["exclusive", "nosan"],
        deps = [":rseq_seed_" + seed],
    )
