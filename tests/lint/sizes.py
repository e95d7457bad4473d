"""Sizes and shape: files, functions, columns, the comment at the top, the final newline."""
import re

import cpp
from tree import CODE, CPP, Problem

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
SCOPE = ("src", "tests", "bench", "tools", "cmake")


def check_file_size(path, text):
    lines = text.count("\n") + (0 if text.endswith("\n") or not text else 1)
    if lines > FILE_LINES_MAX:
        yield Problem(path, FILE_LINES_MAX + 1,
                      f"{lines} lines, at most {FILE_LINES_MAX}: which part is a type of its own?")


def check_functions(path, text):
    for first, last, header in cpp.functions(cpp.blanked(text)):
        lines = last - first + 1
        if lines > FUNCTION_LINES_MAX:
            name = " ".join(header.split())[-60:]
            yield Problem(path, first, f"{name}: {lines} lines, at most {FUNCTION_LINES_MAX}")


def check_columns(path, text):
    raw = cpp.raw_string_lines(text)
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > COLUMNS_MAX and number not in raw:
            yield Problem(path, number, f"{len(line)} columns, at most {COLUMNS_MAX}")


def check_first_comment(path, text):
    """The first line says what the file holds; an empty file holds nothing."""
    if not text.strip():
        return
    lines = text.split("\n")
    first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    starts = {".py": ('"""', "#"), ".sh": ("#",), ".cmake": ("#",)}
    ending = re.search(r"\.\w+$", path)
    wanted = starts.get(ending.group() if ending else "", ("//", "/*"))
    if not first.startswith(wanted) or len(first) < 12:
        yield Problem(path, 1, "the file does not begin with a comment that says what it holds")


def check_end(path, text):
    if text and not text.endswith("\n"):
        yield Problem(path, text.count("\n") + 1, "no newline at the end of the file")


def check(tree):
    problems = []
    for path, text in tree.under(set(SCOPE), CODE):
        problems += check_file_size(path, text)
        problems += check_first_comment(path, text)
        problems += check_end(path, text)
        if path.endswith(CPP):
            problems += check_functions(path, text)
            problems += check_columns(path, text)
    return problems
