// mainstay jobs list, show, retry, cancel, watch, submit.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "app/commands.h"
#include "app/files.h"
#include "app/jobs_watch.h"
#include "app/remote.h"
#include "app/terminal.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::app {
namespace {

constexpr std::size_t kPage = 100;  ///< jobs fetched at once

using MaybeAnswer = Result<HttpAnswer>;

void print_json(const Json& value) {
  std::printf("%s\n", value.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

/// For a path or a query: what is not a plain character goes as %XX.
std::string escaped(const std::string& text) {
  constexpr const char* kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    if (plain) {
      out += c;
    } else {
      out += {'%', kHex[u >> 4U], kHex[u & 15U]};
    }
  }
  return out;
}

/// Not for this key, or not at this address: a user's own endpoint is next.
bool not_as_admin(const MaybeAnswer& answer) {
  if (!answer.ok()) return false;
  if (answer->status == 401 || answer->status == 403) return true;
  return answer->status == 404 && error_of(*answer).reason == "unknown_path";
}

/// As an administrator, so that anybody's job is within reach and the audit knows; else as the
/// key's user.
MaybeAnswer either(Remote& remote, std::string_view method, const std::string& path) {
  auto answer = remote.call_admin(method, "/admin" + path, "");
  if (not_as_admin(answer)) answer = remote.call(method, "/v1" + path, "");
  return answer;
}

/// The body of a reply of 2xx. Errors: the server's, or why there is none.
Result<Json> body_of(MaybeAnswer answer) {
  if (!answer.ok()) return answer.error();
  if (answer->status < 200 || answer->status > 299) return error_of(*answer);
  return parse_json(answer->body);
}

std::string query_of(const JobsListOptions& options, std::size_t limit, const std::string& after) {
  std::string out = "?limit=" + std::to_string(limit);
  if (!after.empty()) out += "&after=" + escaped(after);
  if (!options.state.empty()) out += "&state=" + escaped(options.state);
  if (!options.kind.empty()) out += "&kind=" + escaped(options.kind);
  if (!options.batch.empty()) out += "&batch=" + escaped(options.batch);
  return out;
}

std::string cell(const Json& row, const char* key) {
  return printable(string_field(row, key));
}

void print_row(const Json& row) {
  std::string who;
  if (row.contains("user")) who = cell(row, "tenant") + "/" + cell(row, "user");
  const std::string attempts = std::to_string(count_field(row, "attempts")) + "/" +
                               std::to_string(count_field(row, "attempts_max"));
  const std::string why = printable(string_field(field(row, "error"), "code"));
  std::printf("%-30s %-9s %-10s %-11s %5s  %s%s%s\n", cell(row, "id").c_str(),
              cell(row, "state").c_str(), cell(row, "kind").c_str(), cell(row, "priority").c_str(),
              attempts.c_str(), who.c_str(), who.empty() || why.empty() ? "" : "  ", why.c_str());
}

void print_figures(const Json& stats) {
  if (!stats.contains("depth")) return;
  std::printf("%llu unfinished%s\n", static_cast<unsigned long long>(count_field(stats, "depth")),
              flag_field(stats, "shedding") ? "; new work is refused for now" : "");
}

/// Ids of dead jobs, those that were seen left out.
Result<std::vector<std::string>> dead_ids(Remote& remote) {
  std::vector<std::string> out;
  std::string after;
  for (;;) {
    auto page = body_of(either(remote, "GET",
                               "/jobs?state=dead&limit=" + std::to_string(kPage) +
                                   (after.empty() ? "" : "&after=" + escaped(after))));
    if (!page.ok()) return page.error();
    for (const auto& row : array_field(*page, "data")) {
      after = string_field(row, "id");
      out.push_back(after);
    }
    if (!flag_field(*page, "has_more") || array_field(*page, "data").empty()) return out;
  }
}

/// Does `word` to each job; the exit code is that of the first that would not.
Exit change(const Common& common, Remote& remote, const std::vector<std::string>& ids,
            const std::string& word) {
  Exit exit = Exit::ok;
  Json results = Json::array();
  {
    ProgressBar bar(word == "retry" ? "Retrying" : "Cancelling", ids.size());
    for (const auto& id : ids) {
      bar.show(results.size(), id);
      auto done = body_of(either(remote, "POST", "/jobs/" + escaped(id) + "/" + word));
      if (done.ok()) {
        results.push_back(std::move(*done));
        continue;
      }
      if (exit == Exit::ok) exit = exit_for(done.error());
      const Error& error = done.error();
      results.push_back(
          {{"id", id}, {"error", {{"code", error.reason}, {"message", error.message}}}});
      if (!common.json) {
        std::fprintf(stderr, "%s%s: %s\n", is_terminal(STDERR_FILENO) ? "\r\033[K" : "", id.c_str(),
                     error.message.c_str());
      }
    }
  }
  if (common.json) {
    print_json(results);
    return exit;
  }
  for (const auto& row : results) {
    if (row.contains("state")) print_row(row);
  }
  return exit;
}

/// The input as it was given. Errors: invalid.
Result<Json> input_of(const std::string& given) {
  std::string text = given;
  if (given == "-" || given.starts_with('@')) {
    auto read = read_file(given == "-" ? given : given.substr(1), 64_MiB);
    if (!read.ok()) return read.error();
    text = std::move(*read);
  }
  if (trim(text).empty()) return Json::object();
  auto parsed = parse_json(text);
  if (parsed.ok() && parsed->is_object()) return parsed;
  return Error::say(Errc::invalid, "invalid_json", "--input must be a JSON object.");
}

/// Seconds as the server takes them. CLI11 reads "nan" and "inf" as numbers, too.
bool is_time(double seconds) {
  return std::isfinite(seconds) && seconds >= 0;
}

Result<Json> order_of(const JobsSubmitOptions& options) {
  auto input = input_of(options.input);
  if (!input.ok()) return input.error();
  Json order = {{"kind", options.kind}, {"input", std::move(*input)}};
  if (!options.priority.empty()) order["priority"] = options.priority;
  if (options.delay > 0) order["delay"] = options.delay;
  if (options.repeat_every) order["repeat_every"] = *options.repeat_every;
  if (!options.webhook.empty()) order["webhook"] = {{"url", options.webhook}};
  return order;
}

/// As many as were asked for, in as many pages as that takes: the first one with all rows.
Result<Json> listed(Remote& remote, const JobsListOptions& options) {
  Json all;
  std::string after;
  for (std::size_t left = options.limit;;) {
    const std::string path = "/jobs" + query_of(options, std::min(left, kPage), after);
    auto page =
        body_of(options.mine ? remote.call("GET", "/v1" + path, "") : either(remote, "GET", path));
    if (!page.ok()) return page.error();
    const bool more = flag_field(*page, "has_more");
    const Json rows = array_field(*page, "data");
    if (all.is_null()) {
      all = std::move(*page);
    } else {
      for (const auto& row : rows) all["data"].push_back(row);
      all["has_more"] = more;
    }
    left -= std::min(left, rows.size());
    if (!more || left == 0 || rows.empty()) return all;
    after = string_field(rows.back(), "id");
  }
}

}  // namespace

Exit jobs_list(const Common& common, const JobsListOptions& options) {
  // The administrator is not who `jobs submit` hands in jobs for.
  auto remote = Remote::open_running(common, options.mine ? AdminKey::leave : AdminKey::use);
  if (!remote.ok()) return fail(common, remote.error());
  auto page = listed(**remote, options);
  if (!page.ok()) return fail(common, page.error());
  if (common.json) {
    print_json(*page);
    return Exit::ok;
  }
  for (const auto& row : array_field(*page, "data")) print_row(row);
  if (flag_field(*page, "has_more")) std::printf("… and more; --limit shows them\n");
  print_figures(*page);
  return Exit::ok;
}

Exit jobs_show(const Common& common, const std::string& id) {
  auto remote = Remote::open_running(common);
  if (!remote.ok()) return fail(common, remote.error());
  auto job = body_of(either(**remote, "GET", "/jobs/" + escaped(id)));
  if (!job.ok()) return fail(common, job.error());
  print_json(*job);
  return Exit::ok;
}

Exit jobs_retry(const Common& common, const JobsChangeOptions& options) {
  if (options.ids.empty() && !options.dead) {
    std::fprintf(stderr, "mainstay: name the jobs, or say --dead for every dead one\n");
    return Exit::usage;
  }
  auto remote = Remote::open_running(common);
  if (!remote.ok()) return fail(common, remote.error());
  if (!options.dead) return change(common, **remote, options.ids, "retry");
  auto ids = dead_ids(**remote);
  if (!ids.ok()) return fail(common, ids.error());
  return change(common, **remote, *ids, "retry");
}

Exit jobs_cancel(const Common& common, const JobsChangeOptions& options) {
  auto remote = Remote::open_running(common);
  if (!remote.ok()) return fail(common, remote.error());
  return change(common, **remote, options.ids, "cancel");
}

Exit jobs_watch(const Common& common, const std::string& id) {
  auto remote = Remote::open_running(common);
  if (!remote.ok()) return fail(common, remote.error());
  return watch_job(common, **remote, escaped(id));
}

Exit jobs_submit(const Common& common, const JobsSubmitOptions& options) {
  if (!is_time(options.delay)) {
    std::fprintf(stderr, "mainstay: --delay takes a number of seconds, zero or more\n");
    return Exit::usage;
  }
  if (options.repeat_every && !(is_time(*options.repeat_every) && *options.repeat_every > 0)) {
    std::fprintf(stderr, "mainstay: --repeat-every takes a number of seconds, one or more\n");
    return Exit::usage;
  }
  auto order = order_of(options);
  if (!order.ok()) {
    print_error(common, order.error());
    return order.error().reason == "invalid_json" ? Exit::usage : exit_for(order.error());
  }
  auto remote = Remote::open_running(common, AdminKey::leave);
  if (!remote.ok()) return fail(common, remote.error());
  MoreHeaders more;
  if (!options.key.empty()) more.emplace_back("idempotency-key", options.key);
  auto made = body_of((*remote)->call("POST", "/v1/jobs", dump(*order), more));
  if (!made.ok()) return fail(common, made.error());
  const std::string id = string_field(*made, "id");
  if (options.watch) {
    if (!common.json) std::fprintf(stderr, "%s\n", id.c_str());
    return watch_job(common, **remote, escaped(id));
  }
  if (common.json) {
    print_json(*made);
  } else {
    std::printf("%s\n", id.c_str());
  }
  return Exit::ok;
}

}  // namespace mainstay::app
