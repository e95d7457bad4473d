// Least squares over a ring of points, and the sum of the parts.
#include "resources/accounts.h"

#include <utility>

namespace mainstay::resources {
namespace {
constexpr std::size_t kPartsMax = 64;

double hours(Duration d) {
  return std::chrono::duration<double, std::ratio<3600>>(d).count();
}
}  // namespace

Growth::Growth(Duration warm_up, Duration window) : warm_up_(warm_up), window_(window) {}

void Growth::add(double figure, TimePoint now) {
  if (!first_) first_ = now;
  if (now - *first_ < warm_up_) return;
  if (!points_.empty() && now - points_.back().at < window_ / static_cast<int>(kPoints)) return;
  points_.push_back({now, figure});
  while (points_.size() > kPoints + 1 || now - points_.front().at > window_) points_.pop_front();
}

std::optional<double> Growth::percent_an_hour() const {
  if (points_.size() < 3 || points_.back().at - points_.front().at < window_ / 4) {
    return std::nullopt;
  }
  const auto n = static_cast<double>(points_.size());
  double mean_x = 0;
  double mean_y = 0;
  for (const Point& point : points_) {
    mean_x += hours(point.at - points_.front().at) / n;
    mean_y += point.figure / n;
  }
  double xx = 0;
  double xy = 0;
  for (const Point& point : points_) {
    const double x = hours(point.at - points_.front().at) - mean_x;
    xx += x * x;
    xy += x * (point.figure - mean_y);
  }
  if (xx <= 0 || mean_y <= 0) return std::nullopt;
  return 100 * (xy / xx) / mean_y;
}

void MemoryBook::add(std::string name, Read read, std::uint64_t cap) {
  std::scoped_lock lock(mutex_);
  if (parts_.size() >= kPartsMax && !parts_.contains(name)) return;
  parts_[std::move(name)] = {std::move(read), cap};
}

void MemoryBook::remove(const std::string& name) {
  std::scoped_lock lock(mutex_);
  parts_.erase(name);
}

Accounts MemoryBook::read() const {
  std::scoped_lock lock(mutex_);
  Accounts out;
  for (const auto& [name, part] : parts_) {
    const std::uint64_t bytes = part.read ? part.read() : 0;
    out.parts.push_back({name, bytes, part.cap});
    out.sum += bytes;
  }
  return out;
}

}  // namespace mainstay::resources
