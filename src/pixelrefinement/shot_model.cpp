// Words of shot states, and a shot's detector where its distance was refined.
#include "kilobragg/pixelrefinement/shot_model.hpp"

namespace kilobragg::pixelrefinement {

const char* word_of(ShotState state) {
  switch (state) {
  case ShotState::Fresh:
    return "fresh";
  case ShotState::Refined:
    return "refined";
  case ShotState::Limit:
    return "limit";
  case ShotState::NoPixels:
    return "no_pixels";
  case ShotState::NotFinite:
    return "not_finite";
  case ShotState::Singular:
    return "singular";
  case ShotState::BadFit:
    return "bad_fit";
  case ShotState::Contradiction:
    return "contradiction";
  }
  return "unknown";
}

std::shared_ptr<const models::Detector> moved_detector(const ShotModel& shot) {
  if (shot.distance == 0) return shot.detector;
  auto detector = std::make_shared<models::Detector>(*shot.detector);
  const Vec3 shift = -shot.distance * unit(shot.beam.direction);
  for (models::Panel& panel : detector->panels) panel.frame.origin += shift;
  return detector;
}

} // namespace kilobragg::pixelrefinement
