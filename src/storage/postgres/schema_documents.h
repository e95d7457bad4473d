// Tables and functions of documents and of vectors: steps of schema.cpp in files of their own.
// Used by schema.cpp alone.
#pragma once

#include <array>

namespace mainstay::storage::postgres {

/// In the order in which they run.
std::array<const char*, 3> document_scripts();
/// The last of them.
const char* document_verbs();
std::array<const char*, 3> vector_scripts();
/// The same content under another source is another document; more letters are folded.
std::array<const char*, 3> source_scripts();
/// Documents know when their content was accepted.
std::array<const char*, 3> accepted_scripts();

}  // namespace mainstay::storage::postgres
