// Orders for mainstay-audio as objects.
#include "media/sound_orders.h"

#include <algorithm>
#include <optional>

#include "base/json_fields.h"

namespace mainstay::media {
namespace {

constexpr std::array<const char*, 4> kWants = {"decode", "hear", "speak", "encode"};

std::uint32_t small(const Json& object, const char* key) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count_field(object, key), UINT32_MAX));
}

double number(const Json& object, const char* key, double otherwise) {
  const Json& found = field(object, key);
  return found.is_number() ? found.get<double>() : otherwise;
}

Json json_of(const VoiceRules& rules) {
  return {{"onset_ms", rules.onset_ms},   {"quiet_ms", rules.quiet_ms},
          {"before_ms", rules.before_ms}, {"after_ms", rules.after_ms},
          {"span_ms", rules.span_ms},     {"over_floor_db", rules.over_floor_db},
          {"least_db", rules.least_db}};
}

VoiceRules rules_of(const Json& object) {
  VoiceRules out;
  out.onset_ms = small(object, "onset_ms");
  out.quiet_ms = small(object, "quiet_ms");
  out.before_ms = small(object, "before_ms");
  out.after_ms = small(object, "after_ms");
  out.span_ms = small(object, "span_ms");
  out.over_floor_db = number(object, "over_floor_db", out.over_floor_db);
  out.least_db = number(object, "least_db", out.least_db);
  return out;
}

}  // namespace

Json sound_json(const SoundOrder& order) {
  return {{"item", order.item},
          {"want", kWants[static_cast<std::size_t>(order.want)]},
          {"pcm_rate", order.pcm_rate},
          {"seconds_max", order.seconds_max},
          {"channels_max", order.channels_max},
          {"rate_max", order.rate_max},
          {"threads", order.threads},
          {"spans", order.spans},
          {"drop_silence", order.drop_silence},
          {"rules", json_of(order.rules)},
          {"format", order.format},
          {"voice", order.voice},
          {"speed", order.speed}};
}

Result<SoundOrder> sound_order_of(const Json& object) {
  const std::string want = string_field(object, "want");
  const auto known = std::find(kWants.begin(), kWants.end(), want);
  if (known == kWants.end()) return Error::log(Errc::invalid, "an order of an unknown kind");
  SoundOrder out;
  out.item = count_field(object, "item");
  out.want = static_cast<SoundWant>(known - kWants.begin());
  out.pcm_rate = small(object, "pcm_rate");
  out.seconds_max = small(object, "seconds_max");
  out.channels_max = small(object, "channels_max");
  out.rate_max = small(object, "rate_max");
  out.threads = std::clamp(small(object, "threads"), 1U, 64U);
  out.spans = flag_field(object, "spans");
  out.drop_silence = flag_field(object, "drop_silence");
  out.rules = rules_of(object_field(object, "rules"));
  out.format = string_field(object, "format");
  out.voice = string_field(object, "voice");
  out.speed = number(object, "speed", 1);
  return out;
}

}  // namespace mainstay::media
