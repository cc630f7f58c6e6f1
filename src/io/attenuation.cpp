// Attenuations in a list of pairs: of the panel and of its parallax.
#include "attenuation.hpp"

#include <algorithm>
#include <array>

namespace kilobragg::io {

Json take_attenuation(models::Detector& detector) {
  std::vector<std::array<double, 2>> all;
  for (models::Panel& panel : detector.panels) {
    all.push_back({panel.mu, panel.parallax ? panel.parallax->mu : 0});
    panel.mu = 0;
    if (panel.parallax) panel.parallax->mu = 0;
  }
  // The panels of most detectors have the same sensor: one pair stands for all.
  if (std::adjacent_find(all.begin(), all.end(), std::not_equal_to<>()) == all.end() &&
      !all.empty())
    all.resize(1);
  return all;
}

void put_attenuation(models::Detector& detector, const Json& attenuation) {
  for (std::size_t i = 0; i < detector.panels.size(); ++i) {
    models::Panel& panel = detector.panels[i];
    const Json& pair = attenuation.at(attenuation.size() == 1 ? 0 : i);
    panel.mu = pair.at(0);
    if (panel.parallax) panel.parallax->mu = pair.at(1);
  }
}

} // namespace kilobragg::io
