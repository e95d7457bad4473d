// PDFs through the real decoder: good ones, and those that nobody should send.
#include <zlib.h>

#include "media/pdf_text.h"
#include "unit/decoder/rig.h"

namespace mainstay::media {
namespace {

using namespace test;

/// Puts a PDF together: objects, their table, the trailer.
class Pdf {
 public:
  void object(const std::string& body) {
    places_.push_back(text_.size());
    text_ += std::to_string(places_.size()) + " 0 obj\n" + body + "\nendobj\n";
  }
  void stream(const std::string& entries, const std::string& bytes) {
    object("<<" + entries + "/Length " + std::to_string(bytes.size()) + ">>\nstream\n" + bytes +
           "\nendstream");
  }
  std::string done(const std::string& trailer = "") {
    const std::size_t table = text_.size();
    text_ += "xref\n0 " + std::to_string(places_.size() + 1) + "\n0000000000 65535 f \n";
    for (const std::size_t place : places_) {
      std::string digits = std::to_string(place);
      text_ += std::string(10 - digits.size(), '0') + digits + " 00000 n \n";
    }
    text_ += "trailer\n<</Size " + std::to_string(places_.size() + 1) + "/Root 1 0 R" + trailer +
             ">>\nstartxref\n" + std::to_string(table) + "\n%%EOF\n";
    return text_;
  }

 private:
  std::string text_ = "%PDF-1.5\n";
  std::vector<std::size_t> places_;
};

/// One page for each text. Objects 1 to 3: catalog, pages, font.
std::string pdf_of(const std::vector<std::string>& texts, const std::string& trailer = "",
                   const std::string& count = "") {
  Pdf pdf;
  std::string kids;
  for (std::size_t i = 0; i < texts.size(); ++i) kids += std::to_string(4 + 2 * i) + " 0 R ";
  pdf.object("<</Type/Catalog/Pages 2 0 R>>");
  pdf.object("<</Type/Pages/Kids[" + kids + "]/Count " +
             (count.empty() ? std::to_string(texts.size()) : count) + ">>");
  pdf.object("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    pdf.object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F1 3 0 R>>>>" +
               std::string("/Contents ") + std::to_string(5 + 2 * i) + " 0 R>>");
    pdf.stream("", "BT /F1 12 Tf 40 700 Td (" + texts[i] + ") Tj ET");
  }
  return pdf.done(trailer);
}

/// A stream of `size` bytes of one operator, deflated `times` over.
std::string deflated(std::size_t size, int times) {
  std::string in = "q Q ";
  while (in.size() < size) in += std::string(in);
  for (; times > 0; --times) {
    std::string out(::compressBound(in.size()), '\0');
    uLongf length = out.size();
    EXPECT_EQ(::compress2(reinterpret_cast<Bytef*>(out.data()), &length,
                          reinterpret_cast<const Bytef*>(in.data()), in.size(), 6),
              Z_OK);
    out.resize(length);
    in = std::move(out);
  }
  return in;
}

struct PdfTest : Rig {
  PdfTest() { make_again(); }
  void make_again() { make(DECODER); }

