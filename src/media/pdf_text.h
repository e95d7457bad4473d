// The text of a PDF as a bounded stream of pages, read in a decoder process.
// Used by knowledge's ingest and api.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "media/decoders.h"

namespace mainstay::media {

/// A page's text, or a piece of it: a piece has at most kBodyMax bytes of whole UTF-8 characters.
struct PdfPage {
  std::uint32_t number = 0;  ///< from 1
  std::string text;          ///< may be empty: a page of pictures
  bool more = false;         ///< another piece of the same page follows
};

/// One PDF. Nothing is read ahead but what fits into a pipe. Letting go of it ends the reading. On
/// the executor of whoever opened it.
class PdfText {
 public:
  /// `file`: a regular file, open for reading. Errors: unprocessable "file_empty", "pdf_encrypted",
  /// "pdf_damaged", "pdf_empty", too_large "pdf_too_many_pages", and those of Decoders::begin() and
  /// Decoding::next().
  static Co<Result<std::unique_ptr<PdfText>>> open(Decoders& decoders, resources::Descriptor file,
                                                   Deadline by);
  const std::string& title() const noexcept { return title_; }  ///< may be empty
  std::uint32_t pages() const noexcept { return pages_; }
  /// The next piece, in the order of pages; nullopt at the end. Errors: as Decoding::next(), and
  /// too_large "pdf_text_too_long".
  Co<Result<std::optional<PdfPage>>> next(Deadline by);

 private:
  explicit PdfText(std::unique_ptr<Decoding> decoding) : decoding_(std::move(decoding)) {}
  std::unique_ptr<Decoding> decoding_;  ///< null at the end
  std::string title_;
  std::uint32_t pages_ = 0;
};

}  // namespace mainstay::media
