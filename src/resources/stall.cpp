// Parses "some avg10=0.12 avg60=... total=345" and "full ...".
#include "resources/stall.h"

#include <algorithm>

#include "resources/memory.h"
#include "resources/small_file.h"

namespace mainstay::resources {
namespace {

constexpr Duration kWindow = std::chrono::seconds(2);

double value_of(std::string_view line, std::string_view key) {
  const auto at = line.find(key);
  if (at == std::string_view::npos) return 0;
  return std::max(0.0, leading_number(line.substr(at + key.size())).value_or(0));
}

std::optional<StallFigures> read_one(const std::string& path) {
  const auto text = read_small(path);
  if (!text || !text->starts_with("some ")) return std::nullopt;
  StallFigures out;
  const std::string_view all = *text;
  const std::string_view some = all.substr(0, all.find('\n'));
  out.some_avg10 = value_of(some, "avg10=");
  out.some_us = static_cast<std::uint64_t>(value_of(some, "total="));
  const auto at = all.find("\nfull ");
  if (at != std::string_view::npos) {
    out.full_avg10 = value_of(all.substr(at), "avg10=");
    out.full_us = static_cast<std::uint64_t>(value_of(all.substr(at), "total="));
  }
  return out;
}

std::optional<StallFigures> read_kind(const Roots& roots, const std::string& group,
                                      const std::string& kind) {
  if (!group.empty() && group != roots.cgroup) {
    if (auto own = read_one(group + "/" + kind + ".pressure")) return own;
  }
  return read_one(roots.proc + "/pressure/" + kind);
}

}  // namespace

Stalls read_stalls(const Roots& roots) {
  const std::string group = own_group_v2(roots);
  return {read_kind(roots, group, "memory"), read_kind(roots, group, "io"),
          read_kind(roots, group, "cpu")};
}

StallShares StallWindow::step(const std::optional<StallFigures>& now_at, TimePoint now) noexcept {
  if (!now_at) {
    *this = {};
    return {};
  }
  const Point point{now, now_at->some_us, now_at->full_us};
  // A total that went back is another file's (the process was moved to another group).
  if (!old_ || point.some_us < old_->some_us || point.full_us < old_->full_us) {
    *this = {};
    old_ = point;
    return {};
  }
  if (middle_ && now - middle_->at >= kWindow) {
    old_ = middle_;
    middle_ = point;
  } else if (!middle_ && now > old_->at) {
    middle_ = point;
  }
  const auto us = std::chrono::duration<double, std::micro>(now - old_->at).count();
  if (us <= 0) return last_;
  last_.some = std::clamp(static_cast<double>(point.some_us - old_->some_us) / us, 0.0, 1.0);
  last_.full = std::clamp(static_cast<double>(point.full_us - old_->full_us) / us, 0.0, 1.0);
  return last_;
}

}  // namespace mainstay::resources
