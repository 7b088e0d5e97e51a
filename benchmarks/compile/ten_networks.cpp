// What `scripts/bench compile --ten` compiles: one program that runs ten networks of different kinds.
#include <vector>

#if __has_include(<tenon/inference.hpp>)
#include <tenon/inference.hpp>
#else  // revisions that had one header for all
#include <tenon/tenon.hpp>
#endif

namespace {

template <class... Nets>
float run_all() {
    const auto run = []<class Net>(Net) {
        tenon::Model<Net> model;
        model.initialize(1);
        return model(std::vector<float>(static_cast<std::size_t>(tenon::input_shape<Net>.elements())))[0];
    };
    return (run(Nets{}) + ...);
}

}  // namespace

int main() {
    using namespace tenon;
    return run_all<ResNet50V2<Classes<1000>>, ResNet18<>, ResNet152<>, ResNeXt50_32x4d<>, KerasResNet50<>,
                   KerasResNet152V2<>, TimmResNetV2_50<>, MxnetResNet50V2<>, CifarResNet110<>, WideResNet28_10<>>() > 0;
}
