// Lists of shots and spectrum files in the forms that diffBragg's programs write and read.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/shot_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace kilobragg::io {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ShotList : public ::testing::Test {
protected:
  ShotList() {
    std::filesystem::create_directory(folder_ / "sub");
    for (const char* name : {"sub/a.expt", "sub/a.refl", "sub/a.lam", "b.expt", "b.refl"})
      core::write_file(folder_ / name, "x");
  }
  std::vector<ListedShot> read(const std::string& text) {
    core::write_file(folder_ / "list.txt", text);
    return read_shot_list(folder_ / "list.txt");
  }
  models::Spectrum spectrum(const std::string& text) {
    core::write_file(folder_ / "s.lam", text);
    return read_spectrum(folder_ / "s.lam");
  }
  std::string error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const core::Error& error) {
      return error.what();
    }
    return "no error";
  }
  testing::TemporaryFolder folder_;
};

TEST_F(ShotList, EveryFormOfALine) {
  const std::string absolute = folder_ / "b.expt";
  const auto shots = read("# exp ref spec idx\n"
                          "sub/a.expt sub/a.refl\n\n"
                          "sub/a.expt sub/a.refl sub/a.lam   # its own beam\r\n"
                          "\tsub/../b.expt b.refl 7\n" +
                          absolute +
                          " b.refl None 3\n"
                          "b.expt b.refl sub/a.lam 2\n"
                          "b.expt b.refl 2 sub/a.lam");
  ASSERT_EQ(shots.size(), 6u);
  const std::string a = folder_ / "sub/a", b = folder_ / "b";
  const auto expect = [&](std::size_t i, const std::string& base, const std::string& lam,
                          std::optional<int> number, int line) {
    EXPECT_EQ(shots[i].experiments, base + ".expt");
    EXPECT_EQ(shots[i].reflections, base + ".refl");
    EXPECT_EQ(shots[i].spectrum, lam);
    EXPECT_EQ(shots[i].experiment, number);
    EXPECT_EQ(shots[i].line, line);
  };
  expect(0, a, "", std::nullopt, 2);
  expect(1, a, a + ".lam", std::nullopt, 4);
  expect(2, b, "", 7, 5);
  expect(3, b, "", 3, 6);
  expect(4, b, a + ".lam", 2, 7);
  expect(5, b, a + ".lam", 2, 8);
}

TEST_F(ShotList, WhatIsWrongIsNamedWithItsLine) {
  const auto error = [&](const std::string& text) { return error_of([&] { read(text); }); };
  EXPECT_THAT(error("# nothing\n\n"), AllOf(HasSubstr("list.txt"), HasSubstr("no shot")));
  EXPECT_THAT(error("b.expt b.refl\nb.expt\n"),
              AllOf(HasSubstr("list.txt line 2"), HasSubstr("1 words")));
  EXPECT_THAT(error("b.expt b.refl None 1 2\n"), HasSubstr("5 words"));
  EXPECT_THAT(error("b.expt c.refl\n"), AllOf(HasSubstr("line 1"), HasSubstr("c.refl")));
  EXPECT_THAT(error("b.expt b.refl c.lam\n"), HasSubstr("c.lam"));
  EXPECT_THAT(error("b.expt b.refl -1\n"), HasSubstr("'-1'"));
  EXPECT_THAT(error("b.expt b.refl 1 2\n"), HasSubstr("'2'"));
  EXPECT_THAT(error("b.expt b.refl None sub/a.lam\n"), HasSubstr("'sub/a.lam'"));
  EXPECT_THAT(error_of([&] { read_shot_list(folder_ / "none.txt"); }), HasSubstr("none.txt"));
}

TEST_F(ShotList, SpectraOfEveryKind) {
  // As numpy.savetxt(header="wavelengths, weights", delimiter=",") writes it.
  const auto saved = spectrum("# wavelengths, weights\n"
                              "1.300000000000000044e+00,2.500000000000000000e-01\n"
                              "1.310000000000000053e+00,7.500000000000000000e-01\n");
  EXPECT_THAT(saved.wavelengths, ElementsAre(1.3, 1.31));
  EXPECT_THAT(saved.weights, ElementsAre(0.25, 0.75));
  EXPECT_NEAR(saved.mean_wavelength(), 1.3075, 1e-12);
  const auto blanks = spectrum("wavelengths weights\n 1.3\t 2\r\n+1.4 , 0 # tail\n\n");
  EXPECT_THAT(blanks.wavelengths, ElementsAre(1.3, 1.4));
  EXPECT_THAT(blanks.weights, ElementsAre(2, 0));
  EXPECT_THAT(spectrum("1.3,1").wavelengths, ElementsAre(1.3));
}

TEST_F(ShotList, ABrokenSpectrumIsNamedWithItsLine) {
  const auto error = [&](const std::string& text) { return error_of([&] { spectrum(text); }); };
  EXPECT_THAT(error("1.3,1\n1.4,x\n"), AllOf(HasSubstr("s.lam line 2"), HasSubstr("two numbers")));
  EXPECT_THAT(error("1.3,1\n1.4,,2\n"), HasSubstr("line 2"));
  EXPECT_THAT(error("1.3,1\n1.4,\n"), HasSubstr("line 2"));
  EXPECT_THAT(error("1.3 1 2\n"), HasSubstr("line 1"));
  EXPECT_THAT(error("1.3\n"), HasSubstr("line 1"));
  EXPECT_THAT(error("1.3,1\nwave,weight\n"), HasSubstr("line 2"));
  EXPECT_THAT(error("-1.3,1\n"), HasSubstr("wavelength -1.3"));
  EXPECT_THAT(error("1.3,-0.1\n"), HasSubstr("weight -0.1"));
  EXPECT_THAT(error("1.3,nan\n"), HasSubstr("weight nan"));
  EXPECT_THAT(error("1.3,0\n1.4,0\n"), HasSubstr("none of its 2 weights"));
  EXPECT_THAT(error(""), HasSubstr("none of its 0 weights"));
}

} // namespace
} // namespace kilobragg::io
