// MD5 and CRC-32C against the vectors of their RFCs, and the two CRC paths against each other.
#include "kilobragg/core/hash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace kilobragg::core {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Md5, VectorsOfRfc1321) {
  EXPECT_EQ(md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_hex("a"), "0cc175b9c0f1b6a831c399e269772661");
  EXPECT_EQ(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(md5_hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(md5_hex("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
  EXPECT_EQ(md5_hex("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
            "d174ab98d277d9f5a5611c2c9f419d9f");
  EXPECT_EQ(md5_hex("1234567890123456789012345678901234567890123456789012345678901234567890123456"
                    "7890"),
            "57edf4a22be3c955ac49da2e2107b67a");
}

TEST(Md5, LengthsAroundABlock) { // md5sum's answers for that many letters x
  EXPECT_EQ(md5_hex(std::string(55, 'x')), "04364420e25c512fd958a70738aa8f72");
  EXPECT_EQ(md5_hex(std::string(56, 'x')), "668a72d5ba17f08e62dabcafad6db14b");
  EXPECT_EQ(md5_hex(std::string(63, 'x')), "7dc2ca208106a2f703567bdff99d8981");
  EXPECT_EQ(md5_hex(std::string(64, 'x')), "c1bb4f81d892b2d57947682aeb252456");
  EXPECT_EQ(md5_hex(std::string(65, 'x')), "1bc932052302d074bdec39795fe00cf6");
}

TEST(Crc32c, VectorsOfRfc3720) {
  std::vector<std::byte> data(32);
  EXPECT_EQ(crc32c(data), 0x8a9136aau);
  std::fill(data.begin(), data.end(), std::byte{0xff});
  EXPECT_EQ(crc32c(data), 0x62a8ab43u);
  for (std::size_t i = 0; i < 32; ++i) data[i] = std::byte(i);
  EXPECT_EQ(crc32c(data), 0x46dd794eu);
  for (std::size_t i = 0; i < 32; ++i) data[i] = std::byte(31 - i);
  EXPECT_EQ(crc32c(data), 0x113fdb5cu);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c_portable(bytes_of("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, InstructionAndTablesAgreeAndContinue) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 200; ++size) {
    std::vector<std::byte> data(size);
    for (auto& b : data) b = std::byte(random());
    const std::uint32_t whole = crc32c(data);
    EXPECT_EQ(whole, crc32c_portable(data));
    const std::size_t cut = size ? random() % size : 0;
    const auto span = std::span<const std::byte>(data);
    EXPECT_EQ(crc32c(span.subspan(cut), crc32c(span.first(cut))), whole);
    EXPECT_EQ(crc32c_portable(span.subspan(cut), crc32c_portable(span.first(cut))), whole);
  }
}

} // namespace
} // namespace kilobragg::core
