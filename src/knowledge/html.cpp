// libxml2's forgiving HTML parser, then one walk over the tree.
#include "knowledge/html.h"

#include <libxml/HTMLparser.h>
#include <libxml/SAX2.h>
#include <libxml/parserInternals.h>

#include <limits>
#include <memory>
#include <string_view>
#include <unordered_set>

#include "base/text.h"
#include "knowledge/charset.h"

namespace mainstay::knowledge {
namespace {

/// Elements in one another; real pages have fewer than a hundred, those that never close theirs one
/// for each. The walk's stack and the parser's search for what an end tag closes grow with it.
constexpr int kDepthMax = 1000;

std::string_view name_of(const xmlNode* node) {
  return reinterpret_cast<const char*>(node->name);
}

bool is_hidden(std::string_view name) {
  static const std::unordered_set<std::string_view> names{
      "script", "style", "nav",    "noscript", "template", "svg",   "iframe", "object",
      "canvas", "head",  "button", "select",   "video",    "audio", "map"};
  return names.contains(name);
}

std::string_view attribute(const xmlNode* node, const char* name) {
  const auto* found = xmlHasProp(node, reinterpret_cast<const xmlChar*>(name));
  if (found == nullptr || found->children == nullptr) return {};
  const auto* content = reinterpret_cast<const char*>(found->children->content);
  return content == nullptr ? std::string_view() : std::string_view(content);
}

/// What no reader sees says nothing; it is where words for a model alone are put.
bool is_hidden(const xmlNode* node) {
  if (is_hidden(name_of(node))) return true;
  if (xmlHasProp(node, reinterpret_cast<const xmlChar*>("hidden")) != nullptr) return true;
  std::string style;
  for (const char c : attribute(node, "style")) {
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') style += c;
  }
  style = lower_ascii(style);
  for (auto at = style.find("/*"); at != std::string::npos; at = style.find("/*", at)) {
    const auto end = style.find("*/", at + 2);
    style.erase(at, end == std::string::npos ? std::string::npos : end + 2 - at);
  }
  // Pages hide themselves until their script has run.
  const std::string_view name = name_of(node);
  if (name == "body" || name == "html") return false;
  return style.find("display:none") != std::string::npos ||
         style.find("visibility:hidden") != std::string::npos;
}

bool is_block(std::string_view name) {
  static const std::unordered_set<std::string_view> names{
      "p",       "div",        "section", "article", "main",     "header", "footer",  "aside",
      "ul",      "ol",         "dl",      "dt",      "dd",       "table",  "tbody",   "blockquote",
      "figure",  "figcaption", "thead",   "tfoot",   "body",     "html",   "address", "details",
      "summary", "hr",         "center",  "form",    "fieldset", "legend"};
  return names.contains(name);
}

/// Inside a cell, where no table is written, they end a line.
bool is_table_part(std::string_view name) {
  return name == "tr" || name == "td" || name == "th" || name == "caption";
}

/// Walks the tree and writes Markdown. Text is collected in `line_` until a block ends.
class Writer {
 public:
  std::string run(const xmlNode* root) {
    children(root);
    end_block();
    return std::move(out_);
  }

 private:
  void children(const xmlNode* node) {
    for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
      if (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE)
        text(child);
      else if (child->type == XML_ELEMENT_NODE)
        element(child);
    }
  }

  void element(const xmlNode* node) {
    const std::string_view name = name_of(node);
    if (is_hidden(node)) return;
    if (name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6') {
      with_prefix(node, std::string(static_cast<std::size_t>(name[1] - '0'), '#') + " ");
    } else if (name == "li") {
      with_prefix(node, "- ");
    } else if (name == "tr" && !in_row_) {
      row(node);
    } else if (name == "pre") {
      code(node);
    } else if (name == "br") {
      line_ += ' ';
    } else if (name == "code" || name == "kbd") {
      line_ += '`';
      children(node);
      line_ += '`';
    } else if (is_block(name) || (in_row_ && is_table_part(name))) {
      end_block();
      children(node);
      end_block();
    } else {
      children(node);
    }
  }

  void with_prefix(const xmlNode* node, const std::string& prefix) {
    end_block();
    prefix_ = prefix;
    children(node);
    end_block();
    prefix_.clear();
  }

  /// A cell is one line: what is in it, tables too, is written aside and then laid flat once.
  void row(const xmlNode* node) {
    end_block();
    std::string kept = std::move(out_);
    std::string cells;
    in_row_ = true;
    for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
      if (child->type != XML_ELEMENT_NODE || is_hidden(child)) continue;
      out_.clear();
      children(child);
      end_block();
      for (char& c : out_) {
        if (c == '\n' || c == '|') c = ' ';
      }
      cells += ' ';
      cells += trim(out_);
      cells += " |";
    }
    in_row_ = false;
    out_ = std::move(kept);
    if (!cells.empty()) out_ += "|" + cells + "\n";
    after_row_ = true;
  }

