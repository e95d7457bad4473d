"""Calls and words that have a better place, each with what to use instead."""
import re

import cpp
from tree import CODE, TEXT, Problem

# (pattern, what to do instead, folders, folders of src where it is right)
CALLS = (
    (r"\basio::detached\b|\bboost::asio::detached\b", "an exception would vanish: use a TaskGroup",
     ("src", "tests", "bench"), ()),
    (r"\b(?:system_clock|steady_clock|high_resolution_clock)::now\b|\b(?:std::)?time\((?:0|NULL|nullptr)\)",
     "take a Clock& (base/clock.h)", ("src",), ("base",)),
    (r"\bstd::rand\b|(?<![\w.>:])rand\(\)|\brandom_device\b|\bmt19937\w*",
     "take a Random& (base/random.h)", ("src",), ("base",)),
    (r"\bsleep_for\b|\bsleep_until\b|\b(?:u|nano)sleep\(", "co_await sleep(clock, ...), or an Event",
     ("src", "tests"), ("base",)),
    (r"\bstd::queue\b|\bstd::priority_queue\b", "a queue needs a bound: a deque with its limit beside it",
     ("src",), ()),
    (r"\bstable_sort\b|\bstable_partition\b|\binplace_merge\b",
     "libstdc++ 12's is deprecated inside and stops the build: std::sort by a full order",
     ("src", "tests", "bench"), ()),
    (r"\bstd::async\b", "offload(pool, work)", ("src",), ()),
    (r"\bregex_match\b|\bregex_search\b|\bregex_replace\b",
     "std::regex recurses over outside bytes: parse by hand", ("src",), ()),
)
_THREAD = re.compile(r"\bstd::j?thread\b(?!::)")
_THREAD_REASON = re.compile(r"// lint: thread \S+")
_NEW = re.compile(r"\bnew\b(?!\s*\()")
_OWNED = re.compile(r"(?:_ptr<[\w:<>,\s*&]*>\s*(?:\w+\s*)?[({]|\breset\()\s*$")
_DELETE = re.compile(r"(?<!=)(?<!= )\bdelete\b(?!\s*;\s*//\s*lint)")
_VAGUE = re.compile(r"\b(?:class|struct|enum|using|concept)\s+(?:class\s+)?"
                    r"(\w*(?:Manager|Helper|Helpers|Utils|Util))\b")
_OPEN_WORDS = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))
                         + r")\b|\bnot " + r"implemented\b|\bun" + r"implemented\b")


def check_calls(path, text):
    parts = path.split("/")
    code = cpp.blanked(text)
    for pattern, instead, folders, right in CALLS:
        if parts[0] not in folders or (parts[0] == "src" and parts[1] in right):
            continue
        for match in re.finditer(pattern, code):
            yield Problem(path, cpp.line_of(code, match.start()), f"{match.group()}: {instead}")


def check_threads(path, text):
    if not path.startswith("src/") or path.startswith("src/base/"):
        return
    lines = text.split("\n")
    code = cpp.blanked(text)
    for match in _THREAD.finditer(code):
        number = cpp.line_of(code, match.start())
        if not _THREAD_REASON.search(lines[number - 1]):
            yield Problem(path, number, "std::thread: use OffloadPool, or say on this line why a "
                          "thread of its own must be: `// lint: thread <reason>`")


def check_ownership(path, text):
    if not path.startswith("src/"):
        return
    code = cpp.blanked(text)
    for match in _NEW.finditer(code):
        if re.search(r"\boperator\s*$", code[:match.start()][-12:]):
            continue
        if not _OWNED.search(code[max(0, match.start() - 200):match.start()]):
            yield Problem(path, cpp.line_of(code, match.start()),
                          "raw new: use make_unique, or hand it to a smart pointer at once")
    for match in _DELETE.finditer(code):
        if not re.search(r"(?:=|\boperator)\s*$", code[:match.start()][-12:]):
            yield Problem(path, cpp.line_of(code, match.start()), "raw delete: use unique_ptr")


def check_words(path, text):
    if path.endswith((".h", ".cpp")):
        for match in _VAGUE.finditer(cpp.blanked(text)):
            yield Problem(path, cpp.line_of(text, match.start()),
                          f"{match.group(1)}: name the type after what it is or does")
    if path.endswith(TEXT) or path in ("run", "test"):
        for match in _OPEN_WORDS.finditer(text):
            yield Problem(path, cpp.line_of(text, match.start()), f"left open: {match.group()}")


def check(tree):
    problems = []
    for path, text in tree.under({"src", "tests", "bench"}):
        problems += check_calls(path, text)
        problems += check_threads(path, text)
        problems += check_ownership(path, text)
    for path in sorted(tree.files):
        if path.startswith("tests/lint/") or path.endswith("package-lock.json"):
            continue
        if path.endswith(CODE) or path in ("run", "test"):
            problems += check_words(path, tree.files[path])
    return problems
