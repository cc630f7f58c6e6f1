# Integration by a pixel model on frames of nanoBragg: orientations and intensities.
kilobragg_test(data_model_integration SOURCES model_integration_test.cpp stills_reference.cpp
  ROOMS io pipeline LIBS nlohmann_json::nlohmann_json LABELS data)
