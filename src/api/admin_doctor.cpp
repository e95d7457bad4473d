// GET /admin/doctor: what `mainstay doctor` finds, asked beside the loops, one at a time, and
// remembered for a minute.
#include "api/admin.h"
#include "api/query.h"
#include "api/routes.h"

namespace mainstay::api {
namespace {

constexpr Duration kKept = std::chrono::seconds(60);
/// With fresh=true: a click too many asks nobody again.
constexpr Duration kFresh = std::chrono::seconds(5);
constexpr auto kBusyRetry = std::chrono::seconds(2);

Error busy() {
  Error error = Error::say(Errc::unavailable, "doctor_busy",
                           "The doctor is looking already. Ask again in a few seconds.");
  error.retry_after = kBusyRetry;
  return error;
}

std::string said(const DoctorsWord::Word& word, TimePoint now) {
  Json out = word.said;
  out["age_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(now - word.at).count();
  return dump(out);
}

}  // namespace

Co<Status> ask_doctor(const Rooms& rooms, Context& context) {
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  auto& doctor = rooms.admin->console.doctor;
  const Duration kept = (*query)["fresh"] == "true" ? kFresh : kKept;
  const auto last = doctor.last();
  if (last && rooms.clock.now() - last->at < kept) {
    auto told = co_await reply_json(context, 200, said(*last, rooms.clock.now()));
    co_return told;
  }
  const auto turn = doctor.begin();
  if (!turn) co_return busy();
  auto findings = co_await rooms.admin->program->doctor(context.by);
  if (!findings.ok()) co_return findings.error();
  const DoctorsWord::Word word{std::move(*findings), rooms.clock.now()};
  doctor.heard(word);
  auto sent = co_await reply_json(context, 200, said(word, rooms.clock.now()));
  co_return sent;
}

}  // namespace mainstay::api
