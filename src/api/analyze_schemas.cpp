// Schemas of POST /v1/analyze.
#include "api/openapi_schemas.h"

namespace mainstay::api {
namespace {

constexpr const char* kAnalysis = R"json({
"AnalyzeRequest": {"type":"object","additionalProperties":false,"properties":{
  "text":{"type":"string"},"file":{"type":"string","description":"Id of a file put here"}}},
"AnalyzeUpload": {"type":"object","required":["file"],"properties":{
  "file":{"type":"string","format":"binary"}}},
"Analysis": {"type":"object","required":["object","bytes","characters","lines","words","sentences",
  "paragraphs","longest_line","encoding","byte_order_mark","invalid_bytes","classes","scripts",
  "language","terms","readability","repeats"],"properties":{
  "object":{"const":"analysis"},"bytes":{"type":"integer"},"characters":{"type":"integer"},
  "lines":{"type":"integer"},"words":{"type":"integer"},"sentences":{"type":"integer"},
  "paragraphs":{"type":"integer"},
  "longest_line":{"type":"object","required":["number","bytes","characters"],"properties":{
    "number":{"type":"integer"},"bytes":{"type":"integer"},"characters":{"type":"integer"}}},
  "encoding":{"type":"string","enum":["ascii","utf-8"]},"byte_order_mark":{"type":"boolean"},
  "invalid_bytes":{"type":"integer"},
  "classes":{"type":"object","required":["letters","digits","spaces","punctuation","symbols","marks",
    "control","unassigned"],"properties":{"letters":{"type":"integer"},"digits":{"type":"integer"},
    "spaces":{"type":"integer"},"punctuation":{"type":"integer"},"symbols":{"type":"integer"},
    "marks":{"type":"integer"},"control":{"type":"integer"},"unassigned":{"type":"integer"}}},
  "scripts":{"type":"object","additionalProperties":{"type":"integer"}},
  "language":{"type":"object","required":["code","confidence"],"properties":{
    "code":{"type":"string"},"confidence":{"type":"number"}}},
  "terms":{"type":"object","required":["top","distinct","exact","error"],"properties":{
    "top":{"type":"array","items":{"type":"object","required":["term","count"],"properties":{
      "term":{"type":"string"},"count":{"type":"integer"}}}},
    "distinct":{"type":"integer"},"exact":{"type":"boolean"},"error":{"type":"integer"}}},
  "readability":{"type":["object","null"],"required":["sentence_words","word_letters",
    "flesch_reading_ease","flesch_kincaid_grade","lix"],"properties":{
    "sentence_words":{"type":"number"},"word_letters":{"type":"number"},
    "flesch_reading_ease":{"type":["number","null"]},
    "flesch_kincaid_grade":{"type":["number","null"]},"lix":{"type":["number","null"]}}},
  "repeats":{"type":"object","required":["lines","paragraphs"],"properties":{
    "lines":{"$ref":"#/components/schemas/Repeats"},
    "paragraphs":{"$ref":"#/components/schemas/Repeats"}}}}},
"Repeats": {"type":"object","required":["total","repeated","distinct","exact"],"properties":{
  "total":{"type":"integer"},"repeated":{"type":"integer"},"distinct":{"type":"integer"},
  "exact":{"type":"boolean"}}}
})json";

}  // namespace

const char* analyze_schemas() {
  return kAnalysis;
}

}  // namespace mainstay::api
