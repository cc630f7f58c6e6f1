// Typed access to JSON objects whose errors say which key of which object is missing or wrong.
#pragma once

#include "kernels/geometry/vec3.hpp"

#include "kilobragg/core/error.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <string>

namespace kilobragg::io {

using Json = nlohmann::ordered_json;

/// A JSON value and what to call it in errors: "run.expt: panel 3 of detector 0".
struct JsonPlace {
  const Json& value;
  std::string where;

  [[noreturn]] void bad(const std::string& what) const { core::fail("{} {}", where, what); }
  bool has(const char* key) const { return value.contains(key) && !value.at(key).is_null(); }
  /// The member `key`, which must be there.
  JsonPlace need(const char* key) const {
    if (!value.is_object() || !has(key)) bad(fmt::format("has no '{}'", key));
    return {value.at(key), fmt::format("{}, '{}'", where, key)};
  }
  /// The member `key` as T, which must be there; or `fallback` where it is not.
  template <typename T>
  T get(const char* key) const {
    return need(key).template as<T>();
  }
  template <typename T>
  T get_or(const char* key, T fallback) const {
    return has(key) ? get<T>(key) : fallback;
  }
  template <typename T>
  T as() const {
    try {
      return value.get<T>();
    } catch (const Json::exception&) {
      bad(fmt::format("is {}, not of the kind expected", value.type_name()));
    }
  }
  Vec3 vec3(const char* key) const {
    const auto v = get<std::array<double, 3>>(key);
    return {v[0], v[1], v[2]};
  }
};

inline Json to_json(const Vec3& v) { return Json::array({v.x, v.y, v.z}); }

} // namespace kilobragg::io
