// What the pixels of shoeboxes receive, and how that changes with every parameter of a shot.
#pragma once

#include "kernels/diffraction/pixel_moments.hpp"

#include "kilobragg/diffraction/reflections.hpp"
#include "kilobragg/diffraction/renderer.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kilobragg::diffraction {

/// Pixels x0 <= x < x1, y0 <= y < y1 of a panel.
struct Shoebox {
  int panel = 0, x0 = 0, x1 = 0, y0 = 0, y1 = 0;
  std::size_t size() const { return std::size_t(x1 - x0) * std::size_t(y1 - y0); }
};

/// One parameter, as the derivatives of the shot's quantities with respect to it: any parameterisation
/// of orientation, cell, block, detector and beam by the chain rule. Several may be set at once.
struct ParameterDirection {
  CrystalDirection crystal; ///< of lattice `lattice`
  int lattice = 0;
  Vec3 shift; ///< of panel `panel` (mm)
  Vec3 turn;  ///< axis times rad: the panel turns about `pivot` (mm)
  Vec3 pivot;
  int panel = -1;                                     ///< -1 = all
  double wavelength_offset = 0, wavelength_scale = 0; ///< lambda = offset + scale lambda0
  /// Change of B (angstrom^2) of all lattices, I ~ exp(-B inv_d2 / 2); needs ReflectionSphere::inv_d2.
  double b_factor = 0;
};

/// A part of a pixel's intensity that one reflection gives; derivatives to its F are 2 photons / F.
struct Contribution {
  std::uint32_t pixel = 0;      ///< in the order of ShoeboxImage::photons
  std::uint32_t reflection = 0; ///< in the ReflectionSphere
  float photons = 0;
};

/// The pixels of one shot of a ShoeboxImage.
struct ShoeboxView {
  std::span<const double> photons, derivatives; ///< as there
};

/// Pixels shot after shot, box after box, slow, fast.
struct ShoeboxImage {
  std::vector<double> photons; ///< Bragg peaks, without background
  /// [parameter][pixel] of each shot, photons per unit of the parameter.
  std::vector<double> derivatives;
  std::vector<std::size_t> first_pixel; ///< of each shot, and the end
  std::vector<Contribution>
      contributions; ///< if asked for: peak by peak, so that a reflection comes
                     ///< once per lattice, block and direction of the beam

  ShoeboxView of_shot(std::size_t shot) const;
};

struct ShoeboxOptions {
  int oversample = 1;
  double tail = 1e-8; ///< a peak ends where it falls below this part of its height
  bool contributions = false;
};

/// A shot and what of it is modelled.
struct ShoeboxShot {
  Shot shot;
  std::vector<Shoebox> boxes;
  std::vector<ParameterDirection> parameters = {};
  WavelengthShift wavelength = {};
};

/// One of several shots that are modelled together, all with as many parameters.
struct ShoeboxJob {
  const models::Detector* detector = nullptr;
  const models::Beam* beam = nullptr; ///< fixes the polarisation
  const ShoeboxShot* shot = nullptr;
  std::size_t first_reflection = 0, reflections = 0; ///< the shot's part of the list
};

/// The model of Renderer for Gaussian peaks (explicit blocks or mosaic spread in closed form), as
/// r_e^2 fluence scale P Omega c sum_s w_s |F|^2 <F_latt^2>, with polarisation P, solid angle Omega and
/// capture c taken at the middle of the pixel and derived with it. All shots go through each launch
/// together; none changes a bit of another.
/// Panels with parallax record at the mean depth of absorption, that of the middle of each shoebox.
/// Peaks are added also where they overlap: Renderer does so only where they end before the next begins.
/// Where |F|^2 has layers, values take those of the shifted wavelengths; the derivative to the wavelength
/// leaves out the change of |F|^2. Throws core::Error for other shapes, boxes beyond their panel,
/// directions of absent lattices, or options without sense.
ShoeboxImage model_shoeboxes(std::span<const ShoeboxJob> jobs, const DeviceReflections& reflections,
                             const ShoeboxOptions& options);
/// One shot alone, with all reflections; `beam` fixes the polarisation.
ShoeboxImage model_shoeboxes(const models::Detector& detector, const models::Beam& beam,
                             const ShoeboxShot& shot, const DeviceReflections& reflections,
                             const ShoeboxOptions& options);

/// Where a reflection may light a panel.
struct LitBox {
  std::uint32_t reflection = 0; ///< in the ReflectionSphere
  Shoebox box;
};

/// The pixels that each peak of a shot reaches on whole panels, down to `tail` of its height, peak by peak:
/// a reflection comes once per lattice, block, direction of the beam and panel. Takes no time or memory
/// per pixel; the shot's own boxes and parameters do not matter.
std::vector<LitBox> find_lit_boxes(const models::Detector& detector, const ShoeboxShot& shot,
                                   const DeviceReflections& reflections, double tail);

} // namespace kilobragg::diffraction
