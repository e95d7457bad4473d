// Where in its list something stood that was erased lately: clients page through a list while they
// delete what it gives, and ask for what comes after the one that is gone.
// Used by the back ends of files, conversations and documents. Of this process alone, and not for
// ever: after a start, or behind kGoneMost others, such an id is unknown as any other.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "storage/conversations.h"

namespace mainstay::storage {

inline constexpr std::size_t kGoneMost = 10'000;

/// Any thread may call.
template <class Place>
class GonePlaces {
 public:
  void put(const Owner& owner, const std::string& id, Place place) {
    std::lock_guard lock(mutex_);
    std::string key = key_of(owner, id);
    if (!places_.insert_or_assign(key, place).second) return;
    order_.push_back(std::move(key));
    if (order_.size() <= kGoneMost) return;
    places_.erase(order_.front());
    order_.pop_front();
  }
  std::optional<Place> find(const Owner& owner, const std::string& id) const {
    std::lock_guard lock(mutex_);
    const auto found = places_.find(key_of(owner, id));
    return found == places_.end() ? std::nullopt : std::optional<Place>(found->second);
  }

 private:
  static std::string key_of(const Owner& owner, const std::string& id) {
    return owner.tenant.text() + '\n' + owner.user.text() + '\n' + id;
  }
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Place> places_;
  std::deque<std::string> order_;  ///< oldest first
};

}  // namespace mainstay::storage
