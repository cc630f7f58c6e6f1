// The two ways of adding lattices to images, private to the diffraction room.
#pragma once

#include "beam_channels.hpp"
#include "pixel_tables.hpp"

#include "kernels/diffraction/light_tiles.hpp"

#include "kilobragg/diffraction/reflections.hpp"

#include <optional>
#include <span>
#include <vector>

namespace kilobragg::diffraction {

/// Reflections on the device: a list, and a box of indices for those who ask.
struct DeviceReflections::State {
  std::vector<models::Miller> host_hkl;
  DeviceArray<MillerIndex> hkl;
  DeviceArray<double> f_squared; ///< layer by layer
  DeviceArray<float> inv_d2;     ///< empty if not known
  ReflectionView list;
  std::vector<double> energies; ///< eV; empty = one layer

  /// Made at the first call. Throws core::Error for 2^31 points or more.
  const AmplitudeGridView& grid() const;

private:
  mutable DeviceArray<std::int32_t> box_; ///< number of each point's reflection
  mutable DeviceArray<float> rounded_;    ///< f_squared
  mutable AmplitudeGridView grid_;
};

/// Layers of |F|^2 for each channel; empty if there is one layer alone.
std::vector<LayerMix> mix_layers(const DeviceReflections::State& reflections,
                                 const ShotChannels& channels);

/// Whether a lattice's peaks end before the next lattice point is nearer, so that each can be lit alone.
bool peaks_end(const ShotLattice& lattice, double tail);

/// A lattice of one of several shots.
struct LatticeOfShot {
  std::int32_t shot = 0;
  const ShotLattice* lattice = nullptr;
  double per_f = 0;                                    ///< r_e^2 times photons/m^2 times the scale
  std::int32_t number = 0;                             ///< among the lattices of its shot
  std::int32_t first_reflection = 0, reflections = -1; ///< its part of the list; -1 = all of it
};

/// What peaks of several shots come from, kept on the device while they are lit.
class PeakSupply {
public:
  /// Candidates of all lattices, sorted by shot, are found here. `chi2_end`: where peaks end at the latest.
  PeakSupply(const std::vector<LatticeOfShot>& lattices, const std::vector<ShotChannels>& channels,
             const DeviceReflections::State& reflections, double chi2_end);

  /// Everything but panels, windows, tail and floor.
  const PeakSources& sources() const { return sources_; }
  std::int64_t jobs() const { return shot_end_.empty() ? 0 : shot_end_.back(); }
  /// Jobs begin <= i < end of launches of `most` each: whole shots, or parts of one cut where they would be
  /// were it alone, so that no shot's sums depend on others.
  std::vector<std::pair<std::int64_t, std::int64_t>> launches(std::int64_t most) const;
  std::int32_t channels() const { return most_channels_; }

private:
  void add_spectra(const std::vector<ShotChannels>& channels,
                   const DeviceReflections::State& reflections);
  /// Returns how many candidates each lattice has.
  std::vector<std::int32_t> search(const std::vector<LatticeOfShot>& lattices,
                                   const std::vector<ShotChannels>& channels,
                                   const ReflectionView& reflections, double chi2_end);
  void add_lattices(const std::vector<LatticeOfShot>& lattices,
                    const std::vector<ShotChannels>& channels,
                    const std::vector<std::int32_t>& candidates);

  PeakSources sources_;
  std::vector<std::int64_t> shot_end_; ///< of the jobs of each shot
  std::int32_t most_channels_ = 0;
  DeviceArray<double> wave_numbers_, weights_;
  DeviceArray<LayerMix> mixes_;
  DeviceArray<ShotSpectrum> spectra_;
  DeviceArray<LatticeJob> lattices_;
  DeviceArray<BlockPeaks> blocks_;
  DeviceArray<DirectionPart> directions_;
  Candidates candidates_;
};

/// Windows on the device: all panels of some images, or shoeboxes, sorted by shot and panel.
struct WindowSet {
  DeviceArray<PanelCone> panels;
  DeviceArray<Window> windows;
  DeviceArray<std::int32_t> first_window; ///< [shot][panel], and the end
  DeviceArray<std::int32_t> tile_window;  ///< of each tile
  std::int32_t panel_count = 0, tiles = 0;
};
/// `windows`, one image and panel after another, are sorted and get their tiles here.
WindowSet make_window_set(const std::vector<PanelCone>& panels, std::vector<Window> windows,
                          const std::vector<std::int32_t>& first_window);
/// `sources` then look for spots in these windows.
void set_windows(const WindowSet& set, PeakSources& sources);

/// Lights the pixels that Gaussian and tophat peaks reach, in images one after another.
class SpotLight {
public:
  SpotLight(const PixelTables& tables, const DeviceArray<float>& factor,
            const RenderParams& params);
  RenderCounts light(const std::vector<LatticeOfShot>& lattices,
                     const std::vector<ShotChannels>& channels,
                     const DeviceReflections::State& reflections, bool tophat, float* photons);

private:
  void set_images(std::size_t count);

  const PixelTables& tables_;
  RenderParams params_;
  DeviceArray<float> factor_;
  double brightest_ = 0; ///< factor
  std::size_t images_ = 0;
  WindowSet windows_;
  SpotLists spots_;
  TileLists tiles_;
  DeviceArray<PlaneOfPeak> planes_;
};

/// Evaluates every pixel of one image at the nearest lattice point: any shape, explicit blocks only.
RenderCounts light_all_pixels(const PixelTables& tables, const DeviceArray<float>& factor,
                              const RenderParams& params, const ShotChannels& channels,
                              const ShotLattice& lattice, double per_f,
                              const DeviceReflections::State& reflections, float* photons);

} // namespace kilobragg::diffraction
