// PostgreSQL's binary forms: integers with the highest byte first, arrays as a head and elements
// that each have a length.
#include "storage/postgres/statement.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace mainstay::storage::postgres {
namespace {

// Types by their numbers, which the server never changes (pg_type).
constexpr Oid kBytes = 17;
constexpr Oid kNumber = 20;
constexpr Oid kText = 25;
constexpr Oid kByteTexts = 1001;
constexpr Oid kTexts = 1009;
constexpr Oid kNumbers = 1016;

void append(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>((value >> shift) & 0xff);
  }
}

std::string number_bytes(std::int64_t value) {
  std::string out;
  append(out, static_cast<std::uint64_t>(value), 8);
  return out;
}

/// One dimension that begins at 1, no NULLs.
std::string array_bytes(Oid element, const std::vector<std::string>& values) {
  std::string out;
  append(out, values.empty() ? 0 : 1, 4);
  append(out, 0, 4);
  append(out, element, 4);
  if (values.empty()) return out;
  append(out, values.size(), 4);
  append(out, 1, 4);
  for (const auto& value : values) {
    append(out, value.size(), 4);
    out += value;
  }
  return out;
}

std::int64_t number_in(std::string_view bytes) {
  if (bytes.empty()) return 0;
  std::uint64_t value = (bytes[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

}  // namespace

Statement& Statement::put(Oid type, std::string bytes) {
  parameters_.push_back({type, std::move(bytes)});
  return *this;
}
Statement& Statement::text(std::string value) {
  return put(kText, std::move(value));
}
Statement& Statement::bytes(std::string value) {
  return put(kBytes, std::move(value));
}
Statement& Statement::number(std::int64_t value) {
  return put(kNumber, number_bytes(value));
}
Statement& Statement::count(std::uint64_t value) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return number(static_cast<std::int64_t>(std::min(value, kMost)));
}
Statement& Statement::texts(const std::vector<std::string>& values) {
  return put(kTexts, array_bytes(kText, values));
}
Statement& Statement::byte_texts(const std::vector<std::string>& values) {
  return put(kByteTexts, array_bytes(kBytes, values));
}
Statement& Statement::numbers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> elements;
  elements.reserve(values.size());
  for (const auto value : values) elements.push_back(number_bytes(value));
  return put(kNumbers, array_bytes(kNumber, elements));
}

bool Statement::send(PGconn* connection) const {
  std::vector<Oid> types;
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const auto& parameter : parameters_) {
    if (parameter.bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      return false;
    }
    types.push_back(parameter.type);
    values.push_back(parameter.bytes.data());
    lengths.push_back(static_cast<int>(parameter.bytes.size()));
  }
  const std::vector<int> binary(parameters_.size(), 1);
  return PQsendQueryParams(connection, sql_, static_cast<int>(parameters_.size()), types.data(),
                           values.data(), lengths.data(), binary.data(), 1) == 1;
}

std::string_view Rows::view(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t Rows::number(int row, int column) const {
  return number_in(view(row, column));
}

double Rows::real(int row, int column) const {
  const std::string_view bytes = view(row, column);
  return bytes.size() == 8 ? std::bit_cast<double>(number_in(bytes)) : 0;
}

std::vector<std::string> Rows::texts(int row, int column) const {
  constexpr std::size_t kHead = 20;  // dimensions, flags, type, size, first index
  std::string_view bytes = view(row, column);
  std::vector<std::string> out;
  if (bytes.size() < kHead) return out;
  const std::int64_t count = number_in(bytes.substr(12, 4));
  bytes.remove_prefix(kHead);
  while (static_cast<std::int64_t>(out.size()) < count && bytes.size() >= 4) {
    const auto size =
        static_cast<std::size_t>(std::max<std::int64_t>(0, number_in(bytes.substr(0, 4))));
    bytes.remove_prefix(4);
    out.emplace_back(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
  return out;
}

}  // namespace mainstay::storage::postgres
