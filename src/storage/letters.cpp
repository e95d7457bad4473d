// Latin with its extensions (Vietnamese is in the second), Greek, Cyrillic: what Unicode says of
// lower case and of the letters that are made of a base and a mark, and letters that are written
// as others where they cannot be had (ø, ł, þ). Composed and decomposed texts give the same words.
#include "storage/letters.h"

#include <array>
#include <string_view>

namespace mainstay::storage {
namespace {

/// What each letter from `first` on becomes: '.' itself, a capital the two letters of two_of().
struct Folds {
  std::uint32_t first;
  std::u16string_view to;
};

constexpr std::array kFolds = {
    Folds{0x00C0,
          u"aaaaaaAceeeeiiiidnooooo.ouuuuyTSaaaaaaAceeeeiiiidnooooo.ouuuuyTy"
          u"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiIIjjkk.llllllŀ"
          u".llnnnnnnnŋ.ooooooOOrrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"
          u".ɓƃ.ƅ.ɔƈ.ɖɗƌ..ǝəɛƒ.ɠɣ.ɩɨƙ...ɯɲ.ɵooƣ.ƥ.ʀƨ.ʃ..ƭ.ʈuuʊʋƴ.ƶ.ʒƹ...ƽ..."
          u"....ǆǆ.ǉǉ.ǌǌ.aaiioouuuuuuuuuu.aaaaAAǥ.ggkkooooʒʒjǳǳ.ggƕƿnnaaAAoo"
          u"aaaaeeeeiiiioooorrrruuuussttȝ.hhƞ.ȣ.ȥ.aaeeooooooooyy.......ȼ.ƚ.."
          u".ɂ.ƀʉʌɇ.ɉ.ɋ.ɍ.ɏ."},
    Folds{0x0370,
          u"ͱ.ͳ.ʹ.ͷ........ϳ......α.εηι.ο.υωιαβγδεζηθικλμνξοπρ.στυφχψωιυαεηι"
          u"υ.................σ.......ιυουωϗ...ϒϒ...ϙ.ϛ.ϝ.ϟ.ϡ.ϣ.ϥ.ϧ.ϩ.ϫ.ϭ.ϯ."
          u"....θ..ϸ.ϲϻ..ͻͼͽ"},
    Folds{0x0400,
          u"ееђгєѕііјљњћкиуџабвгдежзииклмнопрстуфхцчшщъыьэюя.........и......"
          u"................ее.г...і....киу.ѡ.ѣ.ѥ.ѧ.ѩ.ѫ.ѭ.ѯ.ѱ.ѳ.ѵ.ѵѵѹ.ѻ.ѽ.ѿ."
          u"ҁ.........ҋ.ҍ.ҏ.ґ.ғ.ҕ.җ.ҙ.қ.ҝ.ҟ.ҡ.ң.ҥ.ҧ.ҩ.ҫ.ҭ.ү.ұ.ҳ.ҵ.ҷ.ҹ.һ.ҽ.ҿ."
          u"ӏжжӄ.ӆ.ӈ.ӊ.ӌ.ӎ..ааааӕ.ееә.әәжжззӡ.ииииооө.өөээууууууччӷ.ыыӻ.ӽ.ӿ."
          u"ԁ.ԃ.ԅ.ԇ.ԉ.ԋ.ԍ.ԏ.ԑ.ԓ.ԕ.ԗ.ԙ.ԛ.ԝ.ԟ.ԡ.ԣ.ԥ.ԧ.ԩ.ԫ.ԭ.ԯ."},
    Folds{0x1E00,
          u"aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmm"
          u"mmmmnnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvv"
          u"wwwwwwwwwwxxxxyyzzzzzzhtwy.s..S.aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeee"
          u"eeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyyỻ.ỽ.ỿ."},
    Folds{0x1F00,
          u"ααααααααααααααααεεεεεε..εεεεεε..ηηηηηηηηηηηηηηηηιιιιιιιιιιιιιιιι"
          u"οοοοοο..οοοοοο..υυυυυυυυ.υ.υ.υ.υωωωωωωωωωωωωωωωωααεεηηιιοουυωω.."
          u"ααααααααααααααααηηηηηηηηηηηηηηηηωωωωωωωωωωωωωωωωααααα.ααααααα.ι."
          u"..ηηη.ηηεεηηη...ιιιι..ιιιιιι....υυυυρρυυυυυυρ.....ωωω.ωωοοωωω..."},
};

std::string_view two_of(char16_t capital) {
  switch (capital) {
    case u'A':
      return "ae";
    case u'I':
      return "ij";
    case u'O':
      return "oe";
    case u'S':
      return "ss";
    default:
      return "th";
  }
}

void append_two_bytes(std::string& out, std::uint32_t code) {
  out += static_cast<char>(0xc0 | (code >> 6));
  out += static_cast<char>(0x80 | (code & 0x3f));
}

/// Never to be changed: an entry of an index is only forgotten by the words that made it.
bool append_folded_first(std::string& out, std::uint32_t code) {
  static constexpr std::string_view kLatin =  // U+00C0 ... U+017F
      "aaaaaa.ceeeeiiii.nooooo..uuuuy..aaaaaa.ceeeeiiii.nooooo..uuuuy.y"
      "aaaaaaccccccccdd..eeeeeeeeeegggggggghh..iiiiiiiii...jjkk.llllll."
      "...nnnnnn...oooooo..rrrrrrsssssssstttt..uuuuuuuuuuuuwwyyyzzzzzz.";
  if (code >= 0xc0 && code < 0xc0 + kLatin.size() && kLatin[code - 0xc0] != '.') {
    out += kLatin[code - 0xc0];
    return true;
  }
  if ((code >= 0x391 && code <= 0x3a9) || (code >= 0x410 && code <= 0x42f)) {  // Greek, Cyrillic
    append_two_bytes(out, code + 0x20);
    return true;
  }
  return false;
}

}  // namespace

bool append_folded(std::string& out, std::uint32_t code, Folding folding) {
  if (folding == Folding::first) return append_folded_first(out, code);
  for (const Folds& folds : kFolds) {
    if (code < folds.first || code - folds.first >= folds.to.size()) continue;
    const char16_t to = folds.to[code - folds.first];
    if (to == u'.') return false;
    if (to >= u'A' && to <= u'Z') {
      out += two_of(to);
    } else if (to < 0x80) {
      out += static_cast<char>(to);
    } else if (to < 0x800) {
      append_two_bytes(out, to);
    } else {
      out += static_cast<char>(0xe0 | (to >> 12));
      out += static_cast<char>(0x80 | ((to >> 6) & 0x3f));
      out += static_cast<char>(0x80 | (to & 0x3f));
    }
    return true;
  }
  return false;
}

}  // namespace mainstay::storage
