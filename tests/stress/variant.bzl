"""perch_build: all of perch compiled again with other defines, for the stress tests."""

load("@rules_cc//cc:defs.bzl", "cc_library")
load("//tests:defs.bzl", "perch_test")

def perch_build(name, defines = []):
    """`name`: the library; whoever depends on it inlines the sections of that build too."""
    cc_library(
        name = name,
        testonly = True,
        srcs = [
            "//core:sources",
            "//rseq:sources",
        ],
        copts = select({
            "//tools/build/aarch64:cpu": [],
            "//conditions:default": ["-mno-red-zone"],
        }),
        defines = defines,
        linkopts = [
            "-lurcu-common",
            "-pthread",
        ],
        linkstatic = True,
        alwayslink = True,
        deps = [
            "//include",
            "//numa",
            "@urcu//:liburcu-cds",
            "@urcu//:liburcu-qsbr",
            "@uring//:liburing",
        ],
    )

def core_stress_tests(build, variants = []):
    """The stress tests on one build: three quarters of a second of each, and the long tier."""
    for (name, copts, tier) in [
        ("core_stress_%s_test" % build, ["-O2"], "quick"),
        ("core_stress_%s_long_test" % build, ["-O2", "-DCORE_STRESS_LONG"], "stress"),
    ]:
        perch_test(
            name = name,
            srcs = native.glob([
                "*.c",
                "*.h",
            ]),
            copts = copts,
            tier = tier,
            tags = ["exclusive"] if tier == "quick" else [],
            # the short ones: without membarrier it goes by the same locks as without rseq
            variants = variants if tier == "stress" else ["rseq_off"],
            deps = [":perch_" + build],
        )
