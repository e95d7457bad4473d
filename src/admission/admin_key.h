// The admin key of a data directory: made at the first start, then read.
// Used by app at start. Blocks.
#pragma once

#include <string>

#include "admission/keys.h"

namespace mainstay::admission {

struct AdminKey {
  KeyDigest digest{};
  std::string path;      ///< DIR/admin.key
  std::string fresh;     ///< the key itself when it was made just now, to be shown once; else empty
  bool exposed = false;  ///< others may read the file
};

/// Reads `data_dir`/admin.key, or makes it (0600, synced, complete or not there at all).
/// Errors: invalid "admin_key_unusable" (cannot be read or written, or holds no key of at least 32
/// characters in one line), with what to do.
Result<AdminKey> open_admin_key(const std::string& data_dir);

}  // namespace mainstay::admission