  void code(const xmlNode* node) {
    end_block();
    pre_ = true;
    children(node);
    pre_ = false;
    std::string lines = std::move(line_);
    line_.clear();
    const std::string_view bare = trim(lines);
    if (!bare.empty()) paragraph("```\n" + std::string(bare) + "\n```");
  }

  void text(const xmlNode* node) {
    const auto* content = reinterpret_cast<const char*>(node->content);
    if (content == nullptr) return;
    for (const char c : std::string_view(content)) {
      const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
      if (pre_ || !space)
        line_ += c;
      else if (!line_.empty() && line_.back() != ' ')
        line_ += ' ';
    }
  }

  void end_block() {
    if (pre_) return;
    const std::string_view bare = trim(line_);
    if (!bare.empty()) {
      paragraph(prefix_ + std::string(bare));
      prefix_.clear();
    }
    line_.clear();
  }

  void paragraph(const std::string& text) {
    if (after_row_) out_ += '\n';
    after_row_ = false;
    out_ += text;
    out_ += "\n\n";
  }

  std::string out_;
  std::string line_;
  std::string prefix_;
  bool pre_ = false;
  bool in_row_ = false;
  bool after_row_ = false;
};

std::string title_in(const xmlNode* node, int depth) {
  for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
    if (child->type != XML_ELEMENT_NODE) continue;
    if (name_of(child) == "title") {
      std::unique_ptr<xmlChar, decltype(xmlFree)> content(
          xmlNodeGetContent(const_cast<xmlNode*>(child)), xmlFree);
      if (!content) return {};
      std::string words;
      for (const char c : trim(reinterpret_cast<const char*>(content.get()))) {
        words += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
      }
      return std::string(cut_utf8(words, 200));
    }
    const bool outer = name_of(child) == "html" || name_of(child) == "head";
    if (outer && depth < 4) {
      std::string found = title_in(child, depth + 1);
      if (!found.empty()) return found;
    }
  }
  return {};
}

/// The parser's own limit of 256 levels drops what is deeper without a word. Beyond ours the page
/// is refused: _private tells so.
void start_element(void* of, const xmlChar* name, const xmlChar** attributes) {
  auto* parser = static_cast<xmlParserCtxt*>(of);
  if (parser->nodeNr < kDepthMax) return xmlSAX2StartElement(of, name, attributes);
  parser->_private = parser;
  xmlStopParser(parser);
}

using Document = std::unique_ptr<xmlDoc, decltype(&xmlFreeDoc)>;

/// Null: it cannot be read as HTML. Errors: invalid "html_too_deep".
Result<Document> parse(const std::string& text) {
  std::unique_ptr<xmlParserCtxt, decltype(&htmlFreeParserCtxt)> parser(htmlNewParserCtxt(),
                                                                       &htmlFreeParserCtxt);
  if (!parser) return Document(nullptr, &xmlFreeDoc);
  parser->sax->startElement = &start_element;
  parser->options |= XML_PARSE_HUGE;  // no limit on depth and names but ours
  // NONET: nothing is fetched.
  const int options = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                      HTML_PARSE_NONET | HTML_PARSE_COMPACT;
  Document document(htmlCtxtReadMemory(parser.get(), text.data(), static_cast<int>(text.size()),
                                       nullptr, "UTF-8", options),
                    &xmlFreeDoc);
  if (parser->_private == nullptr) return document;
  return Error::say(Errc::invalid, "html_too_deep",
                    "The page has elements nested deeper than " + std::to_string(kDepthMax) +
                        " levels; close them, or send it as text.",
                    "file");
}

}  // namespace

Result<Page> read_html(const std::string& html) {
  const Error unreadable =
      Error::say(Errc::invalid, "invalid_value", "The text cannot be read as HTML.", "text");
  auto text = html_in_utf8(html);
  if (!text.ok()) return text.error();
  if (text->size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return unreadable;
  auto document = parse(*text);
  if (!document.ok()) return document.error();
  if (!*document || xmlDocGetRootElement(document->get()) == nullptr) return unreadable;
  const auto* top = reinterpret_cast<const xmlNode*>(document->get());
  Page page;
  page.title = title_in(top, 0);
  page.markdown = to_utf8(Writer().run(top));
  return page;
}

}  // namespace mainstay::knowledge
