// title: A trainer in 8-bit integers
// meaning: Gradients need more than 8 bits.
// fix: Train in float32 or in bfloat16, then calibrate: `CpuWith<Precision::int8>::Calibrator`.
// expect: tenon: the CPU trains in Precision::float32 and bfloat16
// errors: 2
// max-lines: 32
// page: no
#include <tenon/training.hpp>

using namespace tenon;

#ifdef TENON_TWIN
constexpr Precision precision = Precision::bfloat16;
#else
constexpr Precision precision = Precision::int8;
#endif

struct Classifier : Network<Input<3, 8, 8>, Conv<16, Kernel<3>>, Flatten, Linear<10>> {};

void train() {
    Trainer<Classifier, CpuWith<precision>> trainer{SgdOptions{}};
    trainer.parameters();
}
