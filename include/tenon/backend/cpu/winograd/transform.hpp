#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The transforms of F(2x2, 3x3) and F(4x4, 3x3) (Lavin and Gray 2016): of filters in double, of inputs and outputs in
// vectors; and their transposes, which compute the gradients of filters.

#include <tenon/backend/cpu/simd/vector.hpp>
#include <tenon/backend/shared/namespaces.hpp>
#include <tenon/core/index.hpp>

namespace tenon::cpu {
inline namespace TENON_ISA_NAMESPACE {

/// The one-dimensional transforms for M outputs; two dimensions are two passes. `gradient` is the transpose of
/// `output`.
template <int M>
struct WinogradTransform;

/// Points 0, 1, -1 and infinity: additions only.
template <>
struct WinogradTransform<2> {
    static constexpr double filter[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

    TENON_INLINE static void input(const Vector (&d)[4], Vector (&t)[4]) {
        t[0] = subtract(d[0], d[2]);
        t[1] = add(d[1], d[2]);
        t[2] = subtract(d[2], d[1]);
        t[3] = subtract(d[1], d[3]);
    }
    TENON_INLINE static void output(const Vector (&m)[4], Vector (&y)[2]) {
        y[0] = add(add(m[0], m[1]), m[2]);
        y[1] = subtract(subtract(m[1], m[2]), m[3]);
    }
    TENON_INLINE static void gradient(const Vector (&y)[2], Vector (&m)[4]) {
        m[0] = y[0];
        m[1] = add(y[0], y[1]);
        m[2] = subtract(y[0], y[1]);
        m[3] = subtract(zero(), y[1]);
    }
};

/// Points 0, 1, -1, 2, -2 and infinity.
template <>
struct WinogradTransform<4> {
    static constexpr double filter[6][3] = {{1. / 4, 0, 0},
                                            {-1. / 6, -1. / 6, -1. / 6},
                                            {-1. / 6, 1. / 6, -1. / 6},
                                            {1. / 24, 1. / 12, 1. / 6},
                                            {1. / 24, -1. / 12, 1. / 6},
                                            {0, 0, 1}};
    /// The common factor of each row of `filter`: transforms of filters may leave it out where the input is multiplied
    /// by it instead.
    static constexpr double factor[6] = {1. / 4, -1. / 6, -1. / 6, 1. / 24, 1. / 24, 1};

    TENON_INLINE static void input(const Vector (&d)[6], Vector (&t)[6]) {
        const Vector minus_four = broadcast(-4.0f), two = broadcast(2.0f), minus_five = broadcast(-5.0f),
                     four = broadcast(4.0f);
        const Vector even = multiply_add(minus_four, d[2], d[4]), odd = multiply_add(minus_four, d[1], d[3]);
        const Vector even2 = subtract(d[4], d[2]), odd2 = subtract(d[3], d[1]);
        t[0] = multiply_add(four, d[0], multiply_add(minus_five, d[2], d[4]));
        t[1] = add(even, odd);
        t[2] = subtract(even, odd);
        t[3] = multiply_add(two, odd2, even2);
        t[4] = subtract(even2, multiply(two, odd2));
        t[5] = multiply_add(four, d[1], multiply_add(minus_five, d[3], d[5]));
    }
    TENON_INLINE static void output(const Vector (&m)[6], Vector (&y)[4]) {
        const Vector two = broadcast(2.0f), four = broadcast(4.0f), eight = broadcast(8.0f);
        const Vector sum1 = add(m[1], m[2]), difference1 = subtract(m[1], m[2]);
        const Vector sum2 = add(m[3], m[4]), difference2 = subtract(m[3], m[4]);
        y[0] = add(add(m[0], sum1), sum2);
        y[1] = multiply_add(two, difference2, difference1);
        y[2] = multiply_add(four, sum2, sum1);
        y[3] = add(multiply_add(eight, difference2, difference1), m[5]);
    }
    TENON_INLINE static void gradient(const Vector (&y)[4], Vector (&m)[6]) {
        const Vector two = broadcast(2.0f), four = broadcast(4.0f);
        const Vector even = add(y[0], y[2]), odd = add(y[1], y[3]);
        const Vector even2 = multiply_add(four, y[2], y[0]), odd2 = multiply(two, multiply_add(four, y[3], y[1]));
        m[0] = y[0];
        m[1] = add(even, odd);
        m[2] = subtract(even, odd);
        m[3] = add(even2, odd2);
        m[4] = subtract(even2, odd2);
        m[5] = y[3];
    }
};

/// Transforms a filter of 3x3 taps: G f G^T, one value per point.
template <int M>
void transform_filter(const double (&taps)[9], double (&points)[array_bound<(M + 2) * (M + 2)>]) {
    constexpr auto& g = WinogradTransform<M>::filter;
    constexpr int n = M + 2;
    double rows[array_bound<n>][3];
    for (int i = 0; i < n; ++i)
        for (int x = 0; x < 3; ++x) rows[i][x] = g[i][0] * taps[x] + g[i][1] * taps[3 + x] + g[i][2] * taps[6 + x];
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j)
            points[i * n + j] = rows[i][0] * g[j][0] + rows[i][1] * g[j][1] + rows[i][2] * g[j][2];
}

/// The first pass over one window of vectors, rows `row` floats apart: transforms its columns.
template <int M>
TENON_INLINE void transform_columns(const float* corner, long row,
                                    Vector (&columns)[array_bound<M + 2>][array_bound<M + 2>]) {
    constexpr int n = M + 2;
    TENON_UNROLL for (int x = 0; x < n; ++x) {
        Vector line[array_bound<n>], t[array_bound<n>];
        TENON_UNROLL for (int y = 0; y < n; ++y) line[y] = load(corner + y * row + x * channel_block);
        WinogradTransform<M>::input(line, t);
        TENON_UNROLL for (int y = 0; y < n; ++y) columns[y][x] = t[y];
    }
}

/// Transforms one window of vectors, rows `row` floats apart, and stores its points `point` floats apart; multiplied
/// by the factors of the filters' points if `WithFactors`.
template <int M, bool WithFactors = false>
TENON_INLINE void transform_window(const float* corner, long row, float* out, long point) {
    constexpr int n = M + 2;
    Vector columns[array_bound<n>][array_bound<n>];
    transform_columns<M>(corner, row, columns);
    TENON_UNROLL for (int y = 0; y < n; ++y) {
        Vector t[array_bound<n>];
        WinogradTransform<M>::input(columns[y], t);
        TENON_UNROLL for (int x = 0; x < n; ++x) {
            if constexpr (WithFactors) {
                constexpr auto& factor = WinogradTransform<M>::factor;
                t[x] = multiply(broadcast(static_cast<float>(factor[y] * factor[x])), t[x]);
            }
            store(out + (y * n + x) * point, t[x]);
        }
    }
}

/// Transforms the points of one tile back into M x M sums.
template <int M>
TENON_INLINE void transform_products(const float* products, long point,
                                     Vector (&sums)[array_bound<M>][array_bound<M>]) {
    constexpr int n = M + 2;
    Vector columns[array_bound<M>][array_bound<n>];
    TENON_UNROLL for (int x = 0; x < n; ++x) {
        Vector line[array_bound<n>], y[array_bound<M>];
        TENON_UNROLL for (int i = 0; i < n; ++i) line[i] = load(products + (i * n + x) * point);
        WinogradTransform<M>::output(line, y);
        TENON_UNROLL for (int i = 0; i < M; ++i) columns[i][x] = y[i];
    }
    TENON_UNROLL for (int i = 0; i < M; ++i) WinogradTransform<M>::output(columns[i], sums[i]);
}

/// The second pass for some rows: `transform` turns each into N points, which are stored `point` floats apart.
template <std::size_t N, std::size_t Width, class Transform>
TENON_INLINE void store_rows(const Vector (&lines)[N][Width], int first_row, int end_row, float* out, long point,
                             const Transform& transform) {
    for (int y = first_row; y < end_row; ++y) {
        Vector t[N];
        transform(lines[y], t);
        TENON_UNROLL for (std::size_t x = 0; x < N; ++x, out += point) store(out, t[x]);
    }
}

/// Transforms one window of vectors as transform_window does, but stores only rows of points [first_row, end_row).
template <int M>
TENON_INLINE void transform_window_rows(const float* corner, long row, int first_row, int end_row, float* out,
                                        long point) {
    Vector columns[array_bound<M + 2>][array_bound<M + 2>];
    transform_columns<M>(corner, row, columns);
    store_rows(columns, first_row, end_row, out, point,
               [](const auto& line, auto& t) { WinogradTransform<M>::input(line, t); });
}

/// Transforms the gradient of one tile of outputs, of which only `height` x `width` pixels are inside the map: the
/// transpose of transform_products. Stores rows of points [first_row, end_row), points `point` floats apart.
template <int M>
TENON_INLINE void transform_gradient_rows(const float* corner, long row, int height, int width, int first_row,
                                          int end_row, float* out, long point) {
    constexpr int n = M + 2;
    Vector lines[array_bound<n>][array_bound<M>];
    TENON_UNROLL for (int x = 0; x < M; ++x) {
        Vector column[array_bound<M>], t[array_bound<n>];
        TENON_UNROLL for (int y = 0; y < M; ++y) column[y] =
            y < height && x < width ? load(corner + y * row + x * channel_block) : zero();
        WinogradTransform<M>::gradient(column, t);
        TENON_UNROLL for (int y = 0; y < n; ++y) lines[y][x] = t[y];
    }
    store_rows(lines, first_row, end_row, out, point,
               [](const auto& line, auto& t) { WinogradTransform<M>::gradient(line, t); });
}

/// The gradient of a filter from the gradients of its points, `point` floats apart: the transpose of transform_filter.
/// Stores nine taps, `tap` floats apart.
template <int M>
TENON_INLINE void transform_filter_gradient(const float* points, long point, float* taps, long tap) {
    constexpr int n = M + 2;
    constexpr auto& g = WinogradTransform<M>::filter;
    const auto sum = [](const Vector(&line)[array_bound<n>], int k) {
        Vector result = zero();
        TENON_UNROLL for (int i = 0; i < n; ++i) if (g[i][k] != 0) result =
            multiply_add(broadcast(static_cast<float>(g[i][k])), line[i], result);
        return result;
    };
    Vector rows[3][array_bound<n>];
    TENON_UNROLL for (int x = 0; x < n; ++x) {
        Vector column[array_bound<n>];
        TENON_UNROLL for (int y = 0; y < n; ++y) column[y] = load(points + (y * n + x) * point);
        TENON_UNROLL for (int k = 0; k < 3; ++k) rows[k][x] = sum(column, k);
    }
    TENON_UNROLL for (int y = 0; y < 3; ++y) TENON_UNROLL for (int x = 0; x < 3; ++x)
        store(taps + (y * 3 + x) * tap, sum(rows[y], x));
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cpu
