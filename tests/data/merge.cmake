# Merging real and simulated data: without a reference, and like cctbx.xfel.merge with one.
kilobragg_test(data_merge_self_scaling SOURCES merge_self_scaling_test.cpp
  ROOMS merging LIBS nlohmann_json::nlohmann_json LABELS data)
kilobragg_test(data_merge_parity SOURCES merge_parity_test.cpp
  ROOMS programs LIBS nlohmann_json::nlohmann_json LABELS data)
kilobragg_test(data_merge_from_images SOURCES merge_from_images_test.cpp
  ROOMS programs LIBS nlohmann_json::nlohmann_json LABELS data)
# Refinement against pixels on the nanoBragg images, with the spectra of their shots.
kilobragg_test(data_merge_pixels SOURCES merge_pixels_test.cpp
  ROOMS programs LIBS nlohmann_json::nlohmann_json LABELS data)
