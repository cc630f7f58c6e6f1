// Bitshuffle written down bit by bit: the plain version that the fast transposes are held against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kilobragg::reference {

/// Bit b of element i goes to bit i % 8 of byte i / 8 of plane b. Size a multiple of 8 elements.
inline std::vector<std::byte> transpose_bits(std::span<const std::byte> elements,
                                             std::size_t element_size) {
  const std::size_t count = elements.size() / element_size, plane = count / 8;
  std::vector<std::byte> planes(elements.size());
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t b = 0; b < 8 * element_size; ++b) {
      const auto byte = std::to_integer<unsigned>(elements[i * element_size + b / 8]);
      const unsigned bit = (byte >> (b % 8)) & 1;
      planes[b * plane + i / 8] |= static_cast<std::byte>(bit << (i % 8));
    }
  return planes;
}

/// The inverse.
inline std::vector<std::byte> untranspose_bits(std::span<const std::byte> planes,
                                               std::size_t element_size) {
  const std::size_t count = planes.size() / element_size, plane = count / 8;
  std::vector<std::byte> elements(planes.size());
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t b = 0; b < 8 * element_size; ++b) {
      const auto byte = std::to_integer<unsigned>(planes[b * plane + i / 8]);
      const unsigned bit = (byte >> (i % 8)) & 1;
      elements[i * element_size + b / 8] |= static_cast<std::byte>(bit << (b % 8));
    }
  return elements;
}

} // namespace kilobragg::reference
