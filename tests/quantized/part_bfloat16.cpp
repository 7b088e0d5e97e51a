// The networks of these tests in bfloat16 for one instruction set: BFLOAT16_PART is the function's name.
#include <algorithm>
#include <utility>

#include <tenon/engine/cpu_with.hpp>
#include <tenon/runtime/model.hpp>

#include "networks.hpp"

namespace {

using tenon::CpuWith, tenon::Model, tenon::Parameters, tenon::Precision;

template <class Net>
std::vector<float> run(std::span<const float> values, std::span<const float> images, int threads) {
    Parameters<Net> parameters;
    std::copy(values.begin(), values.end(), parameters.values().begin());
    Model<Net, CpuWith<Precision::bfloat16>> model{{.threads = threads, .images_in_flight = 2}};
    model.set_parameters(parameters);
    const auto results = model(images);
    return {results.begin(), results.end()};
}

}  // namespace

namespace quantized_test {

std::vector<float> BFLOAT16_PART(int index, std::span<const float> parameters, std::span<const float> images,
                                 int threads) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        std::vector<float> results;
        ((static_cast<int>(I) == index
              ? static_cast<void>(results = run<std::tuple_element_t<I, Bfloat16Networks>>(parameters, images, threads))
              : static_cast<void>(0)),
         ...);
        return results;
    }
    (std::make_index_sequence<std::tuple_size_v<Bfloat16Networks>>{});
}

}  // namespace quantized_test
