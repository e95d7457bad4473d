// Events as people read them, and coming back after a break.
#include "app/jobs_watch.h"

#include <unistd.h>

#include <cstdio>
#include <optional>

#include "app/terminal.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::app {
namespace {

constexpr int kTries = 30;  ///< connections in a row that brought nothing
constexpr Duration kPause = std::chrono::seconds(1);

/// What has come so far.
class Watcher {
 public:
  explicit Watcher(bool json) : json_(json) {}
  void take(const net::SseEvent& event) {
    place_ = event.id;
    heard_ = true;
    if (ends_job(event.event)) end_ = event.event;
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

 private:
  static void print_line(const net::SseEvent& event, const Json& value) {
    const Json line = {
        {"event", std::string(event.event)}, {"id", std::string(event.id)}, {"data", value}};
    std::printf("%s\n", dump(line).c_str());
    std::fflush(stdout);
  }
  void print_for_people(std::string_view event, const Json& value) {
    if (event == "token") {
      std::fputs(printable(string_field(value, "text")).c_str(), stdout);
      std::fflush(stdout);
      printed_ = true;
      return;
    }
    if (event == "progress") {
      show_progress(value);
      return;
    }
    bar_.reset();
    if (event == "succeeded" && !printed_ && value.contains("result")) {
      std::printf("%s\n",
                  value["result"].dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    }
    if (printed_) std::printf("\n");
    printed_ = false;
    std::fflush(stdout);
    say(event, value);
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
  std::string place_;
  std::string end_;
  bool heard_ = false;
  bool printed_ = false;  ///< pieces of an answer, without a line's end
  std::optional<ProgressBar> bar_;
};

}  // namespace

bool ends_job(std::string_view event) {
  return event == "succeeded" || event == "dead" || event == "cancelled" || event == "expired";
}

Exit watch_job(const Common& common, Remote& remote, const std::string& id) {
  Watcher watcher(common.json);
  for (int tries = 0; tries < kTries;) {
    auto answer = remote.events("/v1/jobs/" + id + "/events", watcher.place(),
                                [&watcher](const net::SseEvent& event) { watcher.take(event); });
    if (!watcher.end().empty()) return watcher.end() == "succeeded" ? Exit::ok : Exit::failed;
    const bool lasting = answer.ok() && answer->status != 200 && answer->status < 500;
    if (lasting) {
      const Error error = error_of(*answer);
      print_error(common, error);
      return exit_for(error);
    }
    tries = watcher.take_heard() ? 0 : tries + 1;
    remote.pause(kPause);
  }
  const Error error = Error::say(Errc::unavailable, "server_unreachable",
                                 "The server does not answer any more; the job goes on there.");
  print_error(common, error);
  return exit_for(error);
}

}  // namespace mainstay::app
