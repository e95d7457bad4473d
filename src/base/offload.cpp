// The pool's threads and queue.
#include "base/offload.h"

#include <pthread.h>

namespace mainstay {

OffloadPool::OffloadPool(std::string name, std::size_t threads, std::size_t queue_max)
    : name_(std::move(name)), queue_max_(queue_max) {
  try {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this] { work(); });
      pthread_setname_np(threads_.back().native_handle(), name_.substr(0, 15).c_str());
    }
  } catch (...) {  // the system allows no more threads: those that run must end before they go
    stop();
    throw;
  }
}

OffloadPool::~OffloadPool() {
  stop();
}

bool OffloadPool::submit(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(job));
  }
  ready_.notify_one();
  return true;
}

void OffloadPool::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::size_t OffloadPool::waiting() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

void OffloadPool::work() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    try {
      job();
    } catch (...) {
      // Whoever needs to know has a deadline; a job that throws must not end the thread and with it
      // the process.
    }
  }
}

}  // namespace mainstay
