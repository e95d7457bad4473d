// What is kept of an HTML page.
#include "knowledge/html.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"

namespace mainstay::knowledge {
namespace {

TEST(Html, keeps_what_a_reader_sees) {
  auto page = read_html(
      "<!doctype html><html><head><title> The\nTitle </title><style>b{}</style></head><body>"
      "<nav>Menu</nav><h1>Head &amp; more</h1><p>One <b>bold</b>\n word.</p>"
      "<script>alert(1)</script><ul><li>first</li><li>second</li></ul>"
      "<table><tr><th>Port</th><th>Use</th></tr><tr><td>8080</td><td>HTTP</td></tr></table>"
      "<pre>run\n  it</pre><p>End.</p></body></html>");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->title, "The Title");
  EXPECT_EQ(page->markdown,
            "# Head & more\n\nOne bold word.\n\n- first\n\n- second\n\n| Port | Use |\n| 8080 | "
            "HTTP |\n\n"
            "```\nrun\n  it\n```\n\nEnd.\n\n");
}

TEST(Html, broken_markup_is_read_as_far_as_it_goes) {
  auto page = read_html("<p>one<p>two <b>bold</i> <div>three<li>four");
  ASSERT_TRUE(page.ok());
  for (const char* word : {"one", "two", "bold", "three", "four"}) {
    EXPECT_NE(page->markdown.find(word), std::string::npos) << word;
  }
}

TEST(Html, entities_outside_are_not_fetched) {
  auto page =
      read_html("<!DOCTYPE html [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><p>&x; text</p>");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->markdown.find("root:"), std::string::npos);
}

TEST(Html, deep_nesting_does_no_harm) {
  std::string deep;
  for (int i = 0; i < 50'000; ++i) deep += "<div>";
  auto page = read_html(deep + "text");
  if (page.ok()) {
    EXPECT_TRUE(is_utf8(page->markdown));
  }
  std::string lists;
  for (int i = 0; i < 20'000; ++i) lists += "<ul><li>";
  [[maybe_unused]] auto other = read_html(lists);
}

TEST(Html, random_markup_gives_valid_text) {
  SeededRandom random(5);
  const char* const pieces[] = {"<p>",      "</p>",      "<table>",  "<tr>",    "<td>",
                                "</td>",    "<pre>",     "</pre>",   "<h2>",    "<li>",
                                "&lt;",     "&#x1F600;", "&bad",     "<",       ">",
                                "\"",       "text ",     "<!--",     "-->",     "<a href='x'>",
                                "<script>", "</script>", "\xC3\xA9", "<code>",  "<![CDATA[",
                                "]]>",      "<?php ?>",  "&#0;",     "&#xD800;"};
  for (int round = 0; round < 300; ++round) {
    std::string html;
    for (int i = 0; i < 60; ++i) html += pieces[random.below(std::size(pieces))];
    auto page = read_html(html);
    if (page.ok()) {
      ASSERT_TRUE(is_utf8(page->markdown)) << html;
    }
  }
}

}  // namespace
}  // namespace mainstay::knowledge
