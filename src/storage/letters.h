// Letters as search sees them: without case and accents.
// Used by words.cpp, and by SQLite's index to know which of two ways a text went into it.
#pragma once

#include <cstdint>
#include <string>

namespace mainstay::storage {

/// How texts are cut into words: `first` is how versions did that folded fewer letters, for the
/// entries that they left in an index.
enum class Folding : std::uint8_t { first, today };

/// Puts the letter at the end of `out` in UTF-8: lower case, its base letter ("ß" is "ss"). False,
/// and nothing is put: it is as it should be, or of a script that is not folded. Never longer than
/// the letter itself.
bool append_folded(std::string& out, std::uint32_t code, Folding folding);

}  // namespace mainstay::storage
