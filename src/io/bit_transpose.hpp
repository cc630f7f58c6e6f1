// Bit transposes between bit planes and elements, the inner loops of bitshuffle.
#pragma once

#include <cstddef>

namespace kilobragg::io {

/// Planes to elements. `planes`: 8 * element_size planes of count / 8 bytes, plane b holding bit b of
/// every element (least significant first, eight elements to a byte). `out`: count elements.
/// count is a multiple of 8; element_size 1, 2, 4 or 8. The spans must not overlap.
using BitUntranspose = void (*)(const std::byte* planes, std::byte* out, std::size_t count,
                                std::size_t element_size);

void bit_untranspose_portable(const std::byte* planes, std::byte* out, std::size_t count,
                              std::size_t element_size);
/// Elements to planes, the inverse; only writers use it, so it has no vector form.
void bit_transpose_portable(const std::byte* elements, std::byte* planes, std::size_t count,
                            std::size_t element_size);

/// The AVX2 form, or null where this processor or this build has none.
BitUntranspose bit_untranspose_avx2();

} // namespace kilobragg::io
