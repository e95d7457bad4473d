"""The other lints on small trees: what they must see and what they must let pass."""
import unittest

import architecture
import banned
import cpp
import documents
import secrets_scan
import sizes
from tree import Tree

TABLE = """# Architecture
| room | holds | may include | inner rooms may also include |
|---|---|---|---|
| `base` | results | - | - |
| `config` | settings | base | - |
| `net` | HTTP | base config | - |
| `storage` | faces | base config | - |
| `models` | faces | base config storage | net |
| `app` | wiring | base config net storage models | - |
"""


def house(**files):
    """A tree with the table and the given files; __ in a name is a slash."""
    named = {name.replace("__", "/").replace("_h", ".h").replace("_cpp", ".cpp"): text
             for name, text in files.items()}
    return Tree({"docs/architecture.md": TABLE, "src/base/co.h": "", "src/net/client.h": "",
                 "src/storage/faces.h": "", "src/storage/sqlite/store.h": "", **named})


def says(problems):
    return [p.says for p in problems]


class Architecture(unittest.TestCase):
    def seen(self, path, included):
        tree = house()
        tree.files[path] = f'// A file.\n#include "{included}"\n'
        return says(architecture.check(tree))

    def test_allowed_arrows_pass(self):
        for path, included in (("src/net/a.cpp", "base/co.h"), ("src/net/a.cpp", "net/client.h"),
                               ("src/models/openai/a.cpp", "net/client.h"),
                               ("src/storage/sqlite/a.cpp", "storage/sqlite/store.h"),
                               ("src/app/wire.cpp", "storage/sqlite/store.h"),
                               ("src/app/wire_models.cpp", "storage/sqlite/store.h"),
                               ("tests/unit/net/a.cpp", "storage/sqlite/store.h")):
            with self.subTest(path=path, included=included):
                self.assertEqual([], self.seen(path, included))

    def test_forbidden_arrows_are_seen(self):
        for path, included in (("src/base/a.cpp", "net/client.h"),
                               ("src/net/a.cpp", "storage/faces.h"),
                               ("src/models/a.cpp", "net/client.h"),
                               ("src/models/openai/a.cpp", "storage/sqlite/store.h"),
                               ("src/storage/a.cpp", "storage/sqlite/store.h"),
                               ("src/app/main.cpp", "storage/sqlite/store.h"),
                               ("src/net/a.cpp", "client.h"), ("src/net/a.cpp", "net/gone.h"),
                               ("src/cellar/a.cpp", "base/co.h"), ("tests/a.cpp", "net/gone.h")):
            with self.subTest(path=path, included=included):
                self.assertTrue(self.seen(path, included))

    def test_a_wrapped_library_stays_in_its_room(self):
        for path, header, problems in (("src/storage/sqlite/a.cpp", "sqlite3.h", 0),
                                       ("src/storage/a.cpp", "sqlite3.h", 1),
                                       ("src/net/inner/a.cpp", "curl/curl.h", 0),
                                       ("src/models/openai/a.cpp", "curl/curl.h", 1),
                                       ("src/net/a.cpp", "vector", 0)):
            with self.subTest(path=path, header=header):
                tree = house()
                tree.files[path] = f"// A file.\n#include <{header}>\n"
                self.assertEqual(problems, len(architecture.check(tree)))

    def test_cycles_are_seen_in_files_and_in_the_table(self):
        tree = house(src__net__a_h='#include "net/b.h"', src__net__b_h='#include "net/a.h"')
        self.assertTrue(any("include cycle" in s for s in says(architecture.check(tree))))
        tree = house()
        tree.files["docs/architecture.md"] = TABLE.replace("| results | - |", "| results | app |")
        self.assertTrue(any("table has a cycle" in s for s in says(architecture.check(tree))))

    def test_cmake_is_held_to_the_table_and_to_the_includes(self):
        def cmake(uses, include="base/co.h"):
            tree = house(src__net__a_cpp=f'#include "{include}"')
            tree.files["src/net/CMakeLists.txt"] = f"room(net\n  SOURCES a.cpp\n  USES {uses})\n"
            return says(architecture.check(tree))
        self.assertEqual([], cmake("base config"))
        self.assertTrue(any("may not use storage" in s for s in cmake("base storage")))
        self.assertTrue(any("does not say USES base" in s for s in cmake("config")))

    def test_without_a_table_nothing_passes(self):
        self.assertTrue(architecture.check(Tree({"src/base/a.h": ""})))


