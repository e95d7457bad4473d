"""The counting of test cases behind ./test's closing line."""
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))

# pylint: disable=wrong-import-position
import count_tests


def report(*results):
    """A GoogleTest report with one case for each of "pass", "fail", "skip"."""
    cases = []
    for result in results:
        case = {"name": result, "status": "RUN", "result": "COMPLETED"}
        if result == "fail":
            case["failures"] = [{"failure": "Expected equality"}]
        if result == "skip":
            case["result"] = "SKIPPED"
        cases.append(case)
    return {"testsuites": [{"name": "Suite", "testsuite": cases}]}


class Ctest(unittest.TestCase):
    def figures(self, programs, reports):
        with tempfile.TemporaryDirectory() as folder:
            rows = "".join(f'<testcase name="{n}" status="{s}"/>' for n, s in programs.items())
            with open(os.path.join(folder, "ctest.xml"), "w", encoding="utf-8") as out:
                out.write(f"<testsuite>{rows}</testsuite>")
            for name, one in reports.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                    json.dump(one, out)
            return tuple(count_tests.ctest_figures(folder))

    def test_cases_are_counted_and_programs_without_a_report_count_as_one(self):
        self.assertEqual((4, 1, 1), self.figures(
            {"net": "fail", "replay_json": "run"},
            {"net_tests.json": report("pass", "pass", "pass", "fail", "skip")}))
        self.assertEqual((1, 2, 1), self.figures(
            {"replay_a": "run", "replay_b": "fail", "replay_c": "fail", "d": "notrun"}, {}))

    def test_a_program_that_fails_after_its_last_case_is_a_failure(self):
        self.assertEqual((2, 1, 0), self.figures({"net": "fail"},
                                                 {"net_tests.json": report("pass", "pass")}))

    def test_a_program_that_died_without_a_report_is_a_failure(self):
        self.assertEqual((0, 1, 0), self.figures({"net": "fail"}, {}))

    def test_what_failed_is_named_with_the_first_lines_of_why(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "ctest.xml"), "w", encoding="utf-8") as out:
                out.write('<testsuite><testcase name="net" status="fail"/></testsuite>')
            with open(os.path.join(folder, "net_tests.json"), "w", encoding="utf-8") as out:
                json.dump(report("pass", "fail"), out)
            self.assertEqual(["Suite.fail\n    Expected equality", "net"],
                             count_tests.ctest_failures(folder))


TAP = """# Subtest: machine
    # Subtest: a good one
    ok 1 - a good one
      ---
      duration_ms: 0.5
      ...
    not ok 2 - a bad one
      ---
      location: 'a.test.mjs:2:51'
      failureType: 'testCodeFailure'
      error: |-
        it was wrong

        1 !== 2

      code: 'ERR_ASSERTION'
      ...
    1..2
not ok 1 - machine
  ---
  failureType: 'subtestsFailed'
  error: '1 subtest failed'
  ...
not ok 2 - alone
  ---
  failureType: 'testCodeFailure'
  error: 'x'
  ...
"""


class Node(unittest.TestCase):
    def test_what_failed_is_named_and_the_suites_around_it_are_not(self):
        self.assertEqual(["a bad one (a.test.mjs:2:51)\n    it was wrong\n    1 !== 2",
                          "alone\n    'x'"],
                         [f.replace("      ", "    ") for f in count_tests.node_failures(TAP)])
        self.assertEqual(["a bad one (1.2ms)"],
                         count_tests.node_failures("  \u2714 good\n  \u2716 a bad one (1.2ms)\n"))

    def test_summaries_are_summed(self):
        text = "# pass 3\n# fail 0\n# cancelled 1\n# skipped 2\n\u2139 pass 4\n\u2139 fail 2\n"
        self.assertEqual((7, 3, 2), count_tests.node_figures(text, 1))

    def test_a_run_that_failed_or_was_empty_is_never_green(self):
        self.assertEqual((3, 1, 0), count_tests.node_figures("# pass 3\n# fail 0\n", 1))
        self.assertEqual((0, 1, 0), count_tests.node_figures("", 0))


if __name__ == "__main__":
    unittest.main()
