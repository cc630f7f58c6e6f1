# Cutting the shoeboxes of one shot.
kilobragg_bench(pixelrefinement SOURCES shoeboxes_bench.cpp ROOMS pixelrefinement)
