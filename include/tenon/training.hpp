// Training networks: trainers, optimizers, schedules, callbacks, and tests of layers.
#pragma once

#include <tenon/core/begin_door.hpp>

// IWYU pragma: begin_exports
#include <tenon/data/batch.hpp>
#include <tenon/engine/reference_training.hpp>
#include <tenon/engine/training_engine.hpp>
#include <tenon/inference.hpp>
#include <tenon/train/callbacks/best_weights.hpp>
#include <tenon/train/callbacks/log_files.hpp>
#include <tenon/train/callbacks/periodic_checkpoint.hpp>
#include <tenon/train/callbacks/progress_bar.hpp>
#include <tenon/train/callbacks/stop_on_interrupt.hpp>
#include <tenon/train/find_rate.hpp>
#include <tenon/train/optimizers/adamw.hpp>
#include <tenon/train/optimizers/initializers.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/schedules/plateau.hpp>
#include <tenon/train/testing/feature_cache.hpp>
#include <tenon/train/testing/test_layer.hpp>
#include <tenon/train/trainer.hpp>
// IWYU pragma: end_exports

#include <tenon/core/end_door.hpp>
