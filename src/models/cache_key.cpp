// The digest: fields with their lengths, then the members of the body without blanks.
#include "models/cache_key.h"

#include <memory>
#include <new>
#include <string>

#include <openssl/evp.h>

#include "base/check.h"

namespace mainstay::models {
namespace {

/// One digest context for each thread; the algorithm is looked up once.
struct Digest {
  Digest() {
    if (!algorithm || !context) throw std::bad_alloc();  // the next call of this thread tries again
  }
  using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
  using Algorithm = std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)>;
  Algorithm algorithm{EVP_MD_fetch(nullptr, "SHA256", nullptr), &EVP_MD_free};
  Context context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

bool blank(char c) noexcept {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/// The JSON text without the blanks between its tokens. Strings, which are most of a body, are
/// passed over whole.
void put_compact(std::string& out, std::string_view json) {
  std::size_t from = 0;
  std::size_t at = 0;
  while (at < json.size()) {
    if (json[at] == '"') {
      at = skip_string(json, at);
    } else if (blank(json[at])) {
      out.append(json, from, at - from);
      while (at < json.size() && blank(json[at])) ++at;
      from = at;
    } else {
      ++at;
    }
  }
  out.append(json, from);
}

/// What is part of the key by other means, or does not change the answer.
bool left_out(const Member& member) noexcept {
  return member.key == "user" || member.key == "stream" || member.key == "model";
}

constexpr std::size_t kKeepTextBelow = 64 * 1024;

}  // namespace

void put_field(std::string& out, std::string_view field) {
  const std::uint64_t size = field.size();
  char raw[sizeof size];
  std::memcpy(raw, &size, sizeof size);
  out.append(raw, sizeof size);
  out.append(field);
}

CacheKey key_of_fields(std::string_view fields) {
  thread_local Digest mine;
  CacheKey key;
  unsigned size = 0;
  const bool fine = EVP_DigestInit_ex2(mine.context.get(), mine.algorithm.get(), nullptr) == 1 &&
                    EVP_DigestUpdate(mine.context.get(), fields.data(), fields.size()) == 1 &&
                    EVP_DigestFinal_ex(mine.context.get(), key.bytes.data(), &size) == 1;
  if (!fine) throw std::bad_alloc();  // hashing fails for nothing else
  CHECK(size == key.bytes.size());
  return key;
}

CacheKey cache_key(const ChatRequest& request) {
  thread_local std::string text;
  text.clear();
  put_field(text, request.tenant.text());
  put_field(text, request.model);
  put_field(text, request.collection ? request.collection->text() : std::string_view());
  text += request.stream ? 's' : 'r';
  text += request.collection ? 'c' : '-';
  text += request.documents ? 'd' : '-';
  // Runs of members between the left-out ones are taken in one go, and joined as if the
  // left-out ones had never been there.
  const std::string_view body = request.body;
  const auto& members = request.members;
  for (std::size_t i = 0; i < members.size();) {
    if (left_out(members[i])) {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < members.size() && !left_out(members[end])) ++end;
    text += ',';
    put_compact(text, body.substr(members[i].begin, members[end - 1].end - members[i].begin));
    i = end;
  }
  const CacheKey key = key_of_fields(text);
  if (text.capacity() > kKeepTextBelow) text = std::string();
  return key;
}

}  // namespace mainstay::models
