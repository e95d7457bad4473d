// Two places that bytes come from.
#include "knowledge/source.h"

#include <algorithm>

namespace mainstay::knowledge {

Co<Result<std::string>> TextSource::read(std::uint64_t at, std::size_t most, Deadline /*by*/) {
  co_return at >= text_.size() ? std::string() : text_.substr(at, most);
}

Co<Result<storage::OpenContent>> TextSource::open(Deadline /*by*/) {
  co_return Error::say(Errc::unsupported, "unsupported_file_type",
                       "A PDF cannot be sent as text. Send it as a file: multipart/form-data.",
                       "text");
}

Co<Result<std::string>> ShelfSource::read(std::uint64_t at, std::size_t most, Deadline by) {
  return shelf_.read(name_, at, most, by);
}

Co<Result<storage::OpenContent>> ShelfSource::open(Deadline by) {
  return shelf_.open_content(name_, by);
}

}  // namespace mainstay::knowledge
