// Rows of plain structs as named columns of raw values, so that records can gain and lose fields.
#pragma once

#include "msgpack_codec.hpp"

#include <cstring>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace kilobragg::io {

/// One member of a struct and its name in the file.
template <typename Struct, typename Value>
struct Field {
  const char* name;
  Value Struct::*member;
  static_assert(std::is_trivially_copyable_v<Value>);
  /// bool travels as one byte, since not every byte is a bool.
  using Stored = std::conditional_t<std::is_same_v<Value, bool>, std::uint8_t, Value>;
};

template <typename Struct, typename Value>
constexpr Field<Struct, Value> field(const char* name, Value Struct::*member) {
  return {name, member};
}

/// array(2) [ rows, map { name: bin } ]; a bin holds one value per row, little-endian.
template <typename Struct, typename... Values>
void pack_rows(Packer& pack, const std::vector<Struct>& rows,
               const std::tuple<Field<Struct, Values>...>& fields) {
  pack.array(2);
  pack.number(rows.size());
  pack.map(sizeof...(Values));
  const auto pack_field = [&]<typename F>(const F& f) {
    std::vector<typename F::Stored> values(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) values[i] = rows[i].*f.member;
    const std::size_t size = values.size() * sizeof(typename F::Stored);
    core::require(size <= largest_bin, "too many rows for one record");
    pack.text(f.name);
    pack.bin(size);
    pack.raw(values.data(), size);
  };
  std::apply([&](const auto&... f) { (pack_field(f), ...); }, fields);
}

/// The inverse. Columns that are not known are passed over, those that are not there keep the
/// struct's defaults. Throws core::Error on columns of the wrong length.
template <typename Struct, typename... Values>
std::vector<Struct> unpack_rows(Unpacker& in, const std::tuple<Field<Struct, Values>...>& fields) {
  std::vector<Struct> rows;
  in.array_of(2);
  const std::uint64_t count = in.number();
  const std::size_t columns = in.map();
  for (std::size_t c = 0; c < columns; ++c) {
    const std::string_view name = in.text();
    const auto bytes = in.bin();
    const auto unpack_field = [&]<typename F>(const F& f) {
      if (name != f.name) return;
      constexpr std::size_t size = sizeof(typename F::Stored);
      in.check(bytes.size() % size == 0 && bytes.size() / size == count, "a column too short");
      rows.resize(count); // the bytes are there, so the count is no empty promise
      for (std::size_t i = 0; i < count; ++i) {
        typename F::Stored value;
        std::memcpy(&value, bytes.data() + i * size, size);
        if constexpr (std::is_same_v<std::uint8_t, typename F::Stored>)
          rows[i].*f.member = value != 0;
        else
          rows[i].*f.member = value;
      }
    };
    std::apply([&](const auto&... f) { (unpack_field(f), ...); }, fields);
  }
  in.check(rows.size() == count, "rows without columns");
  return rows;
}

} // namespace kilobragg::io
