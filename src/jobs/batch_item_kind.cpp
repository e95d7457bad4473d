// "batch_item": one request of a batch. What a client would have got over HTTP is the result:
// {"status_code", "body"}; a refusal is a result too.
#include "base/json_fields.h"
#include "jobs/chat_work.h"
#include "jobs/kind_fields.h"
#include "jobs/kinds_inside.h"

namespace mainstay::jobs {
namespace {

constexpr std::string_view kChatUrl = "/v1/chat/completions";

class BatchItemKind final : public Kind {
 public:
  explicit BatchItemKind(const Tools& tools)
      : tools_(tools), work_(tools), limits_(common_limits(tools.settings)) {
    limits_.scope = admission::Scope::chat;
    limits_.priority = storage::JobClass::batch;
    limits_.for_clients = false;
  }
  std::string_view name() const noexcept override { return "batch_item"; }
  const KindLimits& limits() const noexcept override { return limits_; }

  /// The body is not looked into: a wrong one is that item's result, not the batch's.
  Result<std::string> check(const Json& input, const admission::Caller& caller) const override {
    auto known = check_members(input, {"custom_id", "url", "body"});
    if (!known.ok()) return known.error();
    auto url = text_member(input, "url", 1, 256);
    if (!url.ok()) return url.error();
    auto id = text_member(input, "custom_id", 0, 512);
    if (!id.ok()) return id.error();
    if (*url != kChatUrl) {
      return Error::say(Errc::invalid, "invalid_value", "'input.url' must be /v1/chat/completions.",
                        "input.url");
    }
    if (!field(input, "body").is_object()) {
      return Error::say(Errc::invalid, "invalid_type", "'input.body' must be an object.",
                        "input.body");
    }
    if (caller.scopes.has(admission::Scope::knowledge)) return dump(input);
    if (!field(field(input, "body"), "collection").is_null()) {
      return Error::say(Errc::forbidden, "scope_required",
                        "'input.body.collection' needs a key with the 'knowledge' scope.",
                        "input.body.collection");
    }
    Json asked = input;
    asked["body"]["documents"] = false;
    return dump(asked);
  }

  bool travels(const std::string& input) const override {
    auto parsed = parse_json(input);
    return parsed.ok() && work_.travels(dump(field(*parsed, "body")));
  }

  std::optional<admission::Use> use_of(const std::string& input) const override {
    auto parsed = parse_json(input);
    if (!parsed.ok()) return std::nullopt;
    return work_.use_of(dump(field(*parsed, "body")));
  }

  Co<Result<Outcome>> run(Run& run, Deadline by) override {
    auto input = parse_json(run.job().job.input);
    if (!input.ok()) co_return input.error();
    const std::string body = dump(field(*input, "body"));
    auto fine = work_.check(body);
    if (!fine.ok()) co_return refused(fine.error());
    auto answer = co_await work_.answer(run, body, true, by);
    if (answer.ok()) {
      answer->result = R"({"status_code":200,"body":)" + answer->result + "}";
      co_return answer;
    }
    // The attempt that was cancelled or timed out is judged by the worker, not by its words.
    const bool last = run.last_attempt() && !run.cancelled() && !is_not_now(answer.error());
    if (worth_another(answer.error()) && !last) co_return answer;
    co_return refused(answer.error());
  }

 private:
  Outcome refused(const Error& error) const {
    Outcome out;
    out.result = R"({"status_code":)" + std::to_string(tools_.status_of(error)) + R"(,"body":)" +
                 tools_.body_of(error) + "}";
    return out;
  }
  const Tools tools_;
  ChatWork work_;
  KindLimits limits_;
};

}  // namespace

std::unique_ptr<Kind> make_batch_item_kind(const Tools& tools) {
  return std::make_unique<BatchItemKind>(tools);
}

}  // namespace mainstay::jobs
