"""Rooms: every include and every CMake USES against the table in docs/architecture.md.

That table is the only definition: `| room | holds | may include | inner rooms may also include |`.
"""
import re

from tree import Problem

TABLE = "docs/architecture.md"
WIRE = re.compile(r"^src/app/wire\w*\.(?:h|cpp)$")


# Where the libraries that a room wraps may be included: first the header, then the places.
LIBRARIES = (
    (r"sqlite3\.h", ("storage/sqlite",)),
    (r"libpq-fe\.h", ("storage/postgres",)),
    (r"curl/", ("net",)),
    (r"openssl/ssl\.h", ("net",)),
    (r"boost/beast", ("net",)),
    (r"libxml/", ("knowledge",)),
    (r"toml\+\+|toml\.hpp", ("config",)),
    (r"CLI/", ("app",)),
    (r"nlohmann/", ("base",)),
    (r"vips/", ("decoder",)),
    (r"jpeglib\.h", ("decoder",)),
    (r"poppler-", ("decoder",)),
    (r"libav|libsw", ("audio",)),
    (r"pocketsphinx", ("audio",)),
    (r"espeak", ("audio",)),
    (r"seccomp\.h", ("resources",)),
)


def rooms(tree):
    """room -> (rooms it may include, rooms its inner rooms may include beside)."""
    table = {}
    for line in tree.files.get(TABLE, "").split("\n"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        match = re.fullmatch(r"`(\w+)`", cells[0])
        if match and len(cells) == 4:
            table[match.group(1)] = tuple(set(re.findall(r"\w+", cell)) for cell in cells[2:])
    return table


def place(path):
    """(room, inner room or "") of a path below src; ("", "") when it is in no room."""
    parts = path.split("/")
    if len(parts) < 3 or parts[0] != "src":
        return "", ""
    return parts[1], parts[2] if len(parts) > 3 else ""


def includes(text):
    """(line, included path) of each include in quotes."""
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if match:
            yield number, match.group(1)


def _one_include(path, target, table, files):
    """What is wrong with `path` including `target`, or None."""
    room, inner = place(path)
    to_room, to_inner = place("src/" + target)
    if "src/" + target not in files:
        return f'"{target}" is not a file below src; write the path from src, e.g. "base/co.h"'
    if to_room not in table:
        return f"room '{to_room}' is not in the table of {TABLE}"
    if to_inner and (to_room, to_inner) != (room, inner) and not WIRE.match(path):
        return f"the inner room {to_room}/{to_inner} is named by app/wire*.cpp alone"
    allowed = table[room][0] | {room} | (table[room][1] if inner else set())
    if to_room not in allowed:
        where = f"{room}/{inner}" if inner else room
        return f"{where} may not include {to_room} (table in {TABLE})"
    return None


def check_includes(tree, table):
    for path, text in tree.under({"src"}):
        room, _ = place(path)
        if room not in table:
            yield Problem(path, 1, f"is in no room of the table in {TABLE}")
            continue
        for line, target in includes(text):
            wrong = _one_include(path, target, table, tree.files)
            if wrong:
                yield Problem(path, line, wrong)


def check_libraries(tree):
    """A library that one room wraps is included there alone."""
    for path, text in tree.under({"src"}):
        where = "/".join(part for part in place(path) if part)
        for match in re.finditer(r"^\s*#\s*include\s+<([^>]+)>", text, re.M):
            for pattern, places in LIBRARIES:
                if re.match(pattern, match.group(1)) and where not in places \
                        and where.split("/")[0] not in places:
                    yield Problem(path, text.count("\n", 0, match.start(1)) + 1,
                                  f"<{match.group(1)}> belongs to {places[0]} alone")


def check_test_includes(tree, table):
    """Tests see every room and every inner room, by the path from src."""
    for path, text in tree.under({"tests", "bench"}):
        for line, target in includes(text):
            first = target.split("/")[0]
            if first in table and "src/" + target not in tree.files:
                yield Problem(path, line, f'"{target}" is not a file below src')


def room_calls(text):
    """(line, name, used rooms) of each room(...) in a CMake file."""
    text = re.sub(r"#[^\n]*", "", text)
    lists = {}
    for name, words in re.findall(r"\b(?:set|list)\(\s*(?:APPEND\s+)?(\w+)([^)]*)\)", text):
        lists[name] = lists.get(name, "") + " " + words
    text = re.sub(r"\$\{(\w+)\}", lambda match: lists.get(match.group(1), match.group()), text)
    for match in re.finditer(r"^\s*room\(\s*(\w+)([^)]*)\)", text, re.M):
        words = match.group(2).split()
        used, taking = [], False
        for word in words:
            if word in ("SOURCES", "USES", "LINKS"):
                taking = word == "USES"
            elif taking:
                used.append(word)
        yield text.count("\n", 0, match.start(1)) + 1, match.group(1), used


def _as_place(name, table):
    """("storage", "sqlite") of a library name such as storage_sqlite."""
    for room in table:
        if name == room or name.startswith(room + "_"):
            return room, name[len(room) + 1:]
    return name, ""


def check_cmake(tree, table):
    declared = {}
    for path in sorted(tree.files):
        if not (path.startswith("src/") and path.endswith("/CMakeLists.txt")):
            continue
        for line, name, used in room_calls(tree.files[path]):
            room, inner = place(path)
            if room not in table:
                continue
            declared.setdefault(room, set()).update(_as_place(u, table)[0] for u in used)
            allowed = table[room][0] | {room} | table[room][1]
            for other in used:
                to_room, to_inner = _as_place(other, table)
                if to_room not in allowed:
                    yield Problem(path, line, f"{name} may not use {other} (table in {TABLE})")
                elif to_inner and to_room != room and room != "app":
                    yield Problem(path, line, f"{other} is an inner room: app alone links it")
    for path, text in tree.under({"src"}):
        room, _ = place(path)
        for line, target in includes(text):
            to_room = target.split("/")[0]
            if room in declared and to_room in table and to_room != room \
                    and to_room not in _closure(declared, room):
                yield Problem(path, line, f"src/{room}/CMakeLists.txt does not say USES {to_room}")


def _closure(graph, start):
    seen, todo = set(), [start]
    while todo:
        for other in graph.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def cycle(graph):
    """A list of nodes that form a cycle, or []."""
    state = {}

    def visit(node, trail):
        state[node] = 1
        for other in sorted(graph.get(node, ())):
            if state.get(other) == 1:
                return trail[trail.index(other):] + [other] if other in trail else [node, other]
            if other not in state:
                found = visit(other, trail + [other])
                if found:
                    return found
        state[node] = 2
        return []

    for node in sorted(graph):
        if node not in state:
            found = visit(node, [node])
            if found:
                return found
    return []


def check_cycles(tree, table):
    allowed = {room: may - {room} for room, (may, _) in table.items()}
    found = cycle(allowed)
    if found:
        yield Problem(TABLE, 1, "the table has a cycle: " + " -> ".join(found))
    files = {path: {"src/" + t for _, t in includes(text)} & set(tree.files)
             for path, text in tree.under({"src"})}
    found = cycle(files)
    if found:
        yield Problem(found[0], 1, "include cycle: " + " -> ".join(found))


def check(tree):
    table = rooms(tree)
    if "base" not in table:
        return [Problem(TABLE, 1, "the table of rooms is missing")]
    return [*check_includes(tree, table), *check_libraries(tree), *check_test_includes(tree, table),
            *check_cmake(tree, table), *check_cycles(tree, table)]
