// How many numbers a work item of the forward model computes at once.
#pragma once

#include "kernels/device.hpp"
#include "kernels/diffraction/wide.hpp"

namespace kilobragg::diffraction {

/// Eight on the host, one per thread on a GPU.
using DeviceLane = std::conditional_t<on_host, Wide, double>;

} // namespace kilobragg::diffraction
