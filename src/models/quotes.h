// Takes what a provider quotes of a request out of the provider's words, for the log.
// Used by attempt. Pure.
#pragma once

#include <string>
#include <string_view>

namespace mainstay::models {

/// `words` with "..." in place of every word that occurs in the texts of `body` (a chat request in
/// JSON); words of the API itself and the model's name stay. Of a large body nothing is compared:
/// the words are left out.
std::string without_quotes(std::string_view words, std::string_view body);

}  // namespace mainstay::models
