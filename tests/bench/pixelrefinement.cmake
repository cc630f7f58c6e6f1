# Cutting the shoeboxes of one shot.
kilobragg_bench(pixelrefinement SOURCES shoeboxes_bench.cpp ROOMS pixelrefinement)

# Refining one shot against them.
kilobragg_bench(stage1 SOURCES stage1_bench.cpp ROOMS pixelrefinement)
