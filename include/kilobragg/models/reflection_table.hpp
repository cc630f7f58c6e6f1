// Named columns of equal length: what a .refl file holds.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/models/symmetry.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace kilobragg::models {

/// int6: x0, x1, y0, y1, z0, z1 (half open).
using Int6 = std::array<std::int32_t, 6>;
using Vec2 = std::array<double, 2>;

/// Pixels of one spot; arrays are empty where a file holds none. Order z, y, x; x fastest.
struct Shoebox {
  std::uint32_t panel = 0;
  Int6 box{};
  std::vector<float> data, background;
  std::vector<std::int32_t> mask; ///< bits: Valid 1, Background 2, Foreground 4, Strong 8, ...
  friend bool operator==(const Shoebox&, const Shoebox&) = default;
};

/// One byte per bool, as in the file: std::vector<bool> has no data().
struct Bool8 {
  std::uint8_t value = 0;
  friend bool operator==(const Bool8&, const Bool8&) = default;
};

using Column =
    std::variant<std::vector<Bool8>, std::vector<std::int32_t>, std::vector<std::uint64_t>,
                 std::vector<double>, std::vector<Vec2>, std::vector<Vec3>, std::vector<Mat3>,
                 std::vector<Int6>, std::vector<Miller>, std::vector<Shoebox>>;

/// Columns by name, and the experiment identifier of each value of the column "id".
struct ReflectionTable {
  std::size_t rows = 0;
  std::map<std::string, Column> columns;
  std::map<std::int32_t, std::string> identifiers;

  bool has(const std::string& name) const { return columns.count(name) != 0; }
  /// The column `name` with elements T. Throws core::Error if absent or of another type.
  template <typename T>
  const std::vector<T>& get(const std::string& name) const {
    const auto it = columns.find(name);
    core::require(it != columns.end(), "no column '{}' in this reflection table", name);
    const auto* values = std::get_if<std::vector<T>>(&it->second);
    core::require(values != nullptr, "column '{}' has another type than expected", name);
    return *values;
  }
  /// The column `name`, made with `rows` default elements if absent. Throws if of another type.
  template <typename T>
  std::vector<T>& make(const std::string& name) {
    auto it = columns.find(name);
    if (it == columns.end()) it = columns.emplace(name, std::vector<T>(rows)).first;
    auto* values = std::get_if<std::vector<T>>(&it->second);
    core::require(values != nullptr, "column '{}' has another type than expected", name);
    return *values;
  }
  /// Appends the rows of `other`, whose columns must be the same; ids are shifted by `id_offset`.
  /// An empty table takes over the columns of `other`. Throws core::Error on a mismatch.
  void append(const ReflectionTable& other, std::int32_t id_offset);
};

} // namespace kilobragg::models
