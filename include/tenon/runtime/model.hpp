#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Model: a network with weights on a backend, ready to run.

#include <array>
#include <cstdint>

#include <tenon/core/exclusive_use.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/monotonic_time.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/engine/concepts.hpp>
#include <tenon/engine/default_backend.hpp>
#include <tenon/runtime/softmax.hpp>
#include <tenon/topology/facts.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon {

/// Options of a model.
struct ModelOptions {
    int threads = 0;  ///< threads of its own; 0: one per core this process may use
    /// Images that a step processes together. On the CPU each thread takes this many where a batch has at least two
    /// images per thread. Memory that is not needed is not touched.
    int images_in_flight = 4;
    int device = -1;  ///< on CUDA, the number of the device; -1: the one that is current in the constructing thread
};

inline namespace TENON_ISA_NAMESPACE {

/// A network with weights. Everything is allocated when it is constructed: a call allocates nothing once the result has
/// room for its batch. A model may be moved to another thread but not called from two at once, which throws
/// tenon::Error; two models share nothing, not even threads. Throws tenon::Error when a model that was moved from is
/// called or given weights.
///
/// Law: results are bitwise equal for any number of threads and for any batch that an image is in
/// (test: tests/runtime/determinism_test.cpp).
template <class Net, class Backend = detail::DefaultBackend>
class Model {
    static_assert(detail::NetworkArgument<Net>::done);

public:
    using Engine = typename Backend::template Engine<Net>;
    using Scalar = typename Engine::Scalar;

    /// Throws tenon::Error for a negative number of threads or one beyond any machine's, less than one image, or a
    /// device that the backend does not have.
    explicit Model(ModelOptions options = {});

    /// Takes over the weights in a safetensors file, a .pth of PyTorch or a .npz of NumPy, under the names of the
    /// convention that the network declares, or of the given one. Throws tenon::Error, naming file and tensor, when
    /// anything is missing, left over, of another shape, infinite or NaN; then the model is unchanged. A model in
    /// 8-bit integers also needs the ranges that a Calibrator saves with the weights; other models ignore them.
    void load(const std::string& path, Naming naming = naming_of<Net>);

    /// The same with options. Throws tenon::Error as above, except for what they allow.
    void load(const std::string& path, const LoadOptions& options);

    /// Takes over parameters. Throws tenon::Error for a model in 8-bit integers, which needs ranges too.
    void set_parameters(const Parameters<Net>& parameters);

    /// Takes over parameters and the ranges that a Calibrator has measured, for a model in 8-bit integers.
    void set_parameters(const Parameters<Net>& parameters,
                        std::span<const float> input_ranges) requires detail::NeedsRanges<Engine>;

    /// Gives the model seeded weights, for tests and measurements (Parameters::seed).
    void initialize(std::uint64_t seed);

    /// The results for a batch of images, valid until the next call. `images` holds one or more images, one after
    /// another (channel, row, column); there are as many results (logits for a classifier). Throws tenon::Error when
    /// `images` is not a whole number of images or the model has no weights.
    std::span<const Scalar> operator()(std::span<const Scalar> images);

    /// The same into the caller's memory. Throws tenon::Error when `results` does not have the size of the results.
    void operator()(std::span<const Scalar> images, std::span<Scalar> results);

    /// The results for images in bytes, one after another, pixel by pixel (row, column, channel), as cameras and
    /// decoders leave them. The network reads byte * scale[c] + shift[c] of channel c. No image of floats is made: on
    /// the CPU the first step looks up what a byte stands for, with the same results to the bit; on CUDA a quarter of
    /// what floats take is copied, and the device makes numbers of it. Throws tenon::Error as above, and unless `scale`
    /// and `shift` have one number for each channel. (tests: tests/runtime/determinism_test.cpp,
    /// tests/backend/cuda/driver_test.cpp)
    void run_bytes(std::span<const std::uint8_t> images, std::span<const float> scale, std::span<const float> shift,
                   std::span<Scalar> results) requires detail::ReadsBytes<Engine>;

    /// Seconds that each step took on a batch of images; names and sizes of the steps are in report/profile.hpp. Throws
    /// tenon::Error as operator() does.
    std::vector<double> profile(std::span<const Scalar> images);

    /// The results for a batch, with what each thread does reported to recorders; for report/trace/trace.hpp.
    template <class Recorder, class... Recorders>
    void record(std::span<const Scalar> images, std::span<Scalar> results, Recorder& team,
                const Recorders&... threads) {
        const detail::ExclusiveUse::Scope use{in_use_, "model"};
        engine_.record(images.data(), results.data(), checked_count(images.size()), team, threads...);
    }

    /// Threads the model runs on.
    int threads() const;

private:
    static int checked(int images) {
        if (images < 1) detail::throw_error({"a model needs room for at least 1 image in flight, not ", images});
        return images;
    }

    static Engine made(const ModelOptions& options) {
        const int images = checked(options.images_in_flight);
        if constexpr (detail::ChoosesDevice<Engine>) {
            return Engine(options.threads, images, options.device);
        } else {
            detail::check_no_device(options.device);
            return Engine(options.threads, images);
        }
    }

    long checked_count(std::size_t size) const;
    void check_results(long count, std::size_t size) const;

    /// Engines may run faster when nobody observes their steps.
    void run(const Scalar* images, Scalar* results, long count) {
        if constexpr (detail::RunsUnobserved<Engine>)
            engine_.run(images, results, count);
        else
            engine_.run(images, results, count, [](int) {});
    }

    template <class... Ranges>
    void set(std::span<const float* const> tensors, const Ranges&... ranges) {
        const detail::ExclusiveUse::Scope use{in_use_, "model"};
        moved_from_.check("model");
        engine_.set_parameters(tensors, ranges...);
        has_weights_ = true;
    }

    Engine engine_;
    detail::Buffer<Scalar> results_;
    bool has_weights_ = false;
    detail::MovedFrom moved_from_;
    detail::ExclusiveUse in_use_;
};

// Members that compile a network are defined here, where they are not inline: a file in which TENON_DECLARE_NETWORK
// says that another file has them does not compile them.

template <class Net, class Backend>
Model<Net, Backend>::Model(ModelOptions options) : engine_(made(options)) {
    static_assert(detail::InferenceEngine<Engine>);
}

template <class Net, class Backend>
void Model<Net, Backend>::load(const std::string& path, Naming naming) {
    load(path, LoadOptions{.naming = naming});
}

template <class Net, class Backend>
void Model<Net, Backend>::load(const std::string& path, const LoadOptions& options) {
    moved_from_.check("model");
    const detail::StoredNetwork stored = detail::stored_network<Net>(options.naming.value_or(naming_of<Net>));
    const detail::WeightsFile file = detail::open_weights(path, stored, options);
    if constexpr (detail::NeedsRanges<Engine>) {
        try {
            set(file.tensors(), file.ranges());
        } catch (const Error& error) {
            detail::throw_error({path, ": ", error.what()});
        }
    } else {
        set(file.tensors());
    }
}

template <class Net, class Backend>
void Model<Net, Backend>::set_parameters(const Parameters<Net>& parameters) {
    set(parameters.tensors());
}

template <class Net, class Backend>
void Model<Net, Backend>::set_parameters(const Parameters<Net>& parameters,
                                         std::span<const float> input_ranges) requires detail::NeedsRanges<Engine> {
    set(parameters.tensors(), input_ranges);
}

template <class Net, class Backend>
void Model<Net, Backend>::initialize(std::uint64_t seed) {
    moved_from_.check("model");
    Parameters<Net> parameters;
    parameters.seed(seed);
    set_parameters(parameters);
}

template <class Net, class Backend>
auto Model<Net, Backend>::operator()(std::span<const Scalar> images) -> std::span<const Scalar> {
    const detail::ExclusiveUse::Scope use{in_use_, "model"};
    const long count = checked_count(images.size());
    const std::size_t size = detail::index(count * output_shape<Net>.elements());
    if (results_.size() < size) results_ = detail::Buffer<Scalar>{size};
    run(images.data(), results_.data(), count);
    return {results_.data(), size};
}

template <class Net, class Backend>
void Model<Net, Backend>::operator()(std::span<const Scalar> images, std::span<Scalar> results) {
    const detail::ExclusiveUse::Scope use{in_use_, "model"};
    const long count = checked_count(images.size());
    check_results(count, results.size());
    run(images.data(), results.data(), count);
}

template <class Net, class Backend>
void Model<Net, Backend>::run_bytes(std::span<const std::uint8_t> images, std::span<const float> scale,
                                    std::span<const float> shift,
                                    std::span<Scalar> results) requires detail::ReadsBytes<Engine> {
    constexpr std::size_t channels = detail::index(input_shape<Net>.channels);
    const detail::ExclusiveUse::Scope use{in_use_, "model"};
    const long count = checked_count(images.size());
    check_results(count, results.size());
    if (scale.size() != channels || shift.size() != channels)
        detail::throw_error({"the pixels of this network have ", std::to_string(channels),
                             " channels, so as many scales and shifts are expected, not ", std::to_string(scale.size()),
                             " and ", std::to_string(shift.size())});
    std::array<float, 2 * channels> both;
    std::copy(shift.begin(), shift.end(), std::copy(scale.begin(), scale.end(), both.begin()));
    engine_.run_bytes(images.data(), both.data(), results.data(), count);
}

template <class Net, class Backend>
std::vector<double> Model<Net, Backend>::profile(std::span<const Scalar> images) {
    const detail::ExclusiveUse::Scope use{in_use_, "model"};
    const long count = checked_count(images.size());
    std::vector<Scalar> results(detail::index(count * output_shape<Net>.elements()));
    std::vector<double> seconds(detail::index(Engine::Compiled::steps));
    double last = detail::monotonic_seconds();
    engine_.run(images.data(), results.data(), count, [&](int step) {
        const double now = detail::monotonic_seconds();
        seconds[detail::index(step)] += now - last;
        last = now;
    });
    return seconds;
}

template <class Net, class Backend>
int Model<Net, Backend>::threads() const {
    return engine_.threads();
}

template <class Net, class Backend>
void Model<Net, Backend>::check_results(long count, std::size_t size) const {
    if (const long expected = count * output_shape<Net>.elements(); static_cast<long>(size) != expected)
        detail::throw_error({"the results of ", std::to_string(count), " images take ", std::to_string(expected),
                             " scalars, but the span given for them has ", std::to_string(size)});
}

template <class Net, class Backend>
long Model<Net, Backend>::checked_count(std::size_t size) const {
    constexpr long elements = input_shape<Net>.elements();
    moved_from_.check("model");
    if (!has_weights_) throw Error("the model has no weights yet; call load, set_parameters or initialize first");
    const long scalars = static_cast<long>(size);
    // The analyzer can't evaluate the program that computes the constant.
    if (scalars == 0 || scalars % elements != 0)  // NOLINT(clang-analyzer-core.DivideZero)
        detail::throw_error({"one image of this network is ", to_string(input_shape<Net>), ", ", elements,
                             " scalars; a batch is a positive multiple of that, not ", scalars});
    return scalars / elements;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon

// A network that a program uses in several files, or that is to be optimized where the rest of a program is not, can be
// compiled in a file of its own. After its definition, at namespace scope:
//
//     TENON_DECLARE_NETWORK(Net);   in the header: Model<Net> and Parameters<Net> are compiled in another file
//     TENON_DEFINE_NETWORK(Net);    in that file
//
// CMake's tenon_add_network() writes that file. These are explicit instantiations, no more: a program in which another
// file uses the network without the declaration is right too, and one that lacks the definition doesn't link.
#define TENON_DECLARE_NETWORK(...)                        \
    extern template class tenon::Parameters<__VA_ARGS__>; \
    extern template class tenon::Model<__VA_ARGS__>
#define TENON_DEFINE_NETWORK(...)                  \
    template class tenon::Parameters<__VA_ARGS__>; \
    template class tenon::Model<__VA_ARGS__>
