// Cells, crystals and space groups against numbers from cctbx and dxtbx.
#include "models/dxtbx_numbers.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/models/crystal.hpp"

#include <set>

using namespace kilobragg;
using namespace kilobragg::models;
using kilobragg::testing::dxtbx_numbers;
using kilobragg::testing::expect_near;
using kilobragg::testing::mat3;

namespace {

UnitCell cell_from(const nlohmann::json& j) { return {j[0], j[1], j[2], j[3], j[4], j[5]}; }
Miller miller_from(const nlohmann::json& j) { return {j[0], j[1], j[2]}; }

TEST(Crystal, MatricesAreDxtbxs) {
  const auto numbers = dxtbx_numbers();
  for (const auto& j : numbers["crystals"]) {
    const UnitCell cell = cell_from(j["cell"]);
    const SpaceGroup group(j["symbol"].get<std::string>());
    const Crystal crystal = Crystal::from_cell(cell, mat3(j["u"]), group);
    expect_near(crystal.a_matrix, mat3(j["a_matrix"]), 1e-12);
    expect_near(cell.b_matrix(), mat3(j["b"]), 1e-12);
    expect_near(crystal.u_matrix(), mat3(j["u_of_model"]), 1e-10);
    const Mat3 axes = crystal.real_space();
    for (int i = 0; i < 3; ++i)
      expect_near(axes.row(i),
                  kilobragg::testing::vec3(j["real_space"][static_cast<std::size_t>(i)]), 1e-9);
    const auto wanted = cell.parameters(), found = crystal.unit_cell().parameters();
    for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(found[i], wanted[i], 1e-9);
    EXPECT_NEAR(cell.volume(), 1 / determinant(crystal.a_matrix), 1e-6 * cell.volume());
  }
}

TEST(SpaceGroup, ReflectionsAreTreatedAsInCctbx) {
  const auto numbers = dxtbx_numbers();
  for (const auto& j : numbers["crystals"]) {
    const UnitCell cell = cell_from(j["cell"]);
    const SpaceGroup group(j["symbol"].get<std::string>());
    EXPECT_EQ(SpaceGroup(j["hall"].get<std::string>()), group) << "read back from its Hall symbol";
    for (const auto& r : j["reflections"]) {
      const Miller hkl = miller_from(r["hkl"]);
      EXPECT_EQ(group.is_absent(hkl), r["absent"].get<bool>());
      EXPECT_EQ(group.is_centric(hkl), r["centric"].get<bool>());
      EXPECT_NEAR(cell.d(hkl), r["d"].get<double>(), 1e-9);
      // cctbx may choose another asymmetric unit: both representatives must map to one.
      EXPECT_EQ(group.to_asu(hkl), group.to_asu(miller_from(r["asu"])));
      EXPECT_TRUE(group.in_asu(group.to_asu(hkl)));
      EXPECT_EQ(group.to_asu(group.to_asu(hkl)), group.to_asu(hkl));
    }
    // Where d is 8 A exactly, the last bit decides in cctbx.
    const auto count = j["unique_to_8A"].get<std::size_t>();
    EXPECT_LE(group.unique_indices(cell, 8 + 1e-6).size(), count) << group.hm();
    EXPECT_GE(group.unique_indices(cell, 8 - 1e-6).size(), count) << group.hm();
  }
}

TEST(SpaceGroup, SymbolsAndTheirNearest) {
  EXPECT_EQ(SpaceGroup("P43212").number(), 96);
  EXPECT_EQ(SpaceGroup("p 43 21 2").hm(), "P 43 21 2");
  EXPECT_EQ(SpaceGroup("96").number(), 96);
  EXPECT_EQ(SpaceGroup("P6122").patterson().hm(), "P 6/m m m");
  EXPECT_EQ(SpaceGroup("P6122").crystal_system(), CrystalSystem::Hexagonal);
  try {
    SpaceGroup("P43213");
    FAIL() << "accepted an unknown symbol";
  } catch (const core::Error& error) {
    EXPECT_NE(std::string(error.what()).find("P43212"), std::string::npos) << error.what();
  }
}

TEST(SpaceGroup, FriedelMatesAndPlusMinus) {
  const SpaceGroup group("P 43 21 2");
  bool plus = false;
  const Miller a = group.to_asu({3, 2, 5}, &plus);
  EXPECT_TRUE(plus);
  EXPECT_EQ(group.to_asu({-3, -2, -5}, &plus), a);
  EXPECT_FALSE(plus);
  EXPECT_EQ(group.epsilon({0, 0, 4}), 4);
  EXPECT_EQ(group.epsilon({3, 2, 5}), 1);
}

TEST(SpaceGroup, ConstrainsAndContradicts) {
  const SpaceGroup tetragonal("P 43 21 2"), hexagonal("P 61 2 2"), monoclinic("P 1 21 1");
  const UnitCell fixed = tetragonal.constrain({77, 77.2, 37, 90.2, 89.9, 90.1});
  EXPECT_DOUBLE_EQ(fixed.a, fixed.b);
  EXPECT_DOUBLE_EQ(fixed.alpha, 90);
  EXPECT_DOUBLE_EQ(hexagonal.constrain({92.9, 92.9, 130, 90, 90, 119.8}).gamma, 120);
  EXPECT_NEAR(monoclinic.constrain({60, 45, 80, 90.1, 104, 89.8}).beta, 104, 0.01);
  EXPECT_EQ(tetragonal.contradiction({77.06, 77.06, 37.22, 90, 90, 90}), "");
  EXPECT_NE(tetragonal.contradiction({77, 80, 37, 90, 90, 90}), "");
  EXPECT_NE(hexagonal.contradiction({92.9, 92.9, 130, 90, 90, 90}), "");
}

TEST(SpaceGroup, LatticeRotationsAreTheHolohedry) {
  const auto count = [](const char* symbol, UnitCell cell) {
    return SpaceGroup(symbol).lattice_rotations(cell).size();
  };
  EXPECT_EQ(count("P 21 3", {96, 96, 96, 90, 90, 90}), 24u);
  EXPECT_EQ(SpaceGroup("P 21 3").proper_rotations().size(), 12u);
  EXPECT_EQ(count("P 43 21 2", {77, 77, 37, 90, 90, 90}), 8u);
  EXPECT_EQ(count("P 61 2 2", {93, 93, 130, 90, 90, 120}), 12u);
  EXPECT_EQ(count("R 3 :H", {100, 100, 120, 90, 90, 120}), 6u);
  EXPECT_EQ(count("P 1 21 1", {60, 45, 80, 90, 104, 90}), 2u);
  EXPECT_EQ(count("P 1", {31, 42, 53, 84, 97, 109}), 1u);
}

TEST(Misorientation, IsZeroForEquivalentsAndTheAngleOtherwise) {
  const SpaceGroup group("P 43 21 2");
  const UnitCell cell{77.06, 77.06, 37.22, 90, 90, 90};
  const Mat3 u = rotation_about(unit({1, 2, 3}), 0.7);
  const Crystal crystal = Crystal::from_cell(cell, u, group);
  for (const auto& r : group.proper_rotations()) {
    Mat3 m;
    for (std::size_t i = 0; i < 9; ++i) m.m[i] = r[i];
    const Mat3 equivalent = crystal.a_matrix * transpose(m);
    EXPECT_NEAR(misorientation_deg(crystal.a_matrix, equivalent, group.proper_rotations()), 0,
                1e-9);
    const Mat3 turned = rotation_about(unit({3, -1, 1}), 0.3 * core::degree) * equivalent;
    EXPECT_NEAR(misorientation_deg(crystal.a_matrix, turned, group.proper_rotations()), 0.3, 1e-6);
  }
}

TEST(UnitCell, ParsesAndRefuses) {
  EXPECT_DOUBLE_EQ(UnitCell::parse("77.06,77.06, 37.22 90 90 90").c, 37.22);
  for (const char* bad : {"77 77 37 90 90", "77 77 37 90 90 90 1", "a b c d e f", "",
                          "10 10 10 30 30 120", "-1 2 3 90 90 90"})
    EXPECT_THROW(UnitCell::parse(bad), core::Error) << bad;
}

} // namespace
