#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// The parameters of a network in their own order and shapes, outside any backend: to initialize, inspect, load and
// save.

#include <cstring>

#include <tenon/core/buffer.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/math.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/core/random.hpp>
#include <tenon/weights/weights_file.hpp>
#include <tenon/weights/write_weights.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The range that a seeded parameter is drawn from: weights within sqrt(3 / inputs), so that signals keep their size;
/// biases within 0.1; gammas and variances around one; betas and means around zero.
struct SeededRange {
    double low, high;
};
template <class Once = void>
SeededRange seeded_range(const Parameter& parameter) {
    switch (parameter.role) {
        case ParameterRole::weight: {
            const double inputs = static_cast<double>(parameter.elements()) / parameter.dimensions[0];
            return {-detail::sqrt(3 / inputs), detail::sqrt(3 / inputs)};
        }
        case ParameterRole::bias:
            return {-0.1, 0.1};
        case ParameterRole::gamma:
        case ParameterRole::running_variance:
            return {0.5, 1.5};
        default:
            return {-0.5, 0.5};
    }
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

inline namespace TENON_ISA_NAMESPACE {

/// All parameters and running statistics of a network as floats, one after another in an arena. An object that was
/// moved from throws tenon::Error when it is read, written or saved.
template <class Net>
class Parameters {
    static_assert(detail::NetworkArgument<Net>::done);

public:
    static constexpr const auto& program = lowered<Net>;

    /// Parameters that are all zero. Throws tenon::Error when there is no memory for them.
    Parameters();

    /// The parameters in a safetensors, .pth or .npz file, under the names of a convention. Throws tenon::Error, naming
    /// file and tensor, when anything is missing, left over, of another shape, infinite or NaN.
    explicit Parameters(const std::string& path, Naming naming = naming_of<Net>);

    /// The same with options. Throws tenon::Error as above, except for what they allow.
    Parameters(const std::string& path, const LoadOptions& options);

    /// The number of tensors.
    static constexpr int count() { return program.parameters.size(); }
    /// Role, layer, shape and offset of each tensor, in the order of the program.
    static std::span<const detail::Parameter> infos() { return {program.parameters.begin(), program.parameters.end()}; }

    /// The values of one parameter, row-major in its own shape.
    std::span<float> operator[](int index) { return values().subspan(offset(index), length(index)); }
    std::span<const float> operator[](int index) const { return values().subspan(offset(index), length(index)); }

    /// All values, one parameter after another (Parameter::offset).
    std::span<float> values() {
        detail::check_not_moved_from(arena_.size() == size(), "set of parameters");
        return arena_;
    }
    std::span<const float> values() const {
        detail::check_not_moved_from(arena_.size() == size(), "set of parameters");
        return arena_;
    }

    /// Draws every parameter from a seed and its name (core/random.hpp): the same network, seed and names give the same
    /// values on any machine, running statistics and affine parameters included.
    void seed(std::uint64_t seed, Naming naming = naming_of<Net>);

    /// Writes all parameters as safetensors under the names and in the layout of a convention, so that the convention's
    /// library can read them; as floats, or rounded to half precision (DType::f16), which load reads too. Ranges for
    /// 8-bit integers, if any, are stored beside them as a Calibrator does. The file at `path` is replaced completely
    /// or not at all. Throws tenon::Error when it can't be written, or a value is too large for half precision.
    void save(const std::string& path, Naming naming = naming_of<Net>, const Metadata& metadata = {},
              DType type = DType::f32, std::span<const float> input_ranges = {}) const;

    /// Pointers to the parameters in the order of the program.
    std::vector<const float*> tensors() const;

private:
    static constexpr std::size_t size() {
        std::size_t sum = 0;
        for (const detail::Parameter& parameter : program.parameters) sum += detail::index(parameter.elements());
        return sum;
    }
    static std::size_t offset(int index) { return detail::index(program.parameters[index].offset); }
    static std::size_t length(int index) { return detail::index(program.parameters[index].elements()); }

    detail::Buffer<float> arena_;
};

// Not inline: see runtime/model.hpp, TENON_DECLARE_NETWORK.

template <class Net>
Parameters<Net>::Parameters() : arena_{size()} {}

template <class Net>
Parameters<Net>::Parameters(const std::string& path, Naming naming) : Parameters(path, LoadOptions{.naming = naming}) {}

template <class Net>
Parameters<Net>::Parameters(const std::string& path, const LoadOptions& options) : Parameters() {
    const detail::StoredNetwork stored = detail::stored_network<Net>(options.naming.value_or(naming_of<Net>));
    const detail::WeightsFile file = detail::open_weights(path, stored, options);
    for (int i = 0; i < count(); ++i)
        std::copy(file.tensors()[detail::index(i)], file.tensors()[detail::index(i)] + (*this)[i].size(),
                  (*this)[i].begin());
}

template <class Net>
void Parameters<Net>::seed(std::uint64_t seed, Naming naming) {
    const std::vector<std::string> names = detail::parameter_names<Net>(naming);
    for (int i = 0; i < count(); ++i) {
        const auto [low, high] = seeded_range(program.parameters[i]);
        const std::uint64_t stream = detail::hash_name(names[detail::index(i)]);
        std::uint64_t element = 0;
        for (float& value : (*this)[i])
            value = static_cast<float>(detail::uniform(detail::random_bits(seed, stream, element++), low, high));
    }
}

template <class Net>
void Parameters<Net>::save(const std::string& path, Naming naming, const Metadata& metadata, DType type,
                           std::span<const float> input_ranges) const {
    detail::write_weights(path, detail::stored_network<Net>(naming), tensors(), metadata, type, input_ranges);
}

template <class Net>
std::vector<const float*> Parameters<Net>::tensors() const {
    std::vector<const float*> result;
    result.reserve(detail::index(count()));
    for (int i = 0; i < count(); ++i) result.push_back((*this)[i].data());
    return result;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon
