// A line at a time; a block ends where a line of another kind begins.
#include "knowledge/blocks.h"

#include <algorithm>

#include "base/text.h"
#include "storage/sentences.h"

namespace mainstay::knowledge {
namespace {

constexpr std::size_t kTitleMax = 120;

struct Line {
  std::size_t begin = 0;
  std::size_t end = 0;  ///< before the line end
  std::string_view bare;
};

/// Level of "# Heading" (1 to 6), 0 when it is none.
int heading_level(std::string_view line) {
  const auto level = line.find_first_not_of('#');
  if (level == 0 || level > 6 || level == std::string_view::npos) return 0;
  return line[level] == ' ' || line[level] == '\t' ? static_cast<int>(level) : 0;
}

/// The heading's words without marks: "## `run` it ##" is "run it".
std::string heading_words(std::string_view line) {
  line = trim(line);
  while (line.starts_with('#')) line.remove_prefix(1);
  while (line.ends_with('#')) line.remove_suffix(1);
  std::string out;
  for (const char c : trim(line)) {
    if (c != '`' && c != '*') out += c;
  }
  return std::string(cut_utf8(out, kTitleMax));
}

bool only(std::string_view line, char c, std::size_t at_least) {
  return line.size() >= at_least && line.find_first_not_of(c) == std::string_view::npos;
}

bool is_ruler(std::string_view line) {
  return line.size() >= 3 && line.find_first_not_of("-*_ ") == std::string_view::npos;
}

bool is_item(std::string_view line) {
  if (line.size() < 3) return false;
  if ((line[0] == '-' || line[0] == '*' || line[0] == '+') && line[1] == ' ') return true;
  const auto digits = line.find_first_not_of("0123456789");
  return digits != std::string_view::npos && digits > 0 && digits < 5 && digits + 1 < line.size() &&
         (line[digits] == '.' || line[digits] == ')') && line[digits + 1] == ' ';
}

class Reader {
 public:
  Reader(std::string_view text, Format format, BlockState& state)
      : text_(text), format_(format), state_(state) {}

  std::vector<Block> run() {
    std::size_t at = 0;
    if (!state_.begun && !text_.empty()) {
      state_.begun = true;
      at = text_.size() - without_byte_order_mark(text_).size();
      if (format_ != Format::text) at = skip_front_matter(at);
    }
    while (at < text_.size()) {
      const std::size_t end = std::min(text_.find('\n', at), text_.size());
      const Line line{at, end, trim(text_.substr(at, end - at))};
      if (format_ == Format::text)
        plain(line);
      else
        markdown(line);
      at = end + 1;
    }
    close();
    return std::move(out_);
  }

 private:
  /// "---" on the first line, up to the next one: settings of a site generator, not text.
  std::size_t skip_front_matter(std::size_t at) const {
    if (!text_.substr(at).starts_with("---\n")) return at;
    const auto end = text_.find("\n---\n", at + 3);
    return end == std::string_view::npos || end > 16 * 1024 ? at : end + 5;
  }

  void plain(const Line& line) {
    if (line.bare.empty())
      close();
    else
      extend(BlockKind::paragraph, line);
  }

  void markdown(const Line& line) {
    const bool fence = line.bare.starts_with("```") || line.bare.starts_with("~~~");
    if (state_.fenced) {
      extend(BlockKind::code, line);
      if (fence && line.bare.substr(0, 3) == state_.fence) {
        state_.fenced = false;
        close();
      }
      return;
    }
    if (fence) {
      close();
      state_.fenced = true;
      state_.fence = line.bare.substr(0, 3);
      extend(BlockKind::code, line);
      return;
    }
    if (state_.commented || line.bare.starts_with("<!--")) {
      close();
      prose(behind_comments(line));
      return;
    }
    prose(line);
  }

  Line behind_comments(Line line) {
    line.bare = storage::behind_comments(line.bare, state_.commented);
    if (line.bare.empty()) return {line.end, line.end, {}};
    line.begin = static_cast<std::size_t>(line.bare.data() - text_.data());
    return line;
  }

  /// A line that is neither code between fences nor a comment.
  void prose(const Line& line) {
    if (line.bare.empty()) {
      close();
      return;
    }
    const bool underline = only(line.bare, '=', 2) || only(line.bare, '-', 2);
    if (underline && open_ && out_.back().kind == BlockKind::paragraph && open_lines_ == 1) {
      make_heading(out_.back(), line.bare[0] == '=' ? 1 : 2);
      return;
    }
    if (is_ruler(line.bare)) {
      close();
      return;
    }
    if (const int level = heading_level(line.bare); level > 0) {
      close();
      extend(BlockKind::heading, line);
      make_heading(out_.back(), level);
      return;
    }
    const bool indented = text_.substr(line.begin, line.end - line.begin).starts_with("    ");
    if (line.bare.starts_with('|')) {
      extend(BlockKind::table, line);
    } else if (is_item(line.bare)) {
      close();
      extend(BlockKind::item, line);
    } else if (indented && (!open_ || out_.back().kind == BlockKind::code) && !after_item_) {
      extend(BlockKind::code, line);
    } else if (open_ && out_.back().kind == BlockKind::item) {
      extend(BlockKind::item, line);
    } else {
      extend(BlockKind::paragraph, line);
    }
  }

  void make_heading(Block& block, int level) {
    block.kind = BlockKind::heading;
    block.level = level;
    block.heading = heading_words(text_.substr(block.begin, block.end - block.begin));
    close();
    after_item_ = false;
  }

  void extend(BlockKind kind, const Line& line) {
    if (!open_ || out_.back().kind != kind) {
      out_.push_back({kind, 0, line.begin, line.end, {}});
      open_ = true;
      open_lines_ = 0;
      after_item_ = kind == BlockKind::item;
    }
    out_.back().end = line.end;
    ++open_lines_;
  }

  void close() { open_ = false; }

  std::string_view text_;
  Format format_;
  BlockState& state_;
  std::vector<Block> out_;
  bool open_ = false;
  std::size_t open_lines_ = 0;
  bool after_item_ = false;
};

}  // namespace

std::vector<Block> blocks_of(std::string_view text, Format format, BlockState& state) {
  return Reader(text, format, state).run();
}

std::vector<Block> blocks_of(std::string_view text, Format format) {
  BlockState start;
  return blocks_of(text, format, start);
}

std::string title_of(std::string_view text, const std::vector<Block>& blocks) {
  for (const auto& block : blocks) {
    if (block.kind == BlockKind::heading && !block.heading.empty()) return block.heading;
  }
  if (blocks.empty()) return {};
  std::string_view first = trim(text.substr(blocks[0].begin, blocks[0].end - blocks[0].begin));
  first = first.substr(0, first.find('\n'));
  if (first.size() <= kTitleMax) return std::string(trim(first));
  std::string_view cut = cut_utf8(first, kTitleMax);
  const auto space = cut.rfind(' ');
  return std::string(trim(space == std::string_view::npos ? cut : cut.substr(0, space)));
}

}  // namespace mainstay::knowledge
