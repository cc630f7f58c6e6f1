// CIF text: every kind of value, what is no CIF, and gzipped files.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/cif_text.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>

namespace kilobragg::io {
namespace {

TEST(CifText, ReadsEveryKindOfValue) {
  const auto blocks = parse_cif(R"(# a comment
data_one
_cell.length_a   10.5(2) # another
_entry.id 'it''s 5'x fine'
_empty ?
loop_
_atom.name _ATOM.text
"O5'" 'two words'
C1
;line one
 line ; two
;
data_two _tag value;with'all"kinds#of
)",
                                "text");
  ASSERT_EQ(blocks.size(), 2u);
  const CifBlock& one = blocks[0];
  EXPECT_EQ(one.name, "one");
  EXPECT_DOUBLE_EQ(cif_number(one.value("_cell.length_a")), 10.5);
  EXPECT_EQ(one.value("_CELL.Length_A"), "10.5(2)");
  EXPECT_EQ(one.value("_entry.id"), "it''s 5'x fine");
  EXPECT_EQ(one.value("_empty"), "");
  EXPECT_EQ(one.value("_nowhere"), "");
  const CifTable* atoms = one.find("_atom.name");
  ASSERT_NE(atoms, nullptr);
  ASSERT_EQ(atoms->rows(), 2u);
  EXPECT_EQ(atoms->column("_atom.text"), 1);
  EXPECT_EQ(cif_string(atoms->values[0]), "O5'");
  EXPECT_EQ(cif_string(atoms->values[1]), "two words");
  EXPECT_EQ(atoms->values[2], "C1");
  EXPECT_EQ(cif_string(atoms->values[3]), "line one\n line ; two");
  EXPECT_EQ(blocks[1].value("_tag"), "value;with'all\"kinds#of");
}

TEST(CifText, SaveFramesAreSkipped) {
  const auto blocks = parse_cif("data_d\nsave_item\n_a 1\nloop_ _b _c 1 2\nsave_\n_d 4\n", "text");
  EXPECT_EQ(blocks.at(0).find("_a"), nullptr);
  EXPECT_EQ(blocks.at(0).value("_d"), "4");
}

TEST(CifText, NumbersAndWhatIsNone) {
  EXPECT_DOUBLE_EQ(cif_number("-1.5e2"), -150);
  EXPECT_DOUBLE_EQ(cif_number("+3"), 3);
  EXPECT_DOUBLE_EQ(cif_number("3.25(12)"), 3.25);
  for (const char* text : {"?", ".", "", "1x", "abc"}) EXPECT_TRUE(std::isnan(cif_number(text)));
}

TEST(CifText, SaysWhereItIsNoCif) {
  for (const char* text :
       {"HEADER\n", "data_x\n_a\n", "data_x\nloop_\n1 2\n", "data_x\nloop_\n_a _b\n1 2 3\n",
        "data_x\n_a 'open\n", "data_x\n_a\n;open\n", "data_x\nvalue\n", "data_x\nsave_y _a 1\n"})
    EXPECT_THROW(parse_cif(text, "text"), core::Error) << text;
  try {
    parse_cif("data_x\n_a 1\n_b 'open\n", "some.cif");
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_EQ(std::string(error.what()).rfind("some.cif:3:", 0), 0u) << error.what();
  }
}

TEST(CifText, GzippedFilesAreUnpackedAndCutOnesRefused) {
  const kilobragg::testing::TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 300000; ++i) text += std::to_string(i * 79) + "\n";
  gzFile file = gzopen((folder / "a.gz").c_str(), "wb");
  ASSERT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())),
            static_cast<int>(text.size()));
  gzclose(file);
  EXPECT_TRUE(read_possibly_gzipped(folder / "a.gz") == text);
  std::ofstream(folder / "a") << text;
  EXPECT_TRUE(read_possibly_gzipped(folder / "a") == text); // too long to be printed
  std::filesystem::resize_file(folder / "a.gz", std::filesystem::file_size(folder / "a.gz") / 2);
  EXPECT_THROW(read_possibly_gzipped(folder / "a.gz"), core::Error);
  EXPECT_THROW(read_possibly_gzipped(folder / "absent"), core::Error);
}

} // namespace
} // namespace kilobragg::io
