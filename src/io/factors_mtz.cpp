// Columns of refined structure factors.
#include "kilobragg/io/factors_mtz.hpp"

#include "mtz_writing.hpp"

#include "kilobragg/core/error.hpp"

#include <cmath>

namespace kilobragg::io {
namespace {

bool is_known(const FactorValue& value) { return !std::isnan(value.f); }

FactorValue mean_of(const FactorValue& a, const FactorValue& b) {
  if (!is_known(a)) return b;
  if (!is_known(b)) return a;
  const double wa = 1 / (a.sigma * a.sigma), wb = 1 / (b.sigma * b.sigma);
  return {(wa * a.f + wb * b.f) / (wa + wb), 1 / std::sqrt(wa + wb)};
}

FactorValue difference_of(const FactorValue& a, const FactorValue& b) {
  if (!is_known(a) || !is_known(b)) return {};
  return {a.f - b.f, std::hypot(a.sigma, b.sigma)};
}

FactorValue intensity_of(const FactorValue& value) {
  return {value.f * value.f, 2 * value.f * value.sigma};
}

void add_factor_columns(gemmi::Mtz& mtz, const FactorsMtz& data) {
  if (data.free_flags) add_columns(mtz, {{"FreeR_flag", 'I'}});
  add_columns(mtz, {{"F", 'F'}, {"SIGF", 'Q'}});
  if (data.anomalous)
    add_columns(mtz, {{"F(+)", 'G'},
                      {"SIGF(+)", 'L'},
                      {"F(-)", 'G'},
                      {"SIGF(-)", 'L'},
                      {"DANO", 'D'},
                      {"SIGDANO", 'Q'}});
  add_columns(mtz, {{"IMEAN", 'J'}, {"SIGIMEAN", 'Q'}});
  if (data.anomalous)
    add_columns(mtz, {{"I(+)", 'K'}, {"SIGI(+)", 'M'}, {"I(-)", 'K'}, {"SIGI(-)", 'M'}});
  add_columns(mtz, {{"N", 'I'}});
  if (data.priors) add_columns(mtz, {{"FC_prior", 'F'}});
}

std::vector<double> cells_of(const FactorRow& row, const FactorsMtz& data) {
  std::vector<double> cells;
  const auto add = [&](const FactorValue& value) {
    cells.insert(cells.end(), {value.f, value.sigma});
  };
  const FactorValue mean = mean_of(row.plus, row.minus);
  if (data.free_flags) cells.push_back(row.free_flag < 0 ? double{missing_in_mtz} : row.free_flag);
  add(mean);
  if (data.anomalous) {
    add(row.plus);
    add(row.minus);
    add(difference_of(row.plus, row.minus));
  }
  add(intensity_of(mean));
  if (data.anomalous) {
    add(intensity_of(row.plus));
    add(intensity_of(row.minus));
  }
  cells.push_back(static_cast<double>(row.observations));
  if (data.priors) cells.push_back(row.prior);
  return cells;
}

void check(const FactorRow& row, const FactorsMtz& data, const std::string& path) {
  const auto [h, k, l] = row.hkl;
  core::require(data.space_group.in_asu(row.hkl),
                "index {} {} {} for {} is not in the asymmetric unit of {} (map it first)", h, k, l,
                path, data.space_group.hm());
  for (const FactorValue& value : {row.plus, row.minus})
    core::require(
        !is_known(value) || (value.f >= 0 && value.sigma > 0),
        "amplitude {} with sigma {} of index {} {} {} cannot go to {} (amplitudes are not "
        "negative and have a positive sigma)",
        value.f, value.sigma, h, k, l, path);
}

} // namespace

void write_factors_mtz(const FactorsMtz& data, const std::string& path) {
  gemmi::Mtz mtz = start_mtz(data.cell, data.space_group, data.wavelength, data.title);
  add_history(mtz, data.history, path);
  add_factor_columns(mtz, data);
  const FactorRow* before = nullptr;
  for (const std::size_t i :
       order_of(data.rows.size(), [&](std::size_t at) { return data.rows[at].hkl; })) {
    const FactorRow& row = data.rows[i];
    core::require(before == nullptr || before->hkl != row.hkl, "index {} {} {} comes twice for {}",
                  row.hkl.h, row.hkl.k, row.hkl.l, path);
    check(row, data, path);
    add_row(mtz, row.hkl, cells_of(row, data));
    before = &row;
  }
  write_mtz(mtz, path);
}

} // namespace kilobragg::io
