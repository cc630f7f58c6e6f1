// .refl files byte for byte, damaged in every way, in parts, and with large columns.
#include "src/io/reflection_columns.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/reflection_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace kilobragg::io {
namespace {

using models::Bool8;
using models::Int6;
using models::Miller;
using models::ReflectionTable;
using models::Shoebox;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<std::byte> from_hex(std::string_view hex) {
  std::string digits;
  for (const char c : hex)
    if (c != ' ') digits += c;
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  return bytes;
}

void append(std::vector<std::byte>& bytes, std::string_view text) {
  const auto more = std::as_bytes(std::span(text.data(), text.size()));
  bytes.insert(bytes.end(), more.begin(), more.end());
}

void append_hex(std::vector<std::byte>& bytes, std::string_view hex) {
  const auto more = from_hex(hex);
  bytes.insert(bytes.end(), more.begin(), more.end());
}

/// The table of the worked example: two rows, the second shoebox without pixels.
ReflectionTable example() {
  ReflectionTable table;
  table.rows = 2;
  table.identifiers[0] = "b6bf33ee-76f2";
  table.make<Int6>("bbox") = {{1, 3, 4, 6, 0, 1}, {7, 9, 1, 3, 0, 1}};
  table.make<double>("d") = {2.5, 3.0};
  table.make<Bool8>("entering") = {{1}, {0}};
  table.make<std::uint64_t>("flags") = {1, 256};
  table.make<std::int32_t>("id") = {0, 0};
  table.make<Miller>("miller_index") = {{1, 2, 3}, {-1, 0, 4}};
  table.make<Vec3>("s1") = {{0, 0, 1}, {1, 0, 2}};
  table.make<Shoebox>("shoebox") = {
      {5, {1, 3, 4, 6, 0, 1}, {0.5F, 1.5F, 2.5F, 3.5F}, {0, 0, 0, 0}, {5, 5, 5, 5}},
      {7, {7, 9, 1, 3, 0, 1}, {}, {}, {}}};
  return table;
}

/// The 508 bytes that DIALS writes for it.
std::vector<std::byte> example_bytes() {
  std::vector<std::byte> b;
  append_hex(b, "93 bb");
  append(b, "dials::af::reflection_table");
  append_hex(b, "01 83 ab");
  append(b, "identifiers");
  append_hex(b, "81 00 ad");
  append(b, "b6bf33ee-76f2");
  append_hex(b, "a5 6e726f7773 02 a4 64617461 88");      // "nrows", "data"
  append_hex(b, "a4 62626f78 92 a4 696e7436 92 02 c4 30" // "bbox", "int6"
                "01000000 03000000 04000000 06000000 00000000 01000000"
                "07000000 09000000 01000000 03000000 00000000 01000000");
  append_hex(b, "a1 64 92 a6 646f75626c65 92 02 c4 10 0000000000000440 0000000000000840");
  append_hex(b, "a8 656e746572696e67 92 a4 626f6f6c 92 02 c4 02 01 00");
  append_hex(b, "a5 666c616773 92 ab");
  append(b, "std::size_t");
  append_hex(b, "92 02 c4 10 0100000000000000 0001000000000000");
  append_hex(b, "a2 6964 92 a3 696e74 92 02 c4 08 00000000 00000000");
  append_hex(b, "ac");
  append(b, "miller_index");
  append_hex(b, "92 b6");
  append(b, "cctbx::miller::index<>");
  append_hex(b, "92 02 c4 18 01000000 02000000 03000000 ffffffff 00000000 04000000");
  append_hex(b, "a2 7331 92 ac");
  append(b, "vec3<double>");
  append_hex(b, "92 02 c4 30 0000000000000000 0000000000000000 000000000000f03f"
                "000000000000f03f 0000000000000000 0000000000000040");
  append_hex(b, "a7 73686f65626f78 92 a9");
  append(b, "Shoebox<>");
  append_hex(b, "92 02 c4 6a"
                "05000000 01000000 03000000 04000000 06000000 00000000 01000000 01"
                "0000003f 0000c03f 00002040 00006040"
                "05000000 05000000 05000000 05000000 00000000 00000000 00000000 00000000"
                "07000000 07000000 09000000 01000000 03000000 00000000 01000000 00");
  return b;
}

void expect_same(const ReflectionTable& a, const ReflectionTable& b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.identifiers, b.identifiers);
  EXPECT_TRUE(a.columns == b.columns);
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ReflectionFile, WorkedExampleByteForByte) {
  EXPECT_EQ(example_bytes().size(), 508u);
  EXPECT_TRUE(format_reflections(example()) == example_bytes());
  expect_same(parse_reflections(example_bytes(), "example"), example());
}

