"""Reading C++ well enough for the lints: blanked text, brackets, functions, lambdas.

Nothing here parses C++ in full; every finder works on text in which comments, literals and
preprocessor lines are blanked with spaces, so that offsets and line numbers stay true.
"""
import re

_OPEN = {"(": ")", "[": "]", "{": "}"}
_CLOSE = {")": "(", "]": "[", "}": "{"}

_LITERAL = re.compile(
    r'(?P<raw>(?:u8|[uUL])?R"(?P<tag>[^()\s\\]{0,16})\((?P<body>.*?)\)(?P=tag)")'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<char>(?<![0-9A-Za-z_])(?:u8|[uUL])?'(?:\\.|[^'\\\n])+')"
    r"|(?P<line>//(?:\\\n|[^\n])*)"
    r"|(?P<block>/\*.*?\*/)", re.S)
_PREPROCESSOR = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)


def _spaces(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """Comments blanked, literals kept."""
    def one(match):
        return _spaces(match.group()) if match.lastgroup in ("line", "block") else match.group()
    return _LITERAL.sub(one, text)


def blanked(text):
    """Comments, literals and preprocessor lines blanked."""
    text = _LITERAL.sub(lambda match: _spaces(match.group()), text)
    return _PREPROCESSOR.sub(lambda match: _spaces(match.group()), text)


def raw_string_lines(text):
    """Numbers of the lines that lie inside raw string literals."""
    lines = set()
    for match in _LITERAL.finditer(text):
        if match.group("raw") is not None:
            first = text.count("\n", 0, match.start()) + 1
            lines.update(range(first, first + match.group().count("\n") + 1))
    return lines


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def closing(text, start):
    """Offset of the bracket that closes the one at `start`; -1 when it is never closed."""
    stack = []
    for at in range(start, len(text)):
        char = text[at]
        if char in _OPEN:
            stack.append(_OPEN[char])
        elif char in _CLOSE:
            if not stack or stack.pop() != char:
                return -1
            if not stack:
                return at
    return -1


def opening(text, end):
    """Offset of the bracket that opens the one closed at `end`; -1 when there is none."""
    stack = []
    for at in range(end, -1, -1):
        char = text[at]
        if char in _CLOSE:
            stack.append(_CLOSE[char])
        elif char in _OPEN:
            if not stack or stack.pop() != char:
                return -1
            if not stack:
                return at
    return -1


def closing_angle(text, start):
    """Offset of the `>` that closes the `<` at `start`; -1 when it is no template list."""
    depth = 0
    for at in range(start, min(len(text), start + 2000)):
        if text[at] == "<":
            depth += 1
        elif text[at] == ">" and text[at - 1] != "-":
            depth -= 1
            if depth == 0:
                return at
        elif text[at] in ";{}":
            return -1
    return -1


_LAMBDA_NEXT = re.compile(r"\s*(?:\(|\{|<|mutable\b|noexcept\b|->)")


def lambdas(text):
    """(offset, captures, body start, body end) of each lambda in blanked text."""
    found = []
    for match in re.finditer(r"\[", text):
        start = match.start()
        before = text[:start].rstrip()
        if text.startswith("[[", start) or before.endswith("["):
            continue
        last = re.search(r"(\w+)$", before)
        if before.endswith((")", "]")) or (last and last.group(1) not in ("return", "co_return",
                                                                          "co_yield", "case")):
            continue
        end = closing(text, start)
        if end < 0 or not _LAMBDA_NEXT.match(text, end + 1):
            continue
        body = _lambda_body(text, end + 1)
        if body is not None:
            found.append((start, text[start + 1:end].strip(), body, closing(text, body)))
    return found


def _lambda_body(text, at):
    """Offset of the `{` of a lambda whose captures end before `at`."""
    while at < len(text):
        char = text[at]
        if char == "{":
            return at if closing(text, at) > 0 else None
        if char == "(":
            at = closing(text, at)
            if at < 0:
                return None
        elif char == "<":
            at = closing_angle(text, at)
            if at < 0:
                return None
        elif char in ";)],}" or (char == "=" and text[at - 1:at + 2] != "=="):
            return None
        at += 1
    return None


_CONTROL = re.compile(r"^(?:\w+\s*:(?!:)\s*)?(?:if|for|while|switch|catch|do|else|try)\b")
_TYPE = re.compile(r"^(?:(?:typedef|static|inline|export)\s+)*"
                   r"(?:class|struct|union|enum|namespace|extern)\b")


def _header(text, brace):
    """(offset, text) of what stands between the last boundary and the `{` at `brace`."""
    at = brace - 1
    while at >= 0:
        char = text[at]
        if char in ")]":
            at = opening(text, at)
            if at < 0:
                return brace, ""
        elif char in ";{}([":
            break
        at -= 1
    raw = re.sub(r"^\s*(?:public|private|protected)\s*:(?!:)",
                 lambda match: " " * len(match.group()), text[at + 1:brace])
    return at + 1 + (len(raw) - len(raw.lstrip())), raw.strip()


def _is_function(header):
    """Whether `header` announces a function body, not a type, a namespace or an initializer."""
    while header.startswith("template"):
        end = closing_angle(header, header.find("<")) if "<" in header else -1
        if end < 0:
            break
        header = header[end + 1:].lstrip()
    if header.startswith(",") or re.search(r"\boperator\b", header):
        return "(" in header
    if "(" not in header or _CONTROL.match(header):
        return False
    flat, depth = "", 0
    for char in header:
        depth += char in "([<"
        if depth == 0:
            flat += char
        depth -= char in ")]>"
    if re.search(r"(?<![=!<>])=(?!=)", flat):
        return bool(re.search(r"\]\s*\(", header))  # a named lambda
    return not _TYPE.match(header)


_MEMBER = re.compile(r"\s*,\s*[\w:]+(?:<[\w:<>,\s*&]*>)?\s*(?=[({])")


def _body_end(text, brace):
    """End of the function whose body, or first braced member initializer, opens at `brace`."""
    end = closing(text, brace)
    while end > 0:
        member = _MEMBER.match(text, end + 1)
        body = re.compile(r"\s*\{").match(text, end + 1)
        if member:
            end = closing(text, member.end())
        elif body and text[brace - 1] not in ") ":
            return closing(text, body.end() - 1)
        elif body and text[end] == ")":
            return closing(text, body.end() - 1)
        else:
            return end
    return end


def functions(text):
    """(first line, last line, header) of each outermost function in blanked text."""
    found, at = [], 0
    while True:
        at = text.find("{", at)
        if at < 0:
            return found
        start, header = _header(text, at)
        if _is_function(header):
            end = _body_end(text, at)
            if end > 0:
                found.append((line_of(text, start), line_of(text, end), header.split("(")[0]))
                at = end
        elif re.search(r"(?<![=!<>])=\s*$", header):
            end = closing(text, at)
            at = end if end > 0 else at
        at += 1
