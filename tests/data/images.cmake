# The image readers on real files.
kilobragg_test(data_images SOURCES images_test.cpp ROOMS io
  LIBS nlohmann_json::nlohmann_json LABELS data)
