// Orders with their limits filled in, for the pool of mainstay-decoder.
#include "media/decoders.h"

#include <type_traits>

#include "media/decoder_rules.h"
#include "media/reasons.h"

namespace mainstay::media {
namespace {

constexpr std::uint32_t kDecodersMax = 2;  ///< where the setting is 0

Error missing() {
  return Error::say(Errc::unavailable, "decoder_missing",
                    "This server has no decoder for PDFs and images: mainstay-decoder is "
                    "not beside it. See media.decoder.");
}

Error busy() {
  Error error = Error::say(Errc::unavailable, "decoders_busy",
                           "All decoders are at work. Try again in a moment.");
  error.retry_after = std::chrono::seconds(1);
  return error;
}

Error too_slow() {
  return Error::say(Errc::unprocessable, "decoder_deadline",
                    "Reading the file took longer than media.decoder_deadline.");
}

Error no_memory(const std::string& detail) {
  return error_of("decoder_memory", detail);
}

ChildRules rules_of(const MediaSettings& settings, std::string program) {
  ChildRules out = decoder_rules(settings, std::move(program));
  out.name = "decoder";
  out.items = "Files that decoders worked at";
  out.most = for_cores(settings.decoders, kDecodersMax);
  out.errors.missing = &missing;
  out.errors.busy = &busy;
  out.errors.slow = &too_slow;
  out.errors.of = &error_of;
  return out;
}

Order within(Order order, const MediaSettings& settings) {
  const auto or_setting = [](auto& value, std::uint64_t setting) {
    using Value = std::remove_reference_t<decltype(value)>;
    if (value == 0 || value > setting) value = static_cast<Value>(setting);
  };
  or_setting(order.pages_max, settings.pdf_pages_max);
  or_setting(order.text_max, settings.pdf_text_max.value);
  or_setting(order.pixels_max, settings.image_pixels_max);
  or_setting(order.result_max, settings.image_result_max.value);
  return order;
}

}  // namespace

ChildRules decoder_rules(const MediaSettings& settings, std::string program) {
  ChildRules out;
  out.program = std::move(program);
  out.argv = {"mainstay-decoder", "serve", std::to_string(settings.decoder_memory.value)};
  out.waiting_max = settings.decoder_waiting_max;
  out.items_per_process = settings.items_per_decoder;
  out.resident = settings.decoder_resident.value;
  out.deadline = settings.decoder_deadline;
  out.idle = settings.decoder_idle;
  out.errors.failed = &decoder_failed;
  out.errors.memory = &no_memory;
  return out;
}

Decoders::Decoders(const MediaSettings& settings, std::string program, Clock& clock, Log& log,
                   Metrics& metrics)
    : settings_(settings), pool_(rules_of(settings, std::move(program)), clock, log, metrics) {}

Decoders::~Decoders() = default;

Co<Result<std::unique_ptr<Decoding>>> Decoders::begin(resources::Descriptor file, Order order,
                                                      Deadline by, IfBusy busy) {
  ChildWork work;
  work.file = std::move(file);
  work.order = order_json(within(std::move(order), settings_));
  co_return co_await pool_.begin(std::move(work), by, busy);
}

Co<> Decoders::tidy() {
  return pool_.tidy();
}

void Decoders::close() {
  pool_.close();
}

DecoderFigures Decoders::figures() const {
  return pool_.figures();
}

std::uint32_t Decoders::size() const noexcept {
  return pool_.size();
}

}  // namespace mainstay::media
