// What grimace embed writes: features as a NumPy file and as CSV, and a picture of two dimensions.
#pragma once

#include <string>
#include <vector>

#include "data/image.h"
#include "tools/projection.h"

namespace grimace {

// NumPy's format, version 1.0: little-endian f32 [N,C], row-major.
std::string npy_bytes(const Tensor& features);

// path,label,f0,f1,...: `labels` are empty where unknown.
std::string features_csv(const std::vector<std::string>& paths,
                         const std::vector<std::string>& labels, const Tensor& features);

// A dot for each point, coloured by its label, with a legend; grey where the label is empty.
Image scatter_picture(const std::vector<Point>& points, const std::vector<std::string>& labels,
                      const std::string& title);

}  // namespace grimace
