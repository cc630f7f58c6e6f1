// f' and f'': known values, the jump at an edge, and tables in their place.
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/structure_factors/dispersion.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace kilobragg::structure_factors {
namespace {

// International Tables C (1999), table 4.2.6.8, at Cu K alpha 1.54056 angstrom.
TEST(Dispersion, IsThatOfInternationalTables) {
  const double energy = core::ev_angstrom / 1.54056;
  struct Known {
    const char* element;
    double f_prime, f_double_prime;
  };
  for (const Known& known : {Known{"S", 0.319, 0.557}, Known{"Fe", -1.134, 3.197},
                             Known{"Se", -0.792, 1.139}, Known{"C", 0.018, 0.009}}) {
    const Dispersion d = calculated_dispersion(known.element, energy);
    EXPECT_NEAR(d.f_prime, known.f_prime, 0.1) << known.element;
    EXPECT_NEAR(d.f_double_prime, known.f_double_prime, 0.02 * known.f_double_prime + 0.002)
        << known.element;
  }
}

TEST(Dispersion, JumpsAtTheSeleniumEdge) {
  const Dispersion below = calculated_dispersion("Se", 12640),
                   above = calculated_dispersion("Se", 12680),
                   far_below = calculated_dispersion("Se", 12000);
  EXPECT_LT(below.f_double_prime, 0.6);
  EXPECT_GT(above.f_double_prime, 3.7);
  EXPECT_LT(below.f_prime, far_below.f_prime - 2); // f' dips towards the edge
}

TEST(Dispersion, HydrogenHasNone) {
  EXPECT_EQ(calculated_dispersion("H", 9000).f_double_prime, 0);
  EXPECT_EQ(calculated_dispersion("H", 9000).f_prime, 0);
}

TEST(Dispersion, RefusesWhatCannotBe) {
  EXPECT_THROW(calculated_dispersion("Qq", 9000), core::Error);
  EXPECT_THROW(calculated_dispersion("Se", 0), core::Error);
}

class DispersionFile : public ::testing::Test {
protected:
  std::string write(const std::string& text) {
    std::ofstream(folder_ / "se.txt") << text;
    return folder_ / "se.txt";
  }
  kilobragg::testing::TemporaryFolder folder_;
};

TEST_F(DispersionFile, IsLinearBetweenItsLinesAndGoesBeforeTheCalculation) {
  DispersionSource source;
  source.tables.push_back(read_dispersion_table(
      write("# a scan\n12660 -9 4.5\n\n12650 -7 0.5 # below\n12670 -8 6\n"), "Se"));
  const Dispersion d = source.at("Se", 12655);
  EXPECT_DOUBLE_EQ(d.f_prime, -8);
  EXPECT_DOUBLE_EQ(d.f_double_prime, 2.5);
  EXPECT_DOUBLE_EQ(source.at("Se", 12650).f_prime, -7);
  EXPECT_DOUBLE_EQ(source.at("Se", 12670).f_double_prime, 6);
  EXPECT_THROW(source.at("Se", 12671), core::Error);
  EXPECT_DOUBLE_EQ(source.at("S", 12671).f_double_prime,
                   calculated_dispersion("S", 12671).f_double_prime);
}

TEST_F(DispersionFile, SaysWhatIsWrong) {
  EXPECT_THROW(read_dispersion_table(write("12650 0.5\n"), "Se"), core::Error);
  EXPECT_THROW(read_dispersion_table(write(""), "Se"), core::Error);
  EXPECT_THROW(read_dispersion_table(write("12650 -1 1\n12650 -1 1\n"), "Se"), core::Error);
  EXPECT_THROW(read_dispersion_table(write("12650 -1 1\n"), "Qq"), core::Error);
  EXPECT_EQ(read_dispersion_table(write("12650 -1 1\n"), "SE").element, "Se");
  EXPECT_THROW(read_dispersion_table(write("12650 0.5 -7\n12660 4 -9\n"), "Se"), core::Error);
}

} // namespace
} // namespace kilobragg::structure_factors
