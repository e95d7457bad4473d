// The rules of conversations, written as plainly as possible.
#include "storage/memory/conversations.h"

#include <algorithm>

#include "storage/words.h"

namespace mainstay::storage::memory {
namespace {

Error unknown() {
  return Error::say(Errc::not_found, "unknown_conversation", "There is no such conversation.",
                    "conversation");
}

std::uint64_t tokens_of(const Turn& turn) {
  std::uint64_t sum = 0;
  for (const auto& message : turn.messages) sum += message.tokens.value;
  return sum;
}

}  // namespace

const MemoryConversations::Conversation* MemoryConversations::find(const Owner& owner,
                                                                   const ConversationId& id) const {
  const auto found = all_.find(id);
  if (found == all_.end() || found->second.owner != owner) return nullptr;
  return &found->second;
}

Status MemoryConversations::append_now(const Owner& owner, Turn turn) {
  std::lock_guard lock(mutex_);
  ++operations_;
  const auto found = all_.find(turn.conversation);
  if (turn.continues && find(owner, turn.conversation) == nullptr) return done();
  if (found != all_.end() && found->second.owner != owner) return unknown();
  if (found != all_.end() && found->second.requests.contains(turn.request)) return done();
  std::set<MessageId> fresh;
  for (const auto& message : turn.messages) {
    const bool known = found != all_.end() && found->second.messages.contains(message.id);
    if (known || !fresh.insert(message.id).second) {
      return Error::say(Errc::conflict, "already_exists", "Something with this id exists already.");
    }
  }
  Conversation& into = all_[turn.conversation];
  if (into.made == 0) {
    into.made = next_++;
    into.owner = owner;
    into.info = ConversationInfo{turn.conversation, turn.title, turn.finished, turn.finished, 0};
  }
  into.info.updated = std::max(into.info.updated, turn.finished);
  into.info.messages += turn.messages.size();
  into.requests.insert(turn.request);
  into.messages.merge(fresh);
  into.turns.push_back(std::move(turn));
  return done();
}

Co<Status> MemoryConversations::append(Owner owner, Turn turn, Deadline) {
  co_return append_now(owner, std::move(turn));
}

Co<Result<std::vector<StoredMessage>>> MemoryConversations::window(Owner owner, ConversationId id,
                                                                   Tokens budget, Deadline) {
  std::lock_guard lock(mutex_);
  std::vector<StoredMessage> out;
  const Conversation* found = find(owner, id);
  if (found == nullptr && all_.contains(id)) co_return unknown();
  if (found == nullptr) co_return out;
  const auto& turns = found->turns;
  std::size_t first = turns.size();
  std::uint64_t used = 0;
  while (first > 0 && used + tokens_of(turns[first - 1]) <= budget.value) {
    used += tokens_of(turns[--first]);
  }
  for (; first < turns.size(); ++first) {
    out.insert(out.end(), turns[first].messages.begin(), turns[first].messages.end());
  }
  out.erase(out.begin(), std::find_if(out.begin(), out.end(), opens));
  co_return out;
}

Result<PageOfConversations> MemoryConversations::page(const Owner& owner, const std::string& text,
                                                      const ConversationId& after,
                                                      std::uint32_t limit) const {
  std::vector<const Conversation*> mine;
  for (const auto& [id, conversation] : all_) {
    if (conversation.owner == owner) mine.push_back(&conversation);
  }
  std::sort(mine.begin(), mine.end(), [](const Conversation* a, const Conversation* b) {
    return std::tie(a->info.updated, a->made) > std::tie(b->info.updated, b->made);
  });
  std::optional<std::pair<WallTime, std::uint64_t>> place;
  if (!after.empty()) {
    const Conversation* last = find(owner, after);
    if (last != nullptr) place = std::pair(last->info.updated, last->made);
    if (!place) place = gone_.find(owner, after.text());
    if (!place) return unknown();
  }
  const std::string wanted = folded(text);
  PageOfConversations out;
  for (auto at = mine.begin(); at != mine.end() && !out.more; ++at) {
    const ConversationInfo& info = (*at)->info;
    if (place && std::pair(info.updated, (*at)->made) >= *place) continue;
    if (folded(info.title).find(wanted) == std::string::npos) continue;
    out.more = out.items.size() == limit;
    if (!out.more) out.items.push_back(info);
  }
  return out;
}

Co<Result<PageOfConversations>> MemoryConversations::list(Owner owner, ConversationId after,
                                                          std::uint32_t limit, Deadline) {
  std::lock_guard lock(mutex_);
  co_return page(owner, {}, after, limit);
}

Co<Result<PageOfConversations>> MemoryConversations::search(Owner owner, std::string text,
                                                            ConversationId after,
                                                            std::uint32_t limit, Deadline) {
  std::lock_guard lock(mutex_);
  co_return page(owner, text, after, limit);
}

Co<Status> MemoryConversations::rename(Owner owner, ConversationId id, std::string title,
                                       Deadline) {
  std::lock_guard lock(mutex_);
  ++operations_;
  if (find(owner, id) == nullptr) co_return unknown();
  all_.at(id).info.title = std::move(title);
  co_return done();
}

Co<Result<ConversationInfo>> MemoryConversations::get(Owner owner, ConversationId id, Deadline) {
  std::lock_guard lock(mutex_);
  const Conversation* found = find(owner, id);
  if (found == nullptr) co_return unknown();
  co_return found->info;
}

Co<Result<std::vector<StoredMessage>>> MemoryConversations::messages(Owner owner, ConversationId id,
                                                                     MessageId after,
                                                                     std::uint32_t limit,
                                                                     Deadline) {
  std::lock_guard lock(mutex_);
  const Conversation* found = find(owner, id);
  if (found == nullptr) co_return unknown();
  std::vector<StoredMessage> all;
  for (const auto& turn : found->turns) {
    all.insert(all.end(), turn.messages.begin(), turn.messages.end());
    if (!turn.messages.empty()) all.back().citations = turn.citations;
  }
  auto at = all.begin();
  if (!after.empty()) {
    at = std::find_if(all.begin(), all.end(), [&](const auto& m) { return m.id == after; });
    if (at == all.end()) {
      co_return Error::say(Errc::not_found, "unknown_message", "There is no such message.",
                           "after");
    }
    ++at;
  }
  const auto left = static_cast<std::size_t>(all.end() - at);
  const auto take = static_cast<std::ptrdiff_t>(std::min<std::size_t>(left, limit));
  co_return std::vector<StoredMessage>(at, at + take);
}

Co<Status> MemoryConversations::erase(Owner owner, ConversationId id, Deadline) {
  std::lock_guard lock(mutex_);
  ++operations_;
  const Conversation* found = find(owner, id);
  if (found == nullptr) co_return unknown();
  gone_.put(owner, id.text(), std::pair(found->info.updated, found->made));
  all_.erase(id);
  co_return done();
}

std::uint64_t MemoryConversations::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

}  // namespace mainstay::storage::memory
