// Vectors as directions: unit length, eight-bit codes with one scale each, exact dot products.
// Used by the back ends of Vectors and by vector_scan. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mainstay::storage {

/// Divides by the length; a vector of zeros stays one.
void to_unit_length(std::vector<float>& values) noexcept;
/// Sum of products; not in the order of the elements, but always in the same.
float dot(const float* a, const float* b, std::size_t count) noexcept;
bool all_finite(const std::vector<float>& values) noexcept;

/// value is about code * scale; codes are -127 to 127, never -128.
struct Code {
  float scale = 0;
  std::vector<std::int8_t> values;
};
Code encode(const std::vector<float>& values);

/// The bytes as they are stored: the scale, then the codes; floats one after the other. Both in the
/// order of bytes of x86 and ARM.
std::string pack(const Code& code);
std::string_view bytes_of(const std::vector<float>& values) noexcept;
/// False when the size is another than `dimension` asks for.
bool unpack_floats(std::string_view bytes, std::size_t dimension, std::vector<float>& into);
/// The scale of packed codes; the codes follow it. The size must be packed_code_size(dimension).
float scale_of(std::string_view packed) noexcept;
inline constexpr std::size_t packed_code_size(std::size_t dimension) noexcept {
  return sizeof(float) + dimension;
}

}  // namespace mainstay::storage
