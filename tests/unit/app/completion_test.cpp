// Completion scripts hold every command and option, and their shells can read them.
#include "app/completion.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace mainstay::app {
namespace {

class CompletionTest : public testing::Test {
 protected:
  CompletionTest() {
    auto* serve = app_.add_subcommand("serve", "Run the server");
    serve->add_option("--listen", word_, "Where");
    serve->add_option("-q,--quiet", word_, "Say less");
    auto* config = app_.add_subcommand("config", "The settings' keys, \"quoted\" and $dear");
    config->add_subcommand("check", "Check them");
    config->add_subcommand("show", "Show them")->add_flag("--json", flag_, "As JSON");
    app_.add_subcommand("ask", "Ask one question")->add_option("question", word_, "It");
  }
  std::string script(const char* shell) const { return completion_script(app_, shell); }
  static bool runs(const std::string& script, const std::string& check) {
    std::string path = testing::TempDir() + "completion-XXXXXX";
    const int fd = ::mkstemp(path.data());
    EXPECT_GE(fd, 0);
    ::close(fd);
    std::ofstream(path) << script << check;
    const int code = std::system(("bash " + path + " >/dev/null 2>&1").c_str());
    std::remove(path.c_str());
    return code == 0;
  }
  CLI::App app_{"test", "mainstay"};
  std::string word_;
  bool flag_ = false;
};

TEST_F(CompletionTest, every_shells_script_holds_every_command_and_option) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string text = script(shell);
    for (const char* word : {"serve", "config", "ask", "check", "show", "listen", "quiet"}) {
      EXPECT_NE(text.find(word), std::string::npos) << shell << " " << word;
    }
    EXPECT_EQ(text.back(), '\n');
  }
  EXPECT_TRUE(script("zsh").starts_with("#compdef mainstay\n"));
  EXPECT_EQ(script("tcsh"), "");
}

TEST_F(CompletionTest, bash_reads_its_script_and_completes_with_it) {
  const std::string text = script("bash");
  EXPECT_TRUE(runs("set -n\n" + text, ""));
  const std::string ask = "COMP_WORDS=(mainstay se); COMP_CWORD=1; _mainstay\n";
  EXPECT_TRUE(runs(text, ask + "test \"${COMPREPLY[*]}\" = serve\n"));
  const std::string inner = "COMP_WORDS=(mainstay config sh); COMP_CWORD=2; _mainstay\n";
  EXPECT_TRUE(runs(text, inner + "test \"${COMPREPLY[*]}\" = show\n"));
  const std::string option = "COMP_WORDS=(mainstay serve --li); COMP_CWORD=2; _mainstay\n";
  EXPECT_TRUE(runs(text, option + "test \"${COMPREPLY[*]}\" = --listen\n"));
  EXPECT_FALSE(runs(text, ask + "test \"${COMPREPLY[*]}\" = ask\n")) << "the check can fail";
}

TEST_F(CompletionTest, a_quote_in_a_description_does_not_break_fishs_script) {
  const std::string text = script("fish");
  const auto at = text.find("-a config");
  ASSERT_NE(at, std::string::npos);
  const std::string line = text.substr(at, text.find('\n', at) - at);
  EXPECT_NE(line.find("settings\\' keys"), std::string::npos) << line;
}

}  // namespace
}  // namespace mainstay::app
