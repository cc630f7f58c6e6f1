// Space groups and cells on gemmi's tables.
#include "kilobragg/models/symmetry.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"

#include <gemmi/symmetry.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>

namespace kilobragg::models {
namespace {

gemmi::Op::Miller to_gemmi(const Miller& m) { return {{m.h, m.k, m.l}}; }
Miller from_gemmi(const gemmi::Op::Miller& m) { return {m[0], m[1], m[2]}; }

std::array<int, 9> rotation_of(const gemmi::Op& op) {
  std::array<int, 9> r{};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) r[3 * i + j] = op.rot[i][j] / gemmi::Op::DEN;
  return r;
}

int determinant_of(const std::array<int, 9>& r) {
  return r[0] * (r[4] * r[8] - r[5] * r[7]) - r[1] * (r[3] * r[8] - r[5] * r[6]) +
         r[2] * (r[3] * r[7] - r[4] * r[6]);
}

Mat3 as_matrix(const std::array<int, 9>& r) {
  Mat3 m;
  std::copy(r.begin(), r.end(), m.m);
  return m;
}

/// Metric tensor of the real cell: G_ij = a_i . a_j.
Mat3 metric(const UnitCell& cell) {
  const Mat3 axes = inverse(cell.b_matrix());
  return axes * transpose(axes);
}

UnitCell cell_of_metric(const Mat3& g) {
  const double a = std::sqrt(g(0, 0)), b = std::sqrt(g(1, 1)), c = std::sqrt(g(2, 2));
  const auto angle = [](double cosine) {
    const double deg = std::acos(std::clamp(cosine, -1.0, 1.0)) / core::degree;
    // Averaging leaves 89.99999999999999; an angle that symmetry fixes is exact.
    for (const double exact : {60.0, 90.0, 120.0})
      if (std::abs(deg - exact) < 1e-9) return exact;
    return deg;
  };
  return {a, b, c, angle(g(1, 2) / (b * c)), angle(g(0, 2) / (a * c)), angle(g(0, 1) / (a * b))};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1] ? 1u : 0u)});
      diagonal = above;
    }
  }
  return row.back();
}

std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ') out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::string nearest_symbols(std::string_view symbol) {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const gemmi::SpaceGroup& sg : gemmi::spacegroup_tables::main)
    ranked.emplace_back(edit_distance(squeezed(symbol), squeezed(sg.hm)), squeezed(sg.hm));
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& x, const auto& y) { return x.first < y.first; });
  return fmt::format("{}, {} or {}", ranked[0].second, ranked[1].second, ranked[2].second);
}

const gemmi::SpaceGroup* find_group(const std::string& symbol) {
  if (const auto* sg = gemmi::find_spacegroup_by_name(symbol)) return sg;
  try { // a Hall symbol, as .expt files hold it
    const std::size_t start = symbol.find_first_not_of(' ');
    if (start == std::string::npos) return nullptr;
    return gemmi::find_spacegroup_by_ops(gemmi::symops_from_hall(symbol.c_str() + start));
  } catch (const std::exception&) {
    return nullptr;
  }
}

std::string_view constraint_text(CrystalSystem system) {
  switch (system) {
  case CrystalSystem::Triclinic:
    return "triclinic";
  case CrystalSystem::Monoclinic:
    return "monoclinic: two angles are 90";
  case CrystalSystem::Orthorhombic:
    return "orthorhombic: all angles are 90";
  case CrystalSystem::Tetragonal:
    return "tetragonal: two equal lengths, all angles 90";
  case CrystalSystem::Trigonal:
    return "trigonal: a = b, gamma = 120, or a = b = c with equal angles";
  case CrystalSystem::Hexagonal:
    return "hexagonal: a = b, gamma = 120";
  case CrystalSystem::Cubic:
    return "cubic: a = b = c, all angles 90";
  }
  return "";
}

} // namespace

struct SpaceGroup::Table {
  explicit Table(const gemmi::SpaceGroup* sg)
      : group(sg)
      , ops(sg->operations())
      , asu(sg) {
    for (const gemmi::Op& op : ops)
      operations.push_back({rotation_of(op), {op.tran[0], op.tran[1], op.tran[2]}});
    for (const gemmi::Op& op : ops.sym_ops) {
      auto r = rotation_of(op);
      if (determinant_of(r) < 0)
        for (int& v : r) v = -v;
      if (std::find(rotations.begin(), rotations.end(), r) == rotations.end())
        rotations.push_back(r);
    }
  }
  const gemmi::SpaceGroup* group;
  gemmi::GroupOps ops;
  gemmi::ReciprocalAsu asu;
  std::vector<SymmetryOperation> operations;
  std::vector<std::array<int, 9>> rotations;
};

double UnitCell::volume() const {
  const double ca = std::cos(alpha * core::degree), cb = std::cos(beta * core::degree),
               cg = std::cos(gamma * core::degree);
  return a * b * c * std::sqrt(std::max(0.0, 1 - ca * ca - cb * cb - cg * cg + 2 * ca * cb * cg));
}

