// The documents of corpus/ in a library over a real store, and a way to ask them.
// Used by the tests in this folder.
#pragma once

#include <fstream>
#include <sstream>

#include "base/json.h"
#include "conformance/back_ends.h"
#include "knowledge/library.h"
#include "models/extractive/provider.h"

namespace mainstay::models::extractive {

class Desk {
 public:
  explicit Desk(bool with_documents = true) {
    if (!with_documents) return;
    add("readme.md", "markdown");
    add("configuration.md", "markdown");
    add("troubleshooting.md", "markdown");
    add("contributing.md", "markdown");
    add("clinic.txt", "text");
    add("coffee.html", "html");
  }

  void add(const std::string& file, const std::string& format) {
    std::ifstream in(std::string(CORPUS) + "/" + file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    add_text(file, text.str(), format, format == "text" ? "clinic" : "manuals");
  }
  void add_text(const std::string& source, std::string text, const std::string& format = "text",
                const std::string& collection = "manuals") {
    knowledge::NewText document;
    document.collection = CollectionName(collection);
    document.source = source;
    document.format = format;
    document.text = std::move(text);
    auto added = ground.run(library.add(tenant, std::move(document), ground.soon()));
    EXPECT_TRUE(added.ok()) << source;
  }

  ChatRequest conversation(const Json& messages) {
    ChatRequest out;
    out.body = dump({{"model", "mainstay/extractive"}, {"messages", messages}});
    out.body.reserve(out.body.size() + 64);
    out.tenant = tenant;
    out.index();
    return out;
  }
  ChatRequest request(const std::string& question) {
    return conversation(Json::array({{{"role", "user"}, {"content", question}}}));
  }
  Json ask(const ChatRequest& request) {
    Attempt attempt;
    attempt.by = ground.soon();
    AttemptTimings timings;
    auto reply = ground.run(provider.complete(request, attempt, timings));
    EXPECT_TRUE(reply.ok()) << (reply.ok() ? "" : reply.error().detail);
    if (!reply.ok()) return {};
    auto body = parse_json(reply->body);
    EXPECT_TRUE(body.ok());
    return *body;
  }
  static std::string text(const Json& reply) {
    return reply["choices"][0]["message"]["content"].get<std::string>();
  }

  storage::Ground ground;
  const TenantId tenant{"office"};
  OffloadPool pool{"test", 1, 16};
  std::unique_ptr<storage::BackEnd> back_end = storage::back_end("sqlite", ground);
  storage::Stores& stores = back_end->stores();
  knowledge::Library library{KnowledgeSettings{}, ground.clock, ground.random, pool,
                             stores.documents()};
  Extractive provider{library, ground.clock, ground.random, 5};
};

}  // namespace mainstay::models::extractive
