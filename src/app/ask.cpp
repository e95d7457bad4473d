// mainstay ask, search.
#include <cstdio>
#include <string>

#include "app/commands.h"
#include "app/remote.h"
#include "app/terminal.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::app {
namespace {

void print_json(const Json& value) {
  std::printf("%s\n", value.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

std::string one_line(std::string text, std::size_t max) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  const std::string_view cut = cut_utf8(text, max);
  return std::string(cut) + (cut.size() < text.size() ? "…" : "");
}

void print_citations(const Json& citations) {
  if (!citations.is_array() || citations.empty()) return;
  std::printf("\nSources:\n");
  std::size_t number = 0;
  for (const auto& c : citations) {
    const std::string title = printable(string_field(c, "title"));
    const std::string source = printable(string_field(c, "source"));
    const Json& position = field(c, "position");
    std::printf("  [%zu] %s%s%s, bytes %llu to %llu\n", ++number, title.c_str(),
                source.empty() || source == title ? "" : " — ",
                source == title ? "" : source.c_str(),
                static_cast<unsigned long long>(count_field(position, "start")),
                static_cast<unsigned long long>(count_field(position, "end")));
  }
}

Json body_of(const AskOptions& options, const std::string& collection) {
  Json body = {{"messages", Json::array({Json{{"role", "user"}, {"content", options.question}}})}};
  if (!options.model.empty()) body["model"] = options.model;
  if (!collection.empty()) body["collection"] = collection;
  if (!options.conversation.empty()) body["conversation"] = options.conversation;
  return body;
}

/// Prints an answer's events as they come and keeps what ends it.
struct Printer {
  Json citations;
  std::string error;
  bool done = false;
  void operator()(std::string_view data) {
    if (data == "[DONE]") {
      done = true;
      return;
    }
    auto chunk = parse_json(data);
    if (!chunk.ok() || !chunk->is_object()) return;
    if (chunk->contains("error")) error = std::string(data);
    if (chunk->contains("citations")) citations = (*chunk)["citations"];
    for (const auto& choice : array_field(*chunk, "choices")) {
      const Json& delta = field(choice, "delta");
      for (const char* said : {"content", "refusal"}) {
        std::fputs(printable(string_field(delta, said)).c_str(), stdout);
      }
    }
    std::fflush(stdout);
  }
};

Exit ask_streaming(const Common& common, Remote& remote, Json body) {
  body["stream"] = true;
  Printer printer;
  auto answer = remote.stream("/v1/chat/completions", dump(body),
                              [&printer](std::string_view data) { printer(data); });
  if (!answer.ok()) return fail(common, answer.error());
  if (answer->status != 200) return fail(common, error_of(*answer));
  std::printf("\n");
  print_citations(printer.citations);
  if (!printer.error.empty()) return fail(common, error_of({502, printer.error, {}}));
  if (!printer.done) {
    return fail(common, Error::say(Errc::bad_upstream, "stream_cut", "The answer was cut off."));
  }
  return Exit::ok;
}

}  // namespace

Exit ask(const Common& common, const AskOptions& options) {
  if (!options.voice_file.empty() || !options.out_file.empty()) return ask_aloud(common, options);
  auto remote = Remote::open(common);
  if (!remote.ok()) return fail(common, remote.error());
  Json body = body_of(options, collection_of(**remote, options));
  if (!common.json) return ask_streaming(common, **remote, std::move(body));
  auto answer = (*remote)->call("POST", "/v1/chat/completions", dump(body));
  if (!answer.ok()) return fail(common, answer.error());
  if (answer->status != 200) return fail(common, error_of(*answer));
  auto parsed = parse_json(answer->body);
  if (parsed.ok()) print_json(*parsed);
  return Exit::ok;
}

Exit search(const Common& common, const SearchOptions& options) {
  auto remote = Remote::open(common, {}, DataDir::expect);
  if (!remote.ok()) return fail(common, remote.error());
  Json body = {{"query", options.query}, {"limit", options.limit}};
  if (!options.collection.empty()) body["collection"] = options.collection;
  auto answer = (*remote)->call("POST", "/v1/search", dump(body));
  if (!answer.ok()) return fail(common, answer.error());
  if (answer->status != 200) return fail(common, error_of(*answer));
  auto parsed = parse_json(answer->body);
  if (!parsed.ok()) return fail(common, parsed.error());
  if (common.json) {
    print_json(*parsed);
    return Exit::ok;
  }
  const Json& data = array_field(*parsed, "data");
  for (const auto& hit : data) {
    const Json& score = field(hit, "score");
    std::printf("%6.2f  %s  %s\n        %s\n", score.is_number() ? score.get<double>() : 0.0,
                printable(string_field(hit, "title")).c_str(),
                printable(string_field(hit, "source")).c_str(),
                one_line(string_field(hit, "text"), 200).c_str());
  }
  if (data.empty()) std::fprintf(stderr, "Nothing was found.\n");
  return Exit::ok;
}

}  // namespace mainstay::app
