// Shell completions, written from the command line's own description.
// Used by app/main.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace mainstay::app {
/// The script for bash, zsh or fish; empty for any other name.
std::string completion_script(const CLI::App& app, const std::string& shell);
}  // namespace mainstay::app
