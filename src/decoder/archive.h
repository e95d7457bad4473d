// Archives (zip, tar, gzipped tar): the regular files in them, one after the other. The only place
// that knows libarchive.
// Used by decoder/serve.cpp.
#pragma once

#include <optional>

#include "child/answers.h"

namespace mainstay::decoder {

/// Before the process is locked in: names in archives are read as UTF-8.
void warm_archives();

/// Answers with a page frame for each file (its head has "entry" and "name", or "wrong": why this
/// one is not given), data frames behind it, and the end. `order` is that of media/archive.cpp.
std::optional<child::Refusal> unpack(const Json& order, int file);

}  // namespace mainstay::decoder
