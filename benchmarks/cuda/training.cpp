#include "training.hpp"

#include "networks.hpp"
#include "training_cost.hpp"

namespace gpu_check {

using tenon::Precision;

namespace {

template <class Net, Precision P>
void compare_training(std::string_view name, int batch) {
    for (const nlohmann::json& finding : compare_step<Net, tenon::CudaWith<P>>(name, P, batch)) print(finding);
}

}  // namespace

void compare_gradients() {
    for (const int batch : {3, 64})
        for_each_precision([&](auto precision) { compare_training<Smooth, precision()>("Smooth", batch); });
    compare_training<Small, Precision::float32>("FashionMnistResNet", 5);
    for_each_precision([&](auto precision) { compare_training<Listing, precision()>("ResNet50V2", 4); });
}

void compare_small_step() { compare_training<Small, Precision::float32>("FashionMnistResNet", 2); }

void answer_step(const std::string& folder) {
    constexpr int batch = 4;
    const auto step = device_step<Listing, tenon::CudaWith<Precision::float32>>(batch);
    write_step(folder, step, Precision::float32, batch);
}

void measure_steps(const Options& options) {
    for_each_precision([&](auto precision) {
        if (name_of(precision()) != options.precision) return;
        for (const int batch : options.batches)
            print(measure_training<Listing, tenon::CudaWith<precision()>>("ResNet50V2", precision(), batch));
    });
}

void describe_steps() {
    for_each_precision([](auto precision) { print(describe_training<Listing, precision()>("ResNet50V2")); });
}

}  // namespace gpu_check
