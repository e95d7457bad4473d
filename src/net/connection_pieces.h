// What a connection remembers of a body that is read in pieces.
// Used by connection*.cpp alone.
#pragma once

#include "net/chunked.h"
#include "net/connection.h"

namespace mainstay::net {

struct Connection::Pieces {
  Pieces(std::uint64_t length, std::uint64_t max) : left(length), decoder(max) {}
  std::uint64_t left;      ///< bytes still to come, where the length was given
  ChunkedDecoder decoder;  ///< where it was not
};

}  // namespace mainstay::net
