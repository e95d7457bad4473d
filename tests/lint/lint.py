"""Runs the lints over this repository: `python3 tests/lint/lint.py [NAME...]`; no name runs all.

Prints one line for each problem; exit status 1 when there is any. --figures prints on standard
output "passed failed 0", counting each lint and each self-test as one test, for ./test.
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import architecture
import banned
import clang_format
import coroutines
import documents
import secrets_scan
import sizes
from tree import Tree

LINTS = {
    "architecture": architecture.check,
    "coroutines": coroutines.check,
    "banned": banned.check,
    "sizes": sizes.check,
    "secrets": secrets_scan.check,
    "documents": documents.check,
    "format": clang_format.check,
}
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run_self_test():
    """(passed, failed) of the tests of the lints themselves."""
    suite = unittest.defaultTestLoader.discover(os.path.dirname(os.path.abspath(__file__)),
                                                pattern="test_*.py")
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    return result.testsRun - failed, failed + (1 if result.testsRun == 0 else 0)


def main(args):
    figures = "--figures" in args
    names = [a for a in args if not a.startswith("-")] or [*LINTS, "selftest"]
    unknown = [n for n in names if n not in LINTS and n != "selftest"]
    if unknown:
        print(f"unknown lint {unknown[0]}; known: {' '.join(LINTS)} selftest", file=sys.stderr)
        return 2
    passed = failed = 0
    tree = Tree.read(ROOT)
    for name in names:
        if name == "selftest":
            good, bad = run_self_test()
            passed, failed = passed + good, failed + bad
            continue
        problems = sorted(LINTS[name](tree), key=lambda p: (p.path, p.line))
        for problem in problems:
            print(f"{problem} [{name}]", file=sys.stderr)
        passed, failed = passed + (not problems), failed + bool(problems)
    if figures:
        print(passed, failed, 0)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
