// Plain values one after the other in bytes, for messages between processes of one job.
#pragma once

#include "kilobragg/core/error.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace kilobragg::core {

/// Appends values as they lie in memory, and texts behind their length.
class ByteWriter {
public:
  template <typename T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_text(std::string_view text) {
    put(static_cast<std::uint64_t>(text.size()));
    bytes_.append(text);
  }
  std::string take() { return std::move(bytes_); }

private:
  std::string bytes_;
};

/// Takes them out again in the same order. `bytes` must outlive it. Throws core::Error at the end.
class ByteReader {
public:
  explicit ByteReader(std::string_view bytes)
      : left_(bytes) {}
  template <typename T>
  T get() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string get_text() { return std::string(take(get<std::uint64_t>())); }
  bool at_end() const { return left_.empty(); }

private:
  std::string_view take(std::uint64_t size) {
    require(size <= left_.size(), "a message ends early ({} bytes wanted, {} left)", size,
            left_.size());
    const auto part = left_.substr(0, size);
    left_.remove_prefix(size);
    return part;
  }
  std::string_view left_;
};

} // namespace kilobragg::core
