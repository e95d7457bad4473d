// Hold: keeps a request's work alive after its client has gone, while others wait for the result.
// Used by net (the client goes) and models (others join).
#pragma once

#include <functional>
#include <mutex>
#include <utility>

namespace mainstay {

/// Thread-safe. The owner of the connection asks client_gone(); models calls keep() and drop().
class Hold {
 public:
  /// `cancel` is called at most once, on any thread, when the client has gone and nobody else
  /// needs the work; it must only post.
  explicit Hold(std::function<void()> cancel) : cancel_(std::move(cancel)) {}

  /// The client went away.
  void client_gone() {
    change([this] { gone_ = true; });
  }
  /// Somebody else needs the work's result; false when it is being cancelled already.
  bool keep() {
    std::lock_guard lock(mutex_);
    if (cancelled_) return false;
    ++keepers_;
    return true;
  }
  void drop() {
    change([this] { --keepers_; });
  }
  bool gone() const {
    std::lock_guard lock(mutex_);
    return gone_;
  }
  /// Somebody else needs the work's result now.
  bool kept() const {
    std::lock_guard lock(mutex_);
    return keepers_ > 0;
  }

 private:
  template <class F>
  void change(F f) {
    bool now = false;
    {
      std::lock_guard lock(mutex_);
      f();
      if (gone_ && keepers_ == 0 && !cancelled_) cancelled_ = now = true;
    }
    if (now) cancel_();
  }
  std::function<void()> cancel_;
  mutable std::mutex mutex_;
  int keepers_ = 0;
  bool gone_ = false;
  bool cancelled_ = false;
};

}  // namespace mainstay
