// A callback that ends a fit after a number of steps.
#pragma once

#include <string>

#include <tenon/training.hpp>

namespace training {

/// Ends a fit after a number of steps of the whole run.
class StepLimit final : public tenon::Callback {
public:
    explicit StepLimit(long steps) : steps_{steps} {}
    void on_step(const tenon::StepReport& report, tenon::TrainerControl& trainer) override {
        if (steps_ > 0 && report.step >= steps_) trainer.stop("--steps " + std::to_string(steps_) + " are done");
    }

private:
    long steps_;
};

}  // namespace training