Mat3 UnitCell::b_matrix() const {
  const double ca = std::cos(alpha * core::degree), cb = std::cos(beta * core::degree);
  const double cg = std::cos(gamma * core::degree), sg = std::sin(gamma * core::degree);
  const double cy = c * (ca - cb * cg) / sg;
  const Vec3 va{a, 0, 0}, vb{b * cg, b * sg, 0};
  const Vec3 vc{c * cb, cy, volume() / (a * b * sg)};
  return inverse(Mat3::from_rows(va, vb, vc));
}

double UnitCell::d(const Miller& hkl) const {
  return 1 / norm(b_matrix() * Vec3{double(hkl.h), double(hkl.k), double(hkl.l)});
}

UnitCell UnitCell::parse(std::string_view text) {
  std::array<double, 6> v{};
  std::size_t count = 0;
  const char* p = text.data();
  const char* end = p + text.size();
  while (p != end) {
    if (*p == ' ' || *p == ',' || *p == '\t' || *p == '(' || *p == ')') {
      ++p;
      continue;
    }
    double value = 0;
    const auto [next, error] = std::from_chars(p, end, value);
    core::require(error == std::errc() && count < 6,
                  "'{}' is no unit cell (six numbers: a b c alpha beta gamma)", text);
    v[count++] = value;
    p = next;
  }
  core::require(count == 6, "'{}' is no unit cell ({} numbers instead of six)", text, count);
  const UnitCell cell{v[0], v[1], v[2], v[3], v[4], v[5]};
  core::require(cell.a > 0 && cell.b > 0 && cell.c > 0 && cell.volume() > 0,
                "'{}' is no unit cell (its volume is not positive)", text);
  return cell;
}

std::string UnitCell::to_string() const {
  return fmt::format("{:.6g} {:.6g} {:.6g} {:.6g} {:.6g} {:.6g}", a, b, c, alpha, beta, gamma);
}

Miller SymmetryOperation::apply_to_hkl(const Miller& m) const {
  const auto& r = rotation;
  return {m.h * r[0] + m.k * r[3] + m.l * r[6], m.h * r[1] + m.k * r[4] + m.l * r[7],
          m.h * r[2] + m.k * r[5] + m.l * r[8]};
}

// Files name the same group once per crystal; its table is made once per process.
SpaceGroup::SpaceGroup(std::string_view symbol) {
  static std::mutex guard;
  static std::map<std::string, std::shared_ptr<const Table>, std::less<>> known;
  const std::lock_guard lock(guard);
  auto found = known.find(symbol);
  if (found == known.end()) {
    const auto* sg = find_group(std::string(symbol));
    if (sg == nullptr)
      core::fail("unknown space group '{}' (not in the tables); did you mean {}?", symbol,
                 nearest_symbols(symbol));
    found = known.emplace(symbol, std::make_shared<const Table>(sg)).first;
  }
  table_ = found->second;
}

int SpaceGroup::number() const { return table_->group->number; }
std::string SpaceGroup::hm() const { return table_->group->hm; }
std::string SpaceGroup::hall() const { return table_->group->hall; }
char SpaceGroup::centring() const { return table_->group->centring_type(); }

CrystalSystem SpaceGroup::crystal_system() const {
  switch (table_->group->crystal_system()) {
  case gemmi::CrystalSystem::Triclinic:
    return CrystalSystem::Triclinic;
  case gemmi::CrystalSystem::Monoclinic:
    return CrystalSystem::Monoclinic;
  case gemmi::CrystalSystem::Orthorhombic:
    return CrystalSystem::Orthorhombic;
  case gemmi::CrystalSystem::Tetragonal:
    return CrystalSystem::Tetragonal;
  case gemmi::CrystalSystem::Trigonal:
    return CrystalSystem::Trigonal;
  case gemmi::CrystalSystem::Hexagonal:
    return CrystalSystem::Hexagonal;
  default:
    return CrystalSystem::Cubic;
  }
}

const std::vector<SymmetryOperation>& SpaceGroup::operations() const { return table_->operations; }

const std::vector<std::array<int, 9>>& SpaceGroup::proper_rotations() const {
  return table_->rotations;
}

