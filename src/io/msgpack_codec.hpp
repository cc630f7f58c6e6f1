// The part of MessagePack that .refl files and shards use: a packer, and an unpacker that trusts nothing.
#pragma once

#include "kilobragg/core/error.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kilobragg::io {

/// Largest length of a MessagePack bin: 4 GiB - 1.
inline constexpr std::uint64_t largest_bin = 0xffffffff;

/// Appends values to a buffer; integers and lengths in their shortest form.
class Packer {
public:
  explicit Packer(std::vector<std::byte>& out)
      : out_(out) {}

  void array(std::size_t count) { header(count, 0x90, 15, 0xdc); }
  void map(std::size_t count) { header(count, 0x80, 15, 0xde); }
  void nil() { byte(0xc0); }
  void number(std::uint64_t value);
  void integer(std::int64_t value);
  void real(double value);
  void text(std::string_view text);
  /// Header of a bin; its `size` bytes follow through raw(). At most largest_bin.
  void bin(std::uint64_t size);
  void raw(const void* data, std::size_t size);

private:
  void byte(unsigned value) { out_.push_back(static_cast<std::byte>(value)); }
  void big_endian(std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) byte(static_cast<unsigned>(value >> (8 * i)) & 255u);
  }
  /// Array or map: short form, or `wide` with 16 and wide + 1 with 32 bits.
  void header(std::size_t count, unsigned short_form, std::size_t short_limit, unsigned wide);
  std::vector<std::byte>& out_;
};

/// Reads values in order. Every length is checked against what is left, so that no input can make
/// it read outside or take much memory; anything unexpected throws core::Error naming `name`.
class Unpacker {
public:
  Unpacker(std::span<const std::byte> bytes, std::string name)
      : bytes_(bytes)
      , name_(std::move(name)) {}

  std::size_t array() { return header("an array", 0x90, 0xdc, 1); }
  std::size_t map() { return header("a map", 0x80, 0xde, 2); }
  void array_of(std::size_t count) { check(array() == count, "an array of another length"); }
  std::uint64_t number();
  std::int64_t integer();
  double real();
  std::string_view text();
  std::span<const std::byte> bin();
  /// Takes a nil if one is next.
  bool nil();
  /// Passes over one value of any kind.
  void skip() { skip(0); }
  bool at_end() const { return at_ == bytes_.size(); }
  std::size_t position() const { return at_; }
  const std::string& name() const { return name_; }
  /// Throws core::Error "<name> is damaged (<what> at byte <n>)" unless `good`.
  void check(bool good, std::string_view what) const {
    if (!good) core::fail("{} is damaged ({} at byte {})", name_, what, at_);
  }

private:
  std::size_t left() const { return bytes_.size() - at_; }
  unsigned byte() {
    check(left() > 0, "it ends early");
    return static_cast<unsigned>(bytes_[at_++]);
  }
  std::uint64_t big_endian(int count);
  std::span<const std::byte> take(std::uint64_t size) {
    check(size <= left(), "it ends early");
    const auto part = bytes_.subspan(at_, size);
    at_ += size;
    return part;
  }
  std::size_t header(std::string_view what, unsigned short_form, unsigned wide,
                     std::size_t smallest_item);
  void skip(int depth);
  std::span<const std::byte> bytes_;
  std::string name_;
  std::size_t at_ = 0;
};

} // namespace kilobragg::io
