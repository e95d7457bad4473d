// "cleanup": what POST /admin/cleanup does, as a job: now, later, or again and again.
#include "jobs/kind_fields.h"
#include "jobs/kinds_inside.h"

namespace mainstay::jobs {
namespace {

class CleanupKind final : public Kind {
 public:
  explicit CleanupKind(const Tools& tools)
      : cleanup_(tools.cleanup), limits_(common_limits(tools.settings)) {
    limits_.scope = admission::Scope::admin;
    limits_.priority = storage::JobClass::background;
  }
  std::string_view name() const noexcept override { return "cleanup"; }
  const KindLimits& limits() const noexcept override { return limits_; }

  Result<std::string> check(const Json& input, const admission::Caller&) const override {
    if (input.is_null()) return std::string("{}");
    auto known = check_members(input, {});
    if (!known.ok()) return known.error();
    return std::string("{}");
  }

  Co<Result<Outcome>> run(Run&, Deadline by) override {
    auto did = co_await cleanup_(by);
    if (!did.ok()) co_return did.error();
    Outcome out;
    out.result = std::move(*did);
    co_return out;
  }

 private:
  const std::function<Co<Result<std::string>>(Deadline)> cleanup_;
  KindLimits limits_;
};

}  // namespace

std::unique_ptr<Kind> make_cleanup_kind(const Tools& tools) {
  return std::make_unique<CleanupKind>(tools);
}

}  // namespace mainstay::jobs
