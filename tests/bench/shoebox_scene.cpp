// Values and derivatives of a scene that scripts/bench/diffbragg.py describes, and their CPU seconds.
#include "kilobragg/core/error.hpp"
#include "kilobragg/diffraction/shoebox_model.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace kilobragg;
using nlohmann::json;

Vec3 vector_of(const json& j) { return {j.at(0), j.at(1), j.at(2)}; }

Mat3 matrix_of(const json& j) {
  Mat3 m;
  for (std::size_t i = 0; i < 9; ++i) m.m[i] = j.at(i);
  return m;
}

models::Detector detector_of(const json& scene) {
  models::Detector detector;
  for (const json& j : scene.at("panels")) {
    models::Panel panel;
    panel.frame = {vector_of(j.at("fast")), vector_of(j.at("slow")), vector_of(j.at("origin"))};
    panel.pixel_size = {j.at("pixel"), j.at("pixel")};
    panel.image_size = j.at("size");
    detector.panels.push_back(panel);
  }
  return detector;
}

models::Beam beam_of(const json& j) {
  models::Beam beam;
  beam.direction = vector_of(j.at("direction"));
  beam.polarization_normal = vector_of(j.at("polarization_normal"));
  beam.polarization_fraction = j.at("polarization_fraction");
  beam.spectrum = {j.at("wavelengths"), j.at("weights")};
  beam.wavelength = beam.spectrum.mean_wavelength();
  return beam;
}

diffraction::Shot shot_of(const json& scene, bool closed_form) {
  const json& j = scene.at("crystal");
  diffraction::ShotLattice lattice;
  lattice.crystal.a_matrix = matrix_of(j.at("a_matrix"));
  lattice.size = matrix_of(j.at("size"));
  lattice.fudge = j.at("fudge");
  lattice.scale = scene.at("scale");
  if (closed_form)
    lattice.rotation = matrix_of(j.at("spread"));
  else
    for (const json& block : j.at("blocks")) lattice.blocks.push_back(matrix_of(block));
  diffraction::Shot shot;
  shot.beam = beam_of(scene.at("beam"));
  shot.fluence = scene.at("fluence");
  shot.lattices.push_back(lattice);
  return shot;
}

diffraction::ReflectionSphere sphere_of(const json& scene) {
  diffraction::ReflectionSphere sphere;
  for (const json& j : scene.at("reflections")) {
    sphere.hkl.push_back({j.at(0), j.at(1), j.at(2)});
    sphere.f_squared.push_back(j.at(3));
  }
  return sphere;
}

std::vector<diffraction::Shoebox> boxes_of(const json& scene) {
  std::vector<diffraction::Shoebox> boxes;
  for (const json& j : scene.at("boxes"))
    boxes.push_back({j.at(0), j.at(1), j.at(2), j.at(3), j.at(4)});
  return boxes;
}

/// Families and indices are for programs with parameters of their own; here the derivatives count.
std::vector<diffraction::ParameterDirection> parameters_of(const json& scene) {
  std::vector<diffraction::ParameterDirection> parameters;
  for (const json& j : scene.at("parameters")) {
    diffraction::ParameterDirection p;
    if (j.contains("a_matrix")) p.crystal.a_matrix = matrix_of(j.at("a_matrix"));
    if (j.contains("size")) p.crystal.size = matrix_of(j.at("size"));
    if (j.contains("spread")) p.crystal.rotation = matrix_of(j.at("spread"));
    if (j.contains("shift")) p.shift = vector_of(j.at("shift"));
    p.wavelength_offset = j.value("wavelength_offset", 0.0);
    p.wavelength_scale = j.value("wavelength_scale", 0.0);
    parameters.push_back(p);
  }
  return parameters;
}

void write(const std::string& path, const diffraction::ShoeboxImage& image) {
  std::ofstream file(path, std::ios::binary);
  for (const auto* values : {&image.photons, &image.derivatives})
    file.write(reinterpret_cast<const char*>(values->data()),
               static_cast<std::streamsize>(values->size() * sizeof(double)));
  core::require(file.good(), "{} cannot be written", path);
}

void run(const std::string& path, const std::string& out, bool closed_form) {
  std::ifstream file(path);
  core::require(file.good(), "{} cannot be read", path);
  const json scene = json::parse(file);
  const models::Detector detector = detector_of(scene);
  const diffraction::Shot shot = shot_of(scene, closed_form);
  const diffraction::DeviceReflections reflections(sphere_of(scene));
  const diffraction::ShoeboxShot model{shot, boxes_of(scene), parameters_of(scene)};
  diffraction::ShoeboxOptions options;
  options.oversample = scene.at("oversample");
  options.tail = scene.at("tail");
  diffraction::ShoeboxImage image;
  double best = 0;
  for (int i = 0; i < scene.at("repeats"); ++i) {
    const std::clock_t start = std::clock();
    image = model_shoeboxes(detector, shot.beam, model, reflections, options);
    const double seconds = double(std::clock() - start) / CLOCKS_PER_SEC;
    best = i == 0 ? seconds : std::min(best, seconds);
  }
  write(out, image);
  std::printf("%.6f s\n", best);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s scene.json values.bin [closed]\n", argv[0]);
    return 2;
  }
  try {
    run(argv[1], argv[2], argc > 3 && std::string(argv[3]) == "closed");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
