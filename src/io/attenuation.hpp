// The attenuation in the sensors of a detector, apart from the rest of it.
#pragma once

#include "json_fields.hpp"

#include "kilobragg/models/detector.hpp"

namespace kilobragg::io {

/// Takes the attenuation out of a detector (it is 0 afterwards) and gives it, for put_attenuation().
/// It follows the wavelength with which a file begins: files of one detector differ in nothing else.
Json take_attenuation(models::Detector& detector);
/// The inverse.
void put_attenuation(models::Detector& detector, const Json& attenuation);

} // namespace kilobragg::io
