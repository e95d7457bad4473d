"""The coroutine lints on good and bad snippets; each bad one must be seen."""
import unittest

import coroutines

GOOD = """
Co<> plain(Store& store, Deadline by) {
  co_await store.open(by);
  auto found = co_await store.find(make_key(1, 2), by);
  [[maybe_unused]] const auto [ec, n] = co_await socket_.async_read(buffer(data), use_co);
  auto& got = co_await x;
  Result<int> typed = co_await store.count(by);
  std::map<int, std::string> map = co_await store.all(by);
  found = co_await store.find(
      second_key(),  // a comment with a { brace and co_await f(g{})
      by);
  this->value_ = co_await next();
  states_[i].value = co_await next();
  if (found) co_await store.close(by);
  else co_await store.keep(by);
  for (auto& part : parts) co_await part.stop();
  while (more()) {
    more = co_await next();
  }
  switch (kind) {
    case Kind::a: co_await one(); break;
    default: co_await two();
  }
  const auto text = "co_await f(A{})";
  co_return co_await within(by, std::move(work));
}
class Inner {
  Co<> run() { co_await work_->run(); }
};
"""

BAD = {
    "if (co_await ready()) go();": "inside parentheses",
    "while (co_await next()) {}": "inside parentheses",
    "auto v = f(co_await g());": "inside parentheses",
    "auto v = co_await f(Options{.name = s});": "brace",
    "auto v = co_await f({a, b});": "brace",
    "auto v = Agg{.n = co_await f()};": "initializer",
    "auto v = Agg{co_await f()};": "initializer",
    "auto v = co_await f([x] { return x; });": "brace",
    "auto v = c ? co_await f() : co_await g();": "larger statement",
    "auto v = co_await f(c ? a : b);": "?:",
    "auto v = co_await f() && g();": "condition",
    "auto v = g() || co_await f();": "larger statement",
    "auto v = co_await f(co_await g());": "second co_await",
    "return_to(1), co_await f();": "larger statement",
    "auto v = 1 + co_await f();": "larger statement",
    "auto v = !co_await f();": "larger statement",
    "co_return !co_await f();": "larger statement",
    "co_return\n  f(co_await\n    g());": "inside parentheses",
    "(void)co_await f();": "larger statement",
    "auto v = *co_await f();": "larger statement",
    "auto v = co_await [] { return f(); }();": "brace",
}


def lambda_problems(text):
    return [p.says for p in coroutines.check_lambdas("a.cpp", text)]


def parameter_problems(text):
    return [p.says for p in coroutines.check_parameters("a.cpp", text)]


class PlainAwait(unittest.TestCase):
    def test_plain_statements_pass(self):
        self.assertEqual([], [str(p) for p in coroutines.check_awaits("a.cpp", GOOD)])

    def test_each_other_form_is_seen_with_its_reason(self):
        for statement, reason in BAD.items():
            for text in ("Co<> f() {\n  %s\n}\n", "class A {\n  Co<> f() {\n    %s\n  }\n};\n"):
                with self.subTest(statement=statement):
                    problems = list(coroutines.check_awaits("a.cpp", text % statement))
                    self.assertTrue(problems)
                    self.assertTrue(any(reason in p.says for p in problems), problems)

    def test_the_line_is_that_of_the_word(self):
        problems = list(coroutines.check_awaits("a.cpp", "\n\nauto x = f(\n  co_await g());\n"))
        self.assertEqual([4], [p.line for p in problems])


class Lambdas(unittest.TestCase):
    def test_captures_in_a_coroutine_lambda_are_seen(self):
        for captures in ("&", "=", "this", "x", "&x, y = std::move(z)"):
            with self.subTest(captures=captures):
                text = "auto f = [%s](int a) -> Co<> { co_await g(a); };" % captures
                self.assertEqual(1, len(lambda_problems(text)))
        self.assertEqual(1, len(lambda_problems("spawn([&]() mutable -> Co<> { co_return; });")))

    def test_without_captures_or_without_awaits_it_passes(self):
        self.assertEqual([], lambda_problems("auto f = [](X& x) -> Co<> { co_await g(x); };"))
        self.assertEqual([], lambda_problems("Co<> f() { auto g = [&] { return 1; }; co_await h; }"))
        self.assertEqual([], lambda_problems("Co<> f() { auto [a, b] = co_await g(); x[a] = b; }"))

    def test_the_body_of_an_inner_lambda_belongs_to_the_inner_one(self):
        text = "auto f = [&] { spawn([](X& x) -> Co<> { co_await x.go(); }); };"
        self.assertEqual([], lambda_problems(text))


class Parameters(unittest.TestCase):
    def test_views_are_seen(self):
        for text in ("Co<> f(std::string_view s);", "Co<Result<int>> A::f(int a, span<int> b) {}",
                     "auto g = [](std::string_view s) -> Co<> { co_return; };",
                     "Co<std::map<int, int>> f(\n    int a,\n    std::string_view b);"):
            with self.subTest(text=text):
                self.assertEqual(1, len(parameter_problems(text)))

    def test_values_pass(self):
        for text in ("Co<> f(std::string s, Deadline by);", "void f(std::string_view s);",
                     "Co<std::string_view> f(int a);", "using F = Co<>; void g(span<int> s);"):
            with self.subTest(text=text):
                self.assertEqual([], parameter_problems(text))


if __name__ == "__main__":
    unittest.main()
