// Operations on documents that leave nothing behind when they fail.
// Used by documents.cpp and document_changes.cpp.
#pragma once

#include <utility>

#include "storage/sqlite/connection.h"
#include "storage/sqlite/tokenizer.h"

namespace mainstay::storage::sqlite {

/// An operation that fails is undone, and with it the words that it brought.
template <class Work>
auto undoing(Connection& db, Work&& work) {
  try {
    auto out = work();
    if (!out.ok()) db.tokenizer().forget();
    return out;
  } catch (...) {
    db.tokenizer().forget();
    throw;
  }
}

}  // namespace mainstay::storage::sqlite
