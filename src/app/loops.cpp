// Threads and contexts of the loops.
#include "app/loops.h"

#include <pthread.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <future>

namespace mainstay::app {

struct Loops::One {
  One(Clock& clock, Log& log)
      : io(1),
        work(asio::make_work_guard(io)),
        tasks(clock, io.get_executor(), [&log](const std::string& task, const std::string& what) {
          log.error("task.failed", {{"task", task}, {"why", what}});
        }) {}
  asio::io_context io;
  asio::executor_work_guard<Executor> work;
  TaskGroup tasks;
  std::thread thread;  // lint: thread one per event loop, for the program's life
};

namespace {

Co<> close_tasks(TaskGroup& tasks, std::promise<void>& closed) {
  co_await tasks.close();
  closed.set_value();
}

/// A handler that throws is a bug; the loop goes on without it.
void run_loop(asio::io_context& io, Log& log) {
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::exception& e) {
      log.error("loop.exception", {{"why", e.what()}});
    }
  }
}

}  // namespace

Loops::Loops(std::size_t count, Clock& clock, Log& log) {
  for (std::size_t i = 0; i < count; ++i) loops_.push_back(std::make_unique<One>(clock, log));
  log_ = &log;
}

Loops::~Loops() = default;

void Loops::run() {
  int number = 0;
  for (auto& loop : loops_) {
    One* one = loop.get();
    one->thread =
        std::thread([one, log = log_] { run_loop(one->io, *log); });  // lint: thread the loop's own
    pthread_setname_np(one->thread.native_handle(), ("loop-" + std::to_string(number++)).c_str());
  }
}

Status Loops::end_background(Duration for_at_most) {
  bool all = true;
  for (auto& loop : loops_) {
    std::promise<void> closed;
    auto waits = closed.get_future();
    One* one = loop.get();
    asio::post(one->io, [one, &closed] {
      asio::co_spawn(one->io.get_executor(), close_tasks(one->tasks, closed),
                     [](std::exception_ptr) {});
    });
    // The promise lives in this frame: a loop that does not answer is waited for to the end of the
    // step's own deadline, after which the process ends without it.
    if (waits.wait_for(for_at_most) != std::future_status::ready) {
      all = false;
      waits.wait();
    }
  }
  if (!all) return Error::log(Errc::deadline, "background work did not end in time");
  return done();
}

Status Loops::stop() {
  for (auto& loop : loops_) {
    loop->work.reset();
    loop->io.stop();
  }
  for (auto& loop : loops_) loop->thread.join();
  return done();
}

std::vector<asio::io_context*> Loops::contexts() {
  std::vector<asio::io_context*> out;
  for (auto& loop : loops_) out.push_back(&loop->io);
  return out;
}

void Loops::spawn(std::string name, std::function<Co<>()> work) {
  One* first = loops_.front().get();
  asio::post(first->io, [first, name = std::move(name), work = std::move(work)] {
    first->tasks.spawn(name, work());
  });
}

}  // namespace mainstay::app