  struct Read {
    std::string title;
    std::uint32_t pages = 0;
    std::vector<std::string> texts;
    std::string reason;  ///< why it ended early
  };
  Co<Read> reading(std::string bytes) {
    Read out;
    auto pdf = co_await PdfText::open(*decoders, file_of(bytes), soon());
    if (!pdf.ok()) {
      out.reason = pdf.error().reason;
      co_return out;
    }
    out.title = (*pdf)->title();
    out.pages = (*pdf)->pages();
    for (;;) {
      auto page = co_await (*pdf)->next(soon());
      if (!page.ok()) out.reason = page.error().reason;
      if (!page.ok() || !*page) co_return out;
      out.texts.resize((*page)->number);
      out.texts.back() += (*page)->text;
    }
  }
  Read read(const std::string& bytes) { return run(reading(bytes)); }
  bool still_reads() {
    const auto got = read(pdf_of({"still here"}));
    return got.reason.empty() && got.texts.size() == 1 &&
           got.texts[0].find("still here") != std::string::npos;
  }
};

TEST_F(PdfTest, the_text_comes_page_by_page_with_the_title) {
  const auto got =
      read(pdf_of({"First page", "", "Third \\344 page"}, "/Info <</Title(A report)>>"));
  EXPECT_EQ(got.reason, "");
  EXPECT_EQ(got.pages, 3u);
  EXPECT_EQ(got.title, "A report");
  ASSERT_EQ(got.texts.size(), 3u);
  EXPECT_NE(got.texts[0].find("First page"), std::string::npos);
  EXPECT_EQ(got.texts[1].find_first_not_of(" \n\f"), std::string::npos);
  EXPECT_NE(got.texts[2].find("Third"), std::string::npos);
}

TEST_F(PdfTest, a_title_in_utf_16_comes_out_as_utf_8) {
  const std::string title("\xfe\xff\x00\x47\x00\xfc\xd8\x3d\xde\x00\xd8\x3d", 12);
  std::string hex;
  for (const char c : title) {
    constexpr const char* kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  const auto got = read(pdf_of({"x"}, "/Info <</Title<" + hex + ">>>"));
  EXPECT_EQ(got.title, "G\xc3\xbc\xf0\x9f\x98\x80\xef\xbf\xbd") << "half a pair is no character";
}

TEST_F(PdfTest, what_is_no_pdf_is_told_apart) {
  EXPECT_EQ(read("").reason, "file_empty");
  EXPECT_EQ(read("just some text").reason, "pdf_damaged");
  EXPECT_EQ(read("\x89PNG\r\n\x1a\n and so on").reason, "pdf_damaged");
  EXPECT_EQ(read("%PDF-1.5\n" + std::string(5000, 'x')).reason, "pdf_damaged");
  EXPECT_EQ(read(std::string(100'000, '\0')).reason, "pdf_damaged");
  EXPECT_TRUE(still_reads());
  EXPECT_EQ(decoders->figures().started, 1u) << "none of them cost a process";
}

TEST_F(PdfTest, an_encrypted_one_is_told_as_such) {
  const std::string key(32, 'k');
  const auto got = read(pdf_of({"secret"}, "/Encrypt <</Filter/Standard/V 1/R 2/P -4/O(" + key +
                                               ")/U(" + key + ")>>/ID[<61><61>]"));
  EXPECT_EQ(got.reason, "pdf_encrypted");
  EXPECT_TRUE(still_reads());
}

TEST_F(PdfTest, a_truncated_one_gives_an_error_or_what_is_whole) {
  const std::string whole = pdf_of({"One", "Two", "Three"});
  for (std::size_t cut = 0; cut < whole.size(); cut += 37) {
    const auto got = read(whole.substr(0, cut));
    if (got.reason.empty()) {
      EXPECT_EQ(got.texts.size(), got.pages) << cut;
    } else {
      EXPECT_TRUE(got.reason.starts_with("pdf_") || got.reason == "file_empty") << got.reason;
    }
  }
  EXPECT_TRUE(still_reads());
}

TEST_F(PdfTest, pages_have_an_end) {
  settings.pdf_pages_max = 3;
  make_again();
  EXPECT_EQ(read(pdf_of({"a", "b"})).reason, "");
  EXPECT_EQ(read(pdf_of({"a", "b", "c"})).reason, "");
  EXPECT_EQ(read(pdf_of({"a", "b", "c", "d"})).reason, "pdf_too_many_pages");
  const auto none = read(pdf_of({})).reason;
  EXPECT_TRUE(none == "pdf_empty" || none == "pdf_damaged") << none;
}

TEST_F(PdfTest, a_page_count_that_lies_is_not_believed) {
  const auto got = read(pdf_of({"only one"}, "", "2000000000"));
  EXPECT_NE(got.reason, "");
  EXPECT_TRUE(still_reads());
}

TEST_F(PdfTest, text_has_an_end) {
  const std::size_t one = read(pdf_of({"ten letter"})).texts[0].size();
  settings.pdf_text_max = Bytes{3 * one};
  make_again();
  EXPECT_EQ(read(pdf_of({"ten letter", "ten letter"})).reason, "");
  EXPECT_EQ(read(pdf_of({"ten letter", "ten letter", "ten letter"})).reason, "");
  EXPECT_EQ(read(pdf_of({"ten letter", "ten letter", "ten letter", "x"})).reason,
            "pdf_text_too_long");
  EXPECT_TRUE(still_reads());
}

TEST_F(PdfTest, security_30_a_bomb_ends_at_the_deadline_and_harms_nobody_else) {
  settings.decoder_deadline = Millis(300);
  make_again();
  Pdf pdf;
  pdf.object("<</Type/Catalog/Pages 2 0 R>>");
  pdf.object("<</Type/Pages/Kids[3 0 R]/Count 1>>");
  pdf.object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R>>");
  pdf.stream("/Filter[/FlateDecode/FlateDecode]", deflated(std::size_t{32} << 20, 2));
  const std::string bomb = pdf.done();
  EXPECT_LT(bomb.size(), 50'000u);
  const TimePoint began = clock.now();
  const auto got = read(bomb);
  EXPECT_EQ(got.reason, "decoder_deadline");
  EXPECT_LT(clock.now() - began, seconds(20));
  EXPECT_TRUE(still_reads());
}

TEST_F(PdfTest, pages_that_contain_themselves_end) {
  Pdf pdf;
  pdf.object("<</Type/Catalog/Pages 2 0 R>>");
  pdf.object("<</Type/Pages/Kids[2 0 R 3 0 R]/Count 2>>");
  pdf.object(
      "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</XObject"
      "<</X 4 0 R>>>>>>");
  pdf.stream("/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 4 0 R>>>>", "/X Do");
  [[maybe_unused]] const auto got = read(pdf.done());
  EXPECT_TRUE(still_reads());
}

TEST_F(PdfTest, many_pages_do_not_pile_up_for_a_slow_reader) {
  std::vector<std::string> texts(400, std::string(3000, 'p'));
  auto pdf = run(PdfText::open(*decoders, file_of(pdf_of(texts)), soon()));
  ASSERT_TRUE(pdf.ok());
  auto first = run((*pdf)->next(soon()));
  ASSERT_TRUE(first.ok() && first->has_value());
  EXPECT_EQ((**first).number, 1u);
  pdf = Error::log(Errc::cancelled, "let go");
  EXPECT_EQ(decoders->figures().killed, 1u) << "it was still writing";
  EXPECT_TRUE(still_reads());
}

}  // namespace
}  // namespace mainstay::media
