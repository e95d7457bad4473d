// Names in, passages out.
#include "api/document_fields.h"

#include "api/query.h"

namespace mainstay::api {

Result<std::optional<CollectionName>> collection_named(const std::string& name) {
  if (name.empty()) return std::optional<CollectionName>();
  if (!is_safe_name(name)) {
    return Error::say(Errc::invalid, "invalid_name",
                      "A collection's name has 1 to 128 characters of A-Z a-z 0-9 . _ : -",
                      "collection");
  }
  return std::optional<CollectionName>(CollectionName(name));
}

Json document_json(const storage::DocumentInfo& info) {
  const bool ready = info.state == storage::DocumentState::ready;
  Json out = {{"id", info.id.text()},
              {"object", "document"},
              {"state", ready ? "ready" : "ingesting"},
              {"collection", info.collection.text()},
              {"title", info.title},
              {"source", info.source},
              {"media_type", info.media_type},
              {"sha256", info.sha256},
              {"bytes", info.size.value},
              {"chunks", info.chunks},
              {"tags", info.tags},
              {"created_at", unix_seconds(info.created)}};
  if (info.media_type.starts_with("image/")) {
    out["thumbnail"] = "/v1/documents/" + info.id.text() + "/thumbnail";
  }
  return out;
}

Json passage_json(const storage::Passage& passage, double score) {
  Json out = {{"document", passage.document.text()},
              {"collection", passage.collection.text()},
              {"title", passage.title},
              {"source", passage.source},
              {"heading", passage.heading},
              {"position", {{"start", passage.begin}, {"end", passage.end}}},
              {"text", passage.text},
              {"score", score}};
  if (passage.page) out["page"] = *passage.page;
  return out;
}

}  // namespace mainstay::api
