// Beam, crystal and profile to and from dxtbx's JSON.
#include "model_json.hpp"

namespace kilobragg::io {

Json beam_to_json(const models::Beam& beam) {
  return {{"__id__", "monochromatic"},
          {"probe", "x-ray"},
          {"direction", to_json(beam.direction)},
          {"wavelength", beam.wavelength},
          {"divergence", beam.divergence},
          {"sigma_divergence", beam.sigma_divergence},
          {"polarization_normal", to_json(beam.polarization_normal)},
          {"polarization_fraction", beam.polarization_fraction},
          {"flux", beam.flux},
          {"transmission", beam.transmission}};
}

models::Beam beam_from_json(const JsonPlace& place) {
  models::Beam beam;
  beam.direction = place.vec3("direction");
  if (norm(beam.direction) <= 0) place.bad("has a 'direction' of length zero");
  beam.direction = unit(beam.direction);
  beam.wavelength = place.get<double>("wavelength");
  if (!(beam.wavelength > 0)) place.bad(fmt::format("has wavelength {}", beam.wavelength));
  beam.divergence = place.get_or("divergence", beam.divergence);
  beam.sigma_divergence = place.get_or("sigma_divergence", beam.sigma_divergence);
  if (place.has("polarization_normal"))
    beam.polarization_normal = place.vec3("polarization_normal");
  beam.polarization_fraction = place.get_or("polarization_fraction", beam.polarization_fraction);
  beam.flux = place.get_or("flux", beam.flux);
  beam.transmission = place.get_or("transmission", beam.transmission);
  return beam;
}

Json crystal_to_json(const models::Crystal& crystal) {
  const Mat3 axes = crystal.real_space();
  Json json = {{"__id__", "crystal"},
               {"real_space_a", to_json(axes.row(0))},
               {"real_space_b", to_json(axes.row(1))},
               {"real_space_c", to_json(axes.row(2))},
               {"space_group_hall_symbol", crystal.space_group.hall()}};
  if (crystal.mosaicity) {
    json["ML_half_mosaicity_deg"] = crystal.mosaicity->half_mosaicity_deg;
    json["ML_domain_size_ang"] = crystal.mosaicity->domain_size_angstrom;
  }
  return json;
}

namespace {

models::SpaceGroup space_group_from_json(const JsonPlace& place) {
  const auto symbol = place.as<std::string>();
  try {
    return models::SpaceGroup(symbol);
  } catch (const core::Error& error) {
    place.bad(fmt::format("is no space group: {}", error.what()));
  }
}

} // namespace

models::Crystal crystal_from_json(const JsonPlace& place) {
  const Vec3 a = place.vec3("real_space_a"), b = place.vec3("real_space_b"),
             c = place.vec3("real_space_c");
  const double volume = dot(a, cross(b, c));
  if (!(std::abs(volume) > 1e-6)) place.bad("has axes a, b, c that span no volume");
  auto crystal = models::Crystal::from_real_space(
      a, b, c, space_group_from_json(place.need("space_group_hall_symbol")));
  if (place.has("ML_half_mosaicity_deg") && place.has("ML_domain_size_ang"))
    crystal.mosaicity = models::Mosaicity{place.get<double>("ML_half_mosaicity_deg"),
                                          place.get<double>("ML_domain_size_ang")};
  return crystal;
}

Json profile_to_json(const models::GaussianProfile& profile) {
  return {{"__id__", "gaussian_rs"},
          {"n_sigma", profile.n_sigma},
          {"sigma_b", profile.sigma_b_deg},
          {"sigma_m", profile.sigma_m_deg}};
}

std::optional<models::GaussianProfile> profile_from_json(const JsonPlace& place) {
  if (place.get_or<std::string>("__id__", "") != "gaussian_rs") return std::nullopt;
  // Scan-varying profiles hold lists, which no still has.
  if (place.has("sigma_b") && !place.need("sigma_b").value.is_number()) return std::nullopt;
  models::GaussianProfile profile;
  profile.n_sigma = place.get_or("n_sigma", profile.n_sigma);
  profile.sigma_b_deg = place.get_or("sigma_b", profile.sigma_b_deg);
  profile.sigma_m_deg = place.get_or("sigma_m", profile.sigma_m_deg);
  return profile;
}

} // namespace kilobragg::io
