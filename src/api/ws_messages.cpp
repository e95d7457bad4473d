// Reading and writing the JSON of /v1/ws.
#include "api/ws_messages.h"

#include <algorithm>
#include <array>

#include "api/context.h"
#include "api/job_order.h"
#include "api/status.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

using Type = Said::Type;
constexpr std::size_t kIdMax = 128;
constexpr std::size_t kTokenMax = 8192;

struct Form {
  std::string_view name;
  Type type;
};
constexpr std::array kForms = {
    Form{"auth", Type::auth},     Form{"submit", Type::submit}, Form{"chat", Type::submit},
    Form{"cancel", Type::cancel}, Form{"retry", Type::retry},   Form{"attach", Type::attach},
    Form{"ping", Type::ping},
};

/// Members of a message beside "type" and "id"; those of a chat are the kind's to check.
bool may_hold(Type type, std::string_view key) {
  const auto is = [key](std::string_view name) { return key == name; };
  if (is("type") || is("id")) return true;
  switch (type) {
    case Type::auth:
      return is("token");
    case Type::submit:
      return !is("client") && std::any_of(kOrderMembers.begin(), kOrderMembers.end(), is);
    case Type::cancel:
    case Type::retry:
      return is("job");
    case Type::attach:
      return is("last_event_id") || is("client");
    case Type::ping:
      return false;
  }
  return false;
}

Status check_members(Type type, const Json& object) {
  for (const auto& [key, value] : object.items()) {
    if (may_hold(type, key)) continue;
    return Error::say(Errc::invalid, "unknown_field", "The field is not known in this message.",
                      std::string(cut_utf8(key, 64)));
  }
  return done();
}

/// {"type":"chat","id":"1","messages":[…]} is the same as a submit with these as its input.
Json chat_as_submit(Json object) {
  Json out = Json::object();
  out["kind"] = "chat";
  for (const char* key : {"key", "priority", "webhook"}) {
    if (object.contains(key)) out[key] = std::move(object[key]);
    object.erase(key);
  }
  object.erase("type");
  object.erase("id");
  out["input"] = std::move(object);
  return out;
}

Status read_members(const Json& object, Said& said) {
  const auto read = [&](const char* key, bool required, std::size_t max, std::string& to) {
    auto text = text_member(object, key, {.required = required, .max = max});
    if (!text.ok()) return Status(text.error());
    to = std::move(*text);
    return done();
  };
  std::string job;
  Status fine;
  switch (said.type) {
    case Type::auth:
      return read("token", true, kTokenMax, said.token);
    case Type::cancel:
    case Type::retry:
      fine = read("job", true, kIdMax, job);
      said.job = storage::JobId(std::move(job));
      return fine;
    case Type::attach:
      fine = read("last_event_id", false, kIdMax, said.last_event_id);
      if (!fine.ok()) return fine;
      return read("client", false, kIdMax, said.client);
    case Type::submit: {
      auto order = order_of(object);
      if (!order.ok()) return order.error();
      said.order = std::move(*order);
      if (!said.order.key.empty()) said.order.digest = order_digest(object);
      return done();
    }
    case Type::ping:
      return done();
  }
  return done();
}

/// {"type":"…","id":"…" - the rest follows.
std::string begin(std::string_view type, const std::string& id) {
  std::string out = R"({"type":")";
  out += type;
  out += '"';
  if (!id.empty()) {
    out += R"(,"id":)";
    append_json_string(out, id);
  }
  return out;
}

void add(std::string& out, std::string_view key, std::string_view value) {
  out += ",\"";
  out += key;
  out += "\":";
  append_json_string(out, value);
}

}  // namespace

Result<Said> read_said(const std::string& text, std::string& id) {
  auto parsed = parse_json(text);
  if (!parsed.ok()) return parsed.error();
  if (!parsed->is_object()) {
    return Error::say(Errc::invalid, "invalid_type", "A message must be a JSON object.");
  }
  auto named = text_member(*parsed, "id", {.max = kIdMax});
  if (!named.ok()) return named.error();
  id = *named;
  auto type = text_member(*parsed, "type", {.required = true, .max = kIdMax});
  if (!type.ok()) return type.error();
  const auto form = std::find_if(kForms.begin(), kForms.end(),
                                 [&](const Form& one) { return one.name == *type; });
  if (form == kForms.end()) {
    return Error::say(Errc::invalid, "unknown_message_type",
                      "'type' is auth, submit, chat, cancel, retry, attach or ping.", "type");
  }
  Said said;
  said.type = form->type;
  said.id = id;
  Json object = *type == "chat" ? chat_as_submit(std::move(*parsed)) : std::move(*parsed);
  auto fine = check_members(said.type, object);
  if (fine.ok()) fine = read_members(object, said);
  if (!fine.ok()) return fine.error();
  return said;
}

std::string ready_message(const std::string& session, const std::string& place) {
  std::string out = begin("ready", {});
  add(out, "session", session);
  add(out, "place", place);
  return out += '}';
}

std::string attached_message(const std::string& id, const std::string& place) {
  std::string out = begin("attached", id);
  add(out, "place", place);
  return out += '}';
}

std::string accepted_message(const std::string& id, const storage::Submitted& submitted) {
  std::string out = begin("accepted", id);
  add(out, "job", submitted.id.text());
  add(out, "state", storage::name(submitted.state));
  out += submitted.existed ? R"(,"existed":true,"waiting":)" : R"(,"existed":false,"waiting":)";
  out += std::to_string(submitted.waiting);
  return out += '}';
}

std::string job_message(const std::string& id, const storage::Job& job) {
  std::string out = begin("job", id);
  add(out, "job", job.job.id.text());
  add(out, "state", storage::name(job.state));
  return out += '}';
}

std::string event_message(const jobs::Event& event, bool made_up) {
  std::string out = begin("event", {});
  add(out, "event", jobs::name(event.type));
  if (!made_up) add(out, "event_id", event.at);
  add(out, "job", event.job.text());
  out += made_up ? R"(,"made_up":true,"data":)" : R"(,"data":)";
  out += event.data.empty() ? "{}" : event.data;
  return out += '}';
}

std::string missed_message() {
  return R"({"type":"missed"})";
}

std::string pong_message(const std::string& id) {
  return begin("pong", id) += '}';
}

std::string error_message(const std::string& id, const Error& error) {
  std::string out = begin("error", id);
  if (error.retry_after.count() > 0) {
    out += R"(,"retry_after_ms":)" + std::to_string(error.retry_after.count());
  }
  out += ',';
  out += std::string_view(error_json(error)).substr(1);  // {"error":{…}} without its first brace
  return out;
}

}  // namespace mainstay::api
