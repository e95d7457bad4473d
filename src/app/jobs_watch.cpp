// Events as people read them, and coming back after a break. Events are news that may be lost; what
// the command leaves behind is the job's record: at the end the whole answer is there, once.
#include "app/jobs_watch.h"

#include <unistd.h>

#include <cstdio>
#include <optional>

#include "app/terminal.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::app {
namespace {

constexpr int kTries = 30;       ///< connections in a row that brought nothing
constexpr int kResultTries = 5;  ///< at the result, once the job has ended
constexpr Duration kPause = std::chrono::seconds(1);

/// The text of a completion's one answer; nothing when the result is something else.
std::optional<std::string> answer_of(const Json& result) {
  const Json& choices = array_field(result, "choices");
  if (string_field(result, "object") != "chat.completion" || choices.size() != 1) return {};
  std::string text = string_field(field(choices.front(), "message"), "content");
  if (text.empty()) return {};
  return text;
}

/// What has come so far. Pieces of an answer are shown where somebody reads along; a file gets the
/// whole at the end, so that it holds the answer once, however often it was begun.
class Watcher {
 public:
  Watcher(bool json, bool live) : json_(json), live_(live) {}
  void take(const net::SseEvent& event) {
    place_ = event.id;
    heard_ = true;
    if (ends_job(event.event)) end_ = event.event;
    if (event.event == "queued" || event.event == "started") end_.clear();  // tried again by hand
    auto data = parse_json(event.data);
    const Json value = data.ok() ? std::move(*data) : Json::object();
    if (json_) {
      print_line(event, value);
    } else {
      print_for_people(event.event, value);
    }
  }
  const std::string& place() const noexcept { return place_; }
  const std::string& end() const noexcept { return end_; }
  bool take_heard() noexcept { return std::exchange(heard_, false); }
  /// Of the end, when it told it; else null.
  const Json& result() const noexcept { return result_; }

  /// What of the result is not shown yet.
  void print_result(const Json& result) {
    const auto answer = answer_of(result);
    if (!answer || *answer != shown_) {
      end_line();
      const std::string text =
          answer ? printable(*answer) : result.dump(2, ' ', false, Json::error_handler_t::replace);
      std::fputs(text.c_str(), stdout);
      open_ = true;
    }
    end_line();
  }

 private:
  static void print_line(const net::SseEvent& event, const Json& value) {
    const Json line = {
        {"event", std::string(event.event)}, {"id", std::string(event.id)}, {"data", value}};
    std::printf("%s\n", dump(line).c_str());
    std::fflush(stdout);
  }
  void print_for_people(std::string_view event, const Json& value) {
    if (event == "token") {
      show_piece(string_field(value, "text"));
      return;
    }
    if (event == "progress") {
      show_progress(value);
      return;
    }
    if (event == "missed") {
      gap_ = true;
      return;
    }
    bar_.reset();
    if (event == "succeeded") {
      result_ = field(value, "result");
      return;
    }
    end_line();
    shown_.clear();  // what follows belongs to another attempt
    gap_ = false;
    say(event, value);
  }
  void show_piece(const std::string& text) {
    if (!live_ || gap_) return;
    std::fputs(printable(text).c_str(), stdout);
    std::fflush(stdout);
    shown_ += text;
    open_ = true;
  }
  void end_line() {
    if (std::exchange(open_, false)) std::fputc('\n', stdout);
    std::fflush(stdout);
  }
  void show_progress(const Json& value) {
    const auto total = count_field(value, "total");
    if (total == 0) return;
    if (!bar_) bar_.emplace("Working", total);
    bar_->show(std::min(count_field(value, "done"), total), string_field(value, "what"));
  }
  static void say(std::string_view event, const Json& value) {
    std::string text(event);
    if (event == "started") text += ", attempt " + std::to_string(count_field(value, "attempt"));
    const std::string why = printable(string_field(field(value, "error"), "message"));
    if (!why.empty()) text += ": " + why;
    const auto again = count_field(value, "retry_in_ms");
    if (again > 0) text += " Tried again in " + std::to_string((again + 999) / 1000) + " s.";
    std::fprintf(stderr, "%s\n", text.c_str());
  }

  const bool json_;
  const bool live_;  ///< somebody reads along
  std::string place_;
  std::string end_;
  bool heard_ = false;
  Json result_;
  std::string shown_;  ///< of the answer, by the attempt that runs
  bool open_ = false;  ///< the last line on standard output has no end yet
  bool gap_ = false;   ///< pieces are missing: the rest waits for the whole
  std::optional<ProgressBar> bar_;
};

/// Errors: the server's; not_found when the record holds no result (any more).
Result<Json> fetch_result(Remote& remote, const std::string& id) {
  for (int tries = 1;; ++tries) {
    auto answer = remote.call("GET", "/v1/jobs/" + id, "");
    if (answer.ok() && answer->status == 200) {
      auto job = parse_json(answer->body);
      if (!job.ok()) return job.error();
      if (!field(*job, "result").is_null()) return field(*job, "result");
      return Error::say(Errc::not_found, "not_found", "its record holds none.");
    }
    const bool passing = !answer.ok() || answer->status >= 500 || answer->status == 429;
    if (!passing || tries == kResultTries) return answer.ok() ? error_of(*answer) : answer.error();
    remote.pause(kPause);
  }
}

/// What the events did not show of a job's result. Exit::failed when it cannot be had.
Exit show_result(const Common& common, Remote& remote, const std::string& id, Watcher& watcher) {
  Result<Json> result = watcher.result();
  if (result->is_null()) result = fetch_result(remote, id);
  if (!result.ok()) {
    Error error = result.error();
    const std::string why = error.message.empty() ? error.detail : error.message;
    error.message = "The job succeeded, but its result could not be fetched: " + why;
    print_error(common, error);
    return Exit::failed;
  }
  watcher.print_result(*result);
  std::fprintf(stderr, "succeeded\n");
  return Exit::ok;
}

}  // namespace

bool ends_job(std::string_view event) {
  return event == "succeeded" || event == "dead" || event == "cancelled" || event == "expired";
}

Exit watch_job(const Common& common, Remote& remote, const std::string& id) {
  Watcher watcher(common.json, ::isatty(STDOUT_FILENO) == 1);
  for (int tries = 0; tries < kTries;) {
    auto answer = remote.events("/v1/jobs/" + id + "/events", watcher.place(),
                                [&watcher](const net::SseEvent& event) { watcher.take(event); });
    if (!watcher.end().empty()) {
      if (watcher.end() != "succeeded") return Exit::failed;
      return common.json ? Exit::ok : show_result(common, remote, id, watcher);
    }
    const bool passing = answer.ok() && (answer->status >= 500 || answer->status == 429);
    const bool lasting = answer.ok() && answer->status != 200 && !passing;
    if (lasting) {
      const Error error = error_of(*answer);
      print_error(common, error);
      return exit_for(error);
    }
    // A stream that ended without a word is an answer too: nothing has happened yet.
    const bool answers = watcher.take_heard() || (answer.ok() && answer->status == 200);
    tries = answers ? 0 : tries + 1;
    remote.pause(kPause);
  }
  const Error error = Error::say(Errc::unavailable, "server_unreachable",
                                 "The server does not answer any more; the job goes on there.");
  print_error(common, error);
  return exit_for(error);
}

}  // namespace mainstay::app
