// Ids with a type: a conversation's id is not a document's.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/random.h"

namespace mainstay {

/// An id of one kind of thing; explicit both ways.
template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}
  const std::string& text() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }
  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::string text_;
};

using TenantId = Id<struct TenantTag>;
using UserId = Id<struct UserTag>;
using RequestId = Id<struct RequestTag>;
using ConversationId = Id<struct ConversationTag>;
using MessageId = Id<struct MessageTag>;
using DocumentId = Id<struct DocumentTag>;
using CollectionName = Id<struct CollectionTag>;

/// `prefix` + 26 characters in Crockford's base 32: 48 bits of wall milliseconds, then 80 random
/// bits (the ULID layout), so that ids sort by creation and cannot be guessed.
std::string make_id(const char* prefix, const Clock& clock, Random& random);

}  // namespace mainstay

template <class Tag>
struct std::hash<mainstay::Id<Tag>> {
  std::size_t operator()(const mainstay::Id<Tag>& id) const noexcept {
    return std::hash<std::string>()(id.text());
  }
};
