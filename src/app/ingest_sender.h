// Puts files into an engine over its API: small texts in one request, other small files as forms,
// large ones in parts that go on where an earlier run stopped; then follows the job that reads
// them. Used by ingest_command.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/files.h"
#include "app/remote.h"
#include "base/json.h"

namespace mainstay::app {

struct SendOptions {
  std::string collection;
  std::vector<std::string> tags;
};

/// Blocking; main thread only. The remote outlives it.
class Sender {
 public:
  Sender(Remote& remote, SendOptions options) : remote_(remote), options_(std::move(options)) {}
  /// The stored document as the API tells it; "state": "ingesting" when the key may not follow its
  /// job. `place` stands before the bar ("3/7"). Errors: of reading the file, the API's, the job's.
  Result<Json> store(const NamedFile& file, const std::string& place);

 private:
  /// A file that is open, and what is shown of it.
  struct Job;
  using Attempt = std::function<Result<HttpAnswer>()>;
  Result<HttpAnswer> patiently(const Attempt& attempt);
  Result<Json> patient_json(const Attempt& attempt);
  Result<Json> store_text(const Job& job, const std::string& text);
  Result<Json> store_form(const Job& job, const std::string& bytes);
  Result<Json> store_in_parts(const Job& job);
  Result<Json> begun_before(const Job& job);
  Result<std::string> send_part(const Job& job, const std::string& upload, std::string bytes);
  Result<std::vector<std::string>> send_parts(const Job& job, const Json& upload);
  Result<Json> follow(const Job& job, Json accepted);

  Remote& remote_;
  const SendOptions options_;
};

}  // namespace mainstay::app
