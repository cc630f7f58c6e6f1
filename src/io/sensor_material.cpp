// Mass attenuation coefficients of detector sensors, NIST Standard Reference Database 126.
#include "kilobragg/io/sensor_material.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

namespace kilobragg::io {
namespace {

/// Photon energy (keV) and mass attenuation coefficient (cm^2/g); an absorption edge stands twice.
struct Point {
  double energy, mu_rho;
};

// J. H. Hubbell and S. M. Seltzer, Tables of X-Ray Mass Attenuation Coefficients, tables 3 and 4.
constexpr Point silicon[] = {{2, 2777},    {3, 978.4},   {4, 452.9},   {5, 245},     {6, 147},
                             {8, 64.68},   {10, 33.89},  {15, 10.34},  {20, 4.464},  {30, 1.436},
                             {40, 0.7012}, {50, 0.4385}, {60, 0.3207}, {80, 0.2228}, {100, 0.1835}};
constexpr Point cadmium_telluride[] = {
    {2, 1664},       {3, 614.6},      {3.537, 406.4}, {3.537, 778.7},  {3.631, 730},
    {3.727, 684},    {3.727, 860.1},  {4, 723},       {4.018, 715.1},  {4.018, 793.4},
    {4.177, 722.1},  {4.341, 656.2},  {4.341, 932.8}, {4.475, 873.9},  {4.612, 813.5},
    {4.612, 943.8},  {4.773, 870.2},  {4.939, 799.9}, {4.939, 865.3},  {5, 839.2},
    {6, 528.6},      {8, 249.2},      {10, 138.1},    {15, 46.57},     {20, 21.44},
    {26.711, 9.834}, {26.711, 29.43}, {30, 21.82},    {31.814, 18.73}, {31.814, 34.92},
    {40, 19.3},      {50, 10.67},     {60, 6.542},    {80, 3.019},     {100, 1.671}};
constexpr Point gallium_arsenide[] = {
    {2, 2731},        {3, 970.2},       {4, 453.9},       {5, 249.5},     {6, 152.4},
    {8, 69.6},        {10, 37.8},       {10.3671, 34.25}, {10.3671, 126}, {11.0916, 105.9},
    {11.8667, 88.99}, {11.8667, 168.5}, {15, 92.2},       {20, 42.58},    {30, 13.97},
    {40, 6.262},      {50, 3.365},      {60, 2.042},      {80, 0.9587},   {100, 0.5598}};

double interpolate(std::span<const Point> table, double energy) {
  const auto above = std::upper_bound(table.begin(), table.end(), energy,
                                      [](double e, const Point& p) { return e < p.energy; });
  const Point b = above == table.end() ? table.back() : *above;
  const Point a = above == table.end() ? *std::prev(above, 2) : *std::prev(above);
  const double t = std::log(energy / a.energy) / std::log(b.energy / a.energy);
  return a.mu_rho * std::pow(b.mu_rho / a.mu_rho, t);
}

} // namespace

std::string canonical_material(const std::string& material) {
  return material == "Silicon" || material == "silicon" ? "Si" : material;
}

std::optional<double> attenuation_per_mm(const std::string& material, double wavelength) {
  const double energy = core::ev_angstrom / wavelength / 1000;
  if (!(energy >= 2 && energy <= 100)) return std::nullopt;
  constexpr double per_cm_to_per_mm = 0.1;
  const std::string name = canonical_material(material);
  if (name == "Si") return per_cm_to_per_mm * 2.33 * interpolate(silicon, energy);
  if (name == "CdTe") return per_cm_to_per_mm * 6.2 * interpolate(cadmium_telluride, energy);
  if (name == "GaAs") return per_cm_to_per_mm * 5.32 * interpolate(gallium_arsenide, energy);
  return std::nullopt;
}

} // namespace kilobragg::io
