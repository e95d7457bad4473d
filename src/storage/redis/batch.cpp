// Gathering items, sending them, handing out the answers.
#include "storage/redis/batch.h"

namespace mainstay::storage::redis {
namespace {

/// Arguments of one call; a batch of large inputs is sent in several.
constexpr std::size_t kBytesMax = 4 << 20;

}  // namespace

void Batch::Item::answer(Result<Reply> with) {
  {
    std::lock_guard lock(mutex);
    reply.emplace(std::move(with));
  }
  answered.notify();
}

bool Batch::put(std::shared_ptr<Item> item) {
  bool post = false;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.size() >= client_.settings().batch_queue_max) return false;
    waiting_.push_back(std::move(item));
    post = !posted_;
    posted_ = true;
  }
  if (post) client_.post([this] { flush(); });
  return true;
}

Batch::Items Batch::take() {
  Items out;
  std::size_t bytes = 0;
  std::lock_guard lock(mutex_);
  while (!waiting_.empty() && out.size() < client_.settings().batch_max && bytes < kBytesMax) {
    for (const auto& argument : waiting_.front()->arguments) bytes += argument.size();
    out.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return out;
}

void Batch::flush() {
  {
    std::lock_guard lock(mutex_);
    posted_ = false;
  }
  while (under_way_ < client_.settings().batches_max) {
    auto items = std::make_shared<Items>(take());
    if (items->empty()) return;
    Call call;
    call.command = script_call(client_, script_);
    head_(call.command);
    for (const auto& item : *items) {
      for (const auto& argument : item->arguments) call.command.add(argument);
      call.give_up = std::max(call.give_up, item->give_up);
    }
    call.again = true;  // every verb gives the same answer when it is told again
    call.done = [this, items](Result<Reply> reply) { finished(*items, std::move(reply)); };
    ++under_way_;
    client_.send(std::move(call));
  }
}

void Batch::finished(const Items& items, Result<Reply> reply) {
  --under_way_;
  if (!reply.ok()) {
    for (const auto& item : items) item->answer(reply.error());
  } else {
    auto replies = split_(std::move(*reply));
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i < replies.size()) {
        items[i]->answer(std::move(replies[i]));
      } else {
        items[i]->answer(Error::log(Errc::corrupt, "redis: a script answered too little"));
      }
    }
  }
  bool more = false;
  {
    std::lock_guard lock(mutex_);
    more = !waiting_.empty() && !posted_;
    if (more) posted_ = true;
  }
  if (more) client_.post([this] { flush(); });
}

Co<Result<Reply>> Batch::run(std::vector<std::string> arguments, Deadline by) {
  if (client_.closed()) co_return redis::closed();
  auto item = std::make_shared<Item>(client_.clock());
  item->arguments = std::move(arguments);
  item->give_up = by.at();
  const auto seen = item->answered.version();
  if (!put(item)) co_return Error::log(Errc::unavailable, "redis: too many jobs are on their way");
  [[maybe_unused]] auto woken = co_await item->answered.wait(seen, by);
  std::optional<Result<Reply>> reply;
  {
    std::lock_guard lock(item->mutex);
    reply = std::move(item->reply);
    item->reply.reset();
  }
  if (!reply) co_return Error::log(Errc::deadline, "redis did not answer in time");
  if (!reply->ok()) co_return reply->error();
  const std::string& text = (*reply)->text;
  if (!text.empty() && text.front() == '!') {
    Reply failed;
    failed.kind = Reply::Kind::error;
    failed.text = text.substr(1);
    co_return error_of(failed);
  }
  co_return std::move(**reply);
}

}  // namespace mainstay::storage::redis
