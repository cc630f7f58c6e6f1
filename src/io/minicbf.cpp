// miniCBF as Pilatus and Eiger detectors write it: "# Key value" comments and byte-offset pixels.
#include "attempt.hpp"
#include "byte_offset.hpp"
#include "cbf_reader.hpp"

#include "kilobragg/io/sensor_material.hpp"

#include <charconv>
#include <string_view>

namespace kilobragg::io {
namespace {

constexpr std::string_view binary_mark("\x0C\x1A\x04\xD5", 4);

/// The text after `key` up to the end of its line, without blanks; empty if the key is not there.
std::string_view after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return {};
  std::string_view line = text.substr(at + key.size());
  line = line.substr(0, line.find_first_of("\r\n"));
  const std::size_t first = line.find_first_not_of(" \t:=\"(");
  if (first == std::string_view::npos) return {};
  line.remove_prefix(first);
  return line.substr(0, line.find_last_not_of(" \t\"") + 1);
}

/// A number at the beginning of `text`; `rest` gets what follows it.
std::optional<double> number(std::string_view text, std::string_view* rest = nullptr) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  if (rest) *rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// Two numbers with anything but digits between them, as "172e-6 m x 172e-6 m" or "1231.5, 1263.5".
std::optional<std::array<double, 2>> pair(std::string_view text) {
  std::string_view rest;
  const auto first = number(text, &rest);
  const std::size_t next = rest.find_first_of("0123456789");
  if (!first || next == std::string_view::npos) return std::nullopt;
  const auto second = number(rest.substr(next));
  if (!second) return std::nullopt;
  return std::array{*first, *second};
}

/// Where the pixels are and how they are stored.
struct BinarySection {
  std::size_t offset = 0, size = 0;
  std::size_t width = 0, height = 0;
};

BinarySection find_binary(const std::string& path, std::string_view text) {
  const std::size_t mark = text.find(binary_mark);
  core::require(mark != std::string_view::npos,
                "{} has no pixels (no binary section) was it written "
                "completely?",
                path);
  const std::string_view header = text.substr(0, mark);
  const std::string conversions(after(header, "conversions"));
  core::require(conversions.find("BYTE_OFFSET") != std::string::npos,
                "{} is compressed with {} (a miniCBF has x-CBF_BYTE_OFFSET)", path,
                conversions.empty() ? "nothing" : conversions);
  const auto size = number(after(header, "X-Binary-Size:")),
             width = number(after(header, "X-Binary-Size-Fastest-Dimension:")),
             height = number(after(header, "X-Binary-Size-Second-Dimension:"));
  constexpr double largest = 1 << 20;
  core::require(size && width && height && *width >= 1 && *height >= 1 && *width < largest &&
                    *height < largest && *size >= 0,
                "{} does not say the size of its image (X-Binary-Size-Fastest-Dimension and "
                "-Second-Dimension)",
                path);
  const std::size_t offset = mark + binary_mark.size();
  core::require(static_cast<double>(text.size() - offset) >= *size,
                "{} is truncated ({} bytes of pixels are there, {} announced)", path,
                text.size() - offset, *size);
  return {offset, static_cast<std::size_t>(*size), static_cast<std::size_t>(*width),
          static_cast<std::size_t>(*height)};
}

models::Beam read_beam(const std::string& path, std::string_view header) {
  const auto wavelength = number(after(header, "# Wavelength"));
  core::require(wavelength && *wavelength > 0,
                "{} gives no wavelength (# Wavelength in its header)", path);
  models::Beam beam;
  beam.wavelength = *wavelength;
  return beam;
}

/// "# Silicon sensor, thickness 0.000320 m".
void read_sensor(std::string_view header, double wavelength, models::Panel& panel) {
  const auto thickness = number(after(header, "sensor, thickness"));
  if (!thickness) return;
  panel.thickness = *thickness * 1000;
  panel.material = header.find("CdTe sensor") != std::string_view::npos ? "CdTe" : "Si";
  const auto mu = attenuation_per_mm(panel.material, wavelength);
  if (!mu || panel.thickness <= 0) return;
  panel.mu = *mu;
  panel.parallax = models::Parallax{*mu, panel.thickness};
}

models::Detector read_detector(const std::string& path, std::string_view header,
                               const BinarySection& binary) {
  const auto distance = number(after(header, "# Detector_distance"));
  const auto pixel = pair(after(header, "# Pixel_size")), beam = pair(after(header, "# Beam_xy"));
  if (!distance || !pixel || !beam)
    core::fail(
        "{} has no geometry (its header lacks # Detector_distance, # Pixel_size or # Beam_xy) "
        "give one with input.reference_geometry?",
        path);
  models::Panel panel;
  panel.name = "Panel";
  panel.pixel_size = {(*pixel)[0] * 1000, (*pixel)[1] * 1000};
  panel.image_size = {static_cast<int>(binary.width), static_cast<int>(binary.height)};
  panel.frame = {
      {1, 0, 0},
      {0, -1, 0},
      {-(*beam)[0] * panel.pixel_size[0], (*beam)[1] * panel.pixel_size[1], -*distance * 1000}};
  // Gaps are -1 and bad pixels -2; counts beyond the cut-off are not counts.
  panel.trusted_range = {0, number(after(header, "# Count_cutoff")).value_or(0x7FFFFFFD)};
  read_sensor(header, number(after(header, "# Wavelength")).value_or(0), panel);
  models::Detector detector;
  detector.panels.push_back(panel);
  return detector;
}

class MiniCbf final : public CbfReader {
public:
  MiniCbf(const std::string& path, const std::string& text)
      : CbfReader(path, text)
      , binary_(find_binary(path, text))
      , text_(text) {
    const std::string_view header = std::string_view(text).substr(0, binary_.offset);
    beam_ = attempt([&] { return read_beam(path, header); });
    detector_ = attempt([&] {
      return std::make_shared<const models::Detector>(read_detector(path, header, binary_));
    });
    layout_ = std::make_shared<const models::ImageLayout>(models::ImageLayout{
        {{0, binary_.width, static_cast<int>(binary_.width), static_cast<int>(binary_.height)}},
        binary_.width * binary_.height});
  }
  std::shared_ptr<const models::Detector> detector() const override { return detector_.get(); }
  models::Beam beam(std::int64_t frame) const override {
    require_frame(frame);
    return beam_.get();
  }

private:
  void decode(models::Image& image) override {
    if (!std::holds_alternative<std::vector<std::int32_t>>(image.pixels))
      image.pixels = std::vector<std::int32_t>();
    auto& pixels = std::get<std::vector<std::int32_t>>(image.pixels);
    pixels.resize(layout_->size);
    const auto bytes = std::as_bytes(std::span(text_)).subspan(binary_.offset, binary_.size);
    try {
      decode_byte_offset(bytes, pixels);
    } catch (const core::Error& error) {
      core::fail("cannot read {} ({}) is the file complete?", path_, error.what());
    }
  }

  BinarySection binary_;
  std::string text_; ///< the file
  Attempt<models::Beam> beam_;
  Attempt<std::shared_ptr<const models::Detector>> detector_;
};

} // namespace

std::unique_ptr<ImageReader> open_minicbf(const std::string& path, const std::string& text) {
  return std::make_unique<MiniCbf>(path, text);
}

} // namespace kilobragg::io
