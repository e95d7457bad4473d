"""Counts test cases for ./test: prints "passed failed skipped", and on standard error what failed.

count_tests.py ctest FOLDER       ctest.xml and the JSON files that GoogleTest wrote into FOLDER
count_tests.py node LOG STATUS    the summaries of node:test in LOG, and the run's exit status
"""
import glob
import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

LINES_OF_ONE = 12


def gtest_figures(path):
    """Passed, failed and skipped cases of one GoogleTest JSON report."""
    with open(path, encoding="utf-8") as report:
        suites = json.load(report).get("testsuites", [])
    passed = failed = skipped = 0
    for suite in suites:
        for case in suite.get("testsuite", []):
            if case.get("failures"):
                failed += 1
            elif case.get("result") == "SKIPPED" or case.get("status") == "NOTRUN":
                skipped += 1
            else:
                passed += 1
    return passed, failed, skipped


def ctest_figures(folder):
    """A program with a report counts by its cases, any other as one; a program that failed has at
    least one failed case even if its report shows none (a crash, a leak at exit, a timeout)."""
    reports = {}
    for path in glob.glob(os.path.join(folder, "*.json")):
        stem = re.sub(r"(_tests)?(_\d+)?$", "", os.path.splitext(os.path.basename(path))[0])
        got = gtest_figures(path)
        before = reports.get(stem, (0, 0, 0))
        reports[stem] = tuple(a + b for a, b in zip(before, got))
    total = [0, 0, 0]
    root = ElementTree.parse(os.path.join(folder, "ctest.xml")).getroot()
    for case in root.iter("testcase"):
        status = case.get("status")
        ok = status == "run"
        figures = reports.get(re.sub(r"_tests$", "", case.get("name")))
        if figures is None:
            off = status in ("notrun", "disabled")
            figures = (0, 0, 1) if off else ((1, 0, 0) if ok else (0, 1, 0))
        elif not ok and figures[1] == 0:
            figures = (figures[0], 1, figures[2])
        total = [a + b for a, b in zip(total, figures)]
    return total


def ctest_failures(folder):
    """Names of the cases that failed, with the first lines of why, and of the programs."""
    out = []
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as report:
            suites = json.load(report).get("testsuites", [])
        for suite in suites:
            for case in suite.get("testsuite", []):
                why = "\n".join(f.get("failure", "") for f in case.get("failures", []))
                if why:
                    out.append(said(f"{suite.get('name')}.{case.get('name')}", why))
    root = ElementTree.parse(os.path.join(folder, "ctest.xml")).getroot()
    return out + [case.get("name") for case in root.iter("testcase") if case.get("status") == "fail"]


def said(name, why):
    lines = [line for line in why.splitlines() if line.strip()][:LINES_OF_ONE]
    return "\n".join([name, *("    " + line for line in lines)])


def node_failures(text):
    """The same of node:test; a suite that failed by its cases alone is left out."""
    out = []
    for case in re.finditer(r"^( *)not ok \d+ - (.*)\n\1  ---\n((?:.*\n)*?)\1  \.\.\.$", text, re.M):
        indent, name, block = case.groups()
        if "failureType: 'subtestsFailed'" in block:
            continue
        block = re.sub("^" + indent + "  ", "", block, flags=re.M)
        place = re.search(r"^location: '(.*)'$", block, re.M)
        error = re.search(r"^error: (?:\|-\n((?:(?:  .*)?\n)*)|(.*))", block, re.M)
        why = (error.group(1) or error.group(2) or "") if error else ""
        out.append(said(f"{name} ({place.group(1)})" if place else name, why))
    return out or re.findall(r"^\s*\u2716 (.*)$", text, re.M)


def node_figures(text, status):
    """Sums "# pass 3" and "i pass 3" lines; a run that failed has at least one failed case."""
    def total(*words):
        pattern = r"^\S{1,3} (?:%s) (\d+)\s*$" % "|".join(words)
        return sum(int(n) for n in re.findall(pattern, text, re.M))
    passed, failed = total("pass"), total("fail", "cancelled")
    skipped = total("skipped", "todo")
    if status != 0 and failed == 0 or passed + failed == 0:
        failed += 1
    return passed, failed, skipped


def main(args):
    if args[0] == "ctest":
        figures, failures = ctest_figures(args[1]), ctest_failures(args[1])
    else:
        with open(args[1], encoding="utf-8", errors="replace") as log:
            text = re.sub(r"\x1b\[[0-9;]*m", "", log.read())
        figures, failures = node_figures(text, int(args[2])), node_failures(text)
    print(*figures)
    for failure in failures:
        print("failed:", failure, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
