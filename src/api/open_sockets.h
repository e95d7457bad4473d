// How many WebSockets each user has open.
// Used by ws.cpp; lives as long as the program.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "storage/conversations.h"

namespace mainstay::api {

/// Thread-safe; looked at when a socket opens and when it ends. As many entries as users with an
/// open socket, which server.connections_max bounds.
class OpenSockets {
 public:
  /// One socket's place; given back by the destructor.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept { swap(other); }
    Place& operator=(Place&& other) noexcept {
      swap(other);
      return *this;
    }
    ~Place() {
      if (from_ != nullptr) from_->leave(user_);
    }

   private:
    friend class OpenSockets;
    Place(OpenSockets* from, std::string user) : from_(from), user_(std::move(user)) {}
    void swap(Place& other) noexcept {
      std::swap(from_, other.from_);
      std::swap(user_, other.user_);
    }
    OpenSockets* from_ = nullptr;
    std::string user_;
  };

  /// `most`: of one user; 0: any number. False: the user has as many.
  bool enter(const storage::Owner& owner, std::uint32_t most, Place& place) {
    std::string user = owner.tenant.text();
    user += '\0';
    user += owner.user.text();
    {
      std::lock_guard lock(mutex_);
      std::uint32_t& open = open_[user];
      if (most > 0 && open >= most) return false;
      ++open;
    }
    place = Place(this, std::move(user));  // not under the lock: an earlier place is given back
    return true;
  }
  std::size_t users() const {
    std::lock_guard lock(mutex_);
    return open_.size();
  }

 private:
  void leave(const std::string& user) {
    std::lock_guard lock(mutex_);
    const auto found = open_.find(user);
    if (--found->second == 0) open_.erase(found);
  }
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::uint32_t> open_;
};

}  // namespace mainstay::api
