// Three pools of one program, and orders for them.
#include "media/audio.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/event.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "media/sound_orders.h"
#include "media/sound_reasons.h"
#include "media/sound_streams.h"

namespace mainstay::media {
namespace {

constexpr std::uint32_t kProcessesMax = 2;  ///< where a setting is 0
constexpr std::uint32_t kThreadsMax = 4;
constexpr std::array<const char*, 6> kMediaTypes = {"audio/wav",  "audio/mpeg", "audio/ogg",
                                                    "audio/flac", "audio/pcm",  "audio/aac"};
/// An input that is fed takes as long as its feeder: whoever reads has a deadline.
constexpr auto kLive = std::chrono::hours(24);
constexpr Duration kHearing = kLive;  ///< at most, as a process has processor time for no more

Error missing() {
  return Error::say(Errc::unavailable, "audio_missing",
                    "This server reads no sound: mainstay-audio is not beside it. See "
                    "sound.program.");
}

Error busy() {
  Error error = Error::say(Errc::unavailable, "audio_busy",
                           "All processes for sound are at work. Try again in a moment.");
  error.retry_after = std::chrono::seconds(1);
  return error;
}

Error too_slow() {
  return Error::say(Errc::unprocessable, "audio_deadline",
                    "The sound took longer than sound.deadline.");
}

Error no_memory(const std::string& detail) {
  return sound_error_of("audio_memory", detail);
}

std::uint32_t threads_of(const SoundSettings& settings) {
  return for_cores(settings.threads, kThreadsMax);
}

ChildRules rules_of(const SoundSettings& settings, const std::string& program, SoundRole role) {
  ChildRules out;
  const char* const name = kSoundRoles[static_cast<std::size_t>(role)];
  out.program = program;
  out.argv = {"mainstay-audio", "serve", std::to_string(settings.memory.value), name,
              settings.model};
  out.waiting_max = settings.waiting_max;
  out.items_per_process = settings.items_per_process;
  out.resident = settings.resident.value;
  out.deadline = settings.deadline;
  out.idle = settings.idle;
  out.errors = {&missing, &busy, &too_slow, &sound_failed, &no_memory, &sound_error_of};
  switch (role) {
    case SoundRole::decode:
      out.name = "sound_decoder";
      out.items = "Files that processes decoded or encoded";
      out.most = for_cores(settings.decoders, kProcessesMax);
      out.cpus = threads_of(settings) + 1;
      break;
    case SoundRole::hear:
      out.name = "sound_recogniser";
      out.items = "Files that the built-in recogniser heard";
      out.most = for_cores(settings.recognisers, kProcessesMax);
      out.resident = settings.recogniser_resident.value;
      break;
    case SoundRole::speak:
      out.name = "sound_speaker";
      out.items = "Texts that the built-in voices spoke";
      out.most = for_cores(settings.speakers, kProcessesMax);
      break;
  }
  return out;
}

std::string sentence(std::string text) {
  if (!text.empty() && text.back() != '.') text += '.';
  return text;
}

bool is_live(const AudioInput& input) {
  struct stat about{};
  return ::fstat(input.file.get(), &about) == 0 && !S_ISREG(about.st_mode);
}

Status check_text(const SpeakWish& wish, const SoundSettings& settings) {
  if (trim(wish.text).empty()) return sound_error_of("text_required", "");
  if (wish.text.size() > settings.text_max.value) {
    return Error::say(Errc::too_large, "text_too_long",
                      "The text is longer than sound.text_max. Send it in parts.");
  }
  if (!std::isfinite(wish.speed) || wish.speed < 0.25 || wish.speed > 4) {
    return Error::say(Errc::invalid, "speed_out_of_range", "'speed' is 0.25 to 4.", "speed");
  }
  return done();
}

AudioMeans means_of(const Json& said) {
  constexpr std::size_t kVoicesMax = 1000;
  AudioMeans out;
  out.version = string_field(said, "version");
  out.decodes = true;
  out.ffmpeg = string_field(said, "ffmpeg");
  out.espeak = string_field(said, "espeak");
  out.hears = flag_field(said, "hears");
  out.speaks = flag_field(said, "speaks");
  out.landlock = static_cast<int>(std::min<std::uint64_t>(count_field(said, "landlock"), 1000));
  for (const Json& voice : array_field(said, "voices")) {
    if (out.voices.size() == kVoicesMax) break;
    out.voices.push_back(
        {string_field(voice, "id"), string_field(voice, "language"), string_field(voice, "name")});
  }
  for (const Json& variant : array_field(said, "variants")) {
    if (out.variants.size() == kVoicesMax) break;
    if (variant.is_string()) out.variants.push_back(variant.get<std::string>());
  }
  const auto by_id = [](const VoiceFacts& a, const VoiceFacts& b) { return a.id < b.id; };
  std::sort(out.voices.begin(), out.voices.end(), by_id);
  if (!out.hears) out.why = "The recogniser has no model: see sound.model. ";
  if (!out.speaks) out.why += "The data of eSpeak NG is missing.";
  return out;
}

}  // namespace

std::optional<AudioFormat> audio_format(std::string_view name) {
  for (std::size_t i = 0; i < kSoundFormats.size(); ++i) {
    if (name == kSoundFormats[i]) return static_cast<AudioFormat>(i);
  }
  return std::nullopt;
}

const char* name(AudioFormat format) noexcept {
  return kSoundFormats[static_cast<std::size_t>(format)];
}

const char* media_type(AudioFormat format) noexcept {
  return kMediaTypes[static_cast<std::size_t>(format)];
}

const VoiceFacts* find_voice(const AudioMeans& means, std::string_view wish) {
  const std::string wanted = lower_ascii(wish);
  for (const auto& voice : means.voices) {
    if (lower_ascii(voice.id) == wanted) return &voice;
  }
  const auto fits = [&wanted](const std::string& language) {
    const std::string have = lower_ascii(language);
    return have.starts_with(wanted) && (have.size() == wanted.size() || have[wanted.size()] == '-');
  };
  for (const auto& voice : means.voices) {
    if (!wanted.empty() && (fits(voice.id) || fits(voice.language))) return &voice;
  }
  return nullptr;
}

std::optional<std::string> voice_for(const AudioMeans& means, std::string_view wish) {
  const auto plus = wish.find('+');
  const VoiceFacts* const voice = find_voice(means, wish.substr(0, plus));
  if (voice == nullptr) return std::nullopt;
  if (plus == std::string_view::npos) return voice->id;
  const std::string wanted = lower_ascii(wish.substr(plus + 1));
  for (const auto& variant : means.variants) {
    if (lower_ascii(variant) == wanted) return voice->id + "+" + variant;
  }
  return std::nullopt;
}

AudioMeans audio_means(const SoundSettings& settings, const std::string& program) {
  auto said = ask_program(program, {"mainstay-audio", "probe", settings.model});
  AudioMeans out = said.ok() ? means_of(*said) : AudioMeans();
  if (!said.ok()) out.why = sentence("Sound cannot be read: " + said.error().detail);
  out.model = settings.model;
  return out;
}

std::string find_audio(const std::string& wanted) {
  return find_program(wanted, "mainstay-audio");
}

/// What streams and calls under way share with their Audio.
struct Audio::Core {
  Core(const SoundSettings& given, std::string path, Clock& time, Log& log, Metrics& metrics)
      : settings(given),
        program(std::move(path)),
        clock(time),
        makers(std::make_shared<OffloadPool>("sound", 1, kMakersQueue)),
        asked(time),
        decoder(with_makers(SoundRole::decode), time, log, metrics),
        recogniser(with_makers(SoundRole::hear), time, log, metrics),
        speaker(with_makers(SoundRole::speak), time, log, metrics) {}

