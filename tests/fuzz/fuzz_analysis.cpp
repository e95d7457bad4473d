// uses: media
// Fuzz target: the analysis of a text; what it tells must not depend on the pieces, and its figures
// must fit together.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "media/analysis.h"

namespace {

using mainstay::media::Analysis;
using mainstay::media::AnalysisLimits;

AnalysisLimits small_limits() {
  AnalysisLimits limits;
  limits.terms_max = 16;
  limits.lines_max = 4;
  limits.paragraphs_max = 2;
  return limits;
}

std::string told(std::string_view text, std::size_t step, const AnalysisLimits& limits) {
  Analysis analysis(limits);
  for (std::size_t at = 0; at < text.size(); at += step) analysis.feed(text.substr(at, step));
  auto report = analysis.finish();
  if (!report.ok()) return report.error().reason;
  if (report->bytes != text.size() || report->words > text.size()) std::abort();
  if (report->characters + report->invalid_bytes > report->bytes) std::abort();
  if (report->sentences > report->words) std::abort();
  const auto& lines = report->lines;
  if (lines.not_blank.total > lines.lines || lines.paragraphs.total > lines.lines) std::abort();
  if (lines.longest.bytes > text.size() || lines.longest.number > lines.lines) std::abort();
  if (lines.not_blank.distinct + lines.not_blank.repeated > lines.not_blank.total) std::abort();
  return mainstay::dump(to_json(*report));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& limits : {AnalysisLimits(), small_limits()}) {
    const std::string whole = told(text, size + 1, limits);
    for (const std::size_t step : {1U, 3U, 80U}) {
      if (told(text, step, limits) != whole) std::abort();
    }
  }
  return 0;
}
