// Threads and contexts of the loops.
#include "app/loops.h"

#include <pthread.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <future>
#include <map>

namespace mainstay::app {

struct Loops::One {
  One(Clock& clock, Log& log)
      // One thread runs it, and its sockets are used by that thread alone: no lock around each
      // read.
      : io(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
        work(asio::make_work_guard(io)),
        tasks(clock, io.get_executor(), [&log](const std::string& task, const std::string& what) {
          log.error("task.failed", {{"task", task}, {"why", what}});
        }) {}
  asio::io_context io;
  asio::executor_work_guard<Executor> work;
  TaskGroup tasks;
  std::map<std::uint64_t, std::uint64_t> placed;  ///< id in Tasks -> id in `tasks`; loop's thread
  std::thread thread;  // lint: thread one per event loop, for the program's life
};

namespace {

/// Runs `work` and enters its end, however that comes.
Co<> registered(Tasks& tasks, std::uint64_t id, Co<> work) {
  try {
    co_await std::move(work);
  } catch (const boost::system::system_error& e) {
    tasks.ended(id, e.code() == asio::error::operation_aborted ? "" : e.what());
    throw;
  } catch (const std::exception& e) {
    tasks.ended(id, e.what());
    throw;
  }
  tasks.ended(id, "");
}

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

Loops::Loops(std::size_t count, Clock& clock, Log& log) : tasks_(clock) {
  for (std::size_t i = 0; i < count; ++i) loops_.push_back(std::make_unique<One>(clock, log));
  log_ = &log;
}

Loops::~Loops() = default;

void Loops::run() {
  int number = 0;
  for (auto& loop : loops_) {
    One* one = loop.get();
    try {
      const auto life = [one, log = log_] { run_loop(one->io, *log); };
      one->thread = std::thread(life);  // lint: thread the loop's own
    } catch (...) {
      // Those that run already would end the program when they are destroyed unjoined.
      [[maybe_unused]] auto stopped = stop();
      throw;
    }
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
  for (auto& loop : loops_) {
    if (loop->thread.joinable()) loop->thread.join();
  }
  return done();
}

std::vector<asio::io_context*> Loops::contexts() {
  std::vector<asio::io_context*> out;
  for (auto& loop : loops_) out.push_back(&loop->io);
  return out;
}

void Loops::spawn(std::string name, std::function<Co<>()> work, Cancellable cancellable) {
  One* first = loops_.front().get();
  const std::uint64_t id = tasks_.begin(name, cancellable);
  asio::post(first->io, [this, first, id, name = std::move(name), work = std::move(work)] {
    std::erase_if(first->placed, [this](const auto& entry) { return !tasks_.runs(entry.first); });
    first->placed[id] = first->tasks.spawn(name, registered(tasks_, id, work()));
  });
}

Status Loops::cancel(std::uint64_t id) {
  Status asked = tasks_.cancel(id);
  if (!asked.ok()) return asked;
  One* first = loops_.front().get();
  asio::post(first->io, [first, id] {
    const auto found = first->placed.find(id);
    if (found != first->placed.end()) first->tasks.cancel(found->second);
  });
  return asked;
}

}  // namespace mainstay::app
