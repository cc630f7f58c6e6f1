// Joins the reflections of several shots into one list, and lights them by as few launches as can be.
#include "kilobragg/pixelrefinement/shot_light.hpp"

#include "kernels/device.hpp"

#include <algorithm>
#include <map>

namespace kilobragg::pixelrefinement {
namespace {

/// Reflections of all shots, each layer shot after shot.
diffraction::ReflectionSphere join(std::span<const LightRequest* const> requests) {
  diffraction::ReflectionSphere all;
  all.energies = requests[0]->sphere.energies;
  for (const LightRequest* request : requests) {
    const diffraction::ReflectionSphere& own = request->sphere;
    all.hkl.insert(all.hkl.end(), own.hkl.begin(), own.hkl.end());
    all.inv_d2.insert(all.inv_d2.end(), own.inv_d2.begin(), own.inv_d2.end());
  }
  const std::size_t layers = std::max<std::size_t>(1, all.energies.size());
  for (std::size_t layer = 0; layer < layers; ++layer)
    for (const LightRequest* request : requests) {
      const diffraction::ReflectionSphere& own = request->sphere;
      const auto begin = own.f_squared.begin() + std::ptrdiff_t(layer * own.size());
      all.f_squared.insert(all.f_squared.end(), begin, begin + std::ptrdiff_t(own.size()));
    }
  return all;
}

diffraction::ShoeboxImage launch(std::span<const LightRequest* const> requests,
                                 const diffraction::ShoeboxOptions& options) {
  std::vector<diffraction::ShoeboxJob> jobs;
  std::size_t first = 0;
  for (const LightRequest* request : requests) {
    const std::size_t count = request->sphere.size();
    jobs.push_back(
        {request->detector.get(), &request->shot.shot.beam, &request->shot, first, count});
    first += count;
  }
  if (requests.size() == 1)
    return model_shoeboxes(jobs, diffraction::DeviceReflections(requests[0]->sphere), options);
  return model_shoeboxes(jobs, diffraction::DeviceReflections(join(requests)), options);
}

} // namespace

std::size_t shots_that_fill_the_device() { return on_host ? 1 : 32; }

ShotLight model_light(std::span<const LightRequest> requests,
                      const diffraction::ShoeboxOptions& options) {
  std::map<std::size_t, std::vector<std::size_t>> of_parameters;
  for (std::size_t i = 0; i < requests.size(); ++i)
    if (!requests[i].shot.boxes.empty())
      of_parameters[requests[i].shot.parameters.size()].push_back(i);
  ShotLight light;
  light.of_request.resize(requests.size());
  light.images.reserve(of_parameters.size()); // views stay valid
  for (const auto& [parameters, members] : of_parameters) {
    std::vector<const LightRequest*> together;
    for (const std::size_t i : members) together.push_back(&requests[i]);
    light.images.push_back(launch(together, options));
    for (std::size_t k = 0; k < members.size(); ++k)
      light.of_request[members[k]] = light.images.back().of_shot(k);
  }
  return light;
}

} // namespace kilobragg::pixelrefinement
