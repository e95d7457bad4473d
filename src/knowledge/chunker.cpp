// Pieces (sentences, lines) are packed into chunks until one is full or the section ends.
#include "knowledge/chunker.h"

#include <algorithm>

#include "base/text.h"
#include "storage/sentences.h"

namespace mainstay::knowledge {
namespace {

/// What is never cut unless it is larger than a chunk; pieces of a block touch each other.
struct Piece {
  std::size_t begin = 0;
  std::size_t end = 0;
};

class Chunker {
 public:
  Chunker(std::string_view text, ChunkSize size, HeadingPath& path)
      : text_(text),
        // estimate_tokens() counts four bytes a token.
        max_(std::max<std::size_t>(size.tokens, 8) * 4),
        overlap_(std::min(size.overlap * 4, max_ / 2)),
        path_(path) {
    tell_path();
  }

  std::vector<storage::Chunk> run(const std::vector<Block>& blocks) {
    const bool headings_alone = std::all_of(blocks.begin(), blocks.end(), [](const Block& block) {
      return block.kind == BlockKind::heading;
    });
    for (const auto& block : blocks) {
      if (block.kind == BlockKind::heading) {
        if (!headings_alone) leave(block.level);
        enter(block);
      } else {
        add(block);
        bare_ = nullptr;
      }
    }
    flush();
    if (headings_alone) {  // they are the text
      for (const auto& block : blocks) add(block);
      flush();
    } else {
      leave(0);
    }
    return std::move(out_);
  }

 private:
  void enter(const Block& heading) {
    flush();
    while (!path_.empty() && path_.back().level >= heading.level) path_.pop_back();
    path_.push_back({heading.level, heading.heading});
    tell_path();
    bare_ = &heading;
  }

  /// A heading with nothing below it would be in no passage: it is one itself. One that has deeper
  /// headings below it is in their paths.
  void leave(int next_level) {
    if (bare_ == nullptr || bare_->level < next_level) return;
    std::string_view words = trim(text_.substr(bare_->begin, bare_->end - bare_->begin));
    while (words.starts_with('#')) words.remove_prefix(1);
    while (words.ends_with('#')) words.remove_suffix(1);
    words = trim(words);
    bare_ = nullptr;
    if (words.empty()) return;
    const HeadingStep own = std::move(path_.back());
    path_.pop_back();
    tell_path();
    const auto begin = static_cast<std::size_t>(words.data() - text_.data());
    add(Block{BlockKind::paragraph, 0, begin, begin + words.size(), {}});
    flush();
    path_.push_back(own);
    tell_path();
  }

  void tell_path() {
    path_text_.clear();
    for (const auto& step : path_) {
      if (!path_text_.empty()) path_text_ += " > ";
      path_text_ += step.words;
    }
  }

  void add(const Block& block) {
    const std::size_t size = block.end - block.begin;
    // Better a shorter chunk than a block cut in two; code in particular.
    const bool roomy = open_size() < max_ / 2 && block.kind != BlockKind::code;
    const bool over = !pieces_.empty() && block.end - pieces_.front().begin > max_;
    if (over && (!roomy || size <= max_)) flush();
    for (const Piece& piece : pieces_of(block)) put(piece);
  }

  void put(Piece piece) {
    if (!pieces_.empty() && piece.end - pieces_.front().begin > max_) flush_with_overlap(piece);
    pieces_.push_back(piece);
  }

  std::size_t open_size() const {
    return pieces_.empty() ? 0 : pieces_.back().end - pieces_.front().begin;
  }

  /// The chunk ends; the next begins with its last pieces, as far as they fit.
  void flush_with_overlap(const Piece& next) {
    std::vector<Piece> repeated;
    for (auto at = pieces_.rbegin(); at != pieces_.rend() && pieces_.size() > 1; ++at) {
      const bool small = pieces_.back().end - at->begin <= overlap_;
      if (!small || next.end - at->begin > max_ || at + 1 == pieces_.rend()) break;
      repeated.insert(repeated.begin(), *at);
    }
    flush();
    pieces_ = std::move(repeated);
  }

  void flush() {
    if (pieces_.empty()) return;
    std::size_t begin = pieces_.front().begin;
    std::size_t end = pieces_.back().end;
    pieces_.clear();
    const std::string_view bare = trim(text_.substr(begin, end - begin));
    if (bare.empty()) return;
    begin = static_cast<std::size_t>(bare.data() - text_.data());
    out_.push_back({std::string(bare), begin, begin + bare.size(), path_text_});
  }

  std::vector<Piece> pieces_of(const Block& block) const {
    std::vector<std::size_t> starts{block.begin};
    const std::string_view inside = text_.substr(block.begin, block.end - block.begin);
    if (block.kind == BlockKind::code || block.kind == BlockKind::table) {
      for (std::size_t i = 0; i + 1 < inside.size(); ++i) {
        if (inside[i] == '\n') starts.push_back(block.begin + i + 1);
      }
    } else {
      for (const auto& sentence : storage::sentences_of(inside)) {
        if (block.begin + sentence.begin > starts.back()) {
          starts.push_back(block.begin + sentence.begin);
        }
      }
    }
    starts.push_back(block.end);
    std::vector<Piece> out;
    for (std::size_t i = 0; i + 1 < starts.size(); ++i) cut(starts[i], starts[i + 1], out);
    return out;
  }

  /// A piece larger than a chunk is cut after a space if there is one, else between characters.
  void cut(std::size_t begin, std::size_t end, std::vector<Piece>& out) const {
    while (end - begin > max_) {
      const std::string_view head = cut_utf8(text_.substr(begin, end - begin), max_);
      const auto space = head.find_last_of(" \t\n");
      const bool far_enough = space != std::string_view::npos && space > max_ / 2;
      const std::size_t size = far_enough ? space + 1 : head.size();
      out.push_back({begin, begin + size});
      begin += size;
    }
    if (begin < end) out.push_back({begin, end});
  }

  std::string_view text_;
  const std::size_t max_;
  const std::size_t overlap_;
  HeadingPath& path_;
  std::string path_text_;
  const Block* bare_ = nullptr;  ///< the heading that was entered last, while nothing is below it
  std::vector<Piece> pieces_;
  std::vector<storage::Chunk> out_;
};

}  // namespace

std::vector<storage::Chunk> chunks_of(std::string_view text, const std::vector<Block>& blocks,
                                      ChunkSize size, HeadingPath& path) {
  return Chunker(text, size, path).run(blocks);
}

std::vector<storage::Chunk> chunks_of(std::string_view text, const std::vector<Block>& blocks,
                                      ChunkSize size) {
  HeadingPath none;
  return chunks_of(text, blocks, size, none);
}

}  // namespace mainstay::knowledge
