// The messages of /v1/ws: what a client may say, and what it is told.
// Used by ws.cpp and its tests. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "jobs/desk.h"

namespace mainstay::api {

/// One message of a client.
struct Said {
  enum class Type : std::uint8_t { auth, submit, cancel, retry, attach, ping };
  Type type = Type::ping;
  std::string id;             ///< the client's own; comes back with the answer; may be empty
  std::string token;          ///< auth
  jobs::Order order;          ///< submit, and chat, which is a submit of kind "chat"
  storage::JobId job;         ///< cancel, retry
  std::string last_event_id;  ///< attach; empty: from when the socket was made known
  std::string client;         ///< attach: which of the user's clients this is; empty: any
};

/// Reads a message. `id` gets its id even when the rest is wrong, for the answer.
/// Errors: invalid "invalid_json", "unknown_message_type", "missing_field", "unknown_field", …
Result<Said> read_said(const std::string& text, std::string& id);

std::string ready_message(const std::string& session, const std::string& place);
std::string attached_message(const std::string& id, const std::string& place);
/// How a submission ended: the job will happen, or has happened before under its key.
std::string accepted_message(const std::string& id, const storage::Submitted& submitted);
/// What became of a job that was cancelled or is tried again.
std::string job_message(const std::string& id, const storage::Job& job);
/// `made_up`: taken from the record because its news were lost; it has no place of its own.
std::string event_message(const jobs::Event& event, bool made_up = false);
std::string missed_message();
std::string pong_message(const std::string& id);
std::string error_message(const std::string& id, const Error& error);

}  // namespace mainstay::api
