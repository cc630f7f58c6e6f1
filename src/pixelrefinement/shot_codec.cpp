// Shots and detectors as bytes: every field in the order of its struct.
#include "shot_codec.hpp"

#include "kilobragg/core/byte_stream.hpp"
#include "kilobragg/core/hash.hpp"
#include "kilobragg/pixelrefinement/shoeboxes.hpp"
#include "kilobragg/pixelrefinement/shot_record.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

namespace kilobragg::pixelrefinement {
namespace {

using core::ByteReader;
using core::ByteWriter;

static_assert(std::endian::native == std::endian::little, "shards are little-endian");

constexpr std::uint32_t detector_version = 1, shot_version = 2;

enum class ValueKind : std::uint8_t { Float, WholePhotons };

template <typename T>
void put_values(ByteWriter& out, std::span<const T> values) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.put_text({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}
template <typename T>
void put_values(ByteWriter& out, const std::vector<T>& values) {
  put_values(out, std::span<const T>(values));
}

template <typename T>
std::vector<T> get_values(ByteReader& in) {
  const std::string bytes = in.get_text();
  core::require(bytes.size() % sizeof(T) == 0, "a column of {} bytes holds no values of {}",
                bytes.size(), sizeof(T));
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// Writes or reads the elements of a sequence; a count that cannot be is found when bytes run out.
template <typename T, typename Put>
void put_each(ByteWriter& out, const std::vector<T>& values, const Put& put) {
  out.put(static_cast<std::uint64_t>(values.size()));
  for (const T& value : values) put(out, value);
}
template <typename T, typename Get>
std::vector<T> get_each(ByteReader& in, const Get& get) {
  std::vector<T> values;
  for (auto n = in.get<std::uint64_t>(); n > 0; --n) values.push_back(get(in));
  return values;
}

void put_string(ByteWriter& out, const std::string& text) { out.put_text(text); }
std::string get_string(ByteReader& in) { return in.get_text(); }

template <typename T>
void put_optional(ByteWriter& out, const std::optional<T>& value) {
  out.put(std::uint8_t(value.has_value()));
  if (value) out.put(*value);
}
template <typename T>
std::optional<T> get_optional(ByteReader& in) {
  if (in.get<std::uint8_t>() == 0) return std::nullopt;
  return in.get<T>();
}

void check_version(std::uint32_t found, std::uint32_t known, const char* what) {
  core::require(found == known,
                "a {} is of version {} (this program knows {} alone) read it with the program that "
                "wrote it?",
                what, found, known);
}

void check_end(const ByteReader& in, const char* what) {
  core::require(in.at_end(), "a {} has more bytes than fields", what);
}

void put_panel(ByteWriter& out, const models::Panel& panel) {
  out.put_text(panel.name);
  out.put_text(panel.type);
  out.put_text(panel.material);
  out.put_text(panel.identifier);
  out.put(panel.frame);
  out.put(panel.pixel_size);
  out.put(panel.image_size);
  out.put(panel.raw_image_offset);
  out.put(panel.trusted_range);
  out.put(panel.thickness);
  out.put(panel.mu);
  out.put(panel.gain);
  out.put(panel.pedestal);
  put_optional(out, panel.parallax);
  put_values(out, panel.mask);
}

models::Panel get_panel(ByteReader& in) {
  models::Panel panel;
  panel.name = in.get_text();
  panel.type = in.get_text();
  panel.material = in.get_text();
  panel.identifier = in.get_text();
  panel.frame = in.get<models::Frame>();
  panel.pixel_size = in.get<std::array<double, 2>>();
  panel.image_size = in.get<std::array<int, 2>>();
  panel.raw_image_offset = in.get<std::array<int, 2>>();
  panel.trusted_range = in.get<std::array<double, 2>>();
  panel.thickness = in.get<double>();
  panel.mu = in.get<double>();
  panel.gain = in.get<double>();
  panel.pedestal = in.get<double>();
  panel.parallax = get_optional<models::Parallax>(in);
  panel.mask = get_values<std::array<int, 4>>(in);
  return panel;
}

void put_node(ByteWriter& out, const models::DetectorNode& node) {
  out.put_text(node.name);
  out.put_text(node.type);
  out.put(node.frame);
  out.put(static_cast<std::int32_t>(node.panel));
  put_each(out, node.children, put_node);
}

models::DetectorNode get_node(ByteReader& in) {
  models::DetectorNode node;
  node.name = in.get_text();
  node.type = in.get_text();
  node.frame = in.get<models::Frame>();
  node.panel = in.get<std::int32_t>();
  node.children = get_each<models::DetectorNode>(in, get_node);
  return node;
}

models::Detector get_detector(std::string_view bytes) {
  ByteReader in(bytes);
  check_version(in.get<std::uint32_t>(), detector_version, "detector");
  models::Detector detector;
  detector.panels = get_each<models::Panel>(in, get_panel);
  detector.root = get_node(in);
  check_end(in, "detector");
  return detector;
}

void put_source(ByteWriter& out, const models::ImageSource& source) {
  out.put_text(source.path);
  out.put_text(source.dataset);
  out.put(source.frame);
  out.put_text(source.content_id);
}

models::ImageSource get_source(ByteReader& in) {
  models::ImageSource source;
  source.path = in.get_text();
  source.dataset = in.get_text();
  source.frame = in.get<std::int64_t>();
  source.content_id = in.get_text();
  return source;
}

void put_beam(ByteWriter& out, const models::Beam& beam) {
  out.put(beam.direction);
  out.put(beam.wavelength);
  out.put(beam.divergence);
  out.put(beam.sigma_divergence);
  out.put(beam.polarization_normal);
  out.put(beam.polarization_fraction);
  out.put(beam.flux);
  out.put(beam.transmission);
  put_values(out, beam.spectrum.wavelengths);
  put_values(out, beam.spectrum.weights);
}

models::Beam get_beam(ByteReader& in) {
  models::Beam beam;
  beam.direction = in.get<Vec3>();
  beam.wavelength = in.get<double>();
  beam.divergence = in.get<double>();
  beam.sigma_divergence = in.get<double>();
  beam.polarization_normal = in.get<Vec3>();
  beam.polarization_fraction = in.get<double>();
  beam.flux = in.get<double>();
  beam.transmission = in.get<double>();
  beam.spectrum.wavelengths = get_values<double>(in);
  beam.spectrum.weights = get_values<double>(in);
  return beam;
}

void put_lattice(ByteWriter& out, const diffraction::ShotLattice& lattice) {
  out.put(lattice.crystal.a_matrix);
  out.put_text(lattice.crystal.space_group.hall());
  put_optional(out, lattice.crystal.mosaicity);
  out.put(lattice.shape);
  out.put(lattice.size);
  out.put(lattice.fudge);
  out.put(lattice.rotation);
  put_values(out, lattice.blocks);
  out.put(lattice.scale);
}

diffraction::ShotLattice get_lattice(ByteReader& in) {
  diffraction::ShotLattice lattice;
  lattice.crystal.a_matrix = in.get<Mat3>();
  lattice.crystal.space_group = models::SpaceGroup(in.get_text());
  lattice.crystal.mosaicity = get_optional<models::Mosaicity>(in);
  lattice.shape = in.get<diffraction::CrystalShape>();
  lattice.size = in.get<Mat3>();
  lattice.fudge = in.get<double>();
  lattice.rotation = in.get<Mat3>();
  lattice.blocks = get_values<Mat3>(in);
  lattice.scale = in.get<double>();
  return lattice;
}

void put_model(ByteWriter& out, const ShotModel& model) {
  put_source(out, model.source);
  put_beam(out, model.beam);
  put_each(out, model.lattice_identifiers, put_string);
  put_each(out, model.lattices, put_lattice);
  out.put(model.wavelength);
  out.put(model.distance);
  out.put(model.b_factor);
  out.put(model.state);
}

void get_model(ByteReader& in, ShotModel& model) {
  model.source = get_source(in);
  model.beam = get_beam(in);
  model.lattice_identifiers = get_each<std::string>(in, get_string);
  model.lattices = get_each<diffraction::ShotLattice>(in, get_lattice);
  model.wavelength = in.get<diffraction::WavelengthShift>();
  model.distance = in.get<double>();
  model.b_factor = in.get<double>();
  model.state = in.get<ShotState>();
}

void put_box(ByteWriter& out, const ReflectionBox& box) {
  const diffraction::Shoebox& b = box.box;
  out.put(std::array<std::int32_t, 9>{b.panel, b.x0, b.x1, b.y0, b.y1, box.hkl.h, box.hkl.k,
                                      box.hkl.l, box.lattice});
  out.put(box.state);
  out.put(box.background);
}

ReflectionBox get_box(ByteReader& in) {
  const auto n = in.get<std::array<std::int32_t, 9>>();
  ReflectionBox box;
  box.box = {n[0], n[1], n[2], n[3], n[4]};
  box.hkl = {n[5], n[6], n[7]};
  box.lattice = n[8];
  box.state = in.get<BoxState>();
  box.background = in.get<Plane>();
  core::require(box.box.x0 <= box.box.x1 && box.box.y0 <= box.box.y1, "a shoebox has no size");
  return box;
}

/// The pixels of all boxes; numbers the first of each.
std::size_t count_pixels(std::vector<ReflectionBox>& boxes) {
  std::size_t count = 0;
  for (ReflectionBox& box : boxes) {
    box.first = count;
    count += box.box.size();
  }
  return count;
}

bool is_whole(float value) {
  return value >= 0 && value <= std::numeric_limits<std::uint16_t>::max() && !std::signbit(value) &&
         value == static_cast<float>(static_cast<std::uint16_t>(value));
}

void put_photons(ByteWriter& out, const std::vector<float>& values) {
  const bool whole = std::all_of(values.begin(), values.end(), is_whole);
  out.put(whole ? ValueKind::WholePhotons : ValueKind::Float);
  if (whole)
    put_values(out, std::vector<std::uint16_t>(values.begin(), values.end()));
  else
    put_values(out, values);
}

std::vector<float> get_photons(ByteReader& in) {
  if (in.get<ValueKind>() == ValueKind::Float) return get_values<float>(in);
  const auto whole = get_values<std::uint16_t>(in);
  return {whole.begin(), whole.end()};
}

void put_bits(ByteWriter& out, const std::vector<std::uint8_t>& flags) {
  std::vector<std::uint8_t> bytes((flags.size() + 7) / 8);
  for (std::size_t i = 0; i < flags.size(); ++i)
    bytes[i / 8] |= static_cast<std::uint8_t>((flags[i] != 0 ? 1 : 0) << (i % 8));
  put_values(out, bytes);
}

std::vector<std::uint8_t> get_bits(ByteReader& in, std::size_t count) {
  const auto bytes = get_values<std::uint8_t>(in);
  core::require(bytes.size() == (count + 7) / 8, "{} bytes of flags for {} pixels", bytes.size(),
                count);
  std::vector<std::uint8_t> flags(count);
  for (std::size_t i = 0; i < count; ++i) flags[i] = (bytes[i / 8] >> (i % 8)) & 1;
  return flags;
}

void check_columns(const ShotPixels& pixels, std::size_t count) {
  const std::size_t readout = pixels.readout.size();
  core::require(
      pixels.value.size() == count && pixels.used.size() == count &&
          (readout <= 1 || readout == count),
      "the boxes of a shot have {} pixels, its columns {} values, {} flags, {} of readout", count,
      pixels.value.size(), pixels.used.size(), readout);
}

void put_pixels(ByteWriter& out, const ShotPixels& pixels) {
  put_each(out, pixels.boxes, put_box);
  put_photons(out, pixels.value);
  put_values(out, pixels.readout);
  put_bits(out, pixels.used);
}

ShotPixels get_pixels(ByteReader& in) {
  ShotPixels pixels;
  pixels.boxes = get_each<ReflectionBox>(in, get_box);
  const std::size_t count = count_pixels(pixels.boxes);
  pixels.value = get_photons(in);
  pixels.readout = get_values<float>(in);
  pixels.used = get_bits(in, count);
  check_columns(pixels, count);
  evaluate_backgrounds(pixels);
  return pixels;
}

} // namespace

std::string pack_detector(const models::Detector& detector) {
  ByteWriter out;
  out.put(detector_version);
  put_each(out, detector.panels, put_panel);
  put_node(out, detector.root);
  return out.take();
}

std::string DetectorPool::hash_of(const Pointer& detector) {
  if (!detector) return {};
  std::string& hash = known_[detector];
  if (hash.empty()) {
    hash = core::md5_hex(pack_detector(*detector));
    detectors_.try_emplace(hash, detector);
  }
  return hash;
}

std::string DetectorPool::add(std::string_view bytes) {
  std::string hash = core::md5_hex(bytes);
  Pointer& detector = detectors_[hash];
  if (!detector) {
    detector = std::make_shared<const models::Detector>(get_detector(bytes));
    known_.emplace(detector, hash);
  }
  return hash;
}

DetectorPool::Pointer DetectorPool::at(const std::string& hash) const {
  if (hash.empty()) return nullptr;
  const auto found = detectors_.find(hash);
  core::require(found != detectors_.end(), "a shot names a detector that is not there ({})", hash);
  return found->second;
}

std::string pack_shot(const ShotRecord& record, DetectorPool& pool) {
  std::size_t count = 0;
  for (const ReflectionBox& box : record.pixels.boxes) {
    core::require(box.first == count, "the shoeboxes of shot {} do not follow each other",
                  record.model.identifier);
    count += box.box.size();
  }
  check_columns(record.pixels, count);
  ByteWriter out;
  out.put(shot_version);
  out.put_text(record.model.identifier);
  out.put(static_cast<std::uint64_t>(count));
  out.put_text(pool.hash_of(record.model.detector));
  put_model(out, record.model);
  put_pixels(out, record.pixels);
  out.put_text(record.caller);
  return out.take();
}

ShotHead shot_head(std::string_view bytes) {
  ByteReader in(bytes);
  check_version(in.get<std::uint32_t>(), shot_version, "shot");
  ShotHead head;
  head.identifier = in.get_text();
  head.pixels = in.get<std::uint64_t>();
  return head;
}

ShotRecord unpack_shot(std::string_view bytes, const DetectorPool& pool) {
  ByteReader in(bytes);
  check_version(in.get<std::uint32_t>(), shot_version, "shot");
  ShotRecord record;
  record.model.identifier = in.get_text();
  in.get<std::uint64_t>();
  record.model.detector = pool.at(in.get_text());
  get_model(in, record.model);
  record.pixels = get_pixels(in);
  record.caller = in.get_text();
  check_end(in, "shot");
  return record;
}

} // namespace kilobragg::pixelrefinement
