// Writes refined shots as CSV.
#include "kilobragg/pixelrefinement/shot_table.hpp"

#include "kilobragg/core/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace kilobragg::pixelrefinement {

namespace {

/// One row in the making.
class Row {
public:
  void text(std::string_view value) {
    separate();
    if (value.find_first_of(",\"\r\n") == std::string_view::npos) {
      line_ += value;
      return;
    }
    line_ += '"';
    for (const char c : value) line_.append(c == '"' ? 2 : 1, c);
    line_ += '"';
  }
  void number(double value) { text(std::isfinite(value) ? fmt::format("{}", value) : ""); }
  void count(std::int64_t value) { text(fmt::format("{}", value)); }
  void nothing(int columns) {
    for (int i = 0; i < columns; ++i) text("");
  }
  std::string finished() const { return line_ + "\r\n"; }

private:
  void separate() {
    if (!is_first_) line_ += ',';
    is_first_ = false;
  }
  std::string line_;
  bool is_first_ = true;
};

constexpr int lattice_columns = 6 + 9 + 6 + 3 + 1;

void add_lattice(Row& row, const diffraction::ShotLattice& lattice) {
  for (const double parameter : lattice.crystal.unit_cell().parameters()) row.number(parameter);
  for (const double element : lattice.crystal.a_matrix.m) row.number(element);
  const Mat3& n = lattice.size;
  for (const double element : {n(0, 0), n(1, 1), n(2, 2), n(0, 1), n(0, 2), n(1, 2)})
    row.number(element);
  const Mat3 u = lattice.crystal.u_matrix();
  const Mat3 covariance = transpose(u) * lattice.rotation * u;
  for (int i = 0; i < 3; ++i) row.number(std::sqrt(std::max(0.0, covariance(i, i))) / core::degree);
  row.number(lattice.scale);
}

std::string row_text(const ShotModel& shot, const ShotFit& fit, std::size_t lattice) {
  Row row;
  row.text(lattice < shot.lattice_identifiers.size() ? shot.lattice_identifiers[lattice]
                                                     : shot.identifier);
  row.text(shot.source.path);
  row.text(shot.source.dataset);
  row.count(shot.source.frame);
  if (lattice < shot.lattices.size())
    row.count(static_cast<std::int64_t>(lattice));
  else
    row.nothing(1);
  row.text(word_of(shot.state));
  if (lattice < shot.lattices.size())
    add_lattice(row, shot.lattices[lattice]);
  else
    row.nothing(lattice_columns);
  for (const double value :
       {shot.b_factor, shot.distance, shot.wavelength.offset, shot.wavelength.scale, fit.sigma_z})
    row.number(value);
  for (const std::int64_t value : {fit.pixels, fit.boxes, std::int64_t{fit.evaluations}})
    row.count(value);
  row.number(fit.f);
  return row.finished();
}

} // namespace

std::string shot_table_header() {
  return "identifier,image,dataset,frame,lattice,state,a,b,c,alpha,beta,gamma,"
         "a11,a12,a13,a21,a22,a23,a31,a32,a33,n11,n22,n33,n12,n13,n23,"
         "spread_1,spread_2,spread_3,g,b_factor,distance_shift,wavelength_offset,wavelength_scale,"
         "sigma_z,pixels,boxes,evaluations,f\r\n";
}

std::string shot_table_rows(const ShotModel& shot, const ShotFit& fit) {
  std::string rows;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, shot.lattices.size()); ++i)
    rows += row_text(shot, fit, i);
  return rows;
}

} // namespace kilobragg::pixelrefinement
