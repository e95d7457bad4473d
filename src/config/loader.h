// One run of loading: settings, origins and problems as the layers add to them.
// Used by the files of config alone.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "config/table.h"
#include "config/value.h"

namespace mainstay::config {

/// One value of a file.
struct FileValue {
  std::string key;
  Given given;
  std::string where;
};
/// One element of an array of tables.
struct FileTable {
  std::string where;
  std::vector<FileValue> values;
  std::vector<FileTable> candidates;
};
/// A parsed file, nothing checked yet but its syntax.
struct FileContent {
  std::string path;
  std::vector<FileValue> values;
  std::vector<FileTable> providers;
  std::vector<FileTable> routes;
  std::vector<FileTable> hosts;
};
/// Which array of tables an element belongs to.
struct TableKind {
  std::string name;    ///< "providers"
  std::string prefix;  ///< "providers.openai"
  std::span<const Row> rows;
  std::vector<std::string_view> required;
};

class Loader {
 public:
  explicit Loader(const Sources& sources) : sources_(sources) {}
  void run();

  Loaded loaded;
  std::vector<Problem> problems;

 private:
  struct Target {
    const Row* row = nullptr;
    void* object = nullptr;
    bool from_file = false;
  };
  void set(const std::string& key, const Given& given, const std::string& where);
  void put(Target target, const std::string& key, const Given& given, const std::string& where);
  Target find(const std::string& key);
  void unknown(const std::string& key, std::string_view looked_up, const std::string& where);
  void apply_file(const FileContent& file);
  void apply_table(const FileTable& from, const TableKind& kind, void* object);
  void apply_profile(const std::string& name);
  void apply_credentials();
  void apply_environment();
  void apply_flags();
  std::string hosted_address(const ProviderSettings& provider) const;
  const Sources& sources_;
};

/// A provider's name as environment variables write it: lower case, `_` for all but letters,
/// digits.
std::string plain_name(std::string_view name);
/// Whether settings stand below the key: "server".
bool is_section(std::string_view key);
/// "MAINSTAY_SERVER__BODY_MAX" for "server.body_max".
std::string variable_of(std::string_view key);
/// The provider's usual address; empty for an unknown kind.
std::string_view usual_address(std::string_view kind);

/// Finds, reads and parses the file; syntax errors go to `problems`.
FileContent read_file(const Sources& sources, std::vector<Problem>& problems);
/// At most `max` bytes of a file. Errors: invalid (message says why).
Result<std::string> read_small_file(const std::string& path, std::size_t max);

/// Adds the providers that OPENAI_API_KEY and its like stand for.
void add_well_known(const std::map<std::string, std::string>& environment, Loaded& loaded,
                    std::vector<Problem>& problems);
/// What no single row can say: pairs that must fit, names that must exist.
void cross_check(const Loaded& loaded, std::vector<Problem>& problems);

}  // namespace mainstay::config