  ChildRules with_makers(SoundRole role) const {
    ChildRules out = rules_of(settings, program, role);
    out.makers = makers;
    return out;
  }
  SoundOrder order(SoundWant want) const;
  bool take_question();
  std::shared_ptr<const AudioMeans> known() const;
  void answered(std::shared_ptr<const AudioMeans> found);

  const SoundSettings settings;
  const std::string program;
  Clock& clock;
  const std::shared_ptr<OffloadPool> makers;
  Event asked;
  ChildPool decoder;
  ChildPool recogniser;
  ChildPool speaker;

  mutable std::mutex mutex;
  bool asking = false;
  std::shared_ptr<const AudioMeans> means;
};

SoundOrder Audio::Core::order(SoundWant want) const {
  SoundOrder out;
  out.want = want;
  out.seconds_max = settings.seconds_max;
  out.channels_max = settings.channels_max;
  out.rate_max = settings.rate_max;
  out.threads = want == SoundWant::decode || want == SoundWant::encode ? threads_of(settings) : 1;
  return out;
}

/// True: the caller is the one who asks.
bool Audio::Core::take_question() {
  std::lock_guard lock(mutex);
  if (asking || means) return false;
  asking = true;
  return true;
}

std::shared_ptr<const AudioMeans> Audio::Core::known() const {
  std::lock_guard lock(mutex);
  return means;
}

/// Null: the next caller asks again.
void Audio::Core::answered(std::shared_ptr<const AudioMeans> found) {
  {
    std::lock_guard lock(mutex);
    asking = false;
    if (found) means = std::move(found);
  }
  asked.notify();
}

namespace {

/// Whoever asks gives way to the next one, however its own call ends.
class Question {
 public:
  explicit Question(std::shared_ptr<Audio::Core> core) : core_(std::move(core)) {}
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;
  ~Question() { core_->answered(nullptr); }

