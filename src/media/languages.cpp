// The commonest words of fourteen languages, and the guess.
#include "media/languages.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

namespace mainstay::media {
namespace {

struct Language {
  std::string_view code;
  CharKind script;
  std::string_view words;
};

// Articles, pronouns, prepositions, conjunctions, auxiliary verbs: what any grammar lists. They are
// also the words that say nothing about a text's subject.
constexpr std::array<Language, kLanguages> kWords = {{
    {"en", CharKind::latin,
     "the of and to in a is that it was for on are as with his they i at be this have from or had "
     "by not but what all were we when your can said there use an each which she do how their if "
     "will up other about out many then them these so some her would make like him into has more "
     "no could my than been its who now did get may over new me our you he any just only also "
     "after before because such where most very through between under should those while during "
     "don't doesn't didn't isn't wasn't it's i'm that's can't won't am being both does down even "
     "here must off once own same too until us went"},
    {"de", CharKind::latin,
     "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an "
     "werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum "
     "war haben nur oder aber vor zur bis mehr durch man sein wurde sei ich du wir ihr ihre seine "
     "kann wenn was wo dieser diese dieses schon hier unter da ja doch ohne gegen mich mir uns ihm "
     "ihn alle keine kein hatte waren muss zwischen wieder dann denn"},
    {"fr", CharKind::latin,
     "le la les de des du un une et à en que qui dans pour il elle est au aux ce ne pas sur se par "
     "plus avec sont son sa ses ou mais nous vous ils je tu on cette ces leur leurs été être avoir "
     "fait comme tout même sans deux si aussi où bien encore y dont entre très était avait lui ont "
     "peut après sous depuis c'est n'est qu'il qu'elle d'un d'une l'on s'est j'ai donc ni cet "
     "quand"},
    {"es", CharKind::latin,
     "de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o "
     "este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo "
     "nos durante todos uno les ni contra otros ese eso ante ellos e esto mí antes algunos qué "
     "unos yo otro otras otra él tanto esa estos mucho ser es son fue había era han está tiene"},
    {"it", CharKind::latin,
     "di e il la che in un a per è una sono mi ho lo ma ha le si ti i con cosa se io come da ci no "
     "questo qui hai sei del della dei delle al alla dal dalla nel nella gli più anche non su era "
     "fu essere aveva hanno suo sua suoi loro noi voi lui lei ed o dove quando molto perché tutto "
     "stato ai alle sul sulla degli agli c'è dell'uomo nell'anno fra tra dopo ancora così già"},
    {"pt", CharKind::latin,
     "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele "
     "das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela "
     "entre era depois sem mesmo aos ter seus quem nas me esse eles estão você tinha foram essa "
     "num nem suas meu às minha têm numa pelos elas havia seja qual será nós lhe deles são"},
    {"nl", CharKind::latin,
     "de en van ik te dat die in een hij het niet zijn is was op aan met als voor had er maar om "
     "hem dan zou of wat mijn men dit zo door over ze zich bij ook tot je mij uit der daar haar "
     "naar heb hoe heeft hebben deze u want nog zal me zij nu ge geen omdat iets worden toch al "
     "waren veel meer doen toen moet ben zonder kan hun dus alles onder ja eens hier wie werd"},
    {"sv", CharKind::latin,
     "och det att i en jag hon som han på den med var sig för så till är men ett om hade de av "
     "icke mig du henne då sin nu har inte hans honom skulle hennes där min man ej vid kunde något "
     "från ut när efter upp vi dem vara vad över än dig kan sina här ha mot alla under någon eller "
     "allt mycket sedan ju denna själv detta åt utan varit hur ingen mitt ni bli blev oss din"},
    {"pl", CharKind::latin,
     "i w z na się nie do to że jest o jak a po co tak za od ale przez dla ze jego jej był było "
     "była tylko czy być może już lub oraz przy które który która są ich tego tym tej jako jeszcze "
     "gdy nad pod bez ja ty on ona my wy oni mnie go jeśli kiedy gdzie bardzo można także również "
     "między we te ta ten"},
    {"tr", CharKind::latin,
     "ve bir bu da de için ile o çok ne olarak gibi daha en kadar sonra ama olan var mi ben sen "
     "biz siz onlar her şey ya ki değil diye oldu ise hem yok nasıl neden hiç göre önce ancak "
     "bunu onun benim bana sana ona şu olduğu veya bütün şimdi"},
    {"ru", CharKind::cyrillic,
     "и в не на я быть он с что а по это она этот к но они мы весь который из у то за свой так "
     "же от о бы для вы как было был была были его ее её их только или ещё еще бы до если уже "
     "когда под при чтобы есть нет да мне меня нас вас ему ей все всё этого том тем где там тут "
     "очень ни со над без между после перед потом может"},
    {"uk", CharKind::cyrillic,
     "і в не на що з я до це та як він а у за про вона ти ми ви вони але для від було був була "
     "були його її їх так ще чи або по бо якщо вже коли під при щоб є немає мені мене нас вас "
     "йому їй все цей ця ці того тим де там тут дуже ні зі над без між після перед потім може й "
     "та також який яка які"},
    {"ar", CharKind::arabic,
     "في من على إلى أن هذا هذه التي الذي كان ما لا مع عن كانت هو هي ذلك بين كل بعد قد أو ثم لم "
     "إن عند قبل حيث غير أي لكن و الى كما تم لن منذ حتى به لها له فيها فيه"},
    {"fa", CharKind::arabic,
     "در به از که این را با است آن برای و یک تا می بر خود هم شد او ما نیز ها شده اما یا دیگر کرد "
     "بود هر آنها باید بین پس چه کرده باشد می‌شود دارد "
     "گفت"},
}};

/// Scripts that mean one language for us.
struct Script {
  CharKind kind;
  std::string_view code;
};
constexpr std::array<Script, 10> kScripts = {{{CharKind::greek, "el"},
                                              {CharKind::armenian, "hy"},
                                              {CharKind::hebrew, "he"},
                                              {CharKind::devanagari, "hi"},
                                              {CharKind::bengali, "bn"},
                                              {CharKind::tamil, "ta"},
                                              {CharKind::thai, "th"},
                                              {CharKind::georgian, "ka"},
                                              {CharKind::ethiopic, "am"},
                                              {CharKind::hangul, "ko"}}};

constexpr double kScriptShare = 0.5;  ///< of the letters, for the script to decide
constexpr double kKanaShare = 0.1;    ///< of Japanese letters, at least
constexpr double kUsualShare = 0.25;  ///< stop words in prose: a quarter to a half
constexpr double kUsualWords = 12;    ///< fewer words weigh less
constexpr double kConfidenceMin = 0.2;
constexpr std::uint64_t kHitsMin = 3;

using WordTable = std::unordered_map<std::string_view, LanguageMask>;

WordTable make_table() {
  WordTable out;
  for (std::size_t i = 0; i < kLanguages; ++i) {
    std::string_view rest = kWords[i].words;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(' '), rest.size());
      auto& mask = out[rest.substr(0, end)];
      mask = static_cast<LanguageMask>(mask | 1U << i);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return out;
}

double part(std::uint64_t some, std::uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(some) / static_cast<double>(all);
}

std::uint64_t count_of(const KindCounts& counts, CharKind kind) {
  return counts[static_cast<std::size_t>(kind)];
}

/// The language that the script alone tells; "unknown" where several share it.
LanguageGuess by_script(const KindCounts& counts, std::uint64_t letters) {
  const auto kana = count_of(counts, CharKind::hiragana) + count_of(counts, CharKind::katakana);
  const auto japanese = kana + count_of(counts, CharKind::han);
  if (part(japanese, letters) >= kScriptShare) {
    const bool is_japanese = part(kana, japanese) >= kKanaShare;
    return {is_japanese ? "ja" : "zh", part(japanese, letters), 0};
  }
  for (const auto& script : kScripts) {
    const double share = part(count_of(counts, script.kind), letters);
    if (share >= kScriptShare) return {script.code, share, 0};
  }
  return {};
}

/// The language whose commonest words are the most frequent.
LanguageGuess by_words(const KindCounts& counts, const LanguageCounts& stop_words,
                       std::uint64_t letters, std::uint64_t words) {
  double best = 0;
  double second = 0;
  std::size_t which = 0;
  for (std::size_t i = 0; i < kLanguages; ++i) {
    if (part(count_of(counts, kWords[i].script), letters) < kScriptShare / 2) continue;
    const double share = part(stop_words[i], words);
    if (share > best) {
      second = best;
      best = share;
      which = i;
    } else {
      second = std::max(second, share);
    }
  }
  if (stop_words[which] < kHitsMin || best <= 0) return {};
  const double usual = std::sqrt(std::min(1.0, best / kUsualShare));
  const double apart = std::min(1.0, 2 * (best - second) / best);
  const double enough = std::min(1.0, static_cast<double>(words) / kUsualWords);
  const double confidence = usual * apart * enough;
  if (confidence < kConfidenceMin) return {};
  return {kWords[which].code, confidence, static_cast<LanguageMask>(1U << which)};
}

}  // namespace

LanguageMask stop_languages(std::string_view word) noexcept {
  static const WordTable kTable = make_table();
  const auto found = kTable.find(word);
  return found == kTable.end() ? LanguageMask{0} : found->second;
}

LanguageGuess guess_language(const KindCounts& counts, const LanguageCounts& stop_words,
                             std::uint64_t words) noexcept {
  std::uint64_t letters = 0;
  for (std::size_t i = 0; i < kCharKinds; ++i) {
    if (is_letter(static_cast<CharKind>(i))) letters += counts[i];
  }
  if (letters == 0) return {};
  const LanguageGuess script = by_script(counts, letters);
  return script.confidence > 0 ? script : by_words(counts, stop_words, letters, words);
}

}  // namespace mainstay::media
