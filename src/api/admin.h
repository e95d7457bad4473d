// What stands behind the admin endpoints: the records they list and the program they act on.
// Used by service.cpp (records), the admin_*.cpp endpoints and app (owns it).
#pragma once

#include <string>

#include "api/audit.h"
#include "api/console_desk.h"
#include "api/context.h"
#include "api/open_sockets.h"
#include "api/program.h"
#include "api/sessions.h"
#include "api/slow.h"

namespace mainstay::api {

/// Lives as long as the program; configurations come and go above it. Thread-safe.
struct AdminDesk {
  AdminDesk(const Settings& settings, Clock& clock, Log& log)
      : audit(clock, log, settings.admin.audit_max),
        slow(settings.admin.slow_max),
        sessions(settings.sessions.sessions_max),
        console(settings.console, clock) {}
  Audit audit;
  SlowRequests slow;
  Sessions sessions;
  OpenSockets sockets;
  ConsoleDesk console;
  Program* program = nullptr;  ///< set before the first request
};

/// An audit entry about the request's caller.
AuditEntry audit_of(const Context& context, std::string what);
/// "2024-05-06T07:08:09.123Z"
std::string timestamp(WallTime at);
Json texts(const std::vector<std::string>& list);

}  // namespace mainstay::api
