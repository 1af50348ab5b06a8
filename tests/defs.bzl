"""perch_test: a test program of the harness, and the same again with a kernel feature taken away.

A package that uses perch_test ends with perch_test_package(), and is named in
TEST_PACKAGES in //tests/install:BUILD; then `bazel run //tests:install` takes it along.
"""

load("@rules_cc//cc:defs.bzl", "cc_test")
load("@rules_shell//shell:sh_test.bzl", "sh_test")

# What each variant sets in the environment. run_kselftest.sh reads the same
# table, from the list that perch_test_package() writes.
VARIANTS = {
    "rseq_off": "GLIBC_TUNABLES=glibc.pthread.rseq=0",
    "no_membarrier": "PERCH_TEST_SECCOMP=membarrier",
    "no_uring": "PERCH_TEST_SECCOMP=io_uring_setup",
    "mprotect": "PERCH_GUARD=mprotect",
    "shuffle": "PERCH_SHUFFLE=1",
}

TIERS = ["quick", "stress"]

# Without membarrier all but the probe goes by the same locks as without rseq: everywhere but
# here, and where a test says so, that is tried at night only (.ci/run nightly).
NIGHTLY = ["no_membarrier"]
BY_DAY = ["tests/rseq"]

def perch_test(
        name,
        srcs,
        deps = [],
        variants = [],
        by_day = None,
        tier = "quick",
        copts = [],
        data = [],
        linkopts = [],
        size = None,
        long = False,
        tags = [],
        **kwargs):
    """A cc_test `name`, and `name_VARIANT` for each of `variants`.

    Args:
      name: of the target and of the installed program.
      srcs: as for cc_test.
      deps: as for cc_test; the harness is added.
      variants: keys of VARIANTS.
      by_day: of these, those that are not left to the nightly run; all but NIGHTLY.
      tier: "quick", or "stress": tagged so, exclusive, run for PERCH_STRESS_SECONDS.
      copts: as for cc_test.
      data: as for cc_test; found by its path from the workspace, here and where it is installed.
      linkopts: as for cc_test.
      size: as for cc_test; medium (large when stress).
      long: takes 20 seconds or more, mostly since it waits for something not to happen: tagged
        "long", run by .ci/run, and not by the README's command.
      tags: further tags.
      **kwargs: further attributes of the cc_test.
    """
    if tier not in TIERS:
        fail("%s: tier '%s' is none of %s" % (name, tier, TIERS))
    for v in variants:
        if v not in VARIANTS:
            fail("%s: variant '%s' is none of %s" % (name, v, VARIANTS.keys()))
    tags = tags + (["long"] if long else [])
    stress = ["stress", "exclusive"] if tier == "stress" else []
    size = size or ("large" if stress else "medium")
    cc_test(
        name = name,
        size = size,
        srcs = srcs,
        copts = copts,
        data = data + ["//tests:tsan.supp"],
        linkopts = ["-pthread"] + linkopts,
        linkstatic = True,
        tags = tags + stress + ["perch_test", "tier=" + tier] + ["variant=" + v for v in variants],
        deps = deps + ["//tests/harness"],
        **kwargs
    )
    if by_day == None:
        by_day = [v for v in variants if v not in NIGHTLY or native.package_name() in BY_DAY]
    for v in by_day:
        if v not in variants:
            fail("%s: by_day has '%s', which is not among its variants" % (name, v))
    for v in variants:
        # env(1) in front, and not a binary of its own: there is nothing to link twice
        sh_test(
            name = name + "_" + v,
            size = size,
            srcs = ["//tests:with_env.sh"],
            args = [VARIANTS[v], "$(rootpath :%s)" % name],
            data = [":" + name],
            # not under the sanitizers, where each test runs once: CI has 40 minutes
            tags = tags + stress + ["variant"] +
                   ([] if v in by_day else ["nightly"]),
        )

def perch_test_package():
    """Collects the package's perch_tests for //tests:install, as :perch_tests."""
    tests = []
    lines = []
    for rule in native.existing_rules().values():
        tags = rule.get("tags", [])
        if rule["kind"] != "cc_test" or "perch_test" not in tags:
            continue
        tests.append(":" + rule["name"])
        tier = [t[len("tier="):] for t in tags if t.startswith("tier=")][0]
        variants = [t[len("variant="):] for t in tags if t.startswith("variant=")]
        lines.append(" ".join(["%s/%s" % (native.package_name(), rule["name"]), tier] +
                              ["%s:%s" % (v, VARIANTS[v]) for v in variants]))
    native.genrule(
        name = "perch_tests_list",
        testonly = True,
        outs = ["perch_tests.list"],
        cmd = "cat > $@ <<'EOF'\n%s\nEOF" % "\n".join(sorted(lines)),
    )
    native.filegroup(
        name = "perch_tests",
        testonly = True,
        srcs = sorted(tests) + [":perch_tests_list"],
        data = sorted(tests),
        visibility = [
            "//tests/install:__pkg__",
            "//tests/vm:__pkg__",
        ],
    )
