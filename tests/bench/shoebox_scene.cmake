# Shoeboxes of a scene that other programs can compute too.
kilobragg_bench(shoebox_scene SOURCES shoebox_scene.cpp ROOMS diffraction LIBS nlohmann_json::nlohmann_json)
