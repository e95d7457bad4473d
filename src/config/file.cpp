// Finding, reading and parsing the configuration file.
#include <toml++/toml.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "config/loader.h"

namespace mainstay::config {
namespace {

constexpr std::size_t kFileMax = 1024 * 1024;

std::string variable(const Sources& sources, const char* name) {
  const auto found = sources.environment.find(name);
  return found == sources.environment.end() ? std::string() : found->second;
}

/// The file to read; empty when none is there.
std::string find_file(const Sources& sources) {
  std::vector<std::string> places{"mainstay.toml"};
  const std::string xdg = variable(sources, "XDG_CONFIG_HOME");
  const std::string home = variable(sources, "HOME");
  if (!xdg.empty()) {
    places.push_back(xdg + "/mainstay/mainstay.toml");
  } else if (!home.empty()) {
    places.push_back(home + "/.config/mainstay/mainstay.toml");
  }
  places.push_back(sources.root + "/etc/mainstay/mainstay.toml");
  std::error_code ignored;
  for (const auto& place : places) {
    if (std::filesystem::exists(place, ignored)) return place;
  }
  return {};
}

Given given_list(const toml::array& array) {
  std::vector<std::string> out;
  for (const auto& item : array) {
    if (item.is_table()) return Unfit{"a list of tables"};
    const auto* text = item.as_string();
    if (text == nullptr) return Unfit{"a list with something else than texts"};
    out.push_back(text->get());
  }
  return out;
}

Given given_of(const toml::node& node) {
  if (const auto* v = node.as_string()) return v->get();
  if (const auto* v = node.as_integer()) return v->get();
  if (const auto* v = node.as_floating_point()) return v->get();
  if (const auto* v = node.as_boolean()) return v->get();
  if (const auto* v = node.as_array()) return given_list(*v);
  if (node.is_table()) return Unfit{"a table"};
  return Unfit{"a date or time"};
}

class Reader {
 public:
  Reader(FileContent& content, std::vector<Problem>& problems)
      : content_(content), problems_(problems) {}

  void read(const toml::table& root) {
    for (const auto& [key, node] : root) {
      const std::string name(key.str());
      if (name == "providers") {
        tables(name, node, content_.providers);
      } else if (name == "routes") {
        tables(name, node, content_.routes);
      } else if (name == "hosts") {
        tables(name, node, content_.hosts);
      } else {
        value(name, node);
      }
    }
  }

 private:
  std::string where(const toml::node& node) const {
    return content_.path + ":" + std::to_string(node.source().begin.line);
  }

  void value(const std::string& key, const toml::node& node) {
    const auto* table = node.as_table();
    const bool unknown_and_empty = table != nullptr && table->empty() && !is_section(key);
    if (table == nullptr || find_row(key) != nullptr || unknown_and_empty) {
      content_.values.push_back({key, given_of(node), where(node)});
      return;
    }
    for (const auto& [name, child] : *table) value(key + "." + std::string(name.str()), child);
  }

  void tables(const std::string& key, const toml::node& node, std::vector<FileTable>& out) {
    const auto* array = node.as_array();
    bool fits = array != nullptr;
    if (fits) {
      for (const auto& item : *array) fits = fits && item.is_table();
    }
    if (!fits) {
      problems_.push_back({where(node), key, "must be tables, each under [[" + key + "]]"});
      return;
    }
    for (const auto& item : *array) out.push_back(table(key, *item.as_table()));
  }

  FileTable table(const std::string& key, const toml::table& from) {
    FileTable out;
    out.where = where(from);
    for (const auto& [name, node] : from) {
      if (key == "routes" && name.str() == "candidates") {
        tables("routes.candidates", node, out.candidates);
      } else {
        out.values.push_back({std::string(name.str()), given_of(node), where(node)});
      }
    }
    return out;
  }

  FileContent& content_;
  std::vector<Problem>& problems_;
};

}  // namespace

Result<std::string> read_small_file(const std::string& path, std::size_t max) {
  std::error_code failed;
  const auto kind = std::filesystem::status(path, failed);
  if (kind.type() == std::filesystem::file_type::not_found) {
    return Error::say(Errc::invalid, "invalid_config", "there is no such file");
  }
  if (kind.type() != std::filesystem::file_type::regular) {
    return Error::say(Errc::invalid, "invalid_config", "it is not a regular file");
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text(max + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || !in.is_open()) {
    return Error::say(Errc::invalid, "invalid_config",
                      std::string("it cannot be read: ") + std::strerror(errno));
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > max) {
    return Error::say(Errc::invalid, "invalid_config",
                      "it is larger than " + std::to_string(max) + " bytes");
  }
  return text;
}

FileContent read_file(const Sources& sources, std::vector<Problem>& problems) {
  FileContent out;
  std::string path = sources.file.empty() ? find_file(sources) : sources.file;
  std::error_code ignored;
  const bool there = !path.empty() && std::filesystem::exists(path, ignored);
  if (!there && !sources.file_required) return out;
  auto text = read_small_file(path, kFileMax);
  if (!text.ok()) {
    problems.push_back({path, "", "the configuration file is not usable: " + text.error().message});
    return out;
  }
  out.path = path;
  try {
    const toml::table root = toml::parse(*text, path);
    Reader(out, problems).read(root);
  } catch (const toml::parse_error& e) {
    problems.push_back({path + ":" + std::to_string(e.source().begin.line), "",
                        "not valid TOML: " + std::string(e.description())});
  }
  return out;
}

}  // namespace mainstay::config
