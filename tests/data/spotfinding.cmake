# Strong spots of the real frames beside DIALS's.
kilobragg_test(data_spotfinding SOURCES spotfinding_test.cpp ROOMS io spotfinding LABELS data)
