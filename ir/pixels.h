// How pixels in [0,1] are normalised, per colour: the mean and deviation of ImageNet (spec 8.2),
// for the pipelines that apply them and the target that undoes them.
#pragma once

#include <array>

namespace grimace {

template <typename T>
constexpr std::array<T, 3> kPixelMean{T(0.485), T(0.456), T(0.406)};
template <typename T>
constexpr std::array<T, 3> kPixelStd{T(0.229), T(0.224), T(0.225)};

// Added to the deviation of a cube that a target divides by (spec 5.1).
constexpr double kCubeSigmaEps = 1e-6;

}  // namespace grimace