std::vector<std::array<int, 9>> SpaceGroup::lattice_rotations(const UnitCell& cell,
                                                              double tolerance_deg) const {
  const Mat3 axes = inverse(cell.b_matrix()); // rows a, b, c
  const double tolerance = tolerance_deg * core::degree;
  const auto& centring = table_->ops.cen_ops;
  const auto maps_centring = [&](const std::array<int, 9>& r) {
    return std::all_of(centring.begin(), centring.end(), [&](const gemmi::Op::Tran& t) {
      gemmi::Op::Tran moved{};
      for (std::size_t i = 0; i < 3; ++i) {
        int sum = 0;
        for (std::size_t j = 0; j < 3; ++j) sum += r[3 * i + j] * t[j];
        moved[i] = ((sum % gemmi::Op::DEN) + gemmi::Op::DEN) % gemmi::Op::DEN;
      }
      return std::find(centring.begin(), centring.end(), moved) != centring.end();
    });
  };
  const auto keeps_metric = [&](const std::array<int, 9>& r) {
    const Mat3 moved = transpose(as_matrix(r)) * axes; // images of a, b, c
    for (int i = 0; i < 3; ++i) {
      if (std::abs(norm(moved.row(i)) / norm(axes.row(i)) - 1) > tolerance) return false;
      const int j = (i + 1) % 3;
      const auto cosine = [](const Vec3& u, const Vec3& v) { return dot(unit(u), unit(v)); };
      if (std::abs(cosine(moved.row(i), moved.row(j)) - cosine(axes.row(i), axes.row(j))) >
          tolerance)
        return false;
    }
    return true;
  };
  std::vector<std::array<int, 9>> found;
  std::array<int, 9> r{};
  for (int code = 0; code < 19683; ++code) { // all 3x3 matrices of -1, 0, 1
    int rest = code;
    for (int& v : r) v = rest % 3 - 1, rest /= 3;
    if (determinant_of(r) == 1 && keeps_metric(r) && maps_centring(r)) found.push_back(r);
  }
  return found;
}

bool SpaceGroup::is_absent(const Miller& hkl) const {
  return table_->ops.is_systematically_absent(to_gemmi(hkl));
}

bool SpaceGroup::is_centric(const Miller& hkl) const {
  return table_->ops.is_reflection_centric(to_gemmi(hkl));
}

SpaceGroup SpaceGroup::patterson() const {
  gemmi::GroupOps ops = table_->ops.derive_symmorphic();
  ops.add_inversion();
  const auto* sg = gemmi::find_spacegroup_by_ops(ops);
  core::require(sg != nullptr, "no Patterson group in the tables for {}", hm());
  return SpaceGroup(std::make_shared<const Table>(sg));
}

Miller SpaceGroup::to_asu(const Miller& hkl, bool* plus) const {
  const auto [found, isym] = table_->asu.to_asu(to_gemmi(hkl), table_->ops);
  if (plus != nullptr) *plus = isym % 2 == 1;
  return from_gemmi(found);
}

bool SpaceGroup::in_asu(const Miller& hkl) const { return table_->asu.is_in(to_gemmi(hkl)); }

int SpaceGroup::epsilon(const Miller& hkl) const {
  return table_->ops.epsilon_factor_without_centering(to_gemmi(hkl));
}

UnitCell SpaceGroup::constrain(const UnitCell& cell) const {
  const Mat3 g = metric(cell);
  Mat3 sum;
  for (const auto& r : table_->rotations) {
    const Mat3 m = as_matrix(r);
    sum = sum + transpose(m) * g * m;
  }
  return cell_of_metric((1.0 / double(table_->rotations.size())) * sum);
}

std::string SpaceGroup::contradiction(const UnitCell& cell) const {
  const auto given = cell.parameters(), wanted = constrain(cell).parameters();
  bool fits = true;
  for (std::size_t i = 0; i < 3; ++i) {
    fits = fits && std::abs(given[i] - wanted[i]) <= 0.01 * wanted[i];
    fits = fits && std::abs(given[i + 3] - wanted[i + 3]) <= 1.0;
  }
  if (fits) return "";
  return fmt::format("unit cell {} contradicts space group {} ({})", cell.to_string(), hm(),
                     constraint_text(crystal_system()));
}

std::vector<Miller> SpaceGroup::unique_indices(const UnitCell& cell, double d_min,
                                               double d_max) const {
  const Mat3 b = cell.b_matrix(), axes = inverse(b);
  // Indices that lie on a limit are within, whatever the last bit says: (0, 0, 15) of c = 120 at 8.
  constexpr double rounding = 1e-9;
  const double q_max2 = (1 + rounding) / (d_min * d_min), q_min2 = (1 - rounding) / (d_max * d_max);
  const auto limit = [&](int i) {
    return static_cast<int>(norm(axes.row(i)) / d_min * (1 + rounding));
  };
  const int h_max = limit(0), k_max = limit(1), l_max = limit(2);
  std::vector<Miller> found;
  for (int h = -h_max; h <= h_max; ++h)
    for (int k = -k_max; k <= k_max; ++k)
      for (int l = -l_max; l <= l_max; ++l) {
        const Miller hkl{h, k, l};
        if (hkl == Miller{} || !in_asu(hkl)) continue;
        const double q2 = norm2(b * Vec3{double(h), double(k), double(l)});
        if (q2 <= q_max2 && q2 >= q_min2 && !is_absent(hkl)) found.push_back(hkl);
      }
  return found; // the loops run in ascending (h, k, l)
}

} // namespace kilobragg::models
