// Values of rows in any asymmetric unit, gathered into Bijvoet pairs in ours.
#include "amplitude_pairs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::io {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

struct Mean {
  double sum = 0, variance = 0;
  int count = 0;
  void add(const RowValue& value) {
    if (std::isnan(value.intensity)) return;
    sum += value.intensity;
    variance += value.variance;
    ++count;
  }
  double amplitude() const { return count == 0 ? none : std::sqrt(std::max(0.0, sum / count)); }
  /// From that of the intensity, 2 F sigma(F).
  double sigma() const {
    return amplitude() > 0 ? std::sqrt(variance) / count / (2 * amplitude()) : none;
  }
};

/// What all rows of one index say.
struct Pair {
  Mean plus, minus;
  Mean both() const {
    return {plus.sum + minus.sum, plus.variance + minus.variance, plus.count + minus.count};
  }
};

/// Rows with indices in the asymmetric unit and mates exchanged where that inverts them, sorted.
std::vector<PairedRow> in_our_unit(const std::vector<PairedRow>& rows,
                                   const models::SpaceGroup& group) {
  std::vector<PairedRow> ours;
  ours.reserve(rows.size());
  for (const PairedRow& row : rows) {
    if (std::isnan(row.plus.intensity) && std::isnan(row.minus.intensity)) continue;
    bool plus = true;
    const models::Miller hkl = group.to_asu(row.hkl, &plus);
    ours.push_back(plus ? PairedRow{hkl, row.plus, row.minus}
                        : PairedRow{hkl, row.minus, row.plus});
  }
  std::stable_sort(ours.begin(), ours.end(),
                   [](const PairedRow& a, const PairedRow& b) { return a.hkl < b.hkl; });
  return ours;
}

} // namespace

void gather_pairs(const std::vector<PairedRow>& rows, bool pairs, ReferenceAmplitudes& result) {
  const std::vector<PairedRow> ours = in_our_unit(rows, result.space_group);
  std::vector<Pair> values;
  result.apart = false;
  for (std::size_t first = 0, last = 0; first < ours.size(); first = last) {
    Pair pair;
    for (; last < ours.size() && ours[last].hkl == ours[first].hkl; ++last) {
      pair.plus.add(ours[last].plus);
      pair.minus.add(ours[last].minus);
    }
    const bool centric = result.space_group.is_centric(ours[first].hkl);
    result.apart = result.apart || (!centric && pair.plus.count > 0 && pair.minus.count > 0);
    result.hkl.push_back(ours[first].hkl);
    values.push_back(pair);
  }
  result.apart = result.apart || pairs;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool alike = !result.apart || result.space_group.is_centric(result.hkl[i]);
    const Mean plus = alike ? values[i].both() : values[i].plus;
    const Mean minus = alike ? values[i].both() : values[i].minus;
    result.plus.push_back(plus.amplitude());
    result.minus.push_back(minus.amplitude());
    result.sigma_plus.push_back(plus.sigma());
    result.sigma_minus.push_back(minus.sigma());
  }
}

} // namespace kilobragg::io
