// Lines of a batch's input.
#include "jobs/batch_lines.h"

#include "base/text.h"

namespace mainstay::jobs {
namespace {

constexpr std::size_t kBlock = 256 * 1024;

Error too_long(std::size_t line_max) {
  return Error::say(Errc::too_large, "line_too_long",
                    "A line of a batch's input may have at most " + std::to_string(line_max) +
                        " bytes (batches.line_max).");
}

}  // namespace

Co<Result<std::optional<InputLine>>> InputLines::next(Deadline by) {
  for (;;) {
    const auto end = buffer_.find('\n', used_);
    const bool whole = end != std::string::npos;
    if (whole || (ended_ && used_ < buffer_.size())) {
      const std::size_t stop = whole ? end : buffer_.size();
      InputLine line;
      std::string_view text = std::string_view(buffer_).substr(used_, stop - used_);
      if (at_ == 0) text = without_byte_order_mark(text);
      line.text = std::string(trim(text));
      const std::size_t taken = (whole ? stop + 1 : stop) - used_;
      if (taken > line_max_ + 1) co_return too_long(line_max_);
      used_ += taken;
      at_ += taken;
      line.end = at_;
      line.number = ++number_;
      if (line.text.empty()) continue;
      co_return std::optional<InputLine>(std::move(line));
    }
    if (ended_) co_return std::optional<InputLine>();
    if (buffer_.size() - used_ > line_max_) co_return too_long(line_max_);
    auto block = co_await shelf_.read(file_, read_to_, kBlock, by);
    if (!block.ok()) co_return block.error();
    ended_ = block->size() < kBlock;
    read_to_ += block->size();
    buffer_.erase(0, used_);
    used_ = 0;
    buffer_ += *block;
  }
}

}  // namespace mainstay::jobs
