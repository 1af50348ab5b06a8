#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_results.py EVENTS: count the test cases that really ran in one `bazel test`;
test_results.py --log LABEL STATUS FILE: in one program's KTAP, its exit status given.

EVENTS is what --build_event_json_file wrote. A target that prints KTAP counts
case by case; any other as one. What came from the cache is not counted.
Of a target that was tried again (--flaky_test_attempts) the last attempt counts, and
what failed before is said too. Prints what failed, then "PASSED FAILED SKIPPED".
"""
import json
import re
import sys
import urllib.parse

RESULT = re.compile(r"^(ok|not ok) \d+ ?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(?: # SKIP (.*))?$")


def read_log(outputs):
    for o in outputs:
        if o["name"] == "test.log" and o.get("uri", "").startswith("file://"):
            with open(urllib.parse.unquote(urllib.parse.urlparse(o["uri"]).path), errors="replace") as f:
                return f.read().splitlines()
    return []


def judge(label, status, lines):
    """-> passed, failed, skipped, what to say"""
    passed = failed = skipped = 0
    planned, left_out, said = None, None, []
    if "KTAP version 1" in lines:
        for line in lines:
            plan, result = PLAN.match(line), RESULT.match(line)
            if plan:
                planned = int(plan.group(1))
                if plan.group(2):  # what is left of it, or all, cannot run here
                    left_out = plan.group(2)
            elif not result:
                continue
            elif result.group(1) == "not ok":
                failed += 1
                said.append("%s: %s" % (label, result.group(2)))
            elif "# SKIP" in line:
                skipped += 1
                said.append("%s: skipped: %s" % (label, result.group(2)))
            else:
                passed += 1
        ran = passed + failed + skipped
        if planned is None or ran != planned:
            failed += 1
            said.append("%s: %s of %s planned tests ended (%s)" % (label, ran, planned, status))
        if left_out:
            skipped += 1
            said.append("%s: skipped: %s" % (label, left_out))
    elif status == "PASSED":
        passed = 1
    if status != "PASSED" and not failed:
        failed += 1
        said.append("%s: %s" % (label, status))
    return passed, failed, skipped, said


def main():
    if sys.argv[1] == "--log":
        label, status, path = sys.argv[2:]
        with open(path, errors="replace") as log:
            *total, said = judge(label, "PASSED" if status in ("0", "4") else "status " + status, log.read().splitlines())
        for s in said:
            print("  " + s)
        print(*total)
        return
    total = [0, 0, 0]
    attempts = {}
    with open(sys.argv[1]) as events:
        for line in events:
            event = json.loads(line)
            if "testResult" not in event or "testResult" not in event["id"]:
                continue
            result, which = event["testResult"], event["id"]["testResult"]
            if result.get("cachedLocally") or result.get("executionInfo", {}).get("cachedRemotely"):
                continue
            attempts.setdefault((which["label"], which.get("run"), which.get("shard")), {})[
                which.get("attempt", 1)] = result
    for (label, _, _), results in attempts.items():
        last = max(results)
        for number in sorted(results):
            result = results[number]
            *counts, said = judge(label, result.get("status", "NO_STATUS"), read_log(result.get("testActionOutput", [])))
            if number == last:
                total = [a + b for a, b in zip(total, counts)]
            else:
                said = ["%s (attempt %d; it was tried again)" % (s, number) for s in said if ": skipped: " not in s]
            for s in said:
                print("  " + s)
    print(*total)


main()
