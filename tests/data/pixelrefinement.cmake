# Shoeboxes of real frames beside DIALS's integrated intensities.
kilobragg_test(data_shoeboxes SOURCES shoeboxes_test.cpp ROOMS io pixelrefinement LABELS data)
# Real stills through stage 1.
kilobragg_test(data_pixel_stills SOURCES pixel_stills_test.cpp
  ROOMS indexing io pixelrefinement structure_factors
  LIBS nlohmann_json::nlohmann_json LABELS data)
