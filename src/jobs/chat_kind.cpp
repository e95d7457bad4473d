// "chat": one turn of a conversation, or a question without one.
#include "base/json_fields.h"
#include "jobs/chat_work.h"
#include "jobs/kind_fields.h"
#include "jobs/kinds_inside.h"

namespace mainstay::jobs {
namespace {

class ChatKind final : public Kind {
 public:
  explicit ChatKind(const Tools& tools) : work_(tools), limits_(common_limits(tools.settings)) {
    limits_.scope = admission::Scope::chat;
  }
  std::string_view name() const noexcept override { return "chat"; }
  const KindLimits& limits() const noexcept override { return limits_; }

  Result<std::string> check(const Json& input, const admission::Caller& caller) const override {
    if (!input.is_object()) {
      return Error::say(Errc::invalid, "invalid_type", "'input' must be an object.", "input");
    }
    Json asked = input;
    if (!caller.scopes.has(admission::Scope::knowledge)) {
      if (!field(input, "collection").is_null()) {
        return Error::say(Errc::forbidden, "scope_required",
                          "'input.collection' needs a key with the 'knowledge' scope.",
                          "input.collection");
      }
      asked["documents"] = false;  // when it runs, nobody knows what its key was allowed
    }
    std::string body = dump(asked);
    auto fine = work_.check(body);
    if (!fine.ok()) return below_input(fine.error());
    return body;
  }

  bool travels(const std::string& input) const override { return work_.travels(input); }

  std::optional<admission::Use> use_of(const std::string& input) const override {
    return work_.use_of(input);
  }

  Co<Result<Outcome>> run(Run& run, Deadline by) override {
    auto outcome = co_await work_.answer(run, run.job().job.input, false, by);
    co_return outcome;
  }

 private:
  ChatWork work_;
  KindLimits limits_;
};

}  // namespace

std::unique_ptr<Kind> make_chat_kind(const Tools& tools) {
  return std::make_unique<ChatKind>(tools);
}

}  // namespace mainstay::jobs