class Banned(unittest.TestCase):
    def seen(self, path, line):
        return says(banned.check(Tree({path: f"// A file of a test.\n{line}\n"})))

    def test_each_banned_call_is_seen_and_the_better_one_named(self):
        for line, better in (("co_spawn(io, f(), asio::detached);", "TaskGroup"),
                             ("auto t = std::chrono::system_clock::now();", "Clock"),
                             ("auto t = steady_clock::now();", "Clock"),
                             ("int r = std::rand();", "Random"),
                             ("std::random_device d;", "Random"),
                             ("std::this_thread::sleep_for(1s);", "sleep"),
                             ("std::queue<int> q;", "bound"),
                             ("std::thread t(run);", "OffloadPool"),
                             ("std::thread t(run);  // lint: thread", "OffloadPool"),
                             ("auto* x = new Thing(1);", "make_unique"),
                             ("delete x;", "unique_ptr"), ("delete[] x;", "unique_ptr"),
                             ("std::stable_sort(a.begin(), a.end());", "full order"),
                             ("class PoolManager {};", "name the type"),
                             ("struct TextUtils {};", "name the type"),
                             ("// TO" "DO: later", "left open")):
            with self.subTest(line=line):
                found = self.seen("src/net/a.cpp", line)
                self.assertEqual(1, len(found), found)
                self.assertIn(better, found[0])

    def test_what_only_looks_like_it_passes(self):
        for line in ("// steady_clock::now is banned", 'log("std::thread");',
                     "std::thread t(run);  // lint: thread health answers beside the loops",
                     "using TimePoint = std::chrono::steady_clock::time_point;",
                     "A(const A&) = delete;", "new (place) Thing(1);", "int renew = 1;",
                     "auto p = std::unique_ptr<Log>(new Log(1));", "p.reset(new Log(1));",
                     "std::thread::id id;", "WindowManagerial x;", "void operator delete(void*);",
                     "std::unique_ptr<Log> log(new Log(1));", "void* operator new(size_t);"):
            with self.subTest(line=line):
                self.assertEqual([], self.seen("src/net/a.cpp", line))

    def test_base_reads_the_clocks(self):
        self.assertEqual([], self.seen("src/base/clock.cpp", "auto t = steady_clock::now();"))
        self.assertEqual([], self.seen("tests/unit/a.cpp", "auto t = steady_clock::now();"))
        self.assertEqual(1, len(self.seen("tests/unit/a.cpp", "std::this_thread::sleep_for(1s);")))


class Sizes(unittest.TestCase):
    def seen(self, text, path="src/net/a.cpp"):
        return says(sizes.check(Tree({path: text})))

    def test_file_limit_at_below_and_above(self):
        for lines, problems in ((599, 0), (600, 0), (601, 1)):
            text = "// A file of a test.\n" + "int x;\n" * (lines - 1)
            self.assertEqual(problems, len(self.seen(text)), lines)

    def test_function_limit_at_below_and_above(self):
        heads = ("int f(int a)", "A::A(int x) : a_{x}, b_(x)", "A::A(int x) : a_{x}",
                 "template <class T = int>\nauto f(T t) -> Co<T>", "TEST(Suite, name)",
                 "bool operator==(const A& a, const A& b)", "static auto f = [](int a)")
        for head in heads:
            for lines, problems in ((69, 0), (70, 0), (71, 1)):
                body = "  if (a) {\n  }\n" + "  x;\n" * (lines - 3 - head.count("\n") - 1)
                text = f"// A file of a test.\n{head} {{\n{body}}}\n"
                with self.subTest(head=head, lines=lines):
                    self.assertEqual(problems, len(self.seen(text)))

    def test_methods_count_and_types_do_not(self):
        text = "// A file of a test.\nclass A {\n public:\n" + "  int f() { return 1; }\n" * 90 + "};\n"
        self.assertEqual([], self.seen(text))
        text = "// A file of a test.\nconst int k[] = {\n" + "  1,\n" * 90 + "};\n"
        self.assertEqual([], self.seen(text))

    def test_columns_at_below_and_above(self):
        for columns, problems in ((99, 0), (100, 0), (101, 1)):
            self.assertEqual(problems, len(self.seen("// A file of a test.\n" + "x" * columns + "\n")))
        raw = '// A file of a test.\nauto t = R"({"a": "' + "x" * 200 + '"})";\n'
        self.assertEqual([], self.seen(raw))

    def test_the_first_line_is_a_comment_and_the_last_ends(self):
        self.assertEqual(1, len(self.seen("#pragma once\n")))
        self.assertEqual(1, len(self.seen("//\nint x;\n")))
        self.assertEqual(1, len(self.seen("// A file of a test.\nint x;")))
        self.assertEqual([], self.seen("#!/usr/bin/env node\n// A file of a test.\n", "tests/a.mjs"))


