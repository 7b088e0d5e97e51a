// A first layer that whitens: over the patches of the training images its outputs are uncorrelated and have variance 1,
// which makes training faster (Jordan 2024, arXiv 2404.00498).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include <tenon/data.hpp>

namespace whitening {

inline constexpr std::size_t size = 12;
using Matrix = std::array<std::array<double, size>, size>;

/// Diagonalizes a symmetric matrix by Jacobi's rotations; column k of `vectors` is then the eigenvector of the
/// eigenvalue matrix[k][k].
inline void diagonalize(Matrix& matrix, Matrix& vectors) {
    for (std::size_t i = 0; i < size; ++i)
        for (std::size_t j = 0; j < size; ++j) vectors[i][j] = i == j ? 1 : 0;
    constexpr int max_sweeps = 50;
    for (int sweep = 0; sweep < max_sweeps; ++sweep) {
        double rest = 0;
        for (std::size_t p = 0; p < size; ++p)
            for (std::size_t q = p + 1; q < size; ++q) {
                rest += std::abs(matrix[p][q]);
                if (matrix[p][q] == 0) continue;
                const double angle = 0.5 * std::atan2(2 * matrix[p][q], matrix[q][q] - matrix[p][p]);
                const double c = std::cos(angle), s = std::sin(angle);
                const auto rotate = [c, s](double& a, double& b) {
                    const double old = a;
                    a = c * old - s * b;
                    b = s * old + c * b;
                };
                for (std::size_t k = 0; k < size; ++k) rotate(matrix[k][p], matrix[k][q]);
                for (std::size_t k = 0; k < size; ++k) rotate(matrix[p][k], matrix[q][k]);
                for (std::size_t k = 0; k < size; ++k) rotate(vectors[k][p], vectors[k][q]);
            }
        if (rest < 1e-13) break;
    }
}

/// The covariance of the patches of 2 x 2 pixels (channel, row, column) of the first images.
inline Matrix patch_covariance(const tenon::ImageDataset& dataset, std::size_t images) {
    Matrix sum{};
    double patches = 0;
    const auto height = static_cast<std::size_t>(dataset.shape.height);
    const auto width = static_cast<std::size_t>(dataset.shape.width);
    for (std::size_t n = 0; n < std::min(images, dataset.size()); ++n) {
        const std::span<const std::uint8_t> image = dataset.image(n);
        for (std::size_t y = 0; y + 1 < height; ++y)
            for (std::size_t x = 0; x + 1 < width; ++x, ++patches) {
                std::array<double, size> patch{};
                for (std::size_t i = 0; i < size; ++i) {
                    const std::size_t channel = i / 4, row = y + i / 2 % 2, column = x + i % 2;
                    patch[i] =
                        (image[(channel * height + row) * width + column] / 255.0 - tenon::cifar10_mean[channel]) /
                        tenon::cifar10_deviation[channel];
                }
                for (std::size_t i = 0; i < size; ++i)
                    for (std::size_t j = 0; j < size; ++j) sum[i][j] += patch[i] * patch[j];
            }
    }
    for (auto& row : sum)
        for (double& value : row) value /= patches;
    return sum;
}

/// Writes the weights [24, 3, 2, 2] of a convolution that projects patches of 2 x 2 pixels onto their 12 principal
/// directions, each scaled to variance 1, and onto the 12 negated ones, since a ReLU follows. The directions are those
/// of the first 5,000 images.
inline void write_weights(const tenon::ImageDataset& dataset, std::span<float> weights) {
    constexpr double epsilon = 5e-4;
    Matrix covariance = patch_covariance(dataset, 5000), directions{};
    diagonalize(covariance, directions);
    for (std::size_t k = 0; k < size; ++k)
        for (std::size_t i = 0; i < size; ++i) {
            const double weight = directions[i][k] / std::sqrt(covariance[k][k] + epsilon);
            weights[k * size + i] = static_cast<float>(weight);
            weights[(k + size) * size + i] = static_cast<float>(-weight);
        }
}

}  // namespace whitening
