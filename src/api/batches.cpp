// /v1/batches: many requests in one file, as OpenAI's client hands them in and looks at them.
#include "jobs/batches.h"
#include "api/file_facts.h"
#include "api/query.h"
#include "api/routes.h"
#include "base/json_fields.h"

namespace mainstay::api {
namespace {

using storage::BatchId;

constexpr std::uint32_t kListed = 20;
constexpr std::uint32_t kListedMax = 100;

Error no_batches() {
  return Error::say(Errc::unavailable, "jobs_unavailable",
                    "This server has no job store now. GET /health/ready says why.");
}

/// How long its files are kept; zero: as the settings say.
Result<std::chrono::seconds> output_keep_in(const Json& object) {
  const Json& wanted = field(object, "output_expires_after");
  if (wanted.is_null()) return std::chrono::seconds(0);
  const Json& seconds = field(wanted, "seconds");
  const std::string keep = seconds.is_number_integer() ? dump(seconds) : std::string();
  auto fine = keep_of(string_field(wanted, "anchor"), keep);
  if (fine.ok()) return std::chrono::duration_cast<std::chrono::seconds>(*fine);
  return Error::say(Errc::invalid, "out_of_range",
                    "'output_expires_after' has the anchor created_at and 3600 to 2592000 seconds.",
                    "output_expires_after");
}

Result<jobs::BatchOrder> order_in(const std::string& body) {
  auto object = object_of(
      body, {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"});
  if (!object.ok()) return object.error();
  jobs::BatchOrder order;
  const std::array texts = {std::pair{"input_file_id", &order.input_file},
                            std::pair{"endpoint", &order.endpoint},
                            std::pair{"completion_window", &order.window}};
  for (const auto& [key, to] : texts) {
    auto text = text_member(*object, key, {.required = true, .max = 128});
    if (!text.ok()) return text.error();
    *to = std::move(*text);
  }
  order.metadata = field(*object, "metadata");
  auto keep = output_keep_in(*object);
  if (!keep.ok()) return keep.error();
  order.output_keep = *keep;
  return order;
}

Co<Status> reply_batch(Context& context, const jobs::BatchView& view) {
  std::string body = dump(jobs::batch_json(view.id, view.record));
  auto sent = co_await reply_json(context, 200, std::move(body));
  co_return sent;
}

}  // namespace

Co<Status> create_batch(const Rooms& rooms, Context& context) {
  if (rooms.batches == nullptr) co_return no_batches();
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto order = order_in(*body);
  if (!order.ok()) co_return order.error();
  BatchId id;
  if (!context.keyed_id.empty()) id = BatchId("batch_" + context.keyed_id);
  auto made =
      co_await rooms.batches->create(context.caller, std::move(*order), std::move(id), context.by);
  if (!made.ok()) co_return made.error();
  auto sent = co_await reply_batch(context, *made);
  co_return sent;
}

Co<Status> list_batches(const Rooms& rooms, Context& context) {
  if (rooms.batches == nullptr) co_return no_batches();
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  auto limit = limit_of(*query, kListed, kListedMax);
  if (!limit.ok()) co_return limit.error();
  BatchId after((*query)["after"]);
  auto page =
      co_await rooms.batches->list(context.caller.owner, std::move(after), *limit, context.by);
  if (!page.ok()) co_return page.error();
  Json out = {{"object", "list"},
              {"data", Json::array()},
              {"has_more", page->more},
              {"first_id", nullptr},
              {"last_id", nullptr}};
  for (const auto& view : page->items) {
    out["data"].push_back(jobs::batch_json(view.id, view.record));
  }
  if (!page->items.empty()) {
    out["first_id"] = page->items.front().id.text();
    out["last_id"] = page->items.back().id.text();
  }
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> get_batch(const Rooms& rooms, Context& context) {
  if (rooms.batches == nullptr) co_return no_batches();
  BatchId id(context.param);
  auto view = co_await rooms.batches->get(context.caller.owner, std::move(id), context.by);
  if (!view.ok()) co_return view.error();
  auto sent = co_await reply_batch(context, *view);
  co_return sent;
}

Co<Status> cancel_batch(const Rooms& rooms, Context& context) {
  if (rooms.batches == nullptr) co_return no_batches();
  BatchId id(context.param);
  auto view = co_await rooms.batches->cancel(context.caller.owner, std::move(id), context.by);
  if (!view.ok()) co_return view.error();
  auto sent = co_await reply_batch(context, *view);
  co_return sent;
}

}  // namespace mainstay::api
