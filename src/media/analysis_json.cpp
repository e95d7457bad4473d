// The report of an analysis as JSON.
#include <cmath>

#include "media/analysis.h"

namespace mainstay::media {
namespace {

/// Two digits behind the point say all that these figures know.
double rounded(double value) {
  return std::round(value * 100) / 100;
}

Json optional_json(const std::optional<double>& value) {
  return value ? Json(rounded(*value)) : Json(nullptr);
}

Json repeats_json(const Repeats& repeats) {
  return {{"total", repeats.total},
          {"repeated", repeats.repeated},
          {"distinct", repeats.distinct},
          {"exact", repeats.exact}};
}

Json classes_json(const KindCounts& kinds) {
  const auto count = [&](CharKind kind) { return kinds[static_cast<std::size_t>(kind)]; };
  std::uint64_t letters = 0;
  for (std::size_t i = 0; i < kCharKinds; ++i) {
    if (is_letter(static_cast<CharKind>(i))) letters += kinds[i];
  }
  return {{"letters", letters},
          {"digits", count(CharKind::digit)},
          {"spaces", count(CharKind::space)},
          {"punctuation", count(CharKind::punctuation)},
          {"symbols", count(CharKind::symbol)},
          {"marks", count(CharKind::mark)},
          {"control", count(CharKind::control)},
          {"unassigned", count(CharKind::unassigned)}};
}

Json scripts_json(const KindCounts& kinds) {
  Json out = Json::object();
  for (std::size_t i = 0; i < kCharKinds; ++i) {
    const auto kind = static_cast<CharKind>(i);
    if (is_letter(kind) && kinds[i] > 0) out[std::string(name(kind))] = kinds[i];
  }
  return out;
}

Json readability_json(const Readability& readability) {
  return {{"sentence_words", rounded(readability.sentence_words)},
          {"word_letters", rounded(readability.word_letters)},
          {"flesch_reading_ease", optional_json(readability.flesch_reading_ease)},
          {"flesch_kincaid_grade", optional_json(readability.flesch_kincaid_grade)},
          {"lix", optional_json(readability.lix)}};
}

}  // namespace

Json to_json(const Report& report) {
  const LongestLine& longest = report.lines.longest;
  Json terms = Json::array();
  for (const auto& term : report.top_terms) {
    terms.push_back({{"term", term.text}, {"count", term.count}});
  }
  Json out = {
      {"object", "analysis"},
      {"bytes", report.bytes},
      {"characters", report.characters},
      {"lines", report.lines.lines},
      {"words", report.words},
      {"sentences", report.sentences},
      {"paragraphs", report.lines.paragraphs.total},
      {"longest_line",
       {{"number", longest.number}, {"bytes", longest.bytes}, {"characters", longest.characters}}},
      {"encoding", report.ascii ? "ascii" : "utf-8"},
      {"byte_order_mark", report.byte_order_mark},
      {"invalid_bytes", report.invalid_bytes},
      {"classes", classes_json(report.kinds)},
      {"scripts", scripts_json(report.kinds)},
      {"language",
       {{"code", report.language.code}, {"confidence", rounded(report.language.confidence)}}}};
  out["terms"] = {{"top", std::move(terms)},
                  {"distinct", report.distinct_terms},
                  {"exact", report.term_error == 0},
                  {"error", report.term_error}};
  out["readability"] = report.readability ? readability_json(*report.readability) : Json(nullptr);
  out["repeats"] = {{"lines", repeats_json(report.lines.not_blank)},
                    {"paragraphs", repeats_json(report.lines.paragraphs)}};
  return out;
}

}  // namespace mainstay::media
