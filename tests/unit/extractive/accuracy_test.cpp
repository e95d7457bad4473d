// How often the built-in answerer finds the answer, and how often it admits that there is none.
// The thresholds are what it reaches today less a little; a change that makes it worse fails here.
#include <cstdio>

#include "unit/extractive/library_of_corpus.h"

namespace mainstay::models::extractive {
namespace {

struct Case {
  const char* question;
  const char* answer;  ///< must be in the reply; null: not in the documents
};

/// Written first and used while tuning.
constexpr Case kTuned[] = {
    {"What is Heron?", "backup server for small offices"},
    {"Which port does Heron listen on?", "7420"},
    {"How much memory does Heron need?", "512 MB"},
    {"How do I install Heron?", "apt-get install"},
    {"How do I start the server?", "heron serve"},
    {"How can I restore a file?", "heron restore"},
    {"What license does Heron use?", "Mozilla Public License 2.0"},
    {"Who started Heron?", "Ingrid Solberg"},
    {"When was Heron started?", "2017"},
    {"Where do I report security problems?", "security@heron.example"},
    {"When do backups run?", "02:30"},
    {"How many monthly copies are kept?", "12 monthly"},
    {"Which compression does it use?", "zstd"},
    {"What happens if I lose the passphrase?", "nobody can restore"},
    {"How many clients can connect at once?", "40"},
    {"What does error E17 mean?", "Another Heron process holds the lock"},
    {"How do I remove a stale lock?", "heron unlock"},
    {"Why are backups slow?", "virus scanner"},
    {"How do I build Heron?", "cargo build --release"},
    {"How long do the end-to-end tests take?", "twelve minutes"},
    {"When is the clinic open?", "Monday to Friday"},
    {"What does a missed appointment cost?", "25 euros"},
    {"Who treats children?", "Lukas Brandt"},
    {"How often should I descale the machine?", "every three months"},
    {"How heavy is the coffee machine? What is its weight?", "4.2 kg"},
    {"Does Heron support Windows clients?", nullptr},
    {"What is the capital of France?", nullptr},
    {"How do I connect Heron to PostgreSQL?", nullptr},
    {"What is the salary of the release manager?", nullptr},
    {"Who won the football world cup in 1998?", nullptr},
    {"How do I bake sourdough bread?", nullptr},
    {"Which Kubernetes version is needed?", nullptr},
    {"Does the clinic offer dental surgery?", nullptr},
};

/// Written afterwards and never used for tuning.
constexpr Case kHeldOut[] = {
    {"In which language is Heron written?", "Rust"},
    {"Which Linux distributions are supported?", "Debian 12"},
    {"Who is the administrator?", "first account"},
    {"Who maintains Heron?", "Fjord Cooperative"},
    {"Where are the settings stored?", "/etc/heron/heron.toml"},
    {"How do I reload the settings without a restart?", "SIGHUP"},
    {"When are older copies removed?", "Sundays"},
    {"What encryption is used?", "AES-256-GCM"},
    {"What is the bandwidth limit?", "50 Mbit/s"},
    {"After how many failed backups is an email sent?", "three failed backups"},
    {"How do I free space on a full disk?", "heron prune --now"},
    {"How long does heron check take per terabyte?", "one hour"},
    {"How far may the client's clock differ?", "five minutes"},
    {"Which version of Rust is required?", "1.74"},
    {"When are new versions released?", "first Tuesday"},
    {"Who is the release manager?", "Tomas Lindqvist"},
    {"How long are releases supported with security fixes?", "eighteen months"},
    {"What is the telephone number for appointments?", "555-0142"},
    {"Who is the head physician?", "Amara Okafor"},
    {"What should I bring to the first visit?", "insurance card"},
    {"Where is the entrance for wheelchairs?", "Mill Street"},
    {"How much water does the tank hold?", "1.8 litres"},
    {"Why should I not use vinegar?", "seals"},
    {"How long is the warranty?", "24 months"},
    {"What is the pressure of the machine?", "15 bar"},
    {"Can Heron back up to Google Drive?", nullptr},
    {"What is the population of Norway?", nullptr},
    {"How do I configure LDAP single sign-on?", nullptr},
    {"How much does a Heron subscription cost per month?", nullptr},
    {"Which antibiotics does the clinic prescribe for pneumonia?", nullptr},
    {"Who invented the telephone?", nullptr},
    {"How do I make a latte with oat milk?", nullptr},
    {"What is the meaning of life?", nullptr},
};

struct Figures {
  int answerable = 0;
  int right = 0;
  int unanswerable = 0;
  int admitted = 0;
  std::size_t words = 0;
};

template <std::size_t N>
Figures measure(Desk& desk, const Case (&cases)[N]) {
  Figures out;
  for (const auto& each : cases) {
    const std::string text = Desk::text(desk.ask(desk.request(each.question)));
    const bool admits = text.starts_with("I do not know");
    if (each.answer == nullptr) {
      ++out.unanswerable;
      out.admitted += admits ? 1 : 0;
      if (!admits) std::printf("  should not know: %s\n    %s\n", each.question, text.c_str());
      continue;
    }
    ++out.answerable;
    const bool right = text.find(each.answer) != std::string::npos;
    out.right += right ? 1 : 0;
    out.words += text.size() / 6;
    if (!right) std::printf("  missed: %s\n    %s\n", each.question, text.c_str());
  }
  std::printf("answered %d of %d, admitted %d of %d, about %zu words an answer\n", out.right,
              out.answerable, out.admitted, out.unanswerable,
              out.words / static_cast<std::size_t>(out.answerable));
  return out;
}

// proves K10 (answered from, with citations)
TEST(Accuracy, on_the_questions_it_was_tuned_with) {
  Desk desk;
  const Figures got = measure(desk, kTuned);
  EXPECT_GE(got.right, 24);
  EXPECT_GE(got.admitted, 7);
  EXPECT_LE(got.words / 25, 70u) << "answers stay short";
}

TEST(Accuracy, on_questions_it_was_not_tuned_with) {
  Desk desk;
  const Figures got = measure(desk, kHeldOut);
  EXPECT_GE(got.right, 22);
  EXPECT_GE(got.admitted, 6);
}

}  // namespace
}  // namespace mainstay::models::extractive
