// Packs and unpacks image records; docs/shard-format.md lists the keys.
#include "still_codec.hpp"

#include "row_codec.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::io {
namespace {

using namespace models;

constexpr std::tuple spot_fields{
    field("panel", &Spot::panel),
    field("box", &Spot::box),
    field("px", &Spot::px),
    field("px_variance", &Spot::px_variance),
    field("intensity", &Spot::intensity),
    field("variance", &Spot::variance),
    field("flags", &Spot::flags),
    field("first_pixel", &Spot::first_pixel),
    field("pixel_count", &Spot::pixel_count),
    field("mm", &Spot::mm),
    field("mm_variance", &Spot::mm_variance),
    field("s1", &Spot::s1),
    field("rlp", &Spot::rlp),
};

constexpr std::tuple pixel_fields{
    field("x", &StrongPixel::x),
    field("y", &StrongPixel::y),
    field("value", &StrongPixel::value),
};

constexpr std::tuple indexed_fields{
    field("spot", &IndexedSpot::spot),     field("hkl", &IndexedSpot::hkl),
    field("px_cal", &IndexedSpot::px_cal), field("mm_cal", &IndexedSpot::mm_cal),
    field("s1_cal", &IndexedSpot::s1_cal), field("delta_psi", &IndexedSpot::delta_psi),
    field("flags", &IndexedSpot::flags),
};

constexpr std::tuple reflection_fields{
    field("hkl", &IntegratedReflection::hkl),
    field("panel", &IntegratedReflection::panel),
    field("box", &IntegratedReflection::box),
    field("flags", &IntegratedReflection::flags),
    field("entering", &IntegratedReflection::entering),
    field("s1", &IntegratedReflection::s1),
    field("px_cal", &IntegratedReflection::px_cal),
    field("mm_cal", &IntegratedReflection::mm_cal),
    field("px_obs", &IntegratedReflection::px_obs),
    field("px_variance", &IntegratedReflection::px_variance),
    field("mm_obs", &IntegratedReflection::mm_obs),
    field("mm_variance", &IntegratedReflection::mm_variance),
    field("delta_psi", &IntegratedReflection::delta_psi),
    field("d", &IntegratedReflection::d),
    field("partiality", &IntegratedReflection::partiality),
    field("intensity", &IntegratedReflection::intensity),
    field("variance", &IntegratedReflection::variance),
    field("background_mean", &IntegratedReflection::background_mean),
    field("background_sum", &IntegratedReflection::background_sum),
    field("background_variance", &IntegratedReflection::background_variance),
    field("background_dispersion", &IntegratedReflection::background_dispersion),
    field("background_mse", &IntegratedReflection::background_mse),
    field("n_foreground", &IntegratedReflection::n_foreground),
    field("n_background", &IntegratedReflection::n_background),
    field("n_background_used", &IntegratedReflection::n_background_used),
    field("n_valid", &IntegratedReflection::n_valid),
};

void pack_reals(Packer& pack, std::span<const double> values) {
  pack.bin(values.size_bytes());
  pack.raw(values.data(), values.size_bytes());
}

std::vector<double> unpack_reals(Unpacker& in) {
  const auto bytes = in.bin();
  in.check(bytes.size() % sizeof(double) == 0, "a list of numbers of odd length");
  std::vector<double> values(bytes.size() / sizeof(double));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

void unpack_reals(Unpacker& in, std::span<double> values) {
  const auto found = unpack_reals(in);
  in.check(found.size() == values.size(), "a list of numbers of another length");
  std::copy(found.begin(), found.end(), values.begin());
}

/// Reads a map, handing each key to `take`, which returns false for those that it does not know.
template <typename Take>
void unpack_map(Unpacker& in, Take take) {
  const std::size_t keys = in.map();
  for (std::size_t i = 0; i < keys; ++i)
    if (!take(in.text())) in.skip();
}

void pack_source(Packer& pack, const ImageSource& source) {
  pack.map(4);
  pack.text("path"), pack.text(source.path);
  pack.text("dataset"), pack.text(source.dataset);
  pack.text("frame"), pack.integer(source.frame);
  pack.text("content_id"), pack.text(source.content_id);
}

ImageSource unpack_source(Unpacker& in) {
  ImageSource s;
  unpack_map(in, [&](std::string_view key) {
    if (key == "path")
      s.path = in.text();
    else if (key == "dataset")
      s.dataset = in.text();
    else if (key == "frame")
      s.frame = in.integer();
    else if (key == "content_id")
      s.content_id = in.text();
    else
      return false;
    return true;
  });
  return s;
}

int unpack_int(Unpacker& in) {
  const std::int64_t value = in.integer();
  in.check(value >= std::numeric_limits<int>::min() && value <= std::numeric_limits<int>::max(),
           "a count beyond 32 bits");
  return static_cast<int>(value);
}

void pack_processing(Packer& pack, const Processing& processing) {
  pack.map(3);
  pack.text("host"), pack.text(processing.host);
  pack.text("rank"), pack.integer(processing.rank);
  pack.text("started"), pack.real(processing.started);
}

Processing unpack_processing(Unpacker& in) {
  Processing p;
  unpack_map(in, [&](std::string_view key) {
    if (key == "host")
      p.host = in.text();
    else if (key == "rank")
      p.rank = unpack_int(in);
    else if (key == "started")
      p.started = in.real();
    else
      return false;
    return true;
  });
  return p;
}

/// direction 0-2, wavelength 3, divergence 4, sigma_divergence 5, polarisation normal 6-8 and
/// fraction 9, flux 10, transmission 11.
constexpr std::size_t beam_numbers = 12;

void pack_beam(Packer& pack, const Beam& b) {
  const std::array<double, beam_numbers> numbers{b.direction.x,
                                                 b.direction.y,
                                                 b.direction.z,
                                                 b.wavelength,
                                                 b.divergence,
                                                 b.sigma_divergence,
                                                 b.polarization_normal.x,
                                                 b.polarization_normal.y,
                                                 b.polarization_normal.z,
                                                 b.polarization_fraction,
                                                 b.flux,
                                                 b.transmission};
  pack.map(3);
  pack.text("numbers"), pack_reals(pack, numbers);
  pack.text("wavelengths"), pack_reals(pack, b.spectrum.wavelengths);
  pack.text("weights"), pack_reals(pack, b.spectrum.weights);
}

Beam unpack_beam(Unpacker& in) {
  Beam b;
  unpack_map(in, [&](std::string_view key) {
    if (key == "numbers") {
      std::array<double, beam_numbers> n{};
      unpack_reals(in, n);
      b.direction = {n[0], n[1], n[2]};
      b.wavelength = n[3], b.divergence = n[4], b.sigma_divergence = n[5];
      b.polarization_normal = {n[6], n[7], n[8]};
      b.polarization_fraction = n[9], b.flux = n[10], b.transmission = n[11];
    } else if (key == "wavelengths") {
      b.spectrum.wavelengths = unpack_reals(in);
    } else if (key == "weights") {
      b.spectrum.weights = unpack_reals(in);
    } else {
      return false;
    }
    return true;
  });
  in.check(b.spectrum.wavelengths.size() == b.spectrum.weights.size(), "a lopsided spectrum");
  return b;
}

void pack_crystal(Packer& pack, const Crystal& crystal) {
  pack.map(crystal.mosaicity ? 3 : 2);
  pack.text("a_matrix"), pack_reals(pack, crystal.a_matrix.m);
  pack.text("hall"), pack.text(crystal.space_group.hall());
  if (crystal.mosaicity) {
    const std::array numbers{crystal.mosaicity->half_mosaicity_deg,
                             crystal.mosaicity->domain_size_angstrom};
    pack.text("mosaicity"), pack_reals(pack, numbers);
  }
}

Crystal unpack_crystal(Unpacker& in) {
  Crystal crystal;
  unpack_map(in, [&](std::string_view key) {
    if (key == "a_matrix") {
      unpack_reals(in, crystal.a_matrix.m);
    } else if (key == "hall") {
      crystal.space_group = SpaceGroup(in.text());
    } else if (key == "mosaicity") {
      std::array<double, 2> numbers{};
      unpack_reals(in, numbers);
      crystal.mosaicity = Mosaicity{numbers[0], numbers[1]};
    } else {
      return false;
    }
    return true;
  });
  return crystal;
}

void pack_lattice(Packer& pack, const IntegratedLattice& l) {
  pack.map(8);
  pack.text("identifier"), pack.text(l.identifier);
  pack.text("crystal"), pack_crystal(pack, l.lattice.crystal);
  pack.text("rmsd_px"), pack.real(l.lattice.rmsd_px);
  pack.text("rmsd_psi_deg"), pack.real(l.lattice.rmsd_psi_deg);
  pack.text("sigma_b_deg"), pack.real(l.lattice.sigma_b_deg);
  const PsiSpread& spread = l.lattice.psi_spread;
  const std::array numbers{spread.alpha, spread.beta, spread.bandwidth};
  pack.text("psi_spread"), pack_reals(pack, numbers);
  pack.text("indexed"), pack_rows(pack, l.lattice.spots, indexed_fields);
  pack.text("reflections"), pack_rows(pack, l.reflections, reflection_fields);
}

PsiSpread unpack_spread(Unpacker& in) {
  std::array<double, 3> numbers{};
  unpack_reals(in, numbers);
  return {numbers[0], numbers[1], numbers[2]};
}

IntegratedLattice unpack_lattice(Unpacker& in) {
  IntegratedLattice l;
  unpack_map(in, [&](std::string_view key) {
    if (key == "identifier")
      l.identifier = in.text();
    else if (key == "crystal")
      l.lattice.crystal = unpack_crystal(in);
    else if (key == "rmsd_px")
      l.lattice.rmsd_px = in.real();
    else if (key == "rmsd_psi_deg")
      l.lattice.rmsd_psi_deg = in.real();
    else if (key == "sigma_b_deg")
      l.lattice.sigma_b_deg = in.real();
    else if (key == "psi_spread")
      l.lattice.psi_spread = unpack_spread(in);
    else if (key == "indexed")
      l.lattice.spots = unpack_rows(in, indexed_fields);
    else if (key == "reflections")
      l.reflections = unpack_rows(in, reflection_fields);
    else
      return false;
    return true;
  });
  return l;
}

/// More pixels than any spot's box has: what would fill memory is damage.
constexpr std::int64_t largest_box = 1 << 20;

bool is_plausible(const PixelBox& box) {
  const std::int64_t width = std::int64_t{box.x1} - box.x0, height = std::int64_t{box.y1} - box.y0;
  return width >= 0 && height >= 0 && width <= largest_box && height <= largest_box &&
         width * height <= largest_box;
}

/// What refers to other parts of the result must find them.
void check_references(const Unpacker& in, const StillResult& result) {
  for (const Spot& spot : result.spots.spots)
    in.check(is_plausible(spot.box), "a spot with an impossible box");
  for (const Spot& spot : result.spots.spots)
    in.check(std::uint64_t{spot.first_pixel} + spot.pixel_count <= result.spots.pixels.size(),
             "a spot whose pixels are not there");
  for (const IntegratedLattice& lattice : result.lattices)
    for (const IndexedSpot& spot : lattice.lattice.spots)
      in.check(spot.spot < result.spots.size(), "an indexed spot that is not there");
}

/// Reads the parts that are not one number or text; false for an unknown key.
bool unpack_part(Unpacker& in, std::string_view key, StillResult& result) {
  if (key == "source") {
    result.source = unpack_source(in);
  } else if (key == "beam") {
    result.beam = unpack_beam(in);
  } else if (key == "seconds") {
    unpack_reals(in, result.seconds);
  } else if (key == "processing") {
    result.processing = unpack_processing(in);
  } else {
    return false;
  }
  return true;
}

/// Reads the tables and what hangs on them; false for another key.
bool unpack_tables(Unpacker& in, std::string_view key, StillResult& result) {
  if (key == "spots") {
    result.spots.spots = unpack_rows(in, spot_fields);
  } else if (key == "pixels") {
    result.spots.pixels = unpack_rows(in, pixel_fields);
  } else if (key == "lattices") {
    const std::size_t count = in.array();
    for (std::size_t i = 0; i < count; ++i) result.lattices.push_back(unpack_lattice(in));
  } else {
    return false;
  }
  return true;
}

/// Passes over a table but for one column, which `take` gets as raw bytes; returns the rows.
template <typename Take>
std::int64_t pass_table(Unpacker& in, std::string_view wanted, Take take) {
  in.array_of(2);
  const std::uint64_t rows = in.number();
  const std::size_t columns = in.map();
  for (std::size_t i = 0; i < columns; ++i) {
    const bool is_wanted = in.text() == wanted;
    const auto bytes = in.bin();
    if (is_wanted) take(bytes);
  }
  in.check(rows <= std::numeric_limits<std::uint32_t>::max(), "a table with too many rows");
  return static_cast<std::int64_t>(rows);
}

/// The values of a column; Value is plain data.
template <typename Value>
std::vector<Value> column_values(const Unpacker& in, std::span<const std::byte> bytes) {
  in.check(bytes.size() % sizeof(Value) == 0, "a column too short");
  std::vector<Value> values(bytes.size() / sizeof(Value));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// StillDigest::d_min.
std::optional<double> spot_resolution(const std::vector<Vec3>& rlps) {
  std::vector<double> squares;
  squares.reserve(rlps.size());
  for (const Vec3& rlp : rlps)
    if (const double square = dot(rlp, rlp); square > 0) squares.push_back(square);
  if (squares.empty()) return std::nullopt;
  const std::size_t within = (95 * squares.size() + 99) / 100;
  const auto last = squares.begin() + static_cast<std::ptrdiff_t>(within - 1);
  std::nth_element(squares.begin(), last, squares.end());
  return 1 / std::sqrt(*last);
}

LatticeDigest unpack_lattice_digest(Unpacker& in) {
  LatticeDigest l;
  unpack_map(in, [&](std::string_view key) {
    if (key == "identifier")
      l.identifier = in.text();
    else if (key == "crystal")
      l.crystal = unpack_crystal(in);
    else if (key == "rmsd_px")
      l.rmsd_px = in.real();
    else if (key == "rmsd_psi_deg")
      l.rmsd_psi_deg = in.real();
    else if (key == "indexed")
      l.indexed = pass_table(in, "", [](auto) {});
    else if (key == "reflections")
      l.reflections = pass_table(in, "d", [&](auto bytes) {
        const auto d = column_values<double>(in, bytes);
        if (!d.empty()) l.d_min = *std::min_element(d.begin(), d.end());
      });
    else
      return false;
    return true;
  });
  return l;
}

/// Reads the parts of a digest that are not one number or text; false for an unknown key.
bool unpack_digest_part(Unpacker& in, std::string_view key, StillDigest& digest) {
  if (key == "source") {
    digest.source = unpack_source(in);
  } else if (key == "seconds") {
    unpack_reals(in, digest.seconds);
  } else if (key == "processing") {
    digest.processing = unpack_processing(in);
  } else if (key == "spots") {
    digest.spots = pass_table(in, "rlp", [&](auto bytes) {
      digest.d_min = spot_resolution(column_values<Vec3>(in, bytes));
    });
  } else if (key == "lattices") {
    const std::size_t count = in.array();
    for (std::size_t i = 0; i < count; ++i) digest.lattices.push_back(unpack_lattice_digest(in));
  } else {
    return false;
  }
  return true;
}

using Detectors = std::vector<std::shared_ptr<const Detector>>;

StillResult unpack(std::span<const std::byte> payload, const std::string& name,
                   const Detectors& detectors, bool tables) {
  Unpacker in(payload, name);
  StillResult result;
  unpack_map(in, [&](std::string_view key) {
    if (key == "state") {
      result.state = exit_state_from_word(in.text());
    } else if (key == "count") {
      result.count = unpack_int(in);
    } else if (key == "message") {
      result.message = in.text();
    } else if (key == "detector") {
      if (in.nil()) return true;
      const std::uint64_t position = in.number();
      in.check(position < detectors.size(), "a detector that is not there");
      result.detector = detectors[position];
    } else {
      return unpack_part(in, key, result) || (tables && unpack_tables(in, key, result));
    }
    return true;
  });
  in.check(in.at_end(), "bytes after the record");
  check_references(in, result);
  return result;
}

} // namespace

std::vector<std::byte> pack_still(const StillResult& r, std::optional<std::size_t> detector) {
  std::vector<std::byte> payload;
  Packer pack(payload);
  pack.map(11);
  pack.text("source"), pack_source(pack, r.source);
  pack.text("state"), pack.text(word(r.state));
  pack.text("count"), pack.integer(r.count);
  pack.text("message"), pack.text(r.message);
  pack.text("seconds"), pack_reals(pack, r.seconds);
  pack.text("processing"), pack_processing(pack, r.processing);
  pack.text("beam"), pack_beam(pack, r.beam);
  pack.text("detector");
  detector ? pack.number(*detector) : pack.nil();
  pack.text("spots"), pack_rows(pack, r.spots.spots, spot_fields);
  pack.text("pixels"), pack_rows(pack, r.spots.pixels, pixel_fields);
  pack.text("lattices"), pack.array(r.lattices.size());
  for (const IntegratedLattice& lattice : r.lattices) pack_lattice(pack, lattice);
  return payload;
}

StillResult unpack_still(std::span<const std::byte> payload, const std::string& name,
                         const Detectors& detectors) {
  return unpack(payload, name, detectors, true);
}

StillResult unpack_still_head(std::span<const std::byte> payload, const std::string& name,
                              const Detectors& detectors) {
  return unpack(payload, name, detectors, false);
}

StillDigest unpack_digest(std::span<const std::byte> payload, const std::string& name) {
  Unpacker in(payload, name);
  StillDigest digest;
  unpack_map(in, [&](std::string_view key) {
    if (key == "state")
      digest.state = exit_state_from_word(in.text());
    else if (key == "count")
      digest.count = unpack_int(in);
    else if (key == "message")
      digest.message = in.text();
    else
      return unpack_digest_part(in, key, digest);
    return true;
  });
  in.check(in.at_end(), "bytes after the record");
  return digest;
}

} // namespace kilobragg::io
