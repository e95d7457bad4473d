// The console's pages: their headers, and which of them a request means.
// Used by console.cpp and its tests.
#pragma once

#include <string_view>

#include "api/console_files.h"
#include "net/http.h"

namespace mainstay::api {

/// Content-Security-Policy of every page.
extern const std::string_view kConsolePolicy;
/// That, and the rest of what a browser is told about a page.
void add_page_headers(net::HeaderLines& headers);
/// The file of that path; null when there is none.
const ConsoleFile* console_file(std::string_view path);
/// Whether Accept-Encoding allows gzip.
bool takes_gzip(std::string_view accept_encoding);
/// Whether If-None-Match names the tag, so that the client has the file already.
bool has_tag(std::string_view if_none_match, std::string_view etag);

}  // namespace mainstay::api