 private:
  const std::shared_ptr<Audio::Core> core_;
};

Co<Result<std::unique_ptr<Decoding>>> begin(ChildPool& pool, AudioInput input, SoundOrder order,
                                            Deadline by, IfBusy busy,
                                            Duration hearing_time = Duration::zero()) {
  ChildWork work;
  if (is_live(input)) work.deadline = kLive;
  if (order.want == SoundWant::hear) work.deadline = hearing_time;
  order.pcm_rate = input.pcm_rate;
  work.order = sound_json(order);
  work.file = std::move(input.file);
  return pool.begin(std::move(work), by, busy);
}

}  // namespace

Audio::Audio(const SoundSettings& settings, std::string program, Clock& clock, Log& log,
             Metrics& metrics)
    : core_(std::make_shared<Core>(settings, std::move(program), clock, log, metrics)) {}

Audio::~Audio() {
  close();
}

Co<Result<std::unique_ptr<PcmStream>>> Audio::decode(AudioInput input, DecodeWish wish, Deadline by,
                                                     IfBusy busy) {
  const auto core = core_;
  SoundOrder order = core->order(SoundWant::decode);
  order.spans = wish.voice || wish.drop_silence;
  order.drop_silence = wish.drop_silence;
  order.rules = wish.rules;
  auto begun = co_await begin(core->decoder, std::move(input), std::move(order), by, busy);
  if (!begun.ok()) co_return begun.error();
  co_return co_await pcm_stream(std::move(*begun), by);
}

Co<Result<std::unique_ptr<HearingStream>>> Audio::hear(AudioInput input, Deadline by, IfBusy busy) {
  const auto core = core_;
  SoundOrder order = core->order(SoundWant::hear);
  // It takes its time with a long recording: whoever asks says how long.
  const Duration time =
      std::clamp<Duration>(by.left(core->clock.now()), core->settings.deadline, kHearing);
  auto begun = co_await begin(core->recogniser, std::move(input), std::move(order), by, busy, time);
  if (!begun.ok()) co_return begun.error();
  co_return co_await hearing_stream(std::move(*begun), by);
}

Co<Result<std::unique_ptr<AudioStream>>> Audio::speak(SpeakWish wish, Deadline by, IfBusy busy) {
  const auto core = core_;
  const Status fine = check_text(wish, core->settings);
  if (!fine.ok()) co_return fine.error();
  SoundOrder order = core->order(SoundWant::speak);
  order.format = name(wish.format);
  order.voice = wish.voice.empty() ? core->settings.voice : wish.voice;
  order.speed = wish.speed;
  if (order.voice.size() > 64) co_return sound_error_of("voice_unknown", "a name too long");
  auto text = memory_file(to_utf8(wish.text));
  if (!text.ok()) co_return text.error();
  AudioInput input;
  input.file = std::move(*text);
  auto begun = co_await begin(core->speaker, std::move(input), std::move(order), by, busy);
  if (!begun.ok()) co_return begun.error();
  co_return co_await audio_stream(std::move(*begun), by);
}

Co<Result<std::unique_ptr<AudioStream>>> Audio::encode(AudioInput input, AudioFormat format,
                                                       Deadline by, IfBusy busy) {
  const auto core = core_;
  SoundOrder order = core->order(SoundWant::encode);
  order.format = name(format);
  auto begun = co_await begin(core->decoder, std::move(input), std::move(order), by, busy);
  if (!begun.ok()) co_return begun.error();
  co_return co_await audio_stream(std::move(*begun), by);
}

Co<std::shared_ptr<const AudioMeans>> Audio::means(Deadline by) {
  const auto core = core_;
  for (;;) {
    const auto seen = core->asked.version();
    auto known = core->known();
    if (known) co_return known;
    if (core->take_question()) break;
    auto woken = co_await core->asked.wait(seen, by);
    if (woken || !by.passed(core->clock.now())) continue;
    auto late = std::make_shared<AudioMeans>();
    late->why = "It was not found out in time.";
    co_return late;
  }
  const Question question(core);
  const auto ask = [settings = core->settings,
                    program = core->program]() -> Result<std::shared_ptr<const AudioMeans>> {
    return std::make_shared<const AudioMeans>(audio_means(settings, program));
  };
  auto found = co_await offload(core->clock, *core->makers, ask, by);
  if (found.ok()) {
    core->answered(*found);
    co_return *found;
  }
  auto late = std::make_shared<AudioMeans>();
  late->why = "It was not found out in time.";
  co_return late;
}

/// One loop for the three pools.
Co<> Audio::tidy() {
  const auto core = core_;
  for (;;) {
    const Duration rest =
        std::max<Duration>(core->settings.idle / 4, std::chrono::milliseconds(100));
    auto reached = co_await sleep(core->clock, rest);
    if (!reached) co_return;
    for (auto* pool : {&core->decoder, &core->recogniser, &core->speaker}) pool->tidy_now();
  }
}

void Audio::close() {
  for (auto* pool : {&core_->decoder, &core_->recogniser, &core_->speaker}) pool->close();
}

ChildFigures Audio::decoding() const {
  return core_->decoder.figures();
}
ChildFigures Audio::hearing() const {
  return core_->recogniser.figures();
}
ChildFigures Audio::speaking() const {
  return core_->speaker.figures();
}

std::uint64_t Audio::resident() const {
  return decoding().resident + hearing().resident + speaking().resident;
}

}  // namespace mainstay::media
