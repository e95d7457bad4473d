"""Documents against the tree: commands and links in Markdown exist, error codes are listed."""
import re

import cpp
from tree import Problem

ERRORS = "docs/errors.md"
_FENCE = re.compile(r"^```(?:sh|bash|console|shell)\n(.*?)^```", re.M | re.S)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
_SAY = re.compile(r'\bError::say\(\s*(?:mainstay::)?Errc::\w+,\s*"(\w+)"')
_REASON = re.compile(r'\breason\s*=\s*"(\w+)"')


def commands(text):
    """(line, words) of each command line in a shell block, without prompts and comments."""
    for block in _FENCE.finditer(text):
        first = text.count("\n", 0, block.start(1)) + 1
        continued = False
        for offset, line in enumerate(block.group(1).split("\n")):
            words = re.sub(r"\s#.*", "", line.strip()).removeprefix("$ ").split()
            if words and not continued and not words[0].startswith("#"):
                yield first + offset, words
            continued = line.rstrip().endswith("\\")


def _known_verbs(tree):
    """Words in quotes of src/app, where the command line is defined."""
    return {word for path, text in tree.under({"src"}) if path.startswith("src/app/")
            for word in re.findall(r'"(\w+)"', text)}


def _parts_of_test(tree):
    return set(re.findall(r"^#   \./test (\w+) ", tree.files.get("test", ""), re.M))


def check_commands(tree, path, text):
    verbs, parts = _known_verbs(tree), _parts_of_test(tree)
    for line, words in commands(text):
        program, rest = words[0], words[1:]
        local = program.removeprefix("./")
        if program.startswith("./") or program.startswith(("tools/", "bench/", "tests/")):
            if local not in tree.executable:
                yield Problem(path, line, f"{program} is no executable file here")
                continue
        verb = rest[0] if rest and re.fullmatch(r"[a-z]\w*", rest[0]) else ""
        if local in ("run", "mainstay", "build/release/mainstay") and verb and verb not in verbs:
            yield Problem(path, line, f"the program has no command '{verb}'")
        if local == "test" and program.startswith("./"):
            for part in rest:
                if re.fullmatch(r"[a-z]\w*", part) and part not in parts:
                    yield Problem(path, line, f"./test has no part '{part}'")


def check_links(tree, path, text):
    folder = path.rsplit("/", 1)[0] + "/" if "/" in path else ""
    for match in _LINK.finditer(text):
        target = match.group(1)
        if re.match(r"[a-z]+:", target):
            continue
        parts = []
        for part in (folder + target).rstrip("/").split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        full = "/".join(parts)
        if full not in tree.files and not any(f.startswith(full + "/") for f in tree.files):
            yield Problem(path, text.count("\n", 0, match.start()) + 1, f"dead link: {target}")


def _arguments(code, start):
    """The arguments of the list that opens at `start`, split at its own commas."""
    end = cpp.closing(code, start)
    parts, depth, last = [], 0, start + 1
    for at in range(start + 1, end):
        depth += (code[at] in "([{") - (code[at] in ")]}")
        if code[at] == "," and depth == 0:
            parts.append(code[last:at].strip())
            last = at + 1
    return parts + [code[last:end].strip()] if end > 0 else []


def _passing_on(code):
    """(name, index) of each function with a parameter `reason`: callers give the code there."""
    for match in re.finditer(r"\b(?:string_view|string|char\s*\*)\s*&?\s*reason\s*[,)=]", code):
        depth, at = 0, match.start()
        while at > 0 and depth >= 0:
            at -= 1
            depth += (code[at] in ")]}") - (code[at] in "([{")
        before = code[max(0, at - 200):at]
        name = re.search(r"(\w+)\s*(?:=\s*\[[^\]]*\]\s*)?$", before)
        if re.search(r"\b(?:Counter|Gauge|Histogram)\s*&\s*\w+\s*$", before):
            continue  # a metric's label, which no client sees
        index = next((i for i, a in enumerate(_arguments(code, at))
                      if re.search(r"\breason\b", a)), -1)
        if name and index >= 0:
            yield name.group(1), index


def said_reasons(tree):
    """reason -> (path, line) of each reason given to a client in src."""
    said = {}
    sources = [(path, cpp.without_comments(text)) for path, text in tree.under({"src"})]
    passing = {pair for _, code in sources for pair in _passing_on(code)}
    for path, code in sources:
        for name, index in passing:
            for match in re.finditer(r"(?<![\w.>:])%s\(" % name, code):
                given = _arguments(code, match.end() - 1)
                literal = re.fullmatch(r'"([a-z0-9_]+)"', given[index]) if index < len(given) else None
                if literal:
                    said.setdefault(literal.group(1), (path, cpp.line_of(code, match.start())))
        for pattern in (_SAY, _REASON):
            for match in pattern.finditer(code):
                said.setdefault(match.group(1), (path, cpp.line_of(code, match.start())))
    return said


def check_errors(tree):
    """Every reason in src is listed in docs/errors.md, and every listed code is in src."""
    text = tree.files.get(ERRORS, "")
    listed = {m.group(1): text.count("\n", 0, m.start()) + 1
              for m in re.finditer(r"^\| `(\w+)` \|", text, re.M)}
    said = said_reasons(tree)
    for reason, (path, line) in sorted(said.items()):
        if reason not in listed:
            yield Problem(path, line, f'reason "{reason}" is not listed in {ERRORS}')
    literals = set()
    for _, source in tree.under({"src"}):
        literals.update(re.findall(r'"(\w+)"', cpp.without_comments(source)))
    for code, line in sorted(listed.items()):
        if code not in literals:
            yield Problem(ERRORS, line, f"`{code}` is nowhere in src")


def check(tree):
    problems = list(check_errors(tree))
    for path in sorted(tree.files):
        if path.endswith(".md"):
            problems += check_links(tree, path, tree.files[path])
            problems += check_commands(tree, path, tree.files[path])
    return problems
