// MessagePack packing and checked unpacking.
#include "msgpack_codec.hpp"

namespace kilobragg::io {

static_assert(std::endian::native == std::endian::little);

void Packer::header(std::size_t count, unsigned short_form, std::size_t short_limit,
                    unsigned wide) {
  if (count <= short_limit) {
    byte(short_form | static_cast<unsigned>(count));
  } else if (count <= 0xffff) {
    byte(wide);
    big_endian(count, 2);
  } else {
    byte(wide + 1);
    big_endian(count, 4);
  }
}

void Packer::number(std::uint64_t value) {
  if (value < 0x80) {
    byte(static_cast<unsigned>(value));
    return;
  }
  const int log_bytes = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= 0xffffffff ? 2 : 3;
  byte(0xccu + static_cast<unsigned>(log_bytes));
  big_endian(value, 1 << log_bytes);
}

void Packer::integer(std::int64_t value) {
  if (value >= 0) {
    number(static_cast<std::uint64_t>(value));
    return;
  }
  const auto bits = static_cast<std::uint64_t>(value);
  if (value >= -32) {
    byte(static_cast<unsigned>(bits & 255u));
    return;
  }
  const int log_bytes = value >= INT8_MIN ? 0 : value >= INT16_MIN ? 1 : value >= INT32_MIN ? 2 : 3;
  byte(0xd0u + static_cast<unsigned>(log_bytes));
  big_endian(bits, 1 << log_bytes);
}

void Packer::real(double value) {
  byte(0xcb);
  big_endian(std::bit_cast<std::uint64_t>(value), 8);
}

void Packer::text(std::string_view text) {
  if (text.size() < 32) {
    byte(0xa0u | static_cast<unsigned>(text.size()));
  } else if (text.size() <= 0xff) {
    byte(0xd9);
    big_endian(text.size(), 1);
  } else if (text.size() <= 0xffff) {
    byte(0xda);
    big_endian(text.size(), 2);
  } else {
    byte(0xdb);
    big_endian(text.size(), 4);
  }
  raw(text.data(), text.size());
}

void Packer::bin(std::uint64_t size) {
  const int log_bytes = size <= 0xff ? 0 : size <= 0xffff ? 1 : 2;
  byte(0xc4u + static_cast<unsigned>(log_bytes));
  big_endian(size, 1 << log_bytes);
}

void Packer::raw(const void* data, std::size_t size) {
  const auto* first = static_cast<const std::byte*>(data);
  out_.insert(out_.end(), first, first + size);
}

std::uint64_t Unpacker::big_endian(int count) {
  std::uint64_t value = 0;
  for (const std::byte b : take(static_cast<std::uint64_t>(count)))
    value = value << 8 | static_cast<std::uint64_t>(b);
  return value;
}

std::size_t Unpacker::header(std::string_view what, unsigned short_form, unsigned wide,
                             std::size_t smallest_item) {
  const unsigned kind = byte();
  std::uint64_t count = 0;
  if ((kind & 0xf0) == short_form)
    count = kind & 15;
  else if (kind == wide)
    count = big_endian(2);
  else if (kind == wide + 1)
    count = big_endian(4);
  else
    core::fail("{} is damaged (no {} at byte {})", name_, what, at_ - 1);
  check(count <= left() / smallest_item, "more items than bytes");
  return count;
}

std::int64_t Unpacker::integer() {
  const unsigned kind = byte();
  if (kind < 0x80) return kind;
  if (kind >= 0xe0) return static_cast<std::int8_t>(kind);
  switch (kind) {
  case 0xcc:
    return static_cast<std::int64_t>(big_endian(1));
  case 0xcd:
    return static_cast<std::int64_t>(big_endian(2));
  case 0xce:
    return static_cast<std::int64_t>(big_endian(4));
  case 0xcf: {
    const std::uint64_t value = big_endian(8);
    check(value <= INT64_MAX, "an integer too large");
    return static_cast<std::int64_t>(value);
  }
  case 0xd0:
    return static_cast<std::int8_t>(big_endian(1));
  case 0xd1:
    return static_cast<std::int16_t>(big_endian(2));
  case 0xd2:
    return static_cast<std::int32_t>(big_endian(4));
  case 0xd3:
    return static_cast<std::int64_t>(big_endian(8));
  default:
    check(false, "no integer");
    return 0;
  }
}

std::uint64_t Unpacker::number() {
  const std::int64_t value = integer();
  check(value >= 0, "a negative count");
  return static_cast<std::uint64_t>(value);
}

double Unpacker::real() {
  check(left() > 0, "it ends early");
  const auto kind = static_cast<unsigned>(bytes_[at_]);
  if (kind != 0xca && kind != 0xcb) return static_cast<double>(integer());
  ++at_;
  if (kind == 0xcb) return std::bit_cast<double>(big_endian(8));
  return std::bit_cast<float>(static_cast<std::uint32_t>(big_endian(4)));
}

std::string_view Unpacker::text() {
  const unsigned kind = byte();
  std::uint64_t size = 0;
  if ((kind & 0xe0) == 0xa0)
    size = kind & 31;
  else if (kind >= 0xd9 && kind <= 0xdb)
    size = big_endian(1 << (kind - 0xd9));
  else
    core::fail("{} is damaged (no text at byte {})", name_, at_ - 1);
  const auto part = take(size);
  return {reinterpret_cast<const char*>(part.data()), part.size()};
}

std::span<const std::byte> Unpacker::bin() {
  const unsigned kind = byte();
  check(kind >= 0xc4 && kind <= 0xc6, "no binary block");
  return take(big_endian(1 << (kind - 0xc4)));
}

bool Unpacker::nil() {
  if (left() == 0 || bytes_[at_] != std::byte{0xc0}) return false;
  ++at_;
  return true;
}

void Unpacker::skip(int depth) {
  check(depth < 64, "too deep a nesting");
  check(left() > 0, "it ends early");
  const auto kind = static_cast<unsigned>(bytes_[at_]);
  const bool is_map = (kind & 0xf0) == 0x80 || kind == 0xde || kind == 0xdf;
  const bool is_array = (kind & 0xf0) == 0x90 || kind == 0xdc || kind == 0xdd;
  if (is_map || is_array) {
    const std::size_t items = is_map ? 2 * map() : array();
    for (std::size_t i = 0; i < items; ++i) skip(depth + 1);
  } else if ((kind & 0xe0) == 0xa0 || (kind >= 0xd9 && kind <= 0xdb)) {
    text();
  } else if (kind >= 0xc4 && kind <= 0xc6) {
    bin();
  } else if (kind == 0xc0 || kind == 0xc2 || kind == 0xc3) {
    ++at_;
  } else {
    real();
  }
}

} // namespace kilobragg::io