class Reading(unittest.TestCase):
    def test_literals_and_comments_are_blanked_in_place(self):
        text = "a = \"x{\\\"\"; // }\nb = '{'; /* { \n */ c = R\"t({)\")t\"; n = 1'000'000; {}\n"
        code = cpp.blanked(text)
        self.assertEqual(len(text), len(code))
        self.assertEqual(text.count("\n"), code.count("\n"))
        self.assertEqual(1, code.count("{"))
        self.assertIn("1'000'000", code)


class Secrets(unittest.TestCase):
    def seen(self, text):
        return says(secrets_scan.check(Tree({"a.txt": text})))

    def test_keys_are_seen(self):
        for text in ("sk" + "-proj-" + "a1B2" * 10, "AI" + "za" + "x" * 35, "AK" + "IA" + "A1" * 8,
                     "gh" + "p_" + "a" * 36, "-----BEGIN " + "RSA PRIVATE KEY-----",
                     "postgres" + "://me:tr0ub4dor@host/db"):
            with self.subTest(text=text[:6]):
                self.assertEqual(1, len(self.seen("x " + text + " y")))

    def test_examples_pass(self):
        for text in ("sk-test", "Authorization: Bearer $OPENAI_API_KEY", "risk-based-scoring",
                     "-----BEGIN CERTIFICATE-----", "postgres://user:secret@host/db"):
            with self.subTest(text=text):
                self.assertEqual([], self.seen(text))


class Documents(unittest.TestCase):
    def tree(self, readme, errors="| `bad_thing` | 400 | x |\n"):
        return Tree({"README.md": readme, "docs/errors.md": errors, "run": "", "plain": "",
                     "test": "#   ./test lint       x\n",
                     "src/app/cli.cpp": 'add_subcommand("ask");',
                     "src/api/a.cpp": 'Error::say(Errc::invalid,\n  "bad_thing", "No.");'},
                    executable=["run", "test"])

    def test_commands_and_links_that_exist_pass(self):
        readme = ("```sh\n./run ask \"x y\"\n$ ./test lint  # comment\nmainstay ask hi\ncurl \\\n"
                  "  ./gone\n```\n[e](docs/errors.md#top) [d](docs) [w](https://x.org/)\n")
        self.assertEqual([], says(documents.check(self.tree(readme))))

    def test_commands_and_links_that_do_not_exist_are_seen(self):
        for readme in ("```sh\n./gone\n```\n", "```sh\n./plain\n```\n", "```sh\n./run fly\n```\n",
                       "```sh\nmainstay fly\n```\n", "```sh\n./test fly\n```\n",
                       "[x](docs/gone.md)\n"):
            with self.subTest(readme=readme):
                self.assertEqual(1, len(documents.check(self.tree(readme))))

    def test_a_code_handed_through_a_function_is_found(self):
        tree = self.tree("", errors="")
        tree.files["src/api/a.cpp"] = (
            "Error refuse(Place at, Errc code, std::string_view reason, std::string text) {\n"
            "  return Error::say(code, reason, text);\n}\n"
            'auto e = refuse(at(1, 2), Errc::invalid, "far_thing", "No, no.");\n'
            'const auto short_one = [&](std::string_view reason) { return say(reason); };\n'
            'auto f = short_one("near_thing");\n')
        self.assertEqual({"far_thing", "near_thing"}, set(documents.said_reasons(tree)))

    def test_error_codes_are_listed_both_ways(self):
        self.assertEqual(1, len(documents.check(self.tree("", errors=""))))
        extra = "| `bad_thing` | 400 | x |\n| `no_thing` | 400 | x |\n"
        found = says(documents.check(self.tree("", errors=extra)))
        self.assertEqual(1, len(found))
        self.assertIn("no_thing", found[0])


if __name__ == "__main__":
    unittest.main()
