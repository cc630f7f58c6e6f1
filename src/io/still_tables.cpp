// Fills DIALS's columns from the results of one still.
#include "kilobragg/io/still_tables.hpp"

namespace kilobragg::io {
namespace {

using models::Bool8;
using models::ExitState;
using models::Experiment;
using models::IndexedSpot;
using models::Int6;
using models::IntegratedLattice;
using models::IntegratedReflection;
using models::Miller;
using models::PanelPoint;
using models::PixelBox;
using models::ReflectionTable;
using models::Shoebox;
using models::Spot;
using models::StillResult;

/// Mask code of a strong pixel: Valid 1 | Foreground 4.
constexpr std::int32_t strong_pixel = 5;
/// Variance of a position that is known to within one frame.
constexpr double one_frame_variance = 1.0 / 12;

Int6 box_of(const PixelBox& box) { return {box.x0, box.x1, box.y0, box.y1, 0, 1}; }
Vec3 with_z(const PanelPoint& p, double z) { return {p.x, p.y, z}; }

/// Fills the column `name` row by row from `items`.
template <typename T, typename Items, typename Value>
void fill(ReflectionTable& table, const char* name, const Items& items, Value value) {
  auto& column = table.make<T>(name);
  for (std::size_t i = 0; i < items.size(); ++i) column[i] = value(items[i]);
}

Shoebox shoebox_of(const Spot& spot, const models::SpotList& list) {
  const PixelBox& box = spot.box;
  Shoebox s{static_cast<std::uint32_t>(spot.panel), box_of(box), {}, {}, {}};
  const auto count = static_cast<std::size_t>(box.width()) * static_cast<std::size_t>(box.height());
  s.data.assign(count, 0);
  s.mask.assign(count, 0);
  s.background.assign(count, 0);
  for (std::size_t k = spot.first_pixel; k < spot.first_pixel + spot.pixel_count; ++k) {
    const models::StrongPixel& pixel = list.pixels.at(k);
    const bool inside =
        pixel.x >= box.x0 && pixel.x < box.x1 && pixel.y >= box.y0 && pixel.y < box.y1;
    core::require(inside, "pixel ({}, {}) lies outside of its spot's box", pixel.x, pixel.y);
    const auto at = static_cast<std::size_t>((pixel.y - box.y0) * box.width() + pixel.x - box.x0);
    s.data[at] = pixel.value;
    s.mask[at] = strong_pixel;
  }
  return s;
}

/// Columns that strong and indexed tables share; `spot(item)` gives the spot of a row.
template <typename Items, typename SpotOf>
void fill_spot_columns(ReflectionTable& t, const Items& items, const models::SpotList& list,
                       SpotOf spot) {
  const auto from_spot = [&]<typename T>(T, const char* name, auto value) {
    fill<T>(t, name, items, [&](const auto& item) { return value(spot(item)); });
  };
  from_spot(Int6{}, "bbox", [](const Spot& s) { return box_of(s.box); });
  from_spot(double{}, "intensity.sum.value", [](const Spot& s) { return s.intensity; });
  from_spot(double{}, "intensity.sum.variance", [](const Spot& s) { return s.variance; });
  from_spot(std::uint64_t{}, "panel",
            [](const Spot& s) { return static_cast<std::uint64_t>(s.panel); });
  from_spot(Shoebox{}, "shoebox", [&](const Spot& s) { return shoebox_of(s, list); });
  from_spot(Vec3{}, "xyzobs.px.value", [](const Spot& s) { return with_z(s.px, 0); });
  from_spot(Vec3{}, "xyzobs.px.variance",
            [](const Spot& s) { return with_z(s.px_variance, one_frame_variance); });
}

/// An indexed spot and the lattice that it belongs to.
struct IndexedRow {
  const IndexedSpot* indexed;
  const Spot* spot;
  std::int32_t lattice;
};

std::vector<IndexedRow> indexed_rows(const StillResult& result) {
  std::vector<IndexedRow> rows;
  std::int32_t lattice = 0;
  for (const IntegratedLattice& l : result.lattices) {
    for (const IndexedSpot& s : l.lattice.spots)
      rows.push_back({&s, &result.spots.spots.at(s.spot), lattice});
    ++lattice;
  }
  return rows;
}

void fill_indexed_columns(ReflectionTable& t, const std::vector<IndexedRow>& rows) {
  fill<Miller>(t, "miller_index", rows, [](const IndexedRow& r) { return r.indexed->hkl; });
  fill<double>(t, "delpsical.rad", rows, [](const IndexedRow& r) { return r.indexed->delta_psi; });
  fill<double>(t, "delpsical2", rows,
               [](const IndexedRow& r) { return r.indexed->delta_psi * r.indexed->delta_psi; });
  const auto dx = [](const IndexedRow& r) { return r.indexed->mm_cal.x - r.spot->mm.x; };
  const auto dy = [](const IndexedRow& r) { return r.indexed->mm_cal.y - r.spot->mm.y; };
  fill<double>(t, "x_resid", rows, dx);
  fill<double>(t, "y_resid", rows, dy);
  fill<double>(t, "x_resid2", rows, [&](const IndexedRow& r) { return dx(r) * dx(r); });
  fill<double>(t, "y_resid2", rows, [&](const IndexedRow& r) { return dy(r) * dy(r); });
  fill<Vec3>(t, "rlp", rows, [](const IndexedRow& r) { return r.spot->rlp; });
  fill<Vec3>(t, "s1", rows, [](const IndexedRow& r) { return r.indexed->s1_cal; });
  fill<Vec3>(t, "xyzcal.px", rows,
             [](const IndexedRow& r) { return with_z(r.indexed->px_cal, 0); });
  fill<Vec3>(t, "xyzcal.mm", rows,
             [](const IndexedRow& r) { return with_z(r.indexed->mm_cal, 0); });
  fill<Vec3>(t, "xyzobs.mm.value", rows, [](const IndexedRow& r) { return with_z(r.spot->mm, 0); });
  fill<Vec3>(t, "xyzobs.mm.variance", rows,
             [](const IndexedRow& r) { return with_z(r.spot->mm_variance, 0); });
  t.make<Bool8>("entering");
}

/// An integrated reflection and the position of its lattice among those that have any.
struct IntegratedRow {
  const IntegratedReflection* reflection;
  std::int32_t lattice;
};

void fill_intensity_columns(ReflectionTable& t, const std::vector<IntegratedRow>& rows) {
  const auto real = [&](const char* name, double IntegratedReflection::*member) {
    fill<double>(t, name, rows, [&](const IntegratedRow& r) { return r.reflection->*member; });
  };
  real("background.dispersion", &IntegratedReflection::background_dispersion);
  real("background.mean", &IntegratedReflection::background_mean);
  real("background.mse", &IntegratedReflection::background_mse);
  real("background.sum.value", &IntegratedReflection::background_sum);
  real("background.sum.variance", &IntegratedReflection::background_variance);
  real("d", &IntegratedReflection::d);
  real("delpsical.rad", &IntegratedReflection::delta_psi);
  real("intensity.sum.value", &IntegratedReflection::intensity);
  real("intensity.sum.variance", &IntegratedReflection::variance);
  real("partiality", &IntegratedReflection::partiality);
  const auto count = [&](const char* name, int IntegratedReflection::*member) {
    fill<std::int32_t>(t, name, rows,
                       [&](const IntegratedRow& r) { return r.reflection->*member; });
  };
  count("num_pixels.background", &IntegratedReflection::n_background);
  count("num_pixels.background_used", &IntegratedReflection::n_background_used);
  count("num_pixels.foreground", &IntegratedReflection::n_foreground);
  count("num_pixels.valid", &IntegratedReflection::n_valid);
}

void fill_position_columns(ReflectionTable& t, const std::vector<IntegratedRow>& rows) {
  const auto point = [&](const char* name, PanelPoint IntegratedReflection::*member, double z) {
    fill<Vec3>(t, name, rows,
               [&](const IntegratedRow& r) { return with_z(r.reflection->*member, z); });
  };
  point("xyzcal.mm", &IntegratedReflection::mm_cal, 0);
  point("xyzcal.px", &IntegratedReflection::px_cal, 0);
  point("xyzobs.mm.value", &IntegratedReflection::mm_obs, 0);
  point("xyzobs.mm.variance", &IntegratedReflection::mm_variance, 0);
  point("xyzobs.px.value", &IntegratedReflection::px_obs, 0.5);
  point("xyzobs.px.variance", &IntegratedReflection::px_variance, one_frame_variance);
  fill<Vec3>(t, "s1", rows, [](const IntegratedRow& r) { return r.reflection->s1; });
  fill<Int6>(t, "bbox", rows, [](const IntegratedRow& r) { return box_of(r.reflection->box); });
  fill<std::uint64_t>(t, "panel", rows, [](const IntegratedRow& r) {
    return static_cast<std::uint64_t>(r.reflection->panel);
  });
}

bool is_integrated(const IntegratedLattice& lattice) { return !lattice.reflections.empty(); }

Experiment lattice_experiment(const StillResult& result, const IntegratedLattice& lattice) {
  Experiment e{lattice.identifier,      result.beam, result.detector,
               lattice.lattice.crystal, {},          result.source};
  if (lattice.lattice.sigma_b_deg > 0)
    e.profile = models::GaussianProfile{3, lattice.lattice.sigma_b_deg, 0};
  return e;
}

} // namespace

bool has_strong(const StillResult& r) {
  return r.state != ExitState::PreprocessException && r.state != ExitState::SpotfindingException;
}
bool has_refined(const StillResult& r) {
  return r.state == ExitState::IndexOk || r.state == ExitState::IntegrateFailed ||
         r.state == ExitState::IntegrateOk;
}
bool has_integrated(const StillResult& r) { return r.state == ExitState::IntegrateOk; }

ReflectionTable strong_table(const StillResult& result) {
  ReflectionTable t;
  const auto& spots = result.spots.spots;
  t.rows = spots.size();
  t.make<std::int32_t>("id");
  fill<std::uint64_t>(t, "flags", spots, [](const Spot& s) { return s.flags; });
  fill_spot_columns(t, spots, result.spots, [](const Spot& s) -> const Spot& { return s; });
  t.identifiers[0] = strong_experiment(result).identifier;
  return t;
}

ReflectionTable indexed_table(const StillResult& result, std::int32_t imageset) {
  ReflectionTable t;
  const auto rows = indexed_rows(result);
  t.rows = rows.size();
  fill<std::int32_t>(t, "id", rows, [](const IndexedRow& r) { return r.lattice; });
  fill<std::int32_t>(t, "imageset_id", rows, [&](const IndexedRow&) { return imageset; });
  fill<std::uint64_t>(t, "flags", rows,
                      [](const IndexedRow& r) { return r.spot->flags | r.indexed->flags; });
  fill_spot_columns(t, rows, result.spots,
                    [](const IndexedRow& r) -> const Spot& { return *r.spot; });
  fill_indexed_columns(t, rows);
  std::int32_t id = 0;
  for (const IntegratedLattice& lattice : result.lattices) t.identifiers[id++] = lattice.identifier;
  return t;
}

ReflectionTable integrated_table(const StillResult& result) {
  ReflectionTable t;
  std::vector<IntegratedRow> rows;
  std::int32_t id = 0;
  for (const IntegratedLattice& lattice : result.lattices) {
    if (!is_integrated(lattice)) continue;
    for (const IntegratedReflection& r : lattice.reflections) rows.push_back({&r, id});
    t.identifiers[id++] = lattice.identifier;
  }
  t.rows = rows.size();
  fill<std::int32_t>(t, "id", rows, [](const IntegratedRow& r) { return r.lattice; });
  fill<std::uint64_t>(t, "flags", rows, [](const IntegratedRow& r) { return r.reflection->flags; });
  fill<Miller>(t, "miller_index", rows, [](const IntegratedRow& r) { return r.reflection->hkl; });
  fill<Bool8>(t, "entering", rows, [](const IntegratedRow& r) {
    return Bool8{static_cast<std::uint8_t>(r.reflection->entering)};
  });
  fill_intensity_columns(t, rows);
  fill_position_columns(t, rows);
  auto& partial = t.make<std::uint64_t>("partial_id");
  for (std::size_t i = 0; i < rows.size(); ++i) partial[i] = i;
  return t;
}

Experiment strong_experiment(const StillResult& r) {
  return {models::experiment_identifier(r.source.content_id, r.source.frame, no_lattice),
          r.beam,
          r.detector,
          {},
          {},
          r.source};
}

std::vector<Experiment> refined_experiments(const StillResult& result) {
  std::vector<Experiment> experiments;
  for (const IntegratedLattice& lattice : result.lattices)
    experiments.push_back(lattice_experiment(result, lattice));
  return experiments;
}

std::vector<Experiment> integrated_experiments(const StillResult& result) {
  std::vector<Experiment> experiments;
  for (const IntegratedLattice& lattice : result.lattices)
    if (is_integrated(lattice)) experiments.push_back(lattice_experiment(result, lattice));
  return experiments;
}

} // namespace kilobragg::io
