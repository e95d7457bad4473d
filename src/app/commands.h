// The commands behind the command line; each prints for people or, with --json, for programs.
// Used by app/main.cpp.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/exit_codes.h"
#include "config/load.h"

namespace mainstay::app {

/// Options that every command understands.
struct Common {
  std::string config_file;
  std::vector<std::pair<std::string, std::string>> flags;  ///< settings given on the command line
  std::string starter;
  std::string url;       ///< a running server; empty: the one of the data directory
  std::string key_file;  ///< API key for it; else MAINSTAY_API_KEY
  bool json = false;
};

/// Loads settings; prints every problem on standard error when it fails.
std::optional<config::Loaded> load_settings(const Common& common);
/// One error line on standard error (or JSON on standard output with --json).
void print_error(const Common& common, const Error& error);

Exit serve(const Common& common);

struct AskOptions {
  std::string question;
  std::string model;
  std::string collection;
  std::string conversation;
};
Exit ask(const Common& common, const AskOptions& options);

struct SearchOptions {
  std::string query;
  std::string collection;
  std::uint32_t limit = 5;
};
Exit search(const Common& common, const SearchOptions& options);

struct IngestOptions {
  std::vector<std::string> paths;
  std::string collection;
};
Exit ingest(const Common& common, const IngestOptions& options);

Exit config_check(const Common& common);
Exit config_show(const Common& common);
Exit config_reference(const Common& common, const std::string& format);
Exit doctor(const Common& common);

}  // namespace mainstay::app
