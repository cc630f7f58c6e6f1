# Shoeboxes of real frames beside DIALS's integrated intensities.
kilobragg_test(data_shoeboxes SOURCES shoeboxes_test.cpp ROOMS io pixelrefinement LABELS data)
