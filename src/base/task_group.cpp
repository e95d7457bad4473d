// TaskGroup over co_spawn with a cancellation slot for each task.
#include "base/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>

#include "base/check.h"

namespace mainstay {

struct TaskGroup::Task {
  std::string name;
  asio::cancellation_signal signal;
};

TaskGroup::TaskGroup(Clock& clock, Executor executor, OnError on_error)
    : executor_(executor), on_error_(std::move(on_error)), emptied_(clock.alarm(executor)) {}

TaskGroup::~TaskGroup() {
  CHECK(tasks_.empty());
}

std::uint64_t TaskGroup::spawn(std::string name, Co<> work) {
  if (closing_) return 0;
  const std::uint64_t id = next_id_++;
  auto task = std::make_unique<Task>();
  task->name = std::move(name);
  Task& placed = *task;
  tasks_.emplace(id, std::move(task));
  asio::co_spawn(
      executor_, std::move(work),
      asio::bind_cancellation_slot(placed.signal.slot(), [this, id](std::exception_ptr thrown) {
        ended(id, std::move(thrown));
      }));
  return id;
}

void TaskGroup::ended(std::uint64_t id, std::exception_ptr thrown) {
  auto found = tasks_.find(id);
  CHECK(found != tasks_.end());
  auto task = std::move(found->second);
  tasks_.erase(found);
  if (thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted) on_error_(task->name, e.what());
    } catch (const std::exception& e) {
      on_error_(task->name, e.what());
    } catch (...) {
      on_error_(task->name, "something that is no std::exception");
    }
  }
  if (tasks_.empty()) emptied_->ring();
}

void TaskGroup::cancel(std::uint64_t id) {
  auto found = tasks_.find(id);
  if (found != tasks_.end()) found->second->signal.emit(asio::cancellation_type::terminal);
}

std::vector<std::string> TaskGroup::names() const {
  std::vector<std::string> out;
  for (const auto& [id, task] : tasks_) out.push_back(task->name + "#" + std::to_string(id));
  return out;
}

Co<bool> TaskGroup::wait_empty(Deadline by) {
  while (!tasks_.empty()) {
    auto reached = co_await emptied_->wait_until(by.at());
    if (reached) co_return tasks_.empty();
  }
  co_return true;
}

Co<> TaskGroup::close() {
  closing_ = true;
  std::vector<std::uint64_t> ids;
  for (const auto& [id, task] : tasks_) ids.push_back(id);
  for (const auto id : ids) cancel(id);
  while (!tasks_.empty()) {
    [[maybe_unused]] auto reached = co_await emptied_->wait_until(TimePoint::max());
  }
}

}  // namespace mainstay