TEST(ReflectionFile, NarrowMasksOfVersion2) {
  auto bytes = example_bytes();
  bytes[29] = std::byte{2};                   // version
  const std::size_t flag = 508 - 29 - 48 - 1; // of the first shoebox
  ASSERT_EQ(bytes[flag], std::byte{1});
  bytes[flag] = std::byte{2};
  const auto mask = bytes.begin() + static_cast<long>(flag) + 1 + 16;
  for (int i = 0; i < 4; ++i) mask[i] = std::byte(40 + i); // four codes of one byte
  bytes.erase(mask + 4, mask + 16);
  bytes[flag - 28 - 1] = std::byte{0x6a - 12}; // length of the column
  auto expected = example();
  expected.make<Shoebox>("shoebox")[0].mask = {40, 41, 42, 43};
  expect_same(parse_reflections(bytes, "version 2"), expected);
  bytes[29] = std::byte{3};
  EXPECT_THAT(error_of([&] { parse_reflections(bytes, "v.refl"); }),
              AllOf(HasSubstr("v.refl"), HasSubstr("version 3")));
}

/// Every column type, random values, `rows` rows.
ReflectionTable random_table(std::size_t rows, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> real(-1, 1);
  ReflectionTable t;
  t.rows = rows;
  for (auto& v : t.make<Bool8>("bool")) v.value = random() & 1;
  for (auto& v : t.make<std::int32_t>("id")) v = static_cast<int>(random() % 3) - 1;
  for (auto& v : t.make<std::uint64_t>("size")) v = (std::uint64_t{random()} << 32) | random();
  for (auto& v : t.make<double>("double")) v = real(random);
  for (auto& v : t.make<models::Vec2>("vec2")) v = {real(random), real(random)};
  for (auto& v : t.make<Vec3>("vec3")) v = {real(random), real(random), real(random)};
  for (auto& v : t.make<Mat3>("mat3"))
    for (double& e : v.m) e = real(random);
  for (auto& v : t.make<Int6>("int6"))
    for (auto& e : v) e = static_cast<int>(random());
  for (auto& v : t.make<Miller>("miller")) v = {static_cast<int>(random() % 99) - 50, 2, -3};
  for (auto& s : t.make<Shoebox>("shoebox")) {
    s.panel = random() % 64;
    const int w = static_cast<int>(random() % 4), h = static_cast<int>(random() % 4);
    s.box = {5, 5 + w, 7, 7 + h, 0, 1};
    const auto n = static_cast<std::size_t>(w * h);
    for (std::size_t i = 0; i < n; ++i) {
      s.data.push_back(static_cast<float>(real(random)));
      s.mask.push_back(5);
      s.background.push_back(static_cast<float>(real(random)));
    }
  }
  t.identifiers = {{0, "first"}, {1, std::string(40, 'x')}};
  return t;
}

TEST(ReflectionFile, EveryColumnTypeRoundTrips) {
  for (const std::size_t rows : {0u, 1u, 7u, 300u, 70000u}) { // bins of 8, 16 and 32 bit length
    const auto table = random_table(rows, 3);
    expect_same(parse_reflections(format_reflections(table), "round trip"), table);
  }
}

TEST(ReflectionFile, UnreadableColumnTypesAreLeftOut) {
  auto bytes = example_bytes();
  const std::string_view old_type = "vec3<double>", new_type = "std::stringy";
  const auto at =
      std::search(bytes.begin(), bytes.end(), reinterpret_cast<const std::byte*>(old_type.data()),
                  reinterpret_cast<const std::byte*>(old_type.data()) + 12);
  std::memcpy(&*at, new_type.data(), 12);
  auto expected = example();
  expected.columns.erase("s1");
  expect_same(parse_reflections(bytes, "strings"), expected);
}

TEST(ReflectionFile, CutAtEveryByteIsRefused) {
  const auto whole = format_reflections(random_table(5, 11));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_THAT(error_of([&] { parse_reflections(std::span(whole).first(size), "cut.refl"); }),
                HasSubstr("cut.refl"))
        << size;
}

