// PDFs: title, number of pages, text page by page. The only place that knows poppler.
// Used by decoder/serve.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "child/answers.h"

namespace mainstay::decoder {

using child::Refusal;

/// Loads what poppler loads once, while files can still be opened. False: it does not work.
bool warm_pdf();
std::string pdf_version();

/// Answers with a start, pages and an end, or gives back why not.
std::optional<Refusal> read_pdf(const media::Order& order, std::string_view bytes);

}  // namespace mainstay::decoder
