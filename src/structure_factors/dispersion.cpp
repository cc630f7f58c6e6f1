// Anomalous dispersion: f' and f'' of the elements against photon energy, calculated or from a table.
#include "kilobragg/structure_factors/dispersion.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

#include <gemmi/elem.hpp>
#include <gemmi/fprime.hpp>

#include <algorithm>
#include <array>
#include <sstream>

namespace kilobragg::structure_factors {

Dispersion calculated_dispersion(std::string_view element, double energy_ev) {
  const int z = gemmi::Element(std::string(element)).atomic_number();
  core::require(z >= 1 && z <= 92, "no anomalous dispersion of '{}' (no element up to uranium)",
                element);
  core::require(energy_ev > 0, "no anomalous dispersion at {} eV (must be positive)", energy_ev);
  Dispersion value;
  value.f_prime = gemmi::cromer_liberman(z, energy_ev, &value.f_double_prime);
  return value;
}

bool DispersionTable::covers(double energy_ev) const {
  return !energy.empty() && energy_ev >= energy.front() && energy_ev <= energy.back();
}

Dispersion DispersionTable::at(double energy_ev) const {
  core::require(covers(energy_ev),
                "the table of f' and f'' of {} does not reach {:.1f} eV (it is of {:.1f} to {:.1f} "
                "eV)",
                element, energy_ev, energy.empty() ? 0 : energy.front(),
                energy.empty() ? 0 : energy.back());
  const auto above = std::lower_bound(energy.begin(), energy.end(), energy_ev);
  const auto i = static_cast<std::size_t>(above - energy.begin());
  if (*above == energy_ev) return {f_prime[i], f_double_prime[i]};
  const double part = (energy_ev - energy[i - 1]) / (energy[i] - energy[i - 1]);
  return {f_prime[i - 1] + part * (f_prime[i] - f_prime[i - 1]),
          f_double_prime[i - 1] + part * (f_double_prime[i] - f_double_prime[i - 1])};
}

DispersionTable read_dispersion_table(const std::string& path, const std::string& element) {
  std::istringstream text(core::read_text_file(path));
  std::vector<std::array<double, 3>> rows;
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    std::istringstream words(line);
    std::array<double, 3> row{};
    core::require(static_cast<bool>(words >> row[0] >> row[1] >> row[2]) && row[0] > 0,
                  "{}:{}: '{}' is no line \"energy f' f''\" (eV, electrons)", path, number, line);
    rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end());
  const gemmi::Element known(element);
  core::require(known.atomic_number() > 0, "a table of f' and f'' for '{}' (no element)", element);
  DispersionTable table{known.name(), {}, {}, {}};
  bool absorbs = false;
  for (const auto& [energy, f_prime, f_double_prime] : rows) {
    core::require(table.energy.empty() || energy > table.energy.back(),
                  "{} has two lines for {} eV", path, energy);
    table.energy.push_back(energy);
    table.f_prime.push_back(f_prime);
    table.f_double_prime.push_back(f_double_prime);
    absorbs = absorbs || f_double_prime > 0;
  }
  core::require(absorbs,
                "{} is no table of f' and f'' (no line has f'' > 0) are the columns energy, f', "
                "f''?",
                path);
  return table;
}

Dispersion DispersionSource::at(std::string_view element, double energy_ev) const {
  for (const DispersionTable& table : tables)
    if (table.element == element) return table.at(energy_ev);
  return calculated_dispersion(element, energy_ev);
}

} // namespace kilobragg::structure_factors