TEST(ReflectionFile, FlippedBitsGiveAnErrorOrATable) {
  const auto whole = format_reflections(random_table(5, 12));
  std::mt19937 random(5);
  int refused = 0;
  for (int round = 0; round < 50000; ++round) {
    auto bad = whole;
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips)
      bad[random() % bad.size()] ^= static_cast<std::byte>(1u << (random() % 8));
    try {
      const auto table = parse_reflections(bad, "flipped");
      for (const auto& [name, column] : table.columns)
        std::visit([&](const auto& values) { ASSERT_EQ(values.size(), table.rows); }, column);
    } catch (const core::Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(ReflectionFile, AbsurdCountsAreRefusedBeforeMemoryIsTaken) {
  std::vector<std::byte> b;
  append_hex(b, "93 bb");
  append(b, "dials::af::reflection_table");
  append_hex(b, "01 83 ab");
  append(b, "identifiers");
  append_hex(b, "df ffffffff"); // four thousand million identifiers
  EXPECT_THROW(parse_reflections(b, "x"), core::Error);
  const auto shoebox_of = [](std::string_view box) {
    std::vector<std::byte> t;
    append_hex(t, "93 bb");
    append(t, "dials::af::reflection_table");
    append_hex(t, "01 82 a5 6e726f7773 01 a4 64617461 81 a7 73686f65626f78 92 a9");
    append(t, "Shoebox<>");
    append_hex(t, "92 01 c4 1d 00000000");
    append_hex(t, box);
    append_hex(t, "01");
    return t;
  };
  // 2^31 pixels to a side, three times; then a box of negative width.
  const std::string side = "00000000 ffffff7f ";
  EXPECT_THROW(parse_reflections(shoebox_of(side + side + side), "x"), core::Error);
  EXPECT_THROW(parse_reflections(shoebox_of("05000000 03000000" + side + side), "x"), core::Error);
  // Rows without columns promise nothing.
  std::vector<std::byte> t;
  append_hex(t, "93 bb");
  append(t, "dials::af::reflection_table");
  append_hex(t, "01 82 a5 6e726f7773 ce ffffffff a4 64617461 80");
  EXPECT_EQ(parse_reflections(t, "x").rows, 0u);
}

TEST(ReflectionFile, InconsistentTablesAreNotWritten) {
  auto table = example();
  std::get<std::vector<double>>(table.columns.at("d")).pop_back();
  EXPECT_THAT(error_of([&] { format_reflections(table); }), HasSubstr("'d'"));
  table = example();
  table.make<Shoebox>("shoebox")[0].mask.pop_back();
  EXPECT_THAT(error_of([&] { format_reflections(table); }), HasSubstr("shoebox"));
}

TEST(ReflectionFileWriter, PartsGiveTheBytesOfTheWhole) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "parts.refl";
  ReflectionTable whole;
  ReflectionFileWriter writer(path);
  for (int part = 0; part < 4; ++part) { // some columns outgrow the memory that a spool keeps
    const auto table = random_table(part == 2 ? 0 : 90000, 20 + static_cast<unsigned>(part));
    writer.append(table, 2 * part);
    whole.append(table, 2 * part);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  writer.finish();
  EXPECT_EQ(writer.rows(), whole.rows);
  EXPECT_TRUE(core::read_file(path) == format_reflections(whole));
  expect_same(read_reflections(path), whole);
  const std::filesystem::directory_iterator entries(folder.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(ReflectionFileWriter, PartsMustHaveTheSameColumns) {
  const testing::TemporaryFolder folder;
  ReflectionFileWriter writer(folder / "t.refl");
  writer.append(example(), 0);
  auto other = example();
  other.columns.erase("d");
  EXPECT_THROW(writer.append(other, 1), core::Error);
  other.make<std::int32_t>("d");
  EXPECT_THROW(writer.append(other, 1), core::Error);
  EXPECT_THROW(writer.append(example(), 0), core::Error); // the same experiment again
}

TEST(ReflectionFile, ColumnsBeyondTheFormatAreRefused) {
  EXPECT_NO_THROW(check_column_size("m", 0xffffffff));
  EXPECT_THAT(error_of([] { check_column_size("m", 0x100000000); }),
              AllOf(HasSubstr("'m'"), HasSubstr("4 GiB")));
}

TEST(ReflectionFile, FullDiskIsNamed) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "full.refl";
  const auto table = random_table(50000, 1);
  const testing::FileSizeLimit limit(1'000'000);
  EXPECT_THAT(error_of([&] { write_reflections(table, path); }),
              AllOf(HasSubstr(path), HasSubstr("File too large")));
  EXPECT_FALSE(std::filesystem::exists(path));
}

} // namespace
} // namespace kilobragg::io
