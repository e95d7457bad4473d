"""The plain-co_await rule, parameters of coroutines, and coroutine lambdas with captures.

A statement with co_await is only one of
  co_await X;    auto v = co_await X;    v = co_await X;    co_return co_await X;
with no brace, no ?:, no second co_await and no && or || around it. These are the forms that every
compiler gets right; what they exclude has crashed (docs/decisions/001-clang-libstdcxx.md).
"""
import re

import cpp
from tree import Problem

RULE = ("write it as `co_await X;`, `auto v = co_await X;`, `v = co_await X;` "
        "or `co_return co_await X;`")
_LABEL = re.compile(r"^(?:case\b[^:?]*(?:::[^:?]*)*:(?!:)|default\s*:)\s*")
_ATTRIBUTE = re.compile(r"^\[\[[\w:, ]*\]\]\s*")
_UNBRACED = re.compile(r"^(?:else|do)\b\s*")
_HEADED = re.compile(r"^(?:if(?:\s+constexpr)?|for|while)\s*\(")
_PLAIN = re.compile(
    r"^(?:co_return\s+"
    r"|(?:(?:static\s+)?(?:const\s+)?auto\s*&{0,2}\s*\[[\w\s,]*\]\s*=\s*)"
    r"|(?:[\w:]+(?:<[\w:<>,\s*&]*>)?(?:\s*[&*]+\s*|\s+)){0,3}[\w.\->:*\[\]()]+\s*=\s*"
    r")?co_await\b")


def statement_around(text, at):
    """(statement, fault) of the co_await at `at`; fault says why it is no plain statement."""
    start, level = at - 1, 0
    while start >= 0:
        char = text[start]
        if char in ")]":
            start = cpp.opening(text, start)
            if start < 0:
                return "", "unbalanced brackets"
        elif char == "(":
            return "", "stands inside parentheses"
        elif char == "[":
            return "", "stands inside brackets"
        elif char == "}" or char in ";{":
            break
        start -= 1
    end = at
    while end < len(text):
        char = text[end]
        if char == "(" or char == "[":
            close = cpp.closing(text, end)
            if close < 0:
                return "", "unbalanced brackets"
            if "{" in text[end:close]:
                return "", "has a brace in its statement"
            end = close
        elif char == "{":
            return "", "has a brace in its statement"
        elif char == "}":
            return "", "stands inside an initializer"
        elif char == ";":
            break
        end += 1
    return _strip_control(text[start + 1:end].strip()), ""


def _strip_control(statement):
    """`statement` without labels and without an unbraced if, else, for, while in front."""
    while True:
        before = statement
        statement = _LABEL.sub("", statement, count=1)
        statement = _UNBRACED.sub("", statement, count=1)
        statement = _ATTRIBUTE.sub("", statement, count=1)
        if _HEADED.match(statement):
            end = cpp.closing(statement, statement.index("("))
            statement = statement[end + 1:].lstrip() if end > 0 else statement
        if statement == before:
            return statement


def fault_of(text, at):
    """What is wrong with the co_await at `at` in blanked text, or ""."""
    statement, fault = statement_around(text, at)
    if fault:
        return fault
    if not _PLAIN.match(statement):
        return "stands inside a larger statement"
    rest = statement[_PLAIN.match(statement).end():]
    if "?" in rest:
        return "shares its statement with ?:"
    if re.search(r"\bco_await\b", rest):
        return "shares its statement with a second co_await"
    if re.search(r"&&|\|\|", _outside_brackets(rest)):
        return "is part of a condition"
    return ""


def _outside_brackets(text):
    out, depth = "", 0
    for char in text:
        depth += char in "([{"
        out += char if depth == 0 else " "
        depth -= char in ")]}"
    return out


def check_awaits(path, text):
    code = cpp.blanked(text)
    for match in re.finditer(r"\bco_await\b", code):
        fault = fault_of(code, match.start())
        if fault:
            yield Problem(path, cpp.line_of(code, match.start()), f"this co_await {fault}: {RULE}")


def check_lambdas(path, text):
    code = cpp.blanked(text)
    found = cpp.lambdas(code)
    for start, captures, body, end in found:
        inside = code[body:end]
        for other_start, _, other_body, other_end in found:
            if body < other_start and other_end <= end:
                hole = inside[other_body - body:other_end - body]
                inside = inside.replace(hole, re.sub(r"[^\n]", " ", hole), 1)
        if captures and re.search(r"\bco_(?:await|return|yield)\b", inside):
            yield Problem(path, cpp.line_of(code, start),
                          f"a coroutine lambda captures [{captures}]: the captures die before the "
                          "coroutine; write a named function, or pass what it needs as parameters")


def check_parameters(path, text):
    code = cpp.blanked(text)
    for match in re.finditer(r"\bCo<", code):
        angle = cpp.closing_angle(code, match.end() - 1)
        if angle < 0:
            continue
        before = code[:match.start()].rstrip()
        if before.endswith("->"):
            before = re.sub(r"\s*(?:mutable|noexcept|const|override)\s*$", "", before[:-2].rstrip())
            if not before.endswith(")"):
                continue
            parameters = before[cpp.opening(before, len(before) - 1):]
        else:
            name = re.match(r"\s*(?:[A-Za-z_]\w*(?:<[^<>;()]*>)?::)*[A-Za-z_]\w*\s*\(",
                            code[angle + 1:angle + 400])
            if not name:
                continue
            open_at = angle + name.end()
            close = cpp.closing(code, open_at)
            if close < 0:
                continue
            parameters = code[open_at:close]
        view = re.search(r"\b(string_view|span)\b", parameters)
        if view:
            yield Problem(path, cpp.line_of(code, match.start()),
                          f"a coroutine takes a {view.group(1)}: what it points at may be gone "
                          "after the first co_await; take std::string or std::vector by value")


def check(tree):
    problems = []
    for path, text in tree.under({"src", "tests", "bench"}):
        problems += check_awaits(path, text)
        problems += check_lambdas(path, text)
        problems += check_parameters(path, text)
    return problems
