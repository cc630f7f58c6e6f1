// Tables of the units that NeXus files use.
#include "nexus_units.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <initializer_list>
#include <utility>

namespace kilobragg::io {
namespace {

using Table = std::initializer_list<std::pair<const char*, double>>;

std::optional<double> look_up(const Table& table, std::string unit) {
  for (const auto& [name, factor] : table)
    if (unit == name) return factor;
  // Plurals and capitals ("Degrees", "Angstroms") mean the same; "mM" and "MM" do not occur.
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (unit.size() > 2 && unit.back() == 's') unit.pop_back();
  for (const auto& [name, factor] : table)
    if (unit == name) return factor;
  return std::nullopt;
}

/// Powers of ten, so that factors between units come out exact.
std::optional<double> metre_exponent(const std::string& unit) {
  return look_up({{"m", 0},          {"metre", 0},          {"meter", 0},
                  {"cm", -2},        {"centimetre", -2},    {"centimeter", -2},
                  {"mm", -3},        {"millimetre", -3},    {"millimeter", -3},
                  {"um", -6},        {"\xc2\xb5m", -6},     {"\xce\xbcm", -6},
                  {"micron", -6},    {"micrometre", -6},    {"micrometer", -6},
                  {"nm", -9},        {"nanometre", -9},     {"nanometer", -9},
                  {"angstrom", -10}, {"ang", -10},          {"a", -10},
                  {"\xc3\x85", -10}, {"\xe2\x84\xab", -10}, {"pm", -12}},
                 unit);
}

std::optional<double> length_factor(const std::string& unit, double metre) {
  const auto exponent = metre_exponent(unit);
  return exponent ? std::optional(std::pow(10.0, *exponent + metre)) : std::nullopt;
}

} // namespace

std::optional<double> millimetres_per(const std::string& unit) { return length_factor(unit, 3); }

std::optional<double> angstroms_per(const std::string& unit) { return length_factor(unit, 10); }

std::optional<double> radians_per(const std::string& unit) {
  return look_up({{"deg", core::degree},
                  {"degree", core::degree},
                  {"\xc2\xb0", core::degree},
                  {"rad", 1.0},
                  {"radian", 1.0},
                  {"mrad", 1e-3},
                  {"milliradian", 1e-3}},
                 unit);
}

std::optional<double> electronvolts_per(const std::string& unit) {
  return look_up(
      {{"eV", 1.0}, {"ev", 1.0}, {"keV", 1e3}, {"kev", 1e3}, {"J", 6.241509074460763e18}}, unit);
}

} // namespace kilobragg::io
