// How large a result becomes. Pure.
// Used by decoder/images.cpp and its tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "media/frames.h"

namespace mainstay::decoder {

struct Size {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};

inline std::uint64_t pixels(Size size) noexcept {
  return std::uint64_t{size.width} * size.height;
}
inline Size turned(Size size) noexcept {
  return {size.height, size.width};
}

struct Plan {
  Size size;  ///< to which it is resized, as it is shown
  Size crop;  ///< and then cut to, around its middle
};

inline std::uint32_t scaled(std::uint32_t side, double by) noexcept {
  constexpr double kMost = 1e9;
  return static_cast<std::uint32_t>(std::clamp(std::round(side * by), 1.0, kMost));
}

/// For a picture that is shown at this size.
inline Plan plan_of(const media::Order& order, Size shown) noexcept {
  double across = order.width > 0 ? static_cast<double>(order.width) / shown.width : 0;
  double down = order.height > 0 ? static_cast<double>(order.height) / shown.height : 0;
  if (across == 0 && down == 0) across = down = 1;
  if (across == 0) across = down;
  if (down == 0) down = across;
  if (order.fit == media::Fit::inside) across = down = std::min(across, down);
  if (order.fit == media::Fit::cover) across = down = std::max(across, down);
  if (!order.enlarge) {
    across = std::min(across, 1.0);
    down = std::min(down, 1.0);
  }
  Plan out;
  out.size = {scaled(shown.width, across), scaled(shown.height, down)};
  out.crop = out.size;
  if (order.fit == media::Fit::cover) {
    out.crop = {std::min(out.size.width, order.width), std::min(out.size.height, order.height)};
  }
  return out;
}

/// By how much less may be decoded; 1: not less.
inline double shrink_of(Size from, Size to) noexcept {
  const double across = static_cast<double>(from.width) / to.width;
  const double down = static_cast<double>(from.height) / to.height;
  return std::max(1.0, std::min(across, down));
}

}  // namespace mainstay::decoder
